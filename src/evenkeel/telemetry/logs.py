"""Logs: one line an event, JSON where a program reads them, plain text on a terminal; secrets never leave.

Libraries that use the standard logging module are written in the same form.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog

LEVELS = ("debug", "info", "warning", "error", "critical")
FORMATS = ("auto", "json", "console")
HIDDEN = "[hidden]"
_SECRET_KEY = re.compile(r"pass(word|wd)?$|secret|token|authorization|cookie|api_?key|ticket|credential", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]+"  # access tokens
    r"|(?<=[Bb]earer )[^\s\"']+"
    r"|(?<=[?&]token=)[^&\s\"']+|(?<=[?&]ticket=)[^&\s\"']+|(?<=[?&]apikey=)[^&\s\"']+"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user:password in an address
)


def redact(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hides what a secret's name or look gives away, at any depth."""
    return {key: _hidden(key, value) for key, value in event.items()}


def _hidden(key: str, value: Any) -> Any:
    if value is not None and _SECRET_KEY.search(key):
        return HIDDEN
    if isinstance(value, str):
        return _SECRET_TEXT.sub(HIDDEN, value)
    if isinstance(value, Mapping):
        return {name: _hidden(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(key, inner) for inner in value]
    return value


def configure(*, level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Sets logging up for the process. `style` auto is console on a terminal, else JSON."""
    out = stream or sys.stderr
    console = style == "console" or (style == "auto" and out.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_last(console, colours=out.isatty()))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        one = logging.getLogger(noisy)
        one.handlers.clear()
        one.propagate = True
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)


def _last(console: bool, *, colours: bool) -> list[structlog.typing.Processor]:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if console:
        return [remove, structlog.processors.format_exc_info, redact, structlog.dev.ConsoleRenderer(colors=colours)]
    return [remove, structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(default=str)]
