"""The Ray cluster that a region's actor lives in: joined, left when its head is gone, and joined again."""

import asyncio
import logging
import multiprocessing
import socket
from collections.abc import Callable
from functools import cache
from multiprocessing.pool import AsyncResult, ThreadPool
from typing import TypeVar

import ray
from ray.exceptions import RayError

from nowcast import exposure
from nowcast.settings import Settings

NAMESPACE = "nowcast"
REACH_S, JOIN_S, LEAVE_S = 3.0, 60.0, 20.0
"""Seconds to wait for a head to take a connection, for a cluster to be joined or started, and to be left."""

Result = TypeVar("Result")

_joining: list[AsyncResult[None]] = []
"""An attempt to join that was given up waiting for: Ray goes on trying, and only one may."""


@cache
def _joiner() -> ThreadPool:
    """The thread that clusters are joined in. It never ends: the processes of a Ray that it started would with it."""
    return ThreadPool(1)


class ActorFailed(RuntimeError):
    """The region's actor cannot issue now; the message is the reason."""


def connect(settings: Settings) -> None:
    """Join the configured Ray cluster, or start one on this machine; nothing when connected already.

    Raises Exposed for a cluster that other machines may reach and that asks for no token.
    """
    if not ray.is_initialized():
        exposure.refuse(exposure.ray(settings))
        ray.init(
            address=settings.ray_address or "local",
            namespace=NAMESPACE,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )


async def join(settings: Settings) -> None:
    """`connect` in bounded time; ActorFailed, with the reason, when it cannot be done now.

    A cluster whose head is gone is left, so that it can be joined again when a head answers.
    """
    if ray.is_initialized():
        if await asyncio.to_thread(_is_there, ray.get_runtime_context().gcs_address):
            return
        await _leave()
        raise ActorFailed("Ray's head is gone")
    address = settings.ray_address
    if address and not await asyncio.to_thread(_is_there, address):
        raise ActorFailed(f"no Ray answers at {address}")
    if _joining and not _joining[0].ready():
        raise ActorFailed(f"still joining Ray at {address}")
    _joining.clear()
    try:
        _joining.append(_joiner().apply_async(connect, (settings,)))
        await in_time(_joining[0], JOIN_S)
    except (TimeoutError, ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise ActorFailed(f"Ray cannot be joined: {error}") from error


def beside(call: Callable[[], Result]) -> AsyncResult[Result]:
    """A call that may block, begun in a thread of its own."""
    return ThreadPool(1).apply_async(call)


async def in_time(result: AsyncResult[Result], seconds: float) -> Result:
    """What a call that was begun gives; after so many seconds it is left behind in its thread: TimeoutError."""
    try:
        return await asyncio.to_thread(result.get, seconds)
    except multiprocessing.TimeoutError as error:
        raise TimeoutError(f"not done after {seconds:g} s") from error


def disconnect() -> None:
    """Leave the cluster; a Ray that `connect` started ends."""
    ray.shutdown()


async def _leave() -> None:
    try:
        await in_time(beside(disconnect), LEAVE_S)
    except TimeoutError as error:
        raise ActorFailed("Ray's head is gone, and its cluster cannot be left") from error


def _is_there(address: str) -> bool:
    """Whether somebody listens at host:port, with or without a scheme; other words, as "auto", are Ray's own."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdigit():
        return True
    try:
        socket.create_connection((host, int(port)), REACH_S).close()
    except OSError:
        return False
    return True
