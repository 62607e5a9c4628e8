/** What the page shows, and who wants to know when it changes. */

export const SPEEDS = [0.5, 1, 2, 4];

export const BEGIN = {
  region: null,
  view: "rain", // or chance
  threshold: "0.1", // mm/h, of the probability view
  rain: null, // palettes; null is the best for the theme
  chance: null,
  coverage: true,
  opacity: 0.8,
  init: null, // the initial time of a past nowcast; null follows the newest
  time: null, // valid time shown [ms]; null is the newest observation
  playing: false,
  loop: true,
  speed: 1,
  point: null, // [lat, lon]
  panel: null, // point, skill, layers
  window: "24h", // of the skill panel
  theme: "auto",
  zone: "utc", // or local
  place: null, // [zoom, lat, lon]
  answer: null, // of /regions/{region}/frames
  trouble: null, // why the service cannot be reached
};

/** A state with `set(patch)` and `on(keys, told)`; listeners hear once per patch that changes one of their keys. */
export function createState(begin) {
  const state = { ...begin };
  const listeners = [];
  return {
    get: () => state,
    on: (keys, told) => listeners.push([keys, told]),
    set(patch) {
      const changed = Object.keys(patch).filter((key) => patch[key] !== state[key]);
      Object.assign(state, patch);
      for (const [keys, told] of listeners) if (keys.some((key) => changed.includes(key))) told(state, changed);
    },
  };
}
