/** The panel at the side: the forecast of a place, skill, or layers and settings. */

import { byId, element } from "./dom.js";
import { layersPanel } from "./layers.js";
import { meteogram } from "./meteogram.js";
import * as service from "./service.js";
import { emptySkill, skillPanel } from "./skill.js";

const TITLES = { point: "Forecast here", skill: "Skill", layers: "Layers and settings" };
const BUTTONS = { skill: "open-skill", layers: "open-layers" };
const PADDING = 40; // px, of the panel at both sides

export function createPanel(state) {
  const held = { point: null, skill: null }; // last answers
  let turn = 0;
  let opener = null;

  byId("panel-close").addEventListener("click", close);
  new ResizeObserver(() => state.get().panel !== "layers" && draw()).observe(byId("panel"));

  const width = () => Math.max(220, byId("panel").clientWidth - PADDING);
  const fill = (...parts) => byId("panel-body").replaceChildren(...parts);

  /** Open, close or change what the state's `panel` says. */
  function changed() {
    const { panel } = state.get();
    const was = byId("panel").hidden;
    byId("panel").hidden = panel === null;
    document.body.classList.toggle("with-panel", panel !== null);
    for (const [name, id] of Object.entries(BUTTONS)) byId(id).setAttribute("aria-expanded", String(panel === name));
    if (panel === null) return was ? null : opener?.focus({ preventScroll: true });
    if (was) opener = document.activeElement === document.body ? byId("map") : document.activeElement;
    byId("panel").dataset.kind = panel;
    byId("panel-title").textContent = TITLES[panel];
    byId("panel").scrollTop = 0;
    refresh(true);
    if (was) byId("panel").focus({ preventScroll: true });
  }

  /** Ask again for what is shown; `anew` leaves nothing of the answer before. */
  async function refresh(anew = false) {
    const { panel, answer, point, init, window } = state.get();
    if (panel === null || !answer) return;
    if (panel === "layers") return draw();
    const mine = ++turn;
    if (anew) wait(panel);
    const asked = panel === "point" ? service.point(answer.region, point, init) : service.skill(answer.region, window, init);
    const told = await asked.catch((error) => error);
    if (mine !== turn) return;
    held[panel] = told;
    draw();
  }

  function wait(panel) {
    held[panel] = null;
    fill(element("p", { class: "waiting", role: "status" }, "Asking …"));
  }

  /** What was answered last, drawn again. */
  function draw() {
    const s = state.get(), told = held[s.panel];
    if (s.panel === "layers") return keepingFocus(() => fill(...layersPanel(s, state.set)));
    if (!s.panel || !told) return;
    if (s.panel === "point") byId("panel-title").textContent = place(s.point);
    if (told instanceof service.Refused) return fill(...refusal(s, told));
    const choose = (threshold) => state.set({ threshold });
    keepingFocus(() =>
      fill(...(s.panel === "point" ? meteogram(told, s, width(), choose) : skillPanel(told, s, width(), state.set))),
    );
  }

  function refusal({ panel, window }, { status, message }) {
    if (panel === "skill" && status === 404) return emptySkill(window, "Nothing has been scored yet.", state.set);
    if (panel === "point" && (status === 400 || status === 404)) {
      const where = "The dashed line shows what the region covers. Choose a place within it.";
      return [element("p", { class: "sentence" }, "This place lies outside the radar's grid."), element("p", {}, where)];
    }
    const again = element("button", { type: "button", class: "plain", onclick: () => refresh(true) }, "Try again");
    return [element("p", { class: "sentence" }, "No answer."), element("p", {}, message), again];
  }

  function close() {
    state.set({ panel: null, point: null });
  }

  return { changed, refresh, draw, close };
}

/** Draw, and put the focus back to the button of the same value in the same row, or the input of the same id. */
function keepingFocus(draw) {
  const { activeElement: had } = document;
  const row = had?.closest("#panel-body .chips")?.getAttribute("aria-label"), value = had?.dataset.value;
  const id = had?.id;
  const open = [...byId("panel-body").querySelectorAll("details")].map((one) => one.open);
  draw();
  [...byId("panel-body").querySelectorAll("details")].forEach((one, k) => (one.open = open[k] ?? false));
  const buttons = [...byId("panel-body").querySelectorAll(".chips button")];
  const same = buttons.find((one) => one.dataset.value === value && one.parentElement.ariaLabel === row);
  if (row) same?.focus();
  else if (id && !document.contains(had)) byId(id)?.focus();
}

function place([lat, lon]) {
  const side = (value, [positive, negative]) => `${Math.abs(value).toFixed(3)}° ${value < 0 ? negative : positive}`;
  return `${side(lat, "NS")}, ${side(lon, "EW")}`;
}
