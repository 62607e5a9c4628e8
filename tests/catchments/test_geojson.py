"""Catchments from GeoJSON, and what is said of files that hold something else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nowcast.catchments import geojson
from nowcast.catchments.geojson import read_catchments

SQUARE = [[24, 60], [25, 60], [25, 61], [24, 61], [24, 60]]
ELSEWHERE = [[20, 60], [21, 60], [21, 61], [20, 61], [20, 60]]
HOLE = [[24.4, 60.4], [24.6, 60.4], [24.6, 60.6], [24.4, 60.6], [24.4, 60.4]]

Written = Callable[[Any], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a document, or bytes as they are."""

    def write(document: Any) -> Path:
        path = tmp_path / "rivers.geojson"
        path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
        return path

    return write


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(geometry: Any, catchment_id: Any = "vantaa", **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "id": catchment_id, "properties": properties, "geometry": geometry}


def collection(*features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


class TestWhatIsRead:
    def test_a_collection_in_its_order(self, written: Written) -> None:
        several = {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], [ELSEWHERE]]}
        path = written(collection(feature(polygon(SQUARE), name="Vantaanjoki"), feature(several, 7)))
        first, second = read_catchments(path)
        assert (first.catchment_id, first.name, first.outline.area) == ("vantaa", "Vantaanjoki", 1.0)
        assert (second.catchment_id, second.name, second.outline.area) == ("7", "7", pytest.approx(1.96))

    @pytest.mark.parametrize(
        ("one", "expected"),
        [
            (feature(polygon(SQUARE), None, id="a", name="b"), "a"),
            (feature(polygon(SQUARE), None, name="b"), "b"),
            (polygon(SQUARE), "rivers"),
        ],
    )
    def test_ids_come_from_properties_or_the_file(self, written: Written, one: Any, expected: str) -> None:
        assert read_catchments(written(one))[0].catchment_id == expected

    def test_heights_are_left_out(self, written: Written) -> None:
        path = written(polygon([[*position, 12.5] for position in SQUARE]))
        assert read_catchments(path)[0].outline.area == 1.0

    def test_the_order_of_corners_is_free(self, written: Written) -> None:
        """RFC 7946 wants the outer ring counter-clockwise, and readers to take the other as well."""
        assert read_catchments(written(polygon(SQUARE[::-1], HOLE)))[0].outline.area == pytest.approx(0.96)


def moved(lon: Any) -> Any:
    return [[lon, 60], *SQUARE[1:-1], [lon, 60]]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe\x00", "codec"),
        (b"[" * 100_000, "recursion"),
        ([], "type None is no FeatureCollection"),
        ({"type": "Topology"}, "type 'Topology' is no FeatureCollection"),
        ({"type": "FeatureCollection"}, "no list of features"),
        (collection(), "0 features"),
        (collection(5), "feature 0: is no Feature"),
        (collection(feature(None)), r"feature 0 \(vantaa\): geometry None is no Polygon"),
        (feature({"type": "Point", "coordinates": [24, 60]}), r"feature 0 \(vantaa\): geometry 'Point' is no Polygon"),
        (feature(polygon()), "the geometry is empty"),
        (feature({"type": "MultiPolygon", "coordinates": []}), "the geometry is empty"),
        (feature({"type": "MultiPolygon", "coordinates": [[]]}), "the geometry is empty"),
        (feature(polygon(SQUARE[:3])), "too few points"),
        (feature(polygon(SQUARE[:4])), "a ring must end where it begins, not at"),
        (feature(polygon([[0, 0], [1, 1], [2, 2], [0, 0]])), "is not simple: "),
        (feature(polygon([[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]])), "is not simple: Self-intersection"),
        (feature(polygon(SQUARE, ELSEWHERE)), "is not simple: Hole lies outside"),
        (feature(polygon(moved(float("nan")))), "is no WGS 84"),
        (feature(polygon(moved(float("inf")))), "is no WGS 84"),
        (feature(polygon(moved(10**400))), "is no WGS 84"),
        (feature(polygon(moved(386_000))), "is no WGS 84"),
        (feature(polygon(moved("24"))), "is no position"),
        (feature(polygon(moved(True))), "is no position"),
        (feature(polygon(moved([]))), "is no position"),
        (feature(polygon([[179, 0], [-179, 0], [-179, 1], [179, 1], [179, 0]])), "cut it at the antimeridian"),
        (feature(polygon(SQUARE), None), "has no id"),
        (feature(polygon(SQUARE), "../x"), "id '../x' is not made of"),
        (feature(polygon(SQUARE), ""), "id '' is not made of"),
        (feature(polygon(SQUARE), True), "id 'True' is not made of"),
        (feature(polygon(SQUARE), {"a": 1}), "is not made of"),
        (feature(polygon(SQUARE)) | {"properties": "x"}, "properties are x, no object"),
        (collection(feature(polygon(SQUARE)), feature(polygon(ELSEWHERE), "Vantaa")), "id vantaa is there 2 times"),
    ],
)
def test_anything_else_is_refused_with_file_and_reason(written: Written, document: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=rf"rivers\.geojson: .*{reason}"):
        read_catchments(written(document))


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"none\.geojson"):
        read_catchments(tmp_path / "none.geojson")


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("MOST_BYTES", "bytes, at most 3"),
        ("MOST_CATCHMENTS", "5 features"),
        ("MOST_VERTICES", "25 positions, at most"),
        ("LONGEST_OUTLINE", "the outline is 4 degrees long, at most"),
    ],
)
def test_too_much_is_refused(written: Written, monkeypatch: pytest.MonkeyPatch, limit: str, reason: str) -> None:
    several = collection(*(feature(polygon(SQUARE), k) for k in range(5)))
    monkeypatch.setattr(geojson, limit, 3)
    with pytest.raises(ValueError, match=reason):
        read_catchments(written(several))
