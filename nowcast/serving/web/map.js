/**
 * The map: by MapLibre where there is WebGL, else by Leaflet. Both give the same functions:
 *
 *   setTiles([{url, kind}])   all tiles that may be shown; others are forgotten. A url names its tiles
 *   load(url)                 fetch what the present view needs, without showing it
 *   rest(urls)                fetch nothing but these when the map moves
 *   show(urls)                show these and no others
 *   ready(url)                whether what the present view needs is there
 *   failed(url)               whether some of it could not be had
 *   setOpacity(share)         of fields; coverage keeps its own
 *   setColours(colours)       of the base map
 *   setPin([lat, lon] | null)
 *   place(), setPlace([zoom, lat, lon]), fit(), panBy(x, y), zoomBy(steps)
 *   project([lat, lon]) -> [x, y], unproject([x, y]) -> [lat, lon]   pixels of the map's element
 */

import { reduced } from "./theme.js";

export const COVERAGE_OPACITY = 0.55;
export const ZOOMS = { least: 2, most: 11, tiles: 9 };

/** The map in an element; `told` has `moved()`, `picked([lat, lon])` and `failed(url)`. */
export async function createMap(container, basemap, bbox, told) {
  const forced = new URLSearchParams(location.search).get("map");
  const wanted = { container, basemap, bbox, colours: colours(), insets: insets(), reduced: reduced(), told };
  if (forced !== "leaflet" && hasWebGL()) {
    const { maplibre } = await import("./map_maplibre.js");
    return { name: "maplibre", ...(await maplibre(wanted)) };
  }
  const { leaflet } = await import("./map_leaflet.js");
  return { name: "leaflet", ...leaflet(wanted) };
}

function hasWebGL() {
  return document.createElement("canvas").getContext("webgl2") !== null;
}

/** Colours of the base map, from the style sheet. */
export function colours() {
  const probe = document.body.appendChild(document.createElement("i"));
  const found = ["sea", "land", "coast", "border", "grid", "extent"].map((name) => {
    probe.style.color = `var(--map-${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(found);
}

/** How much of the map's edges other things cover [px]. */
function insets() {
  const small = innerWidth < 720;
  return small ? { top: 150, bottom: 190, left: 12, right: 12 } : { top: 40, bottom: 150, left: 40, right: 40 };
}

/** Lines of latitude and longitude around a box, as GeoJSON. */
export function graticule([west, south, east, north]) {
  const span = Math.max(east - west, north - south);
  const step = span > 24 ? 10 : span > 10 ? 5 : span > 4 ? 2 : 1;
  const lines = [];
  for (let lon = -180; lon <= 180; lon += step) lines.push([[lon, -85], [lon, 85]]);
  for (let lat = -80; lat <= 80; lat += step) lines.push([[-180, lat], [180, lat]]);
  return { type: "Feature", properties: {}, geometry: { type: "MultiLineString", coordinates: lines } };
}

/** The edge of a box as GeoJSON. */
export function edge([west, south, east, north]) {
  const ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
  return { type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: ring } };
}

/** The part of the base map of a kind: land, border. */
export function part(basemap, kind) {
  return { type: "FeatureCollection", features: basemap.features.filter((one) => one.properties.kind === kind) };
}

/** The mark of a chosen place. */
export function pin() {
  const made = document.createElement("div");
  made.className = "pin";
  return made;
}
