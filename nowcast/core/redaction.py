"""What logs and errors must not say: passwords, tokens and keys, wherever they stand in a text."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "[hidden]"
SHORTEST = 6
"""Characters; hiding a shorter value would make texts unreadable and guard nothing."""

_NAMES = "|".join(
    (
        r"[\w-]*(?:token|secret|passw(?:or)?d|signature|credential)[\w-]*",
        r"[\w-]*(?:api|access)[_-]?key[\w-]*",
        r"[\w-]*auth[_-]?string",
        "sig",
        "key",
    )
)
_SECRETS = (
    (re.compile(r"(?<=://)[^/\s@'\"]+@"), f"{HIDDEN}@"),
    (re.compile(rf"(?i)([?&;](?:{_NAMES})=)[^&;\s'\"<>]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b(authorization['\"]?\s*[:=]\s*['\"]?(?:(?:bearer|basic)\s+)?)[^\s'\",]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\b([Bb]earer)\s+[\w.~+/=-]{12,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)((?:secret_access_key|session_token)['\"]?\s*[:=]\s*['\"]?)[^\s'\",]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), HIDDEN),
)
_SECRET_NAME = re.compile(
    r"(?i)authorization|cookie|webhook|password|token|secret|secret_access_key|api_?key|auth_string"
)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the given secrets, and without what looks like one.

    That is: user and password of a URL, values of its query that are named like secrets, Bearer and Basic credentials,
    AWS keys.
    """
    for secret in sorted((one for one in secrets if len(one) >= SHORTEST), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def shown(text: str) -> str:
    """A text from outside, such as a file's name, on one line that a terminal only prints."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def redacted_values(value: Any, secrets: Iterable[str] = ()) -> Any:
    """The same for every text in dictionaries, lists and tuples; a value that is named like a secret goes whole."""
    if isinstance(value, str):
        return redacted(value, secrets)
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if one and _SECRET_NAME.fullmatch(str(key)) else redacted_values(one, secrets)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [redacted_values(one, secrets) for one in value]
    return redacted(repr(value), secrets) if isinstance(value, BaseException) else value
