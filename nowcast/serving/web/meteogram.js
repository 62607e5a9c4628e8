/** The forecast of a place: a sentence, rain and chances against time, and the same as a table. */

import { MARGIN, ascending, axis, below, between, canvas, heading, linear, roundUp, through } from "./chart.js";
import { chips, drawn, element } from "./dom.js";
import { MINUTE, clockTime, duration, offset, zoneName } from "./times.js";

const RAIN = { top: 24, height: 148 }, CHANCE = { top: 222, height: 76 }, HEIGHT = 322;
const LEAST_TOP = 1; // mm/h, so that drizzle looks like drizzle

const SIGHT = {
  unavailable: "The radar that usually sees this place gave no measurement.",
  never: "No radar coverage here: nothing is known of the rain at this place.",
  unknown: "It is not known whether radar sees this place.",
};

/** What /point told, as elements; `choose(threshold)` when another one is chosen. */
export function meteogram(told, { threshold, zone }, width, choose) {
  const series = steps(told, threshold);
  const notice = SIGHT[told.radar_coverage];
  const levels = ascending(told.probability);
  return [
    element("p", { class: "sentence" }, sentence(told.outlook.text)),
    notice ? element("p", { class: "notice" }, notice) : null,
    ...chart(told, series, { threshold, zone, width }),
    levels.length ? element("p", { class: "label" }, "Chance of at least (mm/h)") : null,
    levels.length ? chips("Chance of at least, in mm/h", levels.map((t) => [t, t]), threshold, choose) : null,
    table(series, threshold, zone),
    element("p", { class: "small" }, source(told, zone)),
  ].filter((part) => part !== null);
}

const sentence = (text) => (text ? text[0].toUpperCase() + text.slice(1) : "Nothing is known here.");

/** One entry per time: observed or forecast rate [mm/h], its 10-90 % band, its chance; null where unknown. */
function steps(told, threshold) {
  const nulls = told.lead_time_min.map(() => null);
  const of = (levels, level) => levels?.[level] ?? nulls;
  const [low, high] = [of(told.rain_rate_quantile, "0.1"), of(told.rain_rate_quantile, "0.9")];
  const chance = of(told.probability, threshold);
  const past = told.observed.map((one) => ({ time: Date.parse(one.time), kind: "observed", rate: one.rain_rate }));
  const coming = told.lead_time_min.map((lead, k) => ({
    time: Date.parse(told.valid_time[k]),
    kind: "forecast",
    rate: told.rain_rate[k],
    low: low[k],
    high: high[k],
    chance: chance[k],
    lead,
  }));
  return [...past.filter((one) => one.time <= Date.parse(told.init_time)), ...coming];
}

function chart(told, series, { threshold, zone, width }) {
  const right = width - MARGIN.right;
  const cadence = told.lead_time_min[0] * MINUTE;
  const begin = Math.min(series[0].time, Date.parse(told.init_time) - 60 * MINUTE) - cadence / 2;
  const x = linear([begin, series.at(-1).time + cadence / 2], [MARGIN.left, right]);
  const known = series.flatMap((one) => [one.rate, one.high]).filter((value) => value !== null && value !== undefined);
  const { top, steps: values } = roundUp(Math.max(LEAST_TOP, ...known));
  const rain = linear([0, top], [RAIN.top + RAIN.height, RAIN.top]);
  const chance = linear([0, 1], [CHANCE.top + CHANCE.height, CHANCE.top]);
  const picture = canvas(width, HEIGHT, `Rain and chance of rain. ${told.outlook.text}`);
  const span = [MARGIN.left, right];
  picture.append(
    heading("Rain rate, mm/h", 10),
    axis(values, rain, span),
    drawn("g", {}, ...series.map((one) => bar(one, x, rain, cadence))),
    band(series, x, rain),
    heading(`Chance of ≥ ${threshold} mm/h, %`, CHANCE.top - 14),
    axis([0, 0.5, 1], chance, span, (value) => String(value * 100)),
    ...chances(series, x, chance),
    below(hours(series, begin, x, zone, width), HEIGHT - 6),
    now(Date.parse(told.now), x, right),
  );
  return [picture, ...reader(picture, series, x, zone, threshold)];
}

function bar({ kind, rate, time }, x, y, cadence) {
  const broad = Math.max(1.5, Math.abs(x(cadence) - x(0)) - 2), left = x(time) - broad / 2;
  if (rate === null) return drawn("rect", { class: "unknown", x: left, y: RAIN.top, width: broad, height: RAIN.height });
  const height = rate > 0 ? Math.max(1.5, y(0) - y(rate)) : 0;
  return drawn("rect", { class: `bar ${kind}`, x: left, y: y(0) - height, width: broad, height, rx: Math.min(1.5, height / 2) });
}

