/** Questions to the service. */

const PATIENCE = 20_000; // ms

/** An answer other than a good one; status 0 when there was none at all. */
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** The JSON of an address; Refused when it cannot be had. */
export async function ask(path, questions = {}) {
  const asked = Object.entries(questions).filter(([, value]) => value !== null && value !== undefined);
  const url = asked.length ? `${path}?${new URLSearchParams(asked)}` : path;
  let answer;
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(PATIENCE), headers: { Accept: "application/json" } });
  } catch (error) {
    throw new Refused(0, `no answer from the service (${error.name})`);
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, told.detail ?? answer.statusText);
  return told;
}

export const regions = () => ask("/regions");
export const frames = (region, init) =>
  ask(`/regions/${encodeURIComponent(region)}/frames`, { past: 60, init_time: init });
export const legend = (kind, palette) => ask(`/legend/${kind}.json`, { palette });
export const point = (region, [lat, lon], init) => ask("/point", { lat, lon, region, init_time: init });
export const skill = (region, window, until) => ask("/skill", { region, window, until });
export const basemap = () => ask("/basemap.geojson");
