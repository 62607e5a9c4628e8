/** The time bar: slots observed, missing and forecast, the line "now", the times below, and the slider over them. */

import { byId, element } from "./dom.js";
import { initTime, kindWords, position, shows, spoken, timeOf } from "./frames.js";
import { first } from "./player.js";
import { MINUTE, clockTime, day, zoneName } from "./times.js";

const TICK_STEPS = [5, 10, 15, 30, 60, 120, 180, 360].map((minutes) => minutes * MINUTE);
const TICK_ROOM = 58; // px
const slider = byId("slider");

export function createTimeline(state, now) {
  const fetched = new Set();

  slider.addEventListener("input", () => {
    const { answer, view } = state.get();
    const slot = Math.max(Number(slider.value), first(answer, view));
    state.set({ time: timeOf(answer.frames[slot]), playing: false });
    slider.value = slot;
  });
  new ResizeObserver(() => state.get().answer && layout()).observe(byId("track"));

  /** Everything, after a new answer or another view. */
  function layout() {
    const { answer, view } = state.get();
    const width = byId("track").clientWidth / answer.frames.length;
    byId("track").style.setProperty("--slot", `${width}px`);
    slider.max = answer.frames.length - 1;
    byId("slots").replaceChildren(...answer.frames.map((frame, slot) => slotMark(frame, slot, view)));
    drawTicks(answer, width);
    drawNow(answer);
    update();
  }

  function slotMark(frame, slot, view) {
    const there = shows(frame, view) && !fetched.has(slot) ? " unfetched" : "";
    const idle = frame.kind !== "missing" && !shows(frame, view) ? " idle" : "";
    return element("i", { class: `${frame.kind}${there}${idle}` });
  }

  function drawTicks(answer, width) {
    const { zone } = state.get();
    const step = TICK_STEPS.find((one) => (one / (answer.cadence_s * 1000)) * width >= TICK_ROOM) ?? TICK_STEPS.at(-1);
    const marks = answer.frames.map((frame, slot) => [timeOf(frame), slot]).filter(([time]) => time % step === 0);
    byId("ticks").replaceChildren(
      ...marks.map(([time, slot]) =>
        placed(element("span", {}, clockTime(time, zone)), (slot + 0.5) / answer.frames.length),
      ),
    );
  }

  /** Between the newest observation and the first forecast, or later when the nowcast is old. */
  function drawNow(answer = state.get().answer) {
    if (!answer) return;
    const firstForecast = answer.frames.findIndex((frame) => frame.kind === "forecast");
    const edge = firstForecast < 0 ? answer.frames.length : firstForecast;
    const slots = (now() - initTime(answer)) / (answer.cadence_s * 1000);
    const at = Math.min(answer.frames.length, Math.max(edge, edge - 0.5 + slots));
    placed(byId("nowline"), at / answer.frames.length);
    byId("nowline").className = at > 0.9 * answer.frames.length ? "late" : "";
    byId("nowline").hidden = false;
  }

  /** The slot shown. */
  function update() {
    const { answer, time, zone } = state.get();
    const slot = position(answer, time), frame = answer.frames[slot];
    slider.value = slot;
    slider.setAttribute("aria-valuetext", spoken(frame, zone));
    placed(byId("playhead"), (slot + 0.5) / answer.frames.length);
    byId("playhead").className = frame.kind;
    readOut(frame, zone);
  }

  function setFetched(slot) {
    if (slot === null) fetched.clear();
    else fetched.add(slot);
    [...byId("slots").children].forEach((mark, k) => {
      mark.classList.toggle("unfetched", shows(state.get().answer.frames[k], state.get().view) && !fetched.has(k));
    });
  }

  return { layout, update, drawNow, setFetched };
}

function readOut(frame, zone) {
  const time = timeOf(frame);
  byId("when").className = frame.kind;
  byId("when-kind").textContent = kindWords(frame);
  byId("when-time").textContent = clockTime(time, zone);
  byId("when-time").dateTime = frame.time;
  byId("when-day").textContent = `${day(time, zone)} · ${zoneName(zone, time)}`;
  byId("veil").hidden = frame.kind !== "missing";
  document.title = `${clockTime(time, zone)} ${kindWords(frame)} · nowcast`;
}

function placed(mark, share) {
  mark.style.left = `${100 * share}%`;
  return mark;
}
