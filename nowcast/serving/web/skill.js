/** How good the nowcasts were: CSI by lead of what was served, beside persistence and advection. */

import { MARGIN, ascending, axis, below, canvas, heading, linear, through } from "./chart.js";
import { chips, drawn, element } from "./dom.js";
import { clockTime, day, zoneName } from "./times.js";

const METHODS = [["served", "Served"], ["advection", "Advection"], ["persistence", "Persistence"]];
const WINDOWS = [["24h", "24 hours"], ["7d", "7 days"], ["30d", "30 days"]];
const HEIGHT = 230, TOP = 24, FLOOR = HEIGHT - 34;

/** What /skill told, as elements; `choose(patch)` changes the state. */
export function skillPanel(told, { threshold, window, zone }, width, choose) {
  const served = told.csi?.served ?? {};
  const levels = ascending(served);
  const level = levels.includes(threshold) ? threshold : levels[0];
  const windows = chips("Window", WINDOWS, window, (value) => choose({ window: value }));
  if (!scored(served[level])) return [windows, ...nothingYet("No nowcast of this window has been scored yet.")];
  return [
    windows,
    element("p", { class: "sentence" }, verdict(told, level)),
    chart(told, level, width),
    key(),
    element("p", { class: "label" }, "Rain of at least (mm/h)"),
    chips("Rain of at least, in mm/h", levels.map((t) => [t, t]), level, (value) => choose({ threshold: value })),
    numbers(told, level),
    element("p", { class: "small" }, basis(told, zone)),
  ];
}

/** Where there is nothing to show. */
export function nothingYet(text) {
  const why = "A nowcast is scored when the scans it was for have come. Scores appear here by themselves.";
  return [element("p", { class: "sentence" }, text), element("p", {}, why)];
}

export const emptySkill = (window, text, choose) => [
  chips("Window", WINDOWS, window, (value) => choose({ window: value })),
  ...nothingYet(text),
];

const scored = (byLead) => Object.values(byLead ?? {}).some((value) => value !== null);
const leads = (told, level) => Object.keys(told.csi.served[level]).map(Number).sort((a, b) => a - b);
const csi = (told, method, level, lead) => told.csi[method]?.[level]?.[String(lead)] ?? null;
const figure = (value) => (value === null ? "–" : value.toFixed(2));

/** At half the leads that are scored. */
function verdict(told, level) {
  const all = leads(told, level).filter((lead) => csi(told, "served", level, lead) !== null);
  const lead = all[Math.floor((all.length - 1) / 2)];
  const [mine, advection, persistence] = METHODS.map(([method]) => csi(told, method, level, lead));
  return `${lead} min ahead: CSI ${figure(mine)}, advection ${figure(advection)}, persistence ${figure(persistence)}`;
}

function chart(told, level, width) {
  const all = leads(told, level), right = width - MARGIN.right;
  const x = linear([0, all.at(-1)], [MARGIN.left, right]);
  const y = linear([0, 1], [FLOOR, TOP]);
  const picture = canvas(width, HEIGHT, `Critical success index by lead at ${level} mm/h. ${verdict(told, level)}`);
  const every = Math.ceil(all.length / 6);
  const curves = METHODS.map(([method]) => {
    const points = all.map((lead) => [lead, csi(told, method, level, lead)]).map(([lead, v]) => [x(lead), v === null ? null : y(v)]);
    const dots = points.filter(([, at]) => at !== null).map(([cx, cy]) => drawn("circle", { cx, cy, r: 2.4 }));
    return drawn("g", { class: `curve ${method}` }, drawn("path", { d: through(points) }), ...dots);
  });
  picture.append(
    heading(`Critical success index, rain ≥ ${level} mm/h`, 10),
    axis([0, 0.25, 0.5, 0.75, 1], y, [MARGIN.left, right]),
    ...curves.reverse(),
    below(all.filter((_, k) => (k + 1) % every === 0).map((lead) => [Math.min(x(lead), right - 8), String(lead)]), HEIGHT - 18),
    drawn("text", { x: (MARGIN.left + right) / 2, y: HEIGHT - 2, "text-anchor": "middle", class: "unit" }, "lead time, min"),
  );
  return picture;
}

function key() {
  const sample = (method) => drawn("svg", { viewBox: "0 0 28 8", class: `curve ${method}`, "aria-hidden": "true" }, drawn("path", { d: "M1 4H27" }));
  return element("ul", { class: "key" }, ...METHODS.map(([method, name]) => element("li", {}, sample(method), name)));
}

function numbers(told, level) {
  const row = (tag, texts) => element("tr", {}, ...texts.map((text) => element(tag, {}, text)));
  const body = leads(told, level).map((lead) => row("td", [`${lead} min`, ...METHODS.map(([m]) => figure(csi(told, m, level, lead)))]));
  const table = element("table", {}, element("thead", {}, row("th", ["Lead", ...METHODS.map(([, name]) => name)])), element("tbody", {}, ...body));
  return element("details", { class: "numbers" }, element("summary", {}, "The same in numbers"), table);
}

function basis({ scans, nowcasts, from, until }, zone) {
  const time = (iso) => `${day(Date.parse(iso), zone)} ${clockTime(Date.parse(iso), zone)}`;
  const name = zoneName(zone, Date.parse(until));
  return `${nowcasts} nowcasts held against ${scans.scored} scans, ${time(from)} to ${time(until)} ${name}. 1 is perfect, 0 is no hit. Persistence keeps the newest scan as it is, advection moves it along.`;
}
