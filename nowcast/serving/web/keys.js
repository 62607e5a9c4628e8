/** The keyboard. */

import { byId, element } from "./dom.js";

const PAN = 120; // px
const TYPED = "input, select, textarea";

/** Key -> what it does in words; `doing` has a function for each name. */
const KEYS = [
  [[" "], "space", "play or pause", "play"],
  [["ArrowLeft"], "←", "previous frame", "previous"],
  [["ArrowRight"], "→", "next frame", "next"],
  [["Home"], "Home", "first frame", "first"],
  [["End"], "End", "last frame", "last"],
  [["n"], "n", "newest observation", "newest"],
  [["p"], "p", "rain or probability", "view"],
  [["+", "="], "+", "zoom in", "zoomIn"],
  [["-"], "−", "zoom out", "zoomOut"],
  [["0"], "0", "whole region", "fit"],
  [["Enter"], "Enter", "on the map: forecast of its middle", "pick"],
  [["l"], "l", "layers and settings", "layers"],
  [["s"], "s", "skill", "skill"],
  [["c"], "c", "what the radar does not see", "coverage"],
  [["t"], "t", "theme", "theme"],
  [["u"], "u", "UTC or local time", "zone"],
  [["?"], "?", "this help", "help"],
  [["Escape"], "Esc", "close", "close"],
];

const PANS = { ArrowLeft: [-PAN, 0], ArrowRight: [PAN, 0], ArrowUp: [0, -PAN], ArrowDown: [0, PAN] };

export function listenToKeys(doing, panBy) {
  listKeys();
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || taken(event)) return;
    if (event.shiftKey && event.key in PANS) panBy(...PANS[event.key]);
    else {
      const found = KEYS.find(([keys]) => keys.includes(event.key));
      if (!found) return;
      doing[found[3]]();
    }
    event.preventDefault();
  });
}

/** Whether the key belongs to what has the focus: a button takes space and Enter, a slider arrows. */
function taken({ key, target, defaultPrevented }) {
  if (defaultPrevented) return true;
  if (byId("help").open) return key !== "?";
  if (key === "Enter") return target !== byId("map");
  if (key === " ") return target.closest("button, summary, a, input, select") !== null && target !== byId("slider");
  return target.matches(TYPED) && (target.type !== "range" || /^(Arrow|Home|End)/.test(key)) && key !== "Escape";
}

function listKeys() {
  const rows = [...KEYS, [[], "shift + arrows", "move the map"]];
  byId("keys").replaceChildren(
    ...rows.flatMap(([, name, text]) => [element("dt", {}, element("kbd", {}, name)), element("dd", {}, text)]),
  );
}
