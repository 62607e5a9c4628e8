"""A region's trained models, and which of them serves: versions that never change, and one pointer that does.

Below the registry's location lie `versions/<model id>/` with the weights, their JSON and a record of both hashes,
`pointer.json` with the roles, replaced as a whole, and `events/`, one small JSON for everything that happened. No
weights are loaded here.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nowcast.core.crashpoints import reached
from nowcast.core.timeline import isoformat
from nowcast.store import objects
from nowcast.store.objects import Overtaken
from nowcast.store.repository import Location

SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
WEIGHTS, ABOUT, RECORD, POINTER = "model.safetensors", "model.json", "version.json", "pointer.json"


@dataclass(frozen=True)
class Version:
    """A registered model: when it came, the sha256 of each of its files, and how it was judged."""

    model_id: str
    registered: str
    sha256: Mapping[str, str]
    verdict: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pointer:
    """Model ids by role, None for the shipped weights, and since when and why.

    `previous` was the champion before, for a rollback. `shadow` is a challenger whose nowcasts are kept apart.
    """

    champion: str | None = None
    previous: str | None = None
    shadow: str | None = None
    since: str = ""
    why: str = ""


@dataclass(frozen=True)
class Happening:
    """Something that happened: what, to which model, when and why."""

    time: str
    what: str
    model_id: str | None
    why: str


def register(registry: Location, path: Path, now: datetime, verdict: Mapping[str, Any] | None = None) -> Version:
    """Take in the .safetensors file at `path` with the JSON beside it; registering it again changes nothing.

    Raises ValueError when the JSON names no hash, or another than the file has.
    """
    contents = {WEIGHTS: path.read_bytes(), ABOUT: path.with_suffix(".json").read_bytes()}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    about = json.loads(contents[ABOUT])
    if about.get("sha256") != hashes[WEIGHTS]:
        raise ValueError(f"{path}: its JSON says sha256 {about.get('sha256')}, but {hashes[WEIGHTS]} is needed")
    model_id = _safe(f"{about['name']}-{hashes[WEIGHTS][:8]}")
    if objects.read(registry, _path(model_id, RECORD)) is not None:
        return version(registry, model_id)
    for name, content in contents.items():
        objects.write(registry, _path(model_id, name), content)
        reached("registry.register.half")
    made = Version(model_id, isoformat(now), hashes, verdict or {})
    reached("registry.register.written")
    objects.write(registry, _path(model_id, RECORD), _encoded(asdict(made)))
    reached("registry.register.recorded")
    note(registry, "registered", model_id, "", now)
    return made


def version(registry: Location, model_id: str) -> Version:
    """One version; ValueError when there is none of that id."""
    record = objects.read(registry, _path(_safe(model_id), RECORD))
    if record is None:
        raise ValueError(f"{registry.url} holds no model {model_id}")
    return Version(**json.loads(record))


def versions(registry: Location) -> list[Version]:
    """Every version, the oldest first; one whose registration was cut short is not there."""
    paths = (path.split("/") for path in objects.listed(registry, "versions"))
    found = [version(registry, model_id) for _, model_id, name in paths if name == RECORD]
    return sorted(found, key=lambda one: (one.registered, one.model_id))


def fetch(registry: Location, model_id: str, folder: Path) -> Path:
    """Copy a version into a folder; the path of its weights. ValueError naming a file that is missing or changed."""
    known = version(registry, model_id)
    if set(known.sha256) != {WEIGHTS, ABOUT}:
        raise ValueError(f"{registry.url}/{_path(model_id, RECORD)} names the files {sorted(known.sha256)}")
    folder.mkdir(parents=True, exist_ok=True)
    for name, wanted in known.sha256.items():
        content = objects.read(registry, _path(model_id, name))
        found = "missing" if content is None else hashlib.sha256(content).hexdigest()
        if content is None or found != wanted:
            raise ValueError(f"{registry.url}/{_path(model_id, name)}: sha256 is {found}, registered was {wanted}")
        (folder / name).write_bytes(content)
    return folder / WEIGHTS


def pointer(registry: Location) -> Pointer:
    """Who has which role now, nobody in a registry that holds none yet; ValueError when it cannot be read."""
    return _decoded(registry, objects.read(registry, POINTER))


def promote(registry: Location, model_id: str, why: str, now: datetime, instead_of: Pointer | None = None) -> Pointer:
    """Make a version the champion, the one before it the previous.

    With `instead_of`, the pointer that the decision rests on, Overtaken is raised when there is another champion by
    now. Raises ValueError for an unknown version and for the champion itself.
    """
    version(registry, model_id)

    def edited(held: Pointer) -> Pointer:
        if instead_of is not None and held.champion != instead_of.champion:
            raise Overtaken(f"{model_id} was judged against {instead_of.champion}, champion is {held.champion}")
        if held.champion == model_id:
            raise ValueError(f"{model_id} is the champion already")
        shadow = None if held.shadow == model_id else held.shadow
        return replace(held, champion=model_id, previous=held.champion, shadow=shadow)

    return _turn(registry, "promoted", edited, why, now)


def rollback(registry: Location, why: str, now: datetime) -> Pointer:
    """Champion and previous change places; ValueError when there was no promotion."""

    def edited(held: Pointer) -> Pointer:
        if held.champion == held.previous:
            raise ValueError(f"{registry.url} has no previous champion to go back to")
        return replace(held, champion=held.previous, previous=held.champion)

    return _turn(registry, "rolled-back", edited, why, now)


def set_shadow(registry: Location, model_id: str | None, why: str, now: datetime) -> Pointer:
    """Let a version run in the champion's shadow, or none; ValueError when unknown or the champion."""
    if model_id is not None:
        version(registry, model_id)

    def edited(held: Pointer) -> Pointer:
        if model_id is not None and model_id == held.champion:
            raise ValueError(f"{model_id} is the champion, it cannot be its own shadow")
        return replace(held, shadow=model_id)

    what = "shadow-ended" if model_id is None else "shadowed"
    made = _changed(registry, edited)
    note(registry, what, model_id, why, now)
    return made


