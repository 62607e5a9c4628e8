"""EDR questions against small stores: numbers, formats, refusals."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from covjson_pydantic.coverage import Coverage
from edr_pydantic.collections import Collections, Instances
from fakes import GRID
from fastapi.testclient import TestClient
from pyproj import CRS, Transformer
from service import client, place, stores_in

from nowcast.edr.cells import lattice

BASE = "/edr/collections/here"
AROUND = "24.96,59.99,25.04,60.01"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    folder = tmp_path_factory.mktemp("edr")
    stores_in(folder)
    return client(folder)


def wkt(row: float, col: float) -> str:
    """POINT of a pixel."""
    at = place(row, col)
    return f"POINT({at['lon']} {at['lat']})"


def asked(here: TestClient, query: str, **params: object) -> Any:
    """The answer to a query that must succeed."""
    answer = here.get(f"{BASE}/{query}", params={name.replace("_", "-"): str(v) for name, v in params.items()})
    assert answer.status_code == 200, answer.text
    return answer


class TestPosition:
    def test_coverage_json_holds_the_pixels_numbers_and_is_valid(self, here: TestClient) -> None:
        answer = asked(here, "position", coords=wkt(2, 3))
        found = Coverage.model_validate_json(answer.text)
        assert found.ranges["rain_rate"].values == [3.0, 6.0, 9.0]  # type: ignore[union-attr]
        assert found.ranges["probability_1"].values == [0.25] * 3  # type: ignore[union-attr]
        assert answer.headers["content-type"] == "application/prs.coverage+json"
        assert answer.json()["nowcast:provenance"]["model"] == "fake-1"
        assert answer.headers["Nowcast-Model"] == "fake-1"

    def test_csv_and_geojson_hold_the_same(self, here: TestClient) -> None:
        table = pd.read_csv(io.StringIO(asked(here, "position", coords=wkt(2, 3), f="CSV").text))
        assert table.rain_rate.tolist() == [3.0, 6.0, 9.0]
        assert table.time.tolist()[0] == "2026-06-01T00:15:00Z"
        found = asked(here, "position", coords=wkt(2, 3), f="GeoJSON", parameter_name="rain_rate").json()
        assert found["features"][0]["properties"] == {"rain_rate": [3.0, 6.0, 9.0]}
        at = place(2, 3)
        assert found["features"][0]["geometry"]["coordinates"] == pytest.approx([at["lon"], at["lat"]], abs=1e-6)

    def test_what_is_not_known_is_null(self, here: TestClient) -> None:
        found = asked(here, "position", coords=wkt(0, 0)).json()
        assert found["ranges"]["rain_rate"]["values"] == [None] * 3

    def test_datetime_chooses_leads(self, here: TestClient) -> None:
        for text, values in {
            "2026-06-01T00:20:00Z": [6.0],
            "2026-06-01T00:15:00Z/2026-06-01T00:20:00Z": [3.0, 6.0],
            "../2026-06-01T00:19Z": [3.0],
            "2026-06-01T02:20+02:00/..": [6.0, 9.0],
        }.items():
            found = asked(here, "position", coords=wkt(2, 3), parameter_name="rain_rate", datetime=text).json()
            assert found["ranges"]["rain_rate"]["values"] == values

    def test_an_instance_is_a_nowcast(self, here: TestClient) -> None:
        found = asked(here, "instances/2026-06-01T00:00:00Z/position", coords=wkt(2, 3)).json()
        assert found["ranges"]["rain_rate"]["values"] == [1.0, 2.0, 3.0]

    def test_native_coordinates_are_the_grids(self, here: TestClient) -> None:
        found = asked(here, "position", coords=f"POINT({GRID.x[3]} {GRID.y[2]})", crs="native").json()
        assert found["ranges"]["rain_rate"]["values"] == [3.0, 6.0, 9.0]
        assert "ProjectedCRS" in str(found["domain"]["referencing"])


class TestCube:
    def test_cells_take_the_value_of_the_pixel_that_holds_their_centre(self, here: TestClient) -> None:
        """The north-west pixel has no forecast; all else is 3 mm/h at the first lead."""
        west, south, east, north = GRID.bbox
        found = asked(here, "cube", bbox=f"{west},{south},{east},{north}", parameter_name="rain_rate").json()
        values = np.array(found["ranges"]["rain_rate"]["values"], float).reshape(found["ranges"]["rain_rate"]["shape"])
        to_grid = Transformer.from_crs("EPSG:4326", GRID.projection, always_xy=True)
        for row, lat in enumerate(found["domain"]["axes"]["y"]["values"]):
            for col, lon in enumerate(found["domain"]["axes"]["x"]["values"]):
                x, y = to_grid.transform(lon, lat)
                known = -3000 <= x < 3000 and -2000 < y <= 2000 and not (x < -2000 and y > 1000)
                assert (values[0, row, col] == 3.0) if known else np.isnan(values[0, row, col])

    def test_a_box_of_a_box_has_the_same_cells(self, here: TestClient) -> None:
        """Clients cut along the axes that they were told."""
        whole = asked(here, "cube", bbox=AROUND, parameter_name="rain_rate").json()["domain"]["axes"]
        x, y = whole["x"]["values"], whole["y"]["values"]
        for part, expected in ((f"{x[1]},{y[1]},{x[1]},{y[1]}", x[1:2]), (f"{x[1]},{y[-1]},{x[2]},{y[0]}", x[1:3])):
            found = asked(here, "cube", bbox=part, parameter_name="rain_rate").json()["domain"]["axes"]
            assert found["x"]["values"] == expected

    def test_the_lattice_is_about_as_fine_as_the_grid(self) -> None:
        found = lattice(GRID)
        assert found.spacing_km == pytest.approx(1.0, rel=0.01)
        assert found.bounds[0] == pytest.approx(GRID.bbox[0])

    def test_netcdf_is_cf(self, here: TestClient, tmp_path: Path) -> None:
        (tmp_path / "cube.nc").write_bytes(asked(here, "cube", bbox=AROUND, f="NetCDF").content)
        with xr.open_dataset(tmp_path / "cube.nc") as found:
            assert found.rain_rate.dims == ("time", "latitude", "longitude")
            assert found.rain_rate.attrs["units"] == "mm h-1"
            assert found.latitude.attrs["units"] == "degrees_north"
            assert float(found.rain_rate.sel(latitude=60, longitude=25, method="nearest")[0]) == 3.0
            assert found.attrs["model"] == "fake-1"
            assert CRS.from_cf(found.crs.attrs).is_geographic

    def test_native_netcdf_lies_on_the_grid(self, here: TestClient, tmp_path: Path) -> None:
        body = asked(here, "cube", bbox="-2999,-1999,2999,1999", crs="native", f="NetCDF").content
        (tmp_path / "native.nc").write_bytes(body)
        with xr.open_dataset(tmp_path / "native.nc") as found:
            np.testing.assert_array_equal(found.x, GRID.x)
            np.testing.assert_array_equal(found.y, GRID.y)
            assert np.isnan(found.rain_rate[0, 0, 0])
            assert (found.rain_rate[1].values.ravel()[1:] == 6.0).all()


class TestArea:
    def test_only_cells_in_the_polygon_are_known(self, here: TestClient) -> None:
        """Left of x = 0 m: columns 0 .. 2 of the grid."""
        polygon = "POLYGON((-3000 -2000, 0 -2000, 0 2000, -3000 2000, -3000 -2000))"
        found = asked(here, "area", coords=polygon, crs="native", parameter_name="rain_rate").json()
        shape = found["ranges"]["rain_rate"]["shape"]
        values = np.array(found["ranges"]["rain_rate"]["values"], float).reshape(shape)[0]
        assert np.isnan(values[0, 0])
        assert np.nansum(values) == 3.0 * (4 * 3 - 1)

    def test_csv_has_no_line_for_what_lies_outside(self, here: TestClient) -> None:
        polygon = "POLYGON((24.99 59.99, 25.01 59.99, 25 60.01, 24.99 59.99))"
        table = pd.read_csv(io.StringIO(asked(here, "area", coords=polygon, f="CSV").text))
        assert len(table) % 3 == 0
        assert table.rain_rate.notna().all()


class TestMetadata:
    def test_collections_and_instances_are_valid(self, here: TestClient) -> None:
        found = Collections.model_validate_json(here.get("/edr/collections").text)
        assert [one.id for one in found.collections] == ["here"]
        temporal = found.collections[0].extent.temporal
        assert temporal is not None
        assert temporal.values == ["2026-06-01T00:15:00Z", "2026-06-01T00:20:00Z", "2026-06-01T00:25:00Z"]
        times = Instances.model_validate_json(here.get(f"{BASE}/instances").text)
        assert [one.id for one in times.instances] == ["20260601T001000Z", "20260601T000000Z"]
        assert here.get(f"{BASE}/instances/2026-06-01T00:00:00Z").json()["id"] == "20260601T000000Z"

    def test_landing_leads_to_everything(self, here: TestClient) -> None:
        links = {one["rel"]: one["href"] for one in here.get("/edr/").json()["links"]}
        assert {"self", "conformance", "data", "service-desc", "service-doc"} <= set(links)
        for href in links.values():
            assert here.get(href).status_code == 200

    def test_a_collection_appears_with_its_first_nowcast(self, tmp_path: Path) -> None:
        assert client(tmp_path).get("/edr/collections").json()["collections"] == []


@pytest.mark.parametrize(
    ("path", "params", "status", "said"),
    [
        ("position", {"coords": "POINT(0 0)"}, 404, "lies outside the grid"),
        ("position", {"coords": "POINT(nan nan)"}, 400, "coords"),
        ("position", {"coords": "POINT(25"}, 400, "no well-known text"),
        ("position", {"coords": "POINT EMPTY"}, 400, "must be a Point"),
        ("position", {"coords": "LINESTRING(25 60, 26 61)"}, 400, "must be a Point"),
        ("position", {"coords": '{"type": "Point"'}, 400, "no well-known text"),
        ("position", {}, 422, "query.coords: Field required"),
        ("position", {"coords": "POINT(25 60)", "f": "GRIB"}, 422, "query.f"),
        ("position", {"coords": "POINT(25 60)", "crs": "EPSG:3067"}, 400, "no crs 'EPSG:3067'"),
        ("position", {"coords": "POINT(25 60)", "parameter-name": "snow"}, 400, "no parameter 'snow'"),
        (
            "position",
            {"coords": "POINT(25 60)", "datetime": "9999-12-31T00:00:00Z"},
            404,
            "nothing is forecast for 9999",
        ),
        ("position", {"coords": "POINT(25 60)", "datetime": "soon"}, 400, "soon"),
        ("position", {"coords": "POINT(25 60)", "datetime": "2026-06-02/2026-06-01"}, 400, "ends before it starts"),
        ("instances/noon/position", {"coords": "POINT(25 60)"}, 400, "noon"),
        ("instances/2026-06-01T00:05:00Z/position", {"coords": "POINT(25 60)"}, 404, "no nowcast was issued"),
        ("cube", {"bbox": "25,60,24,61"}, 400, "empty box"),
        ("cube", {"bbox": "1,2,3"}, 400, "west,south,east,north"),
        ("cube", {"bbox": "nan,60,25,61"}, 400, "west,south,east,north"),
        ("cube", {"bbox": "1e308,60,1e309,61"}, 400, "west,south,east,north"),
        ("cube", {"bbox": "-80,10,-70,20"}, 404, "lies outside the grid"),
        ("area", {"coords": "POLYGON((24 59, 26 61, 26 59, 24 61, 24 59))"}, 400, "Self-intersection"),
        ("area", {"coords": "POINT(25 60)"}, 400, "must be a Polygon"),
    ],
)
def test_a_wrong_question_is_refused_with_its_reason(
    here: TestClient, path: str, params: dict[str, str], status: int, said: str
) -> None:
    answer = here.get(f"{BASE}/{path}", params=params)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]


def test_a_polygon_has_at_most_so_many_corners(here: TestClient) -> None:
    corners = ", ".join(f"{25 + np.cos(a) / 100} {60 + np.sin(a) / 100}" for a in np.linspace(0, 6.28, 1001))
    first = corners.split(",")[0]
    answer = here.get(f"{BASE}/area", params={"coords": f"POLYGON(({corners}, {first}))"})
    assert answer.status_code == 413
    assert "1002 corners, more than 1000" in answer.json()["detail"]


def test_a_box_has_at_most_so_many_values(here: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rain rate and two chances at three leads are nine values a cell, so ten are one cell."""
    from nowcast.edr.encodings import Format
    from nowcast.serving.api import edr

    monkeypatch.setitem(edr.MOST_VALUES, Format.COVERAGE_JSON, 10)
    answer = here.get(f"{BASE}/cube", params={"bbox": AROUND})
    assert answer.status_code == 413
    assert "more than 1" in answer.json()["detail"]
