/** Brings the parts of the page together. */

import * as controls from "./controls.js";
import { createDisplay } from "./display.js";
import { byId, element } from "./dom.js";
import { initTime, playable, position, thresholds, timeOf } from "./frames.js";
import { listenToKeys } from "./keys.js";
import { drawLegend } from "./legend.js";
import { colours, createMap } from "./map.js";
import { drawOrigin } from "./origin.js";
import { createPanel } from "./panel.js";
import { read, written } from "./permalink.js";
import { createPlayer, first, stepped } from "./player.js";
import * as service from "./service.js";
import { BEGIN, SPEEDS, createState } from "./state.js";
import { darkSystem } from "./theme.js";
import { createTimeline } from "./timeline.js";
import { MINUTE } from "./times.js";

const POLL = 30_000, SECOND = 1000, LINK_DELAY = 250; // ms

const { lead: linkedLead = null, ...linked } = read(location.hash);
const state = createState({ ...BEGIN, ...linked });
let wantedLead = linkedLead;
let clockOffset = 0; // ms that the service's clock is ahead of ours
const now = () => Date.now() + clockOffset;

const timeline = createTimeline(state, now);
const panel = createPanel(state);
let map, display;

dress();
start();

/** Theme and zone, which need no answer. */
function dress() {
  const recolour = () => (controls.drawTheme(state.get()), map?.setColours(colours()));
  state.on(["theme"], recolour);
  state.on(["zone"], controls.drawZone);
  darkSystem.addEventListener("change", recolour);
  recolour();
  controls.drawZone(state.get());
}

async function start() {
  try {
    const [told, land] = await Promise.all([service.regions(), service.basemap()]);
    clockOffset = Date.parse(told.now) - Date.now();
    const region = chooseRegion(told.regions);
    state.set({ region: region.region, trouble: null });
    map = await createMap(byId("map"), land, region.bbox, { moved, picked, failed: () => display.judge() });
    document.body.dataset.map = map.name;
    globalThis.nowcast = { map, state };
    if (state.get().place) map.setPlace(state.get().place);
    map.setOpacity(state.get().opacity);
    connect();
    await poll();
    setInterval(poll, POLL);
    for (const event of ["online", "offline"]) addEventListener(event, poll);
    document.addEventListener("visibilitychange", () => document.hidden || poll());
    setInterval(tick, SECOND);
  } catch (error) {
    if (!(error instanceof service.Refused)) throw error;
    state.set({ trouble: error.message });
    drawOrigin(state.get(), now());
    setTimeout(start, POLL / 6);
  }
}

/** The linked region, or the first; a chooser when there are several. */
function chooseRegion(found) {
  if (!found.length) throw new service.Refused(404, "no nowcast has been issued yet");
  const region = found.find((one) => one.region === state.get().region) ?? found[0];
  const several = found.length > 1;
  byId("region-title").textContent = region.title;
  byId("region-title").classList.toggle("unseen", several);
  byId("region-chooser").hidden = !several;
  byId("region").replaceChildren(...found.map((one) => element("option", { value: one.region }, one.title)));
  byId("region").value = region.region;
  byId("region").onchange = () => {
    history.replaceState(null, "", written({ ...BEGIN, ...kept(), region: byId("region").value }));
    location.reload();
  };
  return region;
}

/** Settings that go along to another region. */
function kept() {
  const { view, rain, chance, coverage, opacity, theme, zone, loop, speed } = state.get();
  return { view, rain, chance, coverage, opacity, theme, zone, loop, speed };
}

/** Ask for the newest frames; what is shown stays when there is no answer. */
async function poll() {
  const { region, init } = state.get();
  try {
    const answer = await service.frames(region, init);
    if (init === state.get().init) take(answer);
  } catch (error) {
    if (!(error instanceof service.Refused)) throw error;
    state.set({ trouble: error.message });
  }
  tick();
}

/** Go on to a newer answer: the newest observation is followed, another valid time is kept. */
function take(answer) {
  const before = state.get().answer;
  clockOffset = Date.parse(answer.now) - Date.now();
  state.set({ trouble: null });
  if (before && before.snapshot === answer.snapshot && sameFrames(before, answer)) return;
  const levels = thresholds(answer);
  const { threshold, time, view } = state.get();
  const patch = { answer, threshold: levels.includes(threshold) ? threshold : (levels[0] ?? threshold) };
  if (wantedLead !== null) patch.time = initTime(answer) + wantedLead * MINUTE;
  else if (time !== null && before && time === initTime(before)) patch.time = null;
  wantedLead = null;
  if (view === "chance") patch.time = timeInView(answer, "chance", patch.time ?? time);
  state.set(patch);
}

const sameFrames = (one, other) => JSON.stringify(one.frames) === JSON.stringify(other.frames);

