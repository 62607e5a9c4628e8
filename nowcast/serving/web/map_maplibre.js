/** The functions of map.js by MapLibre GL. */

import { styleSheet } from "./dom.js";
import { TILE } from "./frames.js";
import { COVERAGE_OPACITY, ZOOMS, edge, graticule, part, pin } from "./map.js";
import * as gl from "./vendor/maplibre-gl-6.17.0/maplibre-gl.mjs";

const ABOVE_FIELDS = "coast";
const RENDERS = 1; // until a layer that was made visible has asked for its tiles

export async function maplibre({ container, basemap, bbox, colours, insets, reduced, told }) {
  styleSheet("/static/vendor/maplibre-gl-6.17.0/maplibre-gl.css");
  const box = [[bbox[0], bbox[1]], [bbox[2], bbox[3]]];
  const map = new gl.Map({
    container,
    style: style(basemap, bbox, colours),
    bounds: box,
    fitBoundsOptions: { padding: insets },
    minZoom: ZOOMS.least,
    maxZoom: ZOOMS.most,
    maxPitch: 0,
    dragRotate: false,
    touchPitch: false,
    keyboard: false,
    attributionControl: false,
    renderWorldCopies: false,
    fadeDuration: 0,
    reduceMotion: reduced,
  });
  map.touchZoomRotate.disableRotation();
  map.addControl(new gl.ScaleControl({ maxWidth: 110 }), "bottom-right");
  quiet(map);
  await new Promise((done) => map.once("load", done));
  const marker = new gl.Marker({ element: pin() });
  map.on("moveend", told.moved);
  map.on("click", ({ lngLat }) => told.picked([lngLat.lat, lngLat.lng]));
  return { ...fields(map, told), ...camera(map, box, insets), setColours: (c) => paint(map, c), setPin };

  function setPin(at) {
    if (at === null) marker.remove();
    else marker.setLngLat([at[1], at[0]]).addTo(map);
  }
}

/** Its canvas takes no focus of its own: the keys are the page's. */
function quiet(map) {
  map.getCanvas().tabIndex = -1;
  map.getCanvas().setAttribute("aria-hidden", "true");
}

/** Layers of tiles, each a source and a layer whose id is the address. */
function fields(map, told) {
  const known = new Map(); // url -> {kind, renders, failed}
  let opacity = 1;
  let shown = [];
  map.on("render", () => known.forEach((one) => (one.renders += 1)));
  map.on("error", ({ sourceId, error }) => {
    const one = known.get(sourceId);
    if (!one || error?.name === "AbortError") return;
    one.failed = true;
    told.failed(sourceId);
  });

  function setTiles(tiles) {
    const wanted = new Map(tiles.map((tile) => [tile.url, tile.kind]));
    for (const url of [...known.keys()].filter((url) => !wanted.has(url))) remove(url);
    for (const [url, kind] of wanted) if (!known.has(url)) add(url, kind);
  }
  function add(url, kind) {
    known.set(url, { kind, renders: 0, failed: false });
    const tiles = { type: "raster", tiles: [url], tileSize: TILE, maxzoom: ZOOMS.tiles };
    map.addSource(url, tiles);
    const paint = { "raster-opacity": 0, "raster-fade-duration": 0 };
    map.addLayer({ id: url, type: "raster", source: url, layout: { visibility: "none" }, paint }, ABOVE_FIELDS);
  }
  function remove(url) {
    map.removeLayer(url);
    map.removeSource(url);
    known.delete(url);
  }
  function load(url) {
    const one = known.get(url);
    if (map.getLayoutProperty(url, "visibility") === "visible") return;
    Object.assign(one, { renders: 0, failed: false });
    map.setLayoutProperty(url, "visibility", "visible");
  }
  function rest(urls) {
    for (const url of known.keys()) if (!urls.includes(url)) map.setLayoutProperty(url, "visibility", "none");
  }
  function show(urls) {
    urls.forEach(load);
    for (const url of shown) if (known.has(url) && !urls.includes(url)) map.setPaintProperty(url, "raster-opacity", 0);
    shown = urls;
    urls.forEach(tint);
  }
  function tint(url) {
    map.setPaintProperty(url, "raster-opacity", known.get(url).kind === "coverage" ? COVERAGE_OPACITY : opacity);
  }
  function ready(url) {
    if (map.getLayoutProperty(url, "visibility") !== "visible") return false;
    if (known.get(url).renders < RENDERS) map.triggerRepaint();
    return known.get(url).renders >= RENDERS && map.isSourceLoaded(url);
  }
  function setOpacity(share) {
    opacity = share;
    shown.filter((url) => known.has(url)).forEach(tint);
  }
  return { setTiles, load, rest, show, ready, failed: (url) => known.get(url)?.failed ?? false, setOpacity };
}

function camera(map, box, insets) {
  const place = () => [map.getZoom(), map.getCenter().lat, map.getCenter().lng];
  return {
    place,
    setPlace: ([zoom, lat, lon]) => map.jumpTo({ zoom, center: [lon, lat] }),
    fit: () => map.fitBounds(box, { padding: insets }),
    panBy: (x, y) => map.panBy([x, y]),
    zoomBy: (steps) => map.zoomTo(map.getZoom() + steps),
    project: ([lat, lon]) => Object.values(map.project([lon, lat])).slice(0, 2),
    unproject: (xy) => [map.unproject(xy).lat, map.unproject(xy).lng],
  };
}

function style(basemap, bbox, colours) {
  const geojson = (content) => ({ type: "geojson", data: content, tolerance: 0.3 });
  const line = (id, source, width, more = {}) => ({ id, source, type: "line", paint: { "line-width": width, ...more } });
  const made = {
    version: 8,
    sources: {
      land: geojson(part(basemap, "land")),
      border: geojson(part(basemap, "border")),
      grid: geojson(graticule(bbox)),
      extent: geojson(edge(bbox)),
    },
    layers: [
      { id: "sea", type: "background" },
      { id: "land", type: "fill", source: "land", paint: { "fill-antialias": false } },
      line("grid", "grid", 0.6),
      line("coast", "land", ["interpolate", ["linear"], ["zoom"], 3, 0.6, 8, 1.2]),
      line("border", "border", ["interpolate", ["linear"], ["zoom"], 3, 0.6, 8, 1.2], { "line-dasharray": [4, 2] }),
      line("extent", "extent", 1.2, { "line-dasharray": [2, 3] }),
    ],
  };
  for (const layer of made.layers) layer.paint = { ...layer.paint, [`${layer.type}-color`]: colours[layer.id] };
  return made;
}

function paint(map, colours) {
  for (const [id, colour] of Object.entries(colours)) {
    map.setPaintProperty(id, `${map.getLayer(id).type}-color`, colour);
  }
}
