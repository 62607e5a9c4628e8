/** How old the nowcast is and where it comes from, and the warnings. */

import { byId, element } from "./dom.js";
import { initTime } from "./frames.js";
import { clockTime, day, duration, zoneName } from "./times.js";

const RUNGS = {
  champion: "the region's champion model",
  previous: "the champion before this one",
  advection: "extrapolation of the motion (fallback)",
  persistence: "the newest scan kept as it is (fallback)",
};

/** Draw age and warnings; called each second, so that they grow old by themselves. */
export function drawOrigin(state, now) {
  const { answer, trouble } = state;
  if (!answer) return warn(trouble ? `Nothing can be shown yet: ${trouble}. Trying again.` : null);
  const age = now - initTime(answer);
  const stale = now > Date.parse(answer.stale_after);
  byId("age-dot").className = stale || trouble ? "old" : "fresh";
  byId("age").textContent = `Radar ${duration(age)} old`;
  list(answer, state.zone);
  warn(...warning(state, age, stale));
}

function warning({ answer, trouble, init, zone }, age, stale) {
  const at = `${clockTime(initTime(answer), zone)} ${zoneName(zone, initTime(answer))}`;
  if (trouble) return [`The service cannot be reached. This is the nowcast of ${at}, ${duration(age)} old.`];
  if (init) return [`This stays on the nowcast of ${day(initTime(answer), zone)}, ${at}.`, "Back to now"];
  if (stale) return [`Old: the newest radar scan is of ${at}, ${duration(age)} ago. Rain may be elsewhere by now.`];
  return [null];
}

/** With the day where it is another than the scan's, as after a replay. */
function issued({ issued_time, input_age_s, init_time }, time, zone) {
  const [made, scan] = [day(Date.parse(issued_time), zone), day(Date.parse(init_time), zone)];
  return `${made === scan ? "" : `${made}, `}${time(issued_time)}, when the scan was ${duration(input_age_s * 1000)} old`;
}

function warn(text, act = null) {
  byId("banner").hidden = text === null;
  document.body.classList.toggle("warned", text !== null);
  if (text !== null && byId("banner-text").textContent !== text) byId("banner-text").textContent = text;
  byId("banner-act").hidden = act === null;
  byId("banner-act").textContent = act ?? "";
}

function list(answer, zone) {
  const time = (iso) => `${clockTime(Date.parse(iso), zone)} ${zoneName(zone, Date.parse(iso))}`;
  const rows = [
    ["Newest scan", `${day(initTime(answer), zone)}, ${time(answer.init_time)}`],
    ["Issued", issued(answer, time, zone)],
    ["Current until", time(answer.stale_after)],
    ["Made by", RUNGS[answer.rung] ?? answer.rung],
    ["Model", answer.model],
    ["Why", answer.reason],
  ];
  const known = rows.filter(([, value]) => value);
  const signature = JSON.stringify(known);
  if (byId("origin-list").dataset.of === signature) return;
  byId("origin-list").dataset.of = signature;
  byId("origin-list").replaceChildren(
    ...known.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );
}