/** A time that a view has something for. */
function timeInView(answer, view, time) {
  const slot = Math.max(position(answer, time), first(answer, view));
  return slot === position(answer, time) ? time : timeOf(answer.frames[slot]);
}

/** What happens when the state changes, once there is a map. */
function connect() {
  display = createDisplay(map, state, { fetched: timeline.setFetched, incomplete: (yes) => (byId("incomplete").hidden = !yes) });
  createPlayer(state, (slot) => display.ready(slot));
  const answered = (act) => (s, changed) => s.answer && act(s, changed);
  state.on(["answer", "view", "threshold", "rain", "chance", "coverage", "theme"], answered((s) => {
    timeline.setFetched(null);
    display.renew();
    timeline.layout();
    drawLegend(s);
    controls.drawThresholds(s, (threshold) => state.set({ threshold }));
  }));
  state.on(["time"], answered((_, changed) => changed.includes("answer") || (display.show(), timeline.update())));
  state.on(["zone"], answered(() => (timeline.layout(), tick(), panel.draw())));
  state.on(["view"], controls.drawView);
  state.on(["opacity"], ({ opacity }) => map.setOpacity(opacity));
  state.on(["playing"], controls.drawPlaying);
  state.on(["speed"], controls.drawSpeed);
  state.on(["init"], poll);
  state.on(["point"], ({ point }) => map.setPin(point));
  state.on(["panel", "point"], () => panel.changed());
  state.on(["answer", "window"], () => panel.refresh());
  state.on(["threshold", "view", "rain", "chance", "coverage", "speed", "loop", "theme"], () => panel.draw());
  state.on(Object.keys(BEGIN), scheduleLink);
  listen();
  controls.drawView(state.get());
  controls.drawSpeed(state.get());
  if (state.get().point) map.setPin(state.get().point);
  state.on(["answer"], once(() => state.get().panel && panel.changed()));
}

function once(act) {
  let done = false;
  return () => done || ((done = true), act());
}

function tick() {
  drawOrigin(state.get(), now());
  timeline.drawNow();
}

function moved() {
  state.set({ place: map.place() });
  display?.moved();
}

function picked(point) {
  const place = point.map((value) => Number(value.toFixed(4)));
  state.set({ point: place, panel: "point" });
}

const step = (count) => {
  const { answer, view, time } = state.get();
  if (answer) state.set({ time: stepped(answer, view, time, count), playing: false });
};
const setView = (view) => {
  const { answer, time } = state.get();
  state.set({ view, ...(answer ? { time: timeInView(answer, view, time) } : {}) });
};
const next = (choices, value) => choices[(choices.indexOf(value) + 1) % choices.length];
const open = (name) => state.set({ panel: state.get().panel === name ? null : name });
const toggleHelp = () => (byId("help").open ? byId("help").close() : byId("help").showModal());

/** Everything that a key or a button can do. */
const doing = {
  play: () => state.get().answer && state.set({ playing: !state.get().playing }),
  previous: () => step(-1),
  next: () => step(1),
  first: () => step(-Infinity),
  last: () => step(Infinity),
  newest: () => state.set({ time: timeInView(state.get().answer, state.get().view, null), playing: false }),
  view: () => setView(state.get().view === "rain" ? "chance" : "rain"),
  zoomIn: () => map.zoomBy(1),
  zoomOut: () => map.zoomBy(-1),
  fit: () => map.fit(),
  pick: () => picked(map.unproject([byId("map").clientWidth / 2, byId("map").clientHeight / 2])),
  layers: () => open("layers"),
  skill: () => open("skill"),
  coverage: () => state.set({ coverage: !state.get().coverage }),
  theme: () => state.set({ theme: next(["auto", "light", "dark"], state.get().theme) }),
  zone: () => state.set({ zone: next(["utc", "local"], state.get().zone) }),
  speed: () => state.set({ speed: next(SPEEDS, state.get().speed) }),
  help: toggleHelp,
  close: () => panel.close(),
  live: () => state.set({ init: null, time: null }),
};

const BUTTONS = {
  play: "play", previous: "previous", next: "next", speed: "speed", "zoom-in": "zoomIn", "zoom-out": "zoomOut",
  "zoom-home": "fit", "open-layers": "layers", "open-skill": "skill", zone: "zone", theme: "theme", "open-help": "help",
  "help-close": "help", "banner-act": "live",
};

function listen() {
  for (const [id, name] of Object.entries(BUTTONS)) byId(id).addEventListener("click", doing[name]);
  byId("view-rain").addEventListener("click", () => setView("rain"));
  byId("view-chance").addEventListener("click", () => setView("chance"));
  listenToKeys(doing, (x, y) => map.panBy(x, y));
}

let linking;
function scheduleLink() {
  clearTimeout(linking);
  linking = setTimeout(() => state.get().playing || history.replaceState(null, "", written(state.get())), LINK_DELAY);
}
