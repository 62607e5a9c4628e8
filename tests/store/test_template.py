"""The layout of both stores, held against a file: a change of layout is a change of that file.

`python tests/store/test_template.py` writes it anew.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from nowcast.core.grid import Grid
from nowcast.store import repository
from nowcast.store.repository import Location
from nowcast.store.template import Template, archive_template, check_grid, forecast_template, group_attributes, lay_out

GOLDEN = Path(__file__).with_name("golden_template.json")
GRID = Grid("EPSG:3067", 0.0, 6_700_000.0, 1000.0, 1000.0, 3, 300)


def described(template: Template) -> dict[str, Any]:
    """What a reader of the store depends on; coordinates by their ends."""
    return {
        name: {
            "dims": list(v.dims),
            "dtype": v.dtype,
            "chunks": list(v.chunks),
            "fill": repr(v.fill),
            "attributes": {k: a for k, a in v.attributes.items() if k not in ("crs_wkt", "spatial_ref")},
            "coordinate": [v.coordinate[0], v.coordinate[-1], len(v.coordinate)] if v.coordinate else None,
        }
        for name, v in template.items()
    }


def layouts() -> dict[str, Any]:
    return {
        "archive of reflectivity": described(archive_template(GRID, "reflectivity")),
        "archive of rain rate": described(archive_template(GRID, "rain_rate")),
        "forecasts": described(forecast_template(GRID, (5, 10), (0.1, 1.0), (0.1, 0.5, 0.9))),
    }


@pytest.mark.parametrize("store", ["archive of reflectivity", "archive of rain rate", "forecasts"])
def test_the_layout_is_the_golden_one(store: str) -> None:
    assert json.loads(json.dumps(layouts()[store])) == json.loads(GOLDEN.read_text())[store]


def test_a_store_whose_coordinates_and_attributes_disagree_is_refused(tmp_path: Path) -> None:
    location = Location(str(tmp_path / "store"))
    created = repository.create(location)
    with repository.transaction(location, created, "layout") as group:
        lay_out(group, archive_template(GRID, "rain_rate"), group_attributes(GRID, "title", {}))
    assert check_grid(repository.read(created)) == GRID
    with repository.transaction(location, created, "shifted by a pixel") as group:
        repository.array(group, "x")[:] = GRID.x + GRID.dx
    with pytest.raises(ValueError, match="coordinate x .* does not fit"):
        check_grid(repository.read(created))


def test_a_store_of_a_later_layout_is_refused_and_one_without_a_number_is_of_the_first(tmp_path: Path) -> None:
    location = Location(str(tmp_path / "store"))
    created = repository.create(location)
    with repository.transaction(location, created, "of an earlier version") as group:
        lay_out(group, archive_template(GRID, "rain_rate"), group_attributes(GRID, "title", {}))
        del group.attrs["nowcast:layout"]
    assert check_grid(repository.read(created)) == GRID
    with repository.transaction(location, created, "of a later version") as group:
        group.attrs["nowcast:layout"] = 2
    with pytest.raises(ValueError, match="has layout 2, this version of nowcast reads up to 1: install a newer one"):
        check_grid(repository.read(created))


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(layouts(), indent=1) + "\n")
