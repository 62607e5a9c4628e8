/** The functions of map.js by Leaflet, which needs no WebGL. */

import { styleSheet } from "./dom.js";
import { TILE } from "./frames.js";
import { COVERAGE_OPACITY, ZOOMS, edge, graticule, part, pin } from "./map.js";
import * as L from "./vendor/leaflet-1.9.4/leaflet-src.esm.js";

const ZOOM_OF_TILE = Math.log2(TILE / 256); // Leaflet counts zooms by tiles of 256 px, MapLibre by 512

export function leaflet({ container, basemap, bbox, colours, insets, reduced, told }) {
  styleSheet("/static/vendor/leaflet-1.9.4/leaflet.css");
  const box = [[bbox[1], bbox[0]], [bbox[3], bbox[2]]];
  const map = L.map(container, {
    zoomControl: false,
    attributionControl: false,
    keyboard: false,
    minZoom: ZOOMS.least + 1,
    maxZoom: ZOOMS.most + 1,
    zoomAnimation: !reduced,
    fadeAnimation: false,
    preferCanvas: true,
  });
  const padding = { paddingTopLeft: [insets.left, insets.top], paddingBottomRight: [insets.right, insets.bottom] };
  map.fitBounds(box, padding);
  L.control.scale({ position: "bottomright", imperial: false, maxWidth: 110 }).addTo(map);
  const setColours = base(map, basemap, bbox);
  setColours(colours);
  const marker = L.marker([0, 0], { icon: L.divIcon({ html: pin(), className: "pin-box", iconSize: [0, 0] }), interactive: false });
  map.on("moveend", told.moved);
  map.on("click", ({ latlng }) => told.picked([latlng.lat, latlng.lng]));
  return { ...fields(map, told), ...camera(map, box, padding), setColours, setPin };

  function setPin(at) {
    if (at === null) marker.remove();
    else marker.setLatLng(at).addTo(map);
  }
}

/** Land below the fields, lines above them; gives the function that colours them. */
function base(map, basemap, bbox) {
  pane(map, "below", 150);
  pane(map, "fields", 250);
  pane(map, "above", 350);
  const drawn = (content, where, look) =>
    L.geoJSON(content, { pane: where, interactive: false, style: look }).addTo(map);
  const layers = {
    land: drawn(part(basemap, "land"), "below", { stroke: false, fillOpacity: 1 }),
    grid: drawn(graticule(bbox), "below", { weight: 0.6 }),
    coast: drawn(part(basemap, "land"), "above", { weight: 1, fill: false }),
    border: drawn(part(basemap, "border"), "above", { weight: 1, dashArray: "4 2" }),
    extent: drawn(edge(bbox), "above", { weight: 1.2, dashArray: "2 3" }),
  };
  return (colours) => {
    map.getContainer().style.background = colours.sea;
    for (const [id, layer] of Object.entries(layers)) layer.setStyle({ color: colours[id], fillColor: colours[id] });
  };
}

function pane(map, name, above) {
  const { style } = map.createPane(name);
  Object.assign(style, { zIndex: above, pointerEvents: "none" });
}

function fields(map, told) {
  const known = new Map(); // url -> {kind, layer, failed}
  let opacity = 1;
  let shown = [];

  function setTiles(tiles) {
    const wanted = new Map(tiles.map((tile) => [tile.url, tile.kind]));
    for (const [url, { layer }] of [...known]) {
      if (wanted.has(url)) continue;
      layer.remove();
      known.delete(url);
    }
    for (const [url, kind] of wanted) if (!known.has(url)) known.set(url, made(url, kind));
  }
  function made(url, kind) {
    const maxNativeZoom = ZOOMS.tiles + ZOOM_OF_TILE;
    const options = { pane: "fields", tileSize: TILE, zoomOffset: -ZOOM_OF_TILE, maxNativeZoom, opacity: 0, noWrap: true };
    const one = { kind, failed: false, layer: L.tileLayer(url, options) };
    one.layer.on("tileerror", () => {
      one.failed = true;
      told.failed(url);
    });
    return one;
  }
  function load(url) {
    const one = known.get(url);
    if (map.hasLayer(one.layer)) return;
    one.failed = false;
    one.layer.addTo(map);
  }
  function rest(urls) {
    for (const [url, { layer }] of known) if (!urls.includes(url)) layer.remove();
  }
  function show(urls) {
    urls.forEach(load);
    for (const url of shown) if (!urls.includes(url)) known.get(url)?.layer.setOpacity(0);
    shown = urls;
    urls.forEach(tint);
  }
  function tint(url) {
    const { kind, layer } = known.get(url);
    layer.setOpacity(kind === "coverage" ? COVERAGE_OPACITY : opacity);
  }
  function ready(url) {
    const { layer } = known.get(url);
    return map.hasLayer(layer) && !layer.isLoading();
  }
  function setOpacity(share) {
    opacity = share;
    shown.filter((url) => known.has(url)).forEach(tint);
  }
  return { setTiles, load, rest, show, ready, failed: (url) => known.get(url)?.failed ?? false, setOpacity };
}

function camera(map, box, padding) {
  return {
    place: () => [map.getZoom() - 1, map.getCenter().lat, map.getCenter().lng],
    setPlace: ([zoom, lat, lon]) => map.setView([lat, lon], Math.round(zoom + 1), { animate: false }),
    fit: () => map.fitBounds(box, padding),
    panBy: (x, y) => map.panBy([x, y]),
    zoomBy: (steps) => map.setZoom(map.getZoom() + Math.sign(steps)),
    project: (at) => [map.latLngToContainerPoint(at).x, map.latLngToContainerPoint(at).y],
    unproject: (xy) => [map.containerPointToLatLng(xy).lat, map.containerPointToLatLng(xy).lng],
  };
}
