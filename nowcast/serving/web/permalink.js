/** The state as the URL's hash and back: a link shows to others what one sees. */

import { BEGIN, SPEEDS } from "./state.js";

const NUMBER = /^-?\d+(\.\d+)?$/;
const within = (low, high) => (value) => NUMBER.test(value) && Number(value) >= low && Number(value) <= high;
const oneOf = (...words) => (value) => words.includes(value);
const numbers = (...checks) => (value) => {
  const parts = value.split("/");
  return parts.length === checks.length && parts.every((part, k) => checks[k](part));
};
const MINUTE = 60_000;
const LATITUDE = within(-90, 90), LONGITUDE = within(-180, 180);
const word = (value) => /^[\w.-]{1,100}$/.test(value);
const instant = (value) => /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z$/.test(value) && !Number.isNaN(Date.parse(value));

/** Field -> which values it takes, and how the state keeps them. */
const FIELDS = {
  region: [word, String],
  view: [oneOf("rain", "chance"), String],
  threshold: [within(0, 1000), String],
  rain: [word, String],
  chance: [word, String],
  coverage: [oneOf("0", "1"), (value) => value === "1"],
  opacity: [within(0.1, 1), Number],
  init: [instant, String],
  loop: [oneOf("0", "1"), (value) => value === "1"],
  speed: [oneOf(...SPEEDS.map(String)), Number],
  point: [numbers(LATITUDE, LONGITUDE), (value) => value.split("/").map(Number)],
  panel: [oneOf("point", "skill", "layers"), String],
  window: [oneOf("24h", "7d", "30d"), String],
  theme: [oneOf("auto", "dark", "light"), String],
  zone: [oneOf("utc", "local"), String],
  place: [numbers(within(0, 22), LATITUDE, LONGITUDE), (value) => value.split("/").map(Number)],
  lead: [within(-100_000, 100_000), Number],
};

/** A patch for the state, with `lead` [min after the initial time]; fields that make no sense are left out. */
export function read(hash) {
  const patch = {};
  for (const [name, value] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const [fits, made] = FIELDS[name] ?? [];
    if (fits?.(value)) patch[name] = made(value);
  }
  return patch;
}

/** The hash of a state; what is as in the beginning is left out. */
export function written(state) {
  const link = new URLSearchParams();
  const said = { ...state, lead: lead(state) };
  for (const name of Object.keys(FIELDS)) {
    if (said[name] === undefined || said[name] === null || said[name] === (BEGIN[name] ?? null)) continue;
    link.set(name, plain(said[name]));
  }
  return `#${link.toString().replaceAll("%2F", "/").replaceAll("%3A", ":")}`;
}

function lead(state) {
  if (state.time === null || !state.answer) return null;
  return Math.round((state.time - Date.parse(state.answer.init_time)) / MINUTE);
}

function plain(value) {
  if (Array.isArray(value)) return value.map((part) => String(Number(part.toFixed(4)))).join("/");
  return typeof value === "boolean" ? String(Number(value)) : String(value);
}