def note(registry: Location, what: str, model_id: str | None, why: str, now: datetime) -> None:
    """Write down that something happened."""
    happening = Happening(isoformat(now), what, model_id, why)
    name = "-".join(word for word in (f"{now:%Y%m%dT%H%M%S.%f}Z", what, model_id) if word)
    objects.write(registry, f"events/{name}.json", _encoded(asdict(happening)))
    reached("registry.event.written")


def happenings(registry: Location) -> list[Happening]:
    """Everything that happened, the oldest first."""
    contents = (objects.read(registry, path) for path in objects.listed(registry, "events"))
    return [Happening(**json.loads(content)) for content in contents if content is not None]


def _turn(registry: Location, what: str, edited: Callable[[Pointer], Pointer], why: str, now: datetime) -> Pointer:
    """Change the champion in one step, then write it down."""
    made = _changed(registry, lambda held: replace(edited(held), since=isoformat(now), why=why))
    note(registry, what, made.champion, why, now)
    return made


def _path(model_id: str, name: str) -> str:
    return f"versions/{model_id}/{name}"


def _safe(model_id: str) -> str:
    """The id itself; ValueError unless it can be the name of a folder anywhere."""
    if not SAFE_ID.fullmatch(model_id):
        raise ValueError(f"{model_id!r} is no model id")
    return model_id


def _encoded(fields: Mapping[str, Any]) -> bytes:
    return (json.dumps(fields, indent=2) + "\n").encode()


def _changed(registry: Location, edited: Callable[[Pointer], Pointer]) -> Pointer:
    """Edit the pointer, unless another process is faster."""

    def turned(held: bytes | None) -> bytes:
        content = _encoded(asdict(edited(_decoded(registry, held))))
        reached("registry.pointer.edited")
        return content

    content = objects.change(registry, POINTER, turned)
    reached("registry.pointer.changed")
    return _decoded(registry, content)


def _decoded(registry: Location, content: bytes | None) -> Pointer:
    try:
        return Pointer() if content is None else Pointer(**json.loads(content))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{registry.url}/{POINTER}: {error}") from error
