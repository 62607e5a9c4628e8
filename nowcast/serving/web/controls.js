/** How buttons look as the state is. */

import { byId, chips } from "./dom.js";
import { thresholds } from "./frames.js";

const THEMES = { auto: "automatic", light: "light", dark: "dark" };

export function drawView({ view }) {
  byId("view-rain").setAttribute("aria-pressed", String(view === "rain"));
  byId("view-chance").setAttribute("aria-pressed", String(view === "chance"));
  document.body.dataset.view = view;
}

/** The chooser of thresholds, in the view of chances. */
export function drawThresholds({ answer, view, threshold }, choose) {
  const box = byId("thresholds"), had = box.contains(document.activeElement);
  box.hidden = view !== "chance";
  const row = chips("Chance of at least, in mm/h", thresholds(answer).map((t) => [t, `≥ ${t}`]), threshold, choose);
  box.replaceChildren(row);
  if (had) row.querySelector("[aria-pressed=true]")?.focus();
}

export function drawPlaying({ playing }) {
  byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  byId("play-icon").setAttribute("href", playing ? "#i-pause" : "#i-play");
  byId("when").setAttribute("aria-live", playing ? "off" : "polite");
}

export function drawSpeed({ speed }) {
  byId("speed").textContent = `${speed}×`;
  byId("speed").setAttribute("aria-label", `Speed: ${speed} times`);
}

export function drawZone({ zone }) {
  const other = zone === "utc" ? "local time" : "UTC";
  byId("zone").textContent = zone === "utc" ? "UTC" : "Local";
  byId("zone").setAttribute("aria-label", `Times in ${zone === "utc" ? "UTC" : "local time"}; change to ${other}`);
}

/** Light, dark, or as the system has it. */
export function drawTheme({ theme }) {
  document.documentElement.dataset.theme = theme;
  byId("theme").setAttribute("aria-label", `Theme: ${THEMES[theme]}`);
  byId("theme-icon").setAttribute("href", `#i-${theme}`);
}
