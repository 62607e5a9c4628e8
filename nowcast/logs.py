"""What operators read: one event per line on stderr, as text or JSON, from NOWCAST_LOG_LEVEL upwards."""

import logging
import sys

import structlog

from nowcast.settings import Settings


def configure(settings: Settings) -> None:
    """Set up the log of this process; calling it again replaces the set-up."""
    shape: structlog.types.Processor = (
        structlog.processors.JSONRenderer() if settings.log_format == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level.upper())),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
