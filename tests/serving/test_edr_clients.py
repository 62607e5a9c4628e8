"""EDR clients that others wrote read positions and cubes off a real server."""

import io
import json
from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr
from fakes import GRID
from owslib.ogcapi.edr import EnvironmentalDataRetrieval
from service import application, place, server, stores_in

from nowcast.edr.cells import lattice


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("clients")
    stores_in(folder)
    with server(application(folder)) as running:
        yield f"{running}/edr/"


def test_owslib_finds_the_collection_and_reads_a_position(url: str) -> None:
    edr = EnvironmentalDataRetrieval(url)
    assert edr.data() == ["here"]
    at = place(2, 3)
    found = edr.query_data("here", "position", coords=f"POINT({at['lon']} {at['lat']})")
    assert json.load(io.BytesIO(_bytes(found)))["ranges"]["rain_rate"]["values"] == [3.0, 6.0, 9.0]


def test_owslib_reads_a_cube(url: str) -> None:
    found = EnvironmentalDataRetrieval(url).query_data("here", "cube", bbox=[24.99, 59.99, 25.01, 60.01])
    values = json.load(io.BytesIO(_bytes(found)))["ranges"]["rain_rate"]["values"]
    assert set(values) == {3.0, 6.0, 9.0}


def test_xarray_opens_the_collection_as_a_lazy_cube(url: str) -> None:
    found = xr.open_dataset(f"{url}collections/here", engine="edr", parameter_names=["rain_rate", "probability_1"])
    assert found.sizes == {"t": 3, **dict(zip("yx", lattice(GRID).shape, strict=True))}
    at = place(2, 3)
    cell = found.rain_rate.sel(x=at["lon"], y=at["lat"], method="nearest")
    np.testing.assert_allclose(cell, [3.0, 6.0, 9.0])
    assert float(found.probability_1.isel(t=1, y=2, x=3)) == 0.25
    part = found.rain_rate.isel(t=slice(0, 2), y=slice(1, 3), x=slice(2, 4))
    np.testing.assert_allclose(part, np.broadcast_to(np.array([3.0, 6.0])[:, None, None], (2, 2, 2)))


def test_xarray_opens_an_earlier_nowcast(url: str) -> None:
    instance = "20260601T000000Z"
    found = xr.open_dataset(f"{url}collections/here", engine="edr", parameter_names=["rain_rate"], instance=instance)
    at = place(2, 3)
    np.testing.assert_allclose(found.rain_rate.sel(x=at["lon"], y=at["lat"], method="nearest"), [1.0, 2.0, 3.0])


def _bytes(found: object) -> bytes:
    """owslib gives parsed JSON, text or bytes, as it likes."""
    if isinstance(found, dict):
        return json.dumps(found).encode()
    return found.read() if hasattr(found, "read") else bytes(found)  # type: ignore[call-overload]
