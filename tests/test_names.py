"""Names that become part of a path stay where they belong: regions, models, catchments, refused files, exports."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from models_at_hand import weights
from pydantic import ValidationError
from service import client, stores_in

from nowcast import registry
from nowcast.catchments.geojson import read_catchments
from nowcast.ingest import Outcome, ingest, intake
from nowcast.settings import Region, Settings
from nowcast.store.quarantine import refusals
from nowcast.store.repository import Location

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BAD = ["..", "../x", "a/b", "a\\b", "/etc", "a\n", "a\0", ".hidden", "-", "a b", "ä", "", "%2e%2e", "a" * 300]


def inside(folder: Path) -> list[str]:
    """Everything below a folder, and nothing beside it."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", BAD)
def test_a_region(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        Region(name=name)
    with pytest.raises(ValueError, match="name"):
        Settings(regions=tmp_path).region(name)


@pytest.mark.parametrize("name", BAD)
def test_a_model(name: str, tmp_path: Path) -> None:
    """An id in a request, and the name in the JSON of a model file."""
    models = Location(str(tmp_path / "models"))
    for ask in (registry.version, lambda where, one: registry.promote(where, one, "", NOW)):
        with pytest.raises(ValueError, match="is no model id"):
            ask(models, name)
    path = weights(tmp_path, seed=1)
    about = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(about | {"name": f"../{name}"}))
    with pytest.raises(ValueError, match="is no model id"):
        registry.register(models, path, NOW)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("name", BAD)
def test_a_catchment(name: str, tmp_path: Path) -> None:
    ring = [[24, 60], [25, 60], [25, 61], [24, 61], [24, 60]]
    one = {"type": "Feature", "id": name, "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    path = tmp_path / "rivers.geojson"
    path.write_text(json.dumps(one))
    with pytest.raises(ValueError, match="rivers.geojson"):
        read_catchments(path)


@pytest.mark.parametrize(
    "name",
    ["..x", "a\nb.h5", "a\x1b[31mb", "-rf", "$(id)", "ä" * 120, "x" * 255, "a\\..\\b", "bad\udcff.h5"],
)
def test_a_refused_file(name: str, tmp_path: Path) -> None:
    """Its copy has a plain name in the quarantine; what is said of it is one line."""
    (tmp_path / "feed").mkdir()
    path = tmp_path / "feed" / name
    path.write_bytes(b"no radar file")
    settings = Settings(store=str(tmp_path / "store"))
    where = intake(Region(name="here"), settings)
    taken = ingest(where, path, NOW)
    assert taken.outcome is Outcome.QUARANTINED
    (refusal,) = refusals(where.quarantine)
    for said in (taken.file, taken.reason, refusal.file, refusal.reason):
        assert said.isprintable()
    copy, record = sorted(inside(where.quarantine), key=lambda one: one.endswith(".json"))
    assert copy.isascii()
    assert set(copy) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert (where.quarantine / copy).read_bytes() == b"no radar file"
    assert record == f"{refusal.file_id}.json"
    assert all(part.startswith("store/here/quarantine/") for part in inside(tmp_path) if not part.startswith("feed"))


@pytest.mark.parametrize(
    "path",
    [
        "/edr/collections/..%2f..%2fsecret",
        "/edr/collections/%2e%2e/position",
        "/zarr/..%2f..%2fetc",
        "/zarr/here/forecasts/..%2f..%2f..%2fsecret",
        "/regions/..%2fhere/frames",
        "/regions/here/nowcasts/..%2f..%2fsecret/nowcast.nc",
        "/static/..%2f..%2fapi%2fapp.py",
        "/static/../api/app.py",
        "/static//etc/passwd",
        "/tiles/..%2fhere/rain/x/0/0/0.png",
        "/rainviewer/..%2f../public/weather-maps.json",
    ],
)
def test_an_address(path: str, tmp_path: Path) -> None:
    stores_in(tmp_path / "stores")
    (tmp_path / "secret").write_text("secret words")
    answer = client(tmp_path / "stores").get(path)
    assert answer.status_code in (400, 404, 422)
    assert "secret words" not in answer.text
    assert "root:" not in answer.text


def test_a_record_that_names_other_files_writes_none(tmp_path: Path) -> None:
    models = Location(str(tmp_path / "models"))
    made = registry.register(models, weights(tmp_path, seed=1), NOW)
    (record,) = (tmp_path / "models").rglob("version.json")
    fields = json.loads(record.read_text())
    (tmp_path / "evil").write_text("x")
    record.write_text(json.dumps(fields | {"sha256": fields["sha256"] | {"../../evil": "00"}}))
    with pytest.raises(ValueError, match="names the files"):
        registry.fetch(models, made.model_id, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_model_file_that_was_changed_is_not_used(tmp_path: Path) -> None:
    """Weights are pinned by the hash that they were registered with."""
    models = Location(str(tmp_path / "models"))
    made = registry.register(models, weights(tmp_path, seed=1), NOW)
    (held,) = (tmp_path / "models").rglob("model.safetensors")
    content = bytearray(held.read_bytes())
    content[-1] ^= 1
    held.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=f"registered was {made.sha256['model.safetensors']}"):
        registry.fetch(models, made.model_id, tmp_path / "copy")
    assert inside(tmp_path / "copy") == []
