/** Times and ages in words. */

export const MINUTE = 60_000;

const formats = new Map();

function format(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) {
    const timeZone = zone === "utc" ? "UTC" : undefined;
    formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone, hourCycle: "h23", ...options }));
  }
  return formats.get(key);
}

/** 17:05 */
export const clockTime = (ms, zone) => format(zone, { hour: "2-digit", minute: "2-digit" }).format(ms);

/** Wed 28 Sep 2016 */
export const day = (ms, zone) =>
  format(zone, { weekday: "short", day: "numeric", month: "short", year: "numeric" }).format(ms).replaceAll(",", "").replace("Sept", "Sep");

/** UTC, or the name of the zone that the browser is in. */
export function zoneName(zone, ms) {
  if (zone === "utc") return "UTC";
  const parts = format(zone, { timeZoneName: "short" }).formatToParts(ms);
  return parts.find((part) => part.type === "timeZoneName").value;
}

/** 4 min, 2 h 10 min, 3 days */
export function duration(ms) {
  const minutes = Math.max(0, Math.round(ms / MINUTE));
  if (minutes < 1) return "under a minute";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
  const days = Math.round(minutes / 60 / 24);
  return days === 1 ? "1 day" : `${days} days`;
}

/** +25 min, −10 min, +1 h 30 min */
export function offset(ms) {
  return `${ms < 0 ? "−" : "+"}${duration(Math.abs(ms))}`;
}
