"""Catchments from GeoJSON (RFC 7946). What is wrong is said with file, feature and reason."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import shapely

from nowcast.catchments.polygons import Catchment

SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
LONGEST_NAME = 200
MOST_BYTES = 64_000_000
MOST_CATCHMENTS = 1_000
MOST_VERTICES = 200_000
"""In one file."""

LONGEST_OUTLINE = 10_000.0
"""Degrees; no country's coast at this detail is longer, and it bounds the steps that an outline is projected in."""


def read_catchments(path: Path) -> tuple[Catchment, ...]:
    """The polygons of a GeoJSON file: a FeatureCollection, a Feature or a bare geometry.

    A feature's id is its `id`, else `id` or `name` of its properties; a bare geometry has the file's name. Raises
    OSError when the file cannot be read, and ValueError naming file, feature and reason for anything but whole, simple
    polygons with finite WGS 84 longitudes and latitudes and distinct ids that can be part of a path.
    """
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ValueError(f"{path}: {size} bytes, at most {MOST_BYTES} are read")
    try:
        features = _features(json.loads(path.read_bytes()), path.stem)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error
    if not 0 < len(features) <= MOST_CATCHMENTS:
        raise ValueError(f"{path}: {len(features)} features, there must be 1 to {MOST_CATCHMENTS}")
    found = [_catchment(path, number, feature) for number, feature in enumerate(features)]
    _check_together(path, found)
    return tuple(found)


def _features(document: Any, stem: str) -> list[Any]:
    kind = document.get("type") if isinstance(document, dict) else None
    if kind == "FeatureCollection":
        features = document.get("features")
        if not isinstance(features, list):
            raise ValueError("the FeatureCollection has no list of features")
        return features
    if kind == "Feature":
        return [document]
    if kind in ("Polygon", "MultiPolygon"):
        return [{"type": "Feature", "id": stem, "geometry": document}]
    raise ValueError(f"type {kind!r} is no FeatureCollection, Feature, Polygon or MultiPolygon")


def _catchment(path: Path, number: int, feature: Any) -> Catchment:
    label = f"feature {number}"
    try:
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            raise ValueError("is no Feature")
        properties = feature.get("properties") or {}
        if not isinstance(properties, dict):
            raise ValueError(f"properties are {str(properties)[:60]}, no object")
        catchment_id = _id(feature, properties)
        label = f"{label} ({catchment_id})"
        name = str(properties.get("name") or catchment_id)[:LONGEST_NAME]
        return Catchment(catchment_id, name, _outline(feature.get("geometry")))
    except (ValueError, shapely.errors.ShapelyError) as error:
        raise ValueError(f"{path}: {label}: {error}") from error


def _id(feature: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    for found in (feature.get("id"), properties.get("id"), properties.get("name")):
        if found is not None:
            text = str(found)
            if isinstance(found, bool) or not SAFE_ID.fullmatch(text):
                raise ValueError(f"id {text[:120]!r} is not made of letters, digits, - and _ alone")
            return text
    raise ValueError("has no id: neither `id` nor `id` or `name` among its properties")


def _outline(geometry: Any) -> Any:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise ValueError(f"geometry {kind!r} is no Polygon or MultiPolygon")
    coordinates = geometry.get("coordinates")
    polygons = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(polygons, list) or not polygons:
        raise ValueError("the geometry is empty")
    outline = shapely.MultiPolygon([_polygon(rings) for rings in polygons])
    if not outline.is_valid:
        raise ValueError(f"the outline is not simple: {shapely.is_valid_reason(outline)}")
    if outline.length > LONGEST_OUTLINE:
        raise ValueError(f"the outline is {outline.length:.0f} degrees long, at most {LONGEST_OUTLINE:.0f} are allowed")
    return outline


def _polygon(rings: Any) -> Any:
    if not isinstance(rings, list) or not rings:
        raise ValueError("the geometry is empty")
    outer, *holes = (list(_ring(ring)) for ring in rings)
    return shapely.Polygon(outer, holes)


def _ring(ring: Any) -> Iterator[tuple[float, float]]:
    if not isinstance(ring, list) or len(ring) < 4:
        raise ValueError("too few points: a ring has at least four positions, the last like the first")
    if ring[0] != ring[-1]:
        raise ValueError(f"a ring must end where it begins, not at {ring[-1]}")
    last = None
    for position in ring:
        lon, lat = _position(position)
        if last is not None and abs(lon - last) > 180:
            raise ValueError(f"an edge from longitude {last} to {lon}: cut it at the antimeridian (RFC 7946, 3.1.9)")
        last = lon
        yield lon, lat


def _position(position: Any) -> tuple[float, float]:
    numbers = position[:2] if isinstance(position, list) else []
    if len(numbers) < 2 or any(isinstance(v, bool) or not isinstance(v, int | float) for v in numbers):
        raise ValueError(f"{str(position)[:60]} is no position [longitude, latitude]")
    lon, lat = numbers
    if not (abs(lon) <= 180 and abs(lat) <= 90):
        raise ValueError(f"{str(position)[:60]} is no WGS 84 longitude and latitude in degrees")
    return float(lon), float(lat)


def _check_together(path: Path, found: list[Catchment]) -> None:
    counts = Counter(one.catchment_id.casefold() for one in found)
    if twice := sorted(name for name, count in counts.items() if count > 1):
        raise ValueError(f"{path}: id {twice[0]} is there {counts[twice[0]]} times, big and small letters being alike")
    vertices = sum(int(shapely.get_num_coordinates(one.outline)) for one in found)
    if vertices > MOST_VERTICES:
        raise ValueError(f"{path}: {vertices} positions, at most {MOST_VERTICES} are allowed")
