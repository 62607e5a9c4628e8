"""One message to one receiver by HTTP: what its answer means, and never a wait longer than asked for."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from threading import Thread
from typing import Any

import httpx

from nowcast.alerts.rules import redacted

TRY_AGAIN = (408, 429)
"""Of the 4xx, those that a later attempt may be spared: RFC 9110, 15.5.9, and RFC 6585, 4."""


class Verdict(StrEnum):
    """What became of an attempt."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True)
class Attempt:
    """The verdict on one attempt, and why: without the receiver's path and query, which may hold secrets."""

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class Parcel:
    """What is posted where: the message's id goes along as Idempotency-Key, for receivers to drop what came before."""

    message_id: str
    url: str
    body: Mapping[str, Any]
    token: str = ""


def post_all(parcels: Sequence[Parcel], seconds: float) -> dict[str, Attempt]:
    """Post every parcel at once; by message id what became of it after `seconds` at most.

    Threads bound the wait, since neither a name's look-up nor an answer that comes byte by byte can be bounded
    otherwise. One that is late may still arrive: it counts as failed and is sent again.
    """
    deadline = time.monotonic() + seconds
    found: dict[str, Attempt] = {}

    def attempt(parcel: Parcel) -> None:
        found[parcel.message_id] = post(parcel, seconds)

    threads = [Thread(target=attempt, args=(parcel,), daemon=True) for parcel in parcels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = Attempt(Verdict.FAILED, f"no answer within {seconds:g} s")
    return {parcel.message_id: found.get(parcel.message_id, late) for parcel in parcels}


def post(parcel: Parcel, seconds: float) -> Attempt:
    """One attempt. Redirects are not followed: they could lead a message and its token elsewhere."""
    headers = {"Idempotency-Key": parcel.message_id, "User-Agent": "nowcast"}
    if parcel.token:
        headers["Authorization"] = f"Bearer {parcel.token}"
    try:
        with httpx.stream("POST", parcel.url, json=dict(parcel.body), headers=headers, timeout=seconds) as answer:
            return judged(answer.status_code)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        reason = str(error).replace(parcel.url, redacted(parcel.url))
        return Attempt(Verdict.FAILED, f"{type(error).__name__}: {reason}")


def judged(status: int) -> Attempt:
    """What a receiver's status means: 2xx delivered; 3xx and 4xx refused but for TRY_AGAIN; all others failed."""
    if 200 <= status < 300:
        return Attempt(Verdict.DELIVERED)
    if 300 <= status < 400:
        return Attempt(Verdict.REFUSED, f"HTTP {status}: redirects are not followed")
    refused = 400 <= status < 500 and status not in TRY_AGAIN
    return Attempt(Verdict.REFUSED if refused else Verdict.FAILED, f"HTTP {status}")
