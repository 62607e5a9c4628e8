/** What drawn curves share: scales, axes, paths. Lengths are pixels of the drawing. */

import { drawn } from "./dom.js";

export const MARGIN = { left: 38, right: 12 };

/** A function from a domain to a range, linear; `back` goes the other way. */
export function linear([from, to], [start, end]) {
  const scale = (value) => start + ((value - from) / (to - from)) * (end - start);
  scale.back = (place) => from + ((place - start) / (end - start)) * (to - from);
  return scale;
}

/** The next of 1, 2, 5, 10, ... that is no less, and the steps to it. */
export function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const top = [1, 2, 5, 10].find((one) => one * power >= value * 0.999) * power;
  const parts = String(top)[0] === "5" ? 5 : 4;
  return { top, steps: Array.from({ length: parts + 1 }, (_, k) => Number(((top * k) / parts).toPrecision(3))) };
}

/** An SVG of a width and height that screen readers take as one picture with a name. */
export function canvas(width, height, label) {
  return drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label, class: "chart" });
}

/** Lines across with their values at the left. */
export function axis(values, scale, [left, right], text = String) {
  const marks = values.map((value) =>
    drawn(
      "g",
      {},
      drawn("line", { x1: left, x2: right, y1: scale(value), y2: scale(value) }),
      drawn("text", { x: left - 6, y: scale(value) + 3.5, "text-anchor": "end" }, text(value)),
    ),
  );
  return drawn("g", { class: "axis" }, ...marks);
}

/** Texts below. */
export function below(marks, y) {
  return drawn("g", { class: "axis" }, ...marks.map(([x, text]) => drawn("text", { x, y, "text-anchor": "middle" }, text)));
}

export const heading = (text, y) => drawn("text", { x: 0, y, class: "heading" }, text);

/** The path through points [x, y]; it breaks where y is null. */
export function through(points) {
  let open = false;
  return points
    .map(([x, y]) => {
      const known = y !== null && Number.isFinite(y);
      const step = known ? `${open ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}` : "";
      open = known;
      return step;
    })
    .join("");
}

/** The closed path between two runs of points, over the parts where both are known. */
export function between(upper, lower) {
  const runs = [];
  upper.forEach((point, k) => {
    const known = point[1] !== null && lower[k][1] !== null;
    if (!known) runs.push([]);
    else if (runs.length) runs.at(-1).push(k);
    else runs.push([k]);
  });
  return runs
    .filter((run) => run.length)
    .map((run) => `${through([...run.map((k) => upper[k]), ...run.map((k) => lower[k]).reverse()])}Z`)
    .join("");
}

/** The keys of an object by their value as numbers: JavaScript itself puts whole numbers first. */
export const ascending = (object) => Object.keys(object).sort((one, other) => one - other);
