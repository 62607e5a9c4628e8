"""A store's commit as plain Zarr v3 over HTTP: immutable, read by `xarray.open_zarr` and zarrita without Icechunk."""

import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

import icechunk
from fastapi import APIRouter, HTTPException, Path, Request, Response
from zarr.core.buffer import default_buffer_prototype

from nowcast.serving.api.answers import documented, json_answer
from nowcast.serving.api.shapes import ZarrAnswer
from nowcast.serving.api.stores import InPath, Opened
from nowcast.store.query import Reader
from nowcast.store.repository import session_at

router = APIRouter(prefix="/zarr", tags=["Zarr"])

FOREVER = "public, max-age=31536000, immutable"
KEY = re.compile(r"[A-Za-z_]\w*/(zarr\.json|c(/\d{1,9}){0,8})")
MOST_SESSIONS = 64
"""Commits kept open."""


class Kind(StrEnum):
    """Which of a region's stores."""

    FORECASTS = "forecasts"
    ARCHIVE = "archive"


@dataclass
class Snapshot:
    """One commit: its Zarr store, and its root metadata, consolidated, once it was asked for."""

    store: icechunk.IcechunkStore
    root: bytes = b""


@dataclass
class Snapshots:
    """The commits asked for last."""

    held: OrderedDict[tuple[str, str], Snapshot] = field(default_factory=OrderedDict)

    def get(self, reader: Reader, snapshot: str) -> Snapshot:
        """A commit of a store; NoSuchSnapshot when there is none of that name."""
        key = (reader.location.url, snapshot)
        if key not in self.held:
            self.held[key] = Snapshot(session_at(reader.repository, snapshot).store)
            if len(self.held) > MOST_SESSIONS:
                self.held.popitem(last=False)
        self.held.move_to_end(key)
        return self.held[key]


SnapshotPath = Annotated[str, Path(pattern=r"^[0-9A-Z]{20}$", description="a commit, as /zarr/{region} names it")]


@router.get("/{region}", response_model=ZarrAnswer)
def newest(request: Request, region: InPath) -> Response:
    """Where the newest commits of the region's stores lie; what is there never changes."""
    found = {}
    for kind in Kind:
        reader = _reader(region, kind)
        if reader is not None:
            snapshot = reader.dataset.attrs["nowcast:snapshot"]
            found[str(kind)] = {"snapshot": snapshot, "url": f"{request.base_url}zarr/{region.name}/{kind}/{snapshot}"}
    return json_answer(found, headers={"Cache-Control": "no-cache"})


@router.head("/{region}/{kind}/{snapshot}/{key:path}", include_in_schema=False)
@router.get(
    "/{region}/{kind}/{snapshot}/{key:path}",
    response_class=Response,
    responses=documented("application/octet-stream", "application/json"),
)
async def read(request: Request, region: InPath, kind: Kind, snapshot: SnapshotPath, key: str) -> Response:
    """One key of the hierarchy; the root's zarr.json holds all metadata, consolidated."""
    etag = f'"{snapshot}"'
    same = {"ETag": etag, "Cache-Control": FOREVER}
    if request.headers.get("If-None-Match") == etag:
        return Response(status_code=304, headers=same)
    reader = _reader(region, kind)
    if reader is None or not (key == "zarr.json" or KEY.fullmatch(key)):
        raise HTTPException(404, f"no key {key[:100]!r}")
    held: Snapshots = request.app.state.snapshots
    of = held.get(reader, snapshot)
    body = await _root(of) if key == "zarr.json" else await _read(of.store, key)
    if body is None:
        raise HTTPException(404, f"no key {key!r}")
    media_type = "application/json" if key.endswith("zarr.json") else "application/octet-stream"
    return Response(body, media_type=media_type, headers=same)


def _reader(opened: Opened, kind: Kind) -> Reader | None:
    return opened.forecasts if kind is Kind.FORECASTS else opened.archive


async def _read(store: icechunk.IcechunkStore, key: str) -> bytes | None:
    found = await store.get(key, default_buffer_prototype())
    return None if found is None else found.to_bytes()


async def _root(of: Snapshot) -> bytes:
    """The root group's metadata with that of every array inside, as zarr-python writes it when it consolidates."""
    if not of.root:
        arrays: dict[str, Mapping[str, Any]] = {}
        async for name in of.store.list_dir(""):
            if name != "zarr.json":
                arrays[name] = json.loads(await _read(of.store, f"{name}/zarr.json") or b"{}")
        root = json.loads(await _read(of.store, "zarr.json") or b"{}")
        root["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": arrays}
        of.root = json.dumps(root).encode()
    return of.root
