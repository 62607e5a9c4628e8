/** Fields on the map: the slot shown, and the others fetched beforehand so that playing does not flicker. */

import { byId } from "./dom.js";
import { playable, position, tilesOf } from "./frames.js";

const LOOK = 50; // ms between looks at what has come
const PATIENCE = 400; // ms that the slot before stays while the next one loads
const AT_ONCE = 6; // slots
const SETTLED = 300; // ms without movement until other slots are fetched

/** `told.fetched(slot)` when a slot is there; `told.incomplete(yes)` when parts of the one shown are missing. */
export function createDisplay(map, state, told) {
  let turn = 0; // of showing; a newer one ends older ones
  let round = 0; // of fetching
  let settling;

  const tiles = (slot, s = state.get()) => tilesOf(s.answer, s.answer.frames[slot], s);
  const urls = (slot) => tiles(slot).map((tile) => tile.url);
  const ready = (slot) => urls(slot).every(map.ready);

  /** Tiles of all slots of the present answer, view and palette; then the one of the state's time. */
  function renew() {
    map.setTiles(state.get().answer.frames.flatMap((_, slot) => tiles(slot)));
    show();
    fetchOthers();
  }

  /** Show the slot of the state's time, as soon as it is there but not much later; the map's `data-frame` then names
      it once it is whole. */
  async function show() {
    const mine = ++turn;
    const { answer, time } = state.get();
    const slot = position(answer, time), wanted = urls(slot);
    byId("map").dataset.frame = "";
    wanted.forEach(map.load);
    const until = performance.now() + PATIENCE;
    while (!ready(slot)) {
      if (performance.now() > until) map.show(wanted);
      await pause(LOOK);
      if (mine !== turn) return;
    }
    map.show(wanted);
    byId("map").dataset.frame = answer.frames[slot].frame;
    judge();
  }

  /** Fetch the other slots one after another, those that come next first. */
  async function fetchOthers() {
    const mine = ++round;
    const { answer, time, view } = state.get();
    const here = position(answer, time);
    const slots = playable(answer, view);
    const order = [...slots.filter((slot) => slot >= here), ...slots.filter((slot) => slot < here)];
    for (const [k, slot] of order.entries()) {
      order.slice(k, k + AT_ONCE).flatMap(urls).forEach(map.load);
      while (!ready(slot)) {
        await pause(LOOK);
        if (mine !== round) return;
      }
      told.fetched(slot);
    }
    judge();
  }

  function judge() {
    told.incomplete(urls(position(state.get().answer, state.get().time)).some(map.failed));
  }

  /** After the map has moved: only what is shown follows at once. */
  function moved() {
    if (!state.get().answer) return;
    round += 1;
    map.rest(urls(position(state.get().answer, state.get().time)));
    told.fetched(null);
    clearTimeout(settling);
    settling = setTimeout(fetchOthers, SETTLED);
  }

  return { renew, show, moved, ready, judge };
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
