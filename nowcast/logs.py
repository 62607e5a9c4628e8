"""What operators read: one event per line on stderr, as text or JSON, from NOWCAST_LOG_LEVEL upwards."""

import logging
import sys
import traceback
from types import TracebackType

import structlog

from nowcast.core.redaction import redacted, redacted_values
from nowcast.settings import Settings, secrets


def without_secrets(_logger: object, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """A processor that hides what must not be shown."""
    hidden: structlog.types.EventDict = redacted_values(event, secrets())
    return hidden


def show_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What sys.excepthook does, but that no line shows a secret."""
    sys.stderr.write(redacted("".join(traceback.format_exception(kind, error, trace)), secrets()))


def configure(settings: Settings) -> None:
    """Set up the log of this process; calling it again replaces the set-up. No line of it shows a secret."""
    shape: structlog.types.Processor = (
        structlog.processors.JSONRenderer() if settings.log_format == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            without_secrets,
            shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level.upper())),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
