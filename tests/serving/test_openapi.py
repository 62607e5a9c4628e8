"""The service against its own OpenAPI document: made-up questions, none of which may end in a fault of the server."""

from pathlib import Path

import pytest
import schemathesis
from fakes import GRID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from service import application, place, stores_in

CASES = 25
"""Per operation and mode: questions as the document allows them, and others."""

INSIDE = place(2, 3)
WEST, SOUTH, EAST, NORTH = GRID.bbox
PLAUSIBLE: dict[str, list[object]] = {
    "region": ["here"],
    "lat": [INSIDE["lat"]],
    "lon": [INSIDE["lon"]],
    "init_time": ["2026-06-01T00:00:00Z", "2026-06-01T00:05:00Z"],
    "instance": ["2026-06-01T00:00:00Z", "2026-06-01T00:05:00Z"],
    "datetime": ["2026-06-01T00:15:00Z/..", "2026-06-01T00:15:00Z"],
    "parameter-name": ["rain_rate", "probability_1,rain_rate"],
    "crs": ["native", "CRS84"],
    "coords": [
        f"POINT({INSIDE['lon']} {INSIDE['lat']})",
        f"POLYGON(({WEST} {SOUTH}, {EAST} {SOUTH}, {EAST} {NORTH}, {WEST} {SOUTH}))",
    ],
    "bbox": [f"{WEST},{SOUTH},{EAST},{NORTH}", f"{WEST},{SOUTH},0,{EAST},{NORTH},1"],
    "window": ["24h", "30d"],
    "max_age": ["1h", "1min"],
    "key": ["zarr.json", "rain_rate/zarr.json", "rain_rate/c/0/0/0/0"],
}
"""What made-up text would hardly hit upon, so that questions reach the stores."""

OPERATIONS = [
    (method, path)
    for path, operations in application(Path("nowhere")).openapi()["paths"].items()
    for method in operations
]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> schemathesis.BaseSchema:
    """The document of a service over small stores."""
    folder: Path = tmp_path_factory.mktemp("openapi")
    stores_in(folder)
    return schemathesis.openapi.from_asgi("/openapi.json", application(folder))


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_is_as_documented(
    document: schemathesis.BaseSchema, method: str, path: str, mode: GenerationMode
) -> None:
    """Known statuses and media types, refusal of what is not allowed, never a 5xx but for what is not ready."""

    @settings(max_examples=CASES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=document[path][method].as_strategy(generation_mode=mode), made_up=st.data())
    def ask(case: Case, made_up: st.DataObject) -> None:
        if mode is GenerationMode.POSITIVE:
            for values in (case.path_parameters, case.query):
                for name in PLAUSIBLE.keys() & values.keys():
                    values[name] = made_up.draw(st.sampled_from([*PLAUSIBLE[name], values[name]]), name)
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "no question could be made up"
        pytest.skip("nothing can be wrong with this question")


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation_tells_what_it_does(document: schemathesis.BaseSchema, method: str, path: str) -> None:
    operation = document.raw_schema["paths"][path][method]
    assert operation.get("description")
    assert operation.get("tags")
