/** What an answer of /regions/{region}/frames means. */

import { isDark } from "./theme.js";
import { MINUTE, clockTime, offset } from "./times.js";

export const TILE = 512; // px
export const timeOf = (frame) => Date.parse(frame.time);
export const initTime = (answer) => Date.parse(answer.init_time);

/** The slot that is shown: that of a time, or the one nearest to it; the newest observation when null. */
export function position(answer, time) {
  const wanted = time ?? initTime(answer);
  const apart = answer.frames.map((frame) => Math.abs(timeOf(frame) - wanted));
  return apart.indexOf(Math.min(...apart));
}

/** Whether a slot has anything to show in a view: there are no chances of what was observed. */
export const shows = (frame, view) => frame.kind === "forecast" || (view === "rain" && frame.kind === "observed");

/** Slots that have something to show in a view. */
export const playable = (answer, view) => answer.frames.map((f, k) => k).filter((k) => shows(answer.frames[k], view));

/** "Forecast +25 min", "Observed", "No scan". */
export function kindWords(frame) {
  if (frame.kind === "forecast") return `Forecast ${offset(frame.lead_min * MINUTE)}`;
  return frame.kind === "observed" ? "Observed" : "No scan";
}

/** What a screen reader says of a slot. */
export const spoken = (frame, zone) => `${kindWords(frame)}, ${clockTime(timeOf(frame), zone)}`;

/** Thresholds [mm/h] that chances are kept for, as the names of layers have them. */
export const thresholds = (answer) =>
  answer.layers.filter((layer) => layer.kind === "chance").map((layer) => layer.id.replace("chance-", ""));

const ON_DARK = { chance: "inferno" }; // palettes that are brightest where values are highest

/** The palette of the state's view: the chosen one, or that which suits the theme. */
export function paletteOf({ answer, view, ...state }) {
  const names = answer.palettes[view];
  const wanted = state[view] ?? (isDark(state) ? ON_DARK[view] : null);
  return names.includes(wanted) ? wanted : names[0];
}

/** Addresses of the tiles of a slot, the field first; none where there is nothing to show. */
export function tilesOf(answer, frame, state) {
  if (!shows(frame, state.view)) return [];
  const layer = state.view === "rain" ? "rain" : `chance-${state.threshold}`;
  const found = [{ url: address(answer, frame, layer, paletteOf(state)), kind: "field" }];
  if (state.coverage) found.push({ url: address(answer, frame, "coverage", answer.palettes.rain[0]), kind: "coverage" });
  return found;
}

function address(answer, frame, layer, palette) {
  const parts = { region: answer.region, layer, frame: frame.frame, palette, version: frame.version ?? "" };
  const path = answer.tiles.replace(/\{(region|layer|frame|palette|version)\}/g, (_, name) =>
    encodeURIComponent(parts[name]),
  );
  return `${location.origin}${path}&size=${TILE}&smooth=1`;
}
