/** The legend: classes of colour with their limits and units, and what hatching means. */

import { byId, drawn, element } from "./dom.js";
import { paletteOf } from "./frames.js";
import { ask } from "./service.js";

const held = new Map();

/** Draw the legend of the state's view. */
export async function drawLegend(state) {
  const { answer, view } = state;
  const address = answer.legend.replace("{kind}", view).replace("{palette}", encodeURIComponent(paletteOf(state)));
  if (!held.has(address)) held.set(address, ask(address));
  try {
    const told = await held.get(address);
    byId("legend").replaceChildren(...content(told, state));
  } catch (error) {
    held.delete(address);
    byId("legend").replaceChildren(element("figcaption", {}, `No legend: ${error.message}`));
  }
}

function content(told, { view, threshold, coverage, answer }) {
  const percent = told.units === "1";
  const shown = (value) => (percent ? String(Math.round(value * 100)) : String(value));
  const title = view === "chance" ? `Chance of ≥ ${threshold} mm/h` : told.title;
  const classes = told.classes.map(({ from, colour }, k) =>
    element("li", { title: words(told.classes[k], shown) }, swatch(colour), element("span", {}, shown(from))),
  );
  return [
    element("figcaption", {}, title, " ", element("small", {}, percent ? "%" : told.units)),
    element("ol", {}, ...classes),
    ...(coverage ? [unseen(answer)] : []),
  ];
}

const words = ({ from, to }, shown) => (to === null ? `${shown(from)} and more` : `${shown(from)} to ${shown(to)}`);

/** A rectangle: styles in attributes are not allowed, fills of drawings are. */
function swatch(colour) {
  return drawn(
    "svg",
    { viewBox: "0 0 10 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    drawn("rect", { width: 10, height: 10, fill: colour }),
  );
}

function unseen(answer) {
  const title = answer.layers.find((layer) => layer.kind === "coverage")?.title ?? "Not seen by radar";
  return element("p", { class: "unseen-key" }, element("i", { "aria-hidden": "true" }), title);
}
