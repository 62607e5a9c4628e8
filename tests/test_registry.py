"""Versions never change, the pointer changes in one step, in a folder and in a bucket."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from bucket import new_bucket, s3_server
from fakes import NOW
from models_at_hand import drop_tensor, registered, weights

from nowcast import champion, registry
from nowcast.core.types import USUAL, Sampling
from nowcast.registry import Pointer
from nowcast.store import objects
from nowcast.store.objects import Overtaken
from nowcast.store.repository import S3, Location


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(params=["folder", "bucket"])
def where(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Location:
    """An empty registry."""
    if request.param == "folder":
        return Location(str(tmp_path / "store" / "models"))
    name = tmp_path.name.replace("_", "-")
    return Location(f"s3://{name}/store/models", new_bucket(request.getfixturevalue("server"), name, monkeypatch))


@pytest.fixture
def folder(tmp_path: Path) -> Location:
    """An empty registry in a folder."""
    return Location(str(tmp_path / "models"))


def test_an_empty_registry_names_nobody(where: Location) -> None:
    assert registry.pointer(where) == Pointer()
    assert registry.versions(where) == registry.happenings(where) == []


def test_a_registered_model_comes_back_byte_for_byte(where: Location, tmp_path: Path) -> None:
    path = weights(tmp_path, 1)
    made = registry.register(where, path, NOW, {"promote": False})
    again = registry.register(where, path, NOW + timedelta(days=1))
    assert again == made == registry.version(where, made.model_id)
    assert registry.versions(where) == [made]
    assert made.verdict == {"promote": False}
    copy = registry.fetch(where, made.model_id, tmp_path / "copy")
    assert copy.read_bytes() == path.read_bytes()
    assert copy.with_suffix(".json").read_bytes() == path.with_suffix(".json").read_bytes()


def test_roles_follow_promotion_and_rollback(where: Location, tmp_path: Path) -> None:
    one, two = (registered(where, tmp_path, seed) for seed in (1, 2))
    registry.promote(where, one, "first", NOW)
    registry.set_shadow(where, two, "try", NOW)
    assert registry.pointer(where).shadow == two
    registry.promote(where, two, "better", NOW + timedelta(hours=1))
    assert registry.pointer(where) == Pointer(two, one, None, "2026-06-02T01:00:00Z", "better")
    registry.rollback(where, "worse", NOW + timedelta(hours=2))
    assert registry.pointer(where) == Pointer(one, two, None, "2026-06-02T02:00:00Z", "worse")
    told = [(one.what, one.model_id, one.why) for one in registry.happenings(where) if one.what != "registered"]
    assert told == [
        ("promoted", one, "first"),
        ("shadowed", two, "try"),
        ("promoted", two, "better"),
        ("rolled-back", one, "worse"),
    ]


def test_the_first_promotion_can_be_taken_back_to_the_shipped_weights(where: Location, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no previous champion"):
        registry.rollback(where, "", NOW)
    registry.promote(where, registered(where, tmp_path, 1), "", NOW)
    assert registry.rollback(where, "", NOW).champion is None


def test_a_decision_that_was_overtaken_promotes_nobody(where: Location, tmp_path: Path) -> None:
    one, two, three = (registered(where, tmp_path, seed) for seed in (1, 2, 3))
    seen = registry.promote(where, one, "", NOW)
    registry.promote(where, two, "", NOW, instead_of=seen)
    with pytest.raises(Overtaken, match=rf"{three} was judged against {one}, champion is {two}"):
        registry.promote(where, three, "", NOW, instead_of=seen)
    assert registry.pointer(where).champion == two


def test_of_two_who_change_an_object_at_once_in_a_bucket_one_wins(where: Location) -> None:
    """The second writer comes while the first is still deciding."""
    if where.is_local:
        pytest.skip("in a folder they wait for each other")
    objects.write(where, "pointer.json", b"0")

    def slowly(held: bytes | None) -> bytes:
        objects.change(where, "pointer.json", lambda _: b"faster")
        return b"slower"

    with pytest.raises(Overtaken, match=r"pointer\.json"):
        objects.change(where, "pointer.json", slowly)
    assert objects.read(where, "pointer.json") == b"faster"


def test_in_a_folder_no_change_is_lost(folder: Location) -> None:
    """Four threads add 1 ten times each."""

    def add() -> None:
        for _ in range(10):
            objects.change(folder, "count", lambda held: str(int(held or b"0") + 1).encode())

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert objects.read(folder, "count") == b"40"


@pytest.mark.parametrize("model_id", ["../x", "a/b", "", ".hidden", "a" * 101])
def test_an_id_that_is_no_folder_name_is_refused(folder: Location, model_id: str) -> None:
    with pytest.raises(ValueError, match="is no model id"):
        registry.version(folder, model_id)


def test_what_is_not_there_is_refused_by_name(folder: Location) -> None:
    with pytest.raises(ValueError, match="holds no model tiny-1"):
        registry.promote(folder, "tiny-1", "", NOW)


def test_weights_that_are_not_those_of_their_json_are_not_registered(folder: Location, tmp_path: Path) -> None:
    path = weights(tmp_path, 1)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ValueError, match=r"seed-1\.safetensors: its JSON says sha256"):
        registry.register(folder, path, NOW)
    assert registry.versions(folder) == []


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
def test_a_changed_or_missing_file_is_refused_by_name(where: Location, tmp_path: Path, name: str) -> None:
    model_id = registered(where, tmp_path, 1)
    held = objects.read(where, f"versions/{model_id}/{name}")
    assert held is not None
    objects.write(where, f"versions/{model_id}/{name}", held[:-1])
    with pytest.raises(ValueError, match=rf"(?s){model_id} cannot be loaded: .*{model_id}/{name}: sha256 is"):
        champion.promote(where, model_id, USUAL, "", NOW)
    assert registry.pointer(where).champion is None


def test_a_missing_tensor_is_refused_by_name(folder: Location, tmp_path: Path) -> None:
    path = weights(tmp_path, 1)
    drop_tensor(path, "network.output.bias")
    model_id = registry.register(folder, path, NOW).model_id
    with pytest.raises(ValueError, match=rf"(?s){model_id} cannot be loaded: .*network\.output\.bias"):
        champion.promote(folder, model_id, USUAL, "", NOW)


def test_a_registration_that_was_cut_short_is_not_there(folder: Location, tmp_path: Path) -> None:
    model_id = registered(folder, tmp_path, 1)
    (Path(folder.url) / "versions" / model_id / "version.json").unlink()
    assert registry.versions(folder) == []
    assert registered(folder, tmp_path, 1) == model_id
    assert [one.model_id for one in registry.versions(folder)] == [model_id]


def test_a_model_for_other_pixels_is_promoted_nowhere_else(folder: Location, tmp_path: Path) -> None:
    model_id = registered(folder, tmp_path, 1, Sampling(5.0, 8.0))
    with pytest.raises(ValueError, match=rf"{model_id} does not fit these scans: pixel size \[km\] is 1, trained on 8"):
        champion.promote(folder, model_id, USUAL, "", NOW)
    with pytest.raises(ValueError, match="pixel size"):
        champion.set_shadow(folder, model_id, USUAL, "", NOW)
    assert registry.pointer(folder) == Pointer()


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"champion": "a", "king": "b"})])
def test_a_damaged_pointer_is_said_with_its_place(folder: Location, content: str) -> None:
    objects.write(folder, "pointer.json", content.encode())
    with pytest.raises(ValueError, match=r"models/pointer\.json"):
        registry.pointer(folder)


def test_a_store_that_does_not_answer_is_an_os_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    nowhere = Location("s3://radar/store", S3("http://127.0.0.1:9", "us-east-1"))
    with pytest.raises(OSError, match=r"s3://radar/store/pointer\.json"):
        registry.pointer(nowhere)
