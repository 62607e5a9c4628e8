/** Playing: from slot to slot, waiting a little where the next one has not come yet. */

import { playable, position, timeOf } from "./frames.js";

const STEP = 450; // ms at normal speed
const END = 1300; // ms on the last slot
const LONGEST_WAIT = 4000; // ms for tiles

/** Starts and stops with the state's `playing`. */
export function createPlayer(state, ready) {
  let timer = null;
  let waited = 0;

  const again = (ms) => (timer = setTimeout(tick, ms));

  function tick() {
    const { answer, view, time, loop, speed } = state.get();
    const slots = playable(answer, view);
    const here = position(answer, time);
    const next = slots.find((slot) => slot > here) ?? slots[0];
    if (next <= here && !loop) return state.set({ playing: false });
    if (!ready(next) && waited < LONGEST_WAIT) {
      waited += 100;
      return again(100);
    }
    waited = 0;
    state.set({ time: timeOf(answer.frames[next]) });
    again(next === slots.at(-1) ? END : STEP / speed);
  }

  state.on(["playing"], ({ playing }) => {
    clearTimeout(timer);
    if (playing) startAt();
  });

  /** From the first slot when the last one is shown. */
  function startAt() {
    const { answer, view, time } = state.get();
    const slots = playable(answer, view);
    if (slots.length < 2) return state.set({ playing: false });
    const atEnd = position(answer, time) >= slots.at(-1);
    if (atEnd) state.set({ time: timeOf(answer.frames[slots[0]]) });
    again(atEnd ? STEP : 60);
  }
}

/** The slot `steps` away among all of them, gaps included, but not where a view has nothing at all. */
export function stepped(answer, view, time, steps) {
  const slots = answer.frames.map((_, slot) => slot).filter((slot) => slot >= first(answer, view));
  const wanted = slots.indexOf(position(answer, time)) + steps;
  return timeOf(answer.frames[slots[Math.max(0, Math.min(slots.length - 1, wanted))]]);
}

/** The first slot of a view: chances begin with the forecast. */
export function first(answer, view) {
  return view === "rain" ? 0 : (playable(answer, view)[0] ?? 0);
}