function band(series, x, y) {
  const edge = (level) => series.filter((one) => one.kind === "forecast").map((one) => [x(one.time), one[level] === null ? null : y(one[level])]);
  const [low, high] = [edge("low"), edge("high")];
  const edges = [high, low].map((points) => drawn("path", { class: "edge", d: through(points) }));
  return drawn("g", { class: "band" }, drawn("path", { d: between(high, low) }), ...edges);
}

function chances(series, x, y) {
  const points = series.filter((one) => one.kind === "forecast").map((one) => [x(one.time), one.chance === null ? null : y(one.chance)]);
  const floor = points.map(([at, height]) => [at, height === null ? null : y(0)]);
  return [drawn("path", { class: "chance-area", d: between(points, floor) }), drawn("path", { class: "chance", d: through(points) })];
}

function hours(series, begin, x, zone, width) {
  const step = [15, 30, 60, 120].find((minutes) => Math.abs(x(minutes * MINUTE) - x(0)) >= 56) ?? 180;
  const first = Math.ceil(begin / (step * MINUTE)) * step * MINUTE;
  const marks = [];
  for (let time = first; time <= series.at(-1).time; time += step * MINUTE) marks.push([x(time), clockTime(time, zone)]);
  return marks.filter(([at]) => at > MARGIN.left + 8 && at < width - 20);
}

function now(time, x, right) {
  const at = Math.min(x(time), right);
  const line = drawn("line", { x1: at, x2: at, y1: RAIN.top - 4, y2: CHANCE.top + CHANCE.height });
  return drawn("g", { class: "nowmark" }, line, drawn("text", { x: at, y: 10, "text-anchor": "middle" }, "now"));
}

/** The values of the time that is pointed at, or stepped to by arrows. */
function reader(picture, series, x, zone, threshold) {
  const told = element("output", { class: "readout", "aria-live": "polite" }, "Point at the chart, or step through it with arrows");
  const line = drawn("line", { class: "cursor", y1: RAIN.top, y2: CHANCE.top + CHANCE.height, visibility: "hidden" });
  let here = series.findIndex((one) => one.kind === "forecast");
  const look = (k) => {
    here = Math.max(0, Math.min(series.length - 1, k));
    for (const end of ["x1", "x2"]) line.setAttribute(end, x(series[here].time));
    line.setAttribute("visibility", "visible");
    told.textContent = reading(series[here], zone, threshold);
  };
  const nearest = (event) => {
    const time = x.back(event.clientX - picture.getBoundingClientRect().left);
    const apart = series.map((one) => Math.abs(one.time - time));
    look(apart.indexOf(Math.min(...apart)));
  };
  picture.append(line);
  picture.setAttribute("tabindex", "0");
  picture.addEventListener("pointermove", nearest);
  picture.addEventListener("pointerdown", nearest);
  picture.addEventListener("focus", () => picture.matches(":focus-visible") && look(here));
  picture.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -series.length, End: series.length }[event.key];
    if (steps === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    look(here + steps);
  });
  return [told];
}

const rate = (value) => (value === null || value === undefined ? "unknown" : `${value.toFixed(value < 1 ? 2 : 1)} mm/h`);
const percent = (value) => (value === null || value === undefined ? "unknown" : `${Math.round(value * 100)} %`);
const spread = (one) => `${one.low.toFixed(1)} to ${one.high.toFixed(1)}`;
const known = (...values) => values.every((value) => value !== null && value !== undefined);

function reading(one, zone, threshold) {
  const at = clockTime(one.time, zone);
  if (one.kind === "observed") return `${at}  ${one.rate === null ? "not observed" : `observed ${rate(one.rate)}`}`;
  const within = known(one.low, one.high) ? ` (${spread(one)})` : "";
  const chance = known(one.chance) ? `, chance of ≥ ${threshold}: ${percent(one.chance)}` : "";
  return `${at}  ${offset(one.lead * MINUTE)}: ${rate(one.rate)}${within}${chance}`;
}

function table(series, threshold, zone) {
  const head = ["Time", "Rain rate", "10 to 90 %", `Chance ≥ ${threshold}`];
  const cells = (one) => [
    clockTime(one.time, zone),
    one.rate === null ? (one.kind === "observed" ? "not observed" : "unknown") : rate(one.rate),
    known(one.low, one.high) ? spread(one) : "",
    one.kind === "forecast" ? percent(one.chance) : "observed",
  ];
  const row = (texts, tag) => element("tr", {}, ...texts.map((text) => element(tag, tag === "th" ? { scope: "col" } : {}, text)));
  return element(
    "details",
    { class: "numbers" },
    element("summary", {}, "The same in numbers"),
    element("table", {}, element("thead", {}, row(head, "th")), element("tbody", {}, ...series.map((one) => row(cells(one), "td")))),
  );
}

function source(told, zone) {
  const init = Date.parse(told.init_time), pixel = told.pixel;
  const age = duration(Date.parse(told.now) - init);
  return `Nowcast of ${clockTime(init, zone)} ${zoneName(zone, init)}, ${age} old, by ${told.model}. Grid row ${pixel.row}, column ${pixel.col}. The band holds 80 % of what may fall.`;
}
