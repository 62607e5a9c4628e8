/** The panel of layers and settings. */

import { chips, element, toggle } from "./dom.js";
import { paletteOf } from "./frames.js";
import { SPEEDS } from "./state.js";

const NAMES = {
  classic: "Classic",
  viridis: "Viridis (colour-blind safe)",
  plasma: "Plasma (colour-blind safe)",
  purples: "Purples (colour-blind safe)",
  inferno: "Inferno (colour-blind safe, for dark maps)",
};

export function layersPanel(state, set) {
  const { answer, view, coverage, opacity, loop, speed, zone, theme, init } = state;
  const palettes = answer?.palettes[view] ?? [];
  return [
    element("p", { class: "label" }, view === "rain" ? "Colours of rain" : "Colours of chances"),
    chips("Colours", palettes.map((name) => [name, NAMES[name] ?? name]), answer && paletteOf(state), (name) => set({ [view]: name })),
    slide("Opacity", opacity, (value) => set({ opacity: value })),
    toggle("Show what the radar does not see", coverage, (on) => set({ coverage: on }), "coverage"),
    element("p", { class: "label" }, "Speed"),
    chips("Speed", SPEEDS.map((one) => [one, `${one}×`]), speed, (value) => set({ speed: value })),
    toggle("Start again after the last frame", loop, (on) => set({ loop: on })),
    element("p", { class: "label" }, "Times"),
    chips("Times", [["utc", "UTC"], ["local", "Local"]], zone, (value) => set({ zone: value })),
    element("p", { class: "label" }, "Theme"),
    chips("Theme", [["auto", "Automatic"], ["light", "Light"], ["dark", "Dark"]], theme, (value) => set({ theme: value })),
    toggle("Stay on this nowcast (for links to a past event)", init !== null, (on) => set({ init: on ? answer.init_time : null }), "stay"),
  ];
}

function slide(name, value, changed) {
  const told = element("output", {}, `${Math.round(value * 100)} %`);
  const range = element("input", {
    type: "range", id: "opacity", min: 0.1, max: 1, step: 0.05, value,
    oninput: () => {
      told.textContent = `${Math.round(range.value * 100)} %`;
      changed(Number(range.value));
    },
  });
  return element("label", { class: "slide" }, element("span", {}, name), range, told);
}
