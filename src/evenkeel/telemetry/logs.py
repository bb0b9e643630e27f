"""Logs: one line an event, JSON where a program reads them, plain text on a terminal; secrets never leave.

Libraries that use the standard logging module are written in the same form.
"""

import json
import logging
import os
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import structlog

from evenkeel.telemetry.unspoken import HIDDEN, without_secrets

_SECRET_KEY = re.compile(r"pass(word|wd)?$|secret|token|authorization|cookie|api_?key|ticket|credential", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]+"  # access tokens
    r"|\bevw_[\w-]{8,}"  # tokens of webhooks, which are in their addresses
    r"|(?<=[Bb]earer )[^\s\"']+"
    r"|(?<=[?&]token=)[^&\s\"']+|(?<=[?&]ticket=)[^&\s\"']+|(?<=[?&]apikey=)[^&\s\"']+"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user:password in an address
)

_SIGNS = ("eyJ", "evw_", "earer ", "=", "://")  # one of these is in every text that _SECRET_TEXT finds
_SOON = 0.1
_MOST_WAITING = 500


@lru_cache(maxsize=4_096)
def _names_a_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


class Lines(logging.StreamHandler[TextIO]):
    """Writes lines in groups, a tenth of a second late at most; a warning, or worse, at once and all before it."""

    def __init__(self, stream: TextIO, *, is_json: bool = False) -> None:
        super().__init__(stream)
        self.is_json = is_json
        self._waiting: list[str] = []
        self._is_due = False
        self._writing = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - as every handler does: logging must not stop the program
            self.handleError(record)
            return
        self.put(line, at_once=record.levelno >= logging.WARNING)

    def put(self, line: str, *, at_once: bool = False) -> None:
        """Has one line written, in a group or at once."""
        self._waiting.append(line + self.terminator)
        if at_once or len(self._waiting) >= _MOST_WAITING:
            self.flush()
        elif not self._is_due:
            self._is_due = True
            timer = threading.Timer(_SOON, self.flush)
            timer.daemon = True
            timer.start()

    def flush(self) -> None:
        """Writes what waits; called by logging at the end of the process, too."""
        with self._writing:
            waiting, self._waiting, self._is_due = self._waiting, [], False
            if waiting and not self.stream.closed:
                self.stream.write("".join(waiting))
                self.stream.flush()


def short_line(logger: str, event: str, **fields: Any) -> bool:
    """One line at level info, made in a fraction of the usual time, for what is written at every request.

    False, and nothing is written, unless lines go to a file as JSON: then log in the usual way.
    """
    handlers = logging.getLogger().handlers
    handler = handlers[0] if len(handlers) == 1 else None
    if not isinstance(handler, Lines) or not handler.is_json:
        return False
    if logging.getLogger(logger).isEnabledFor(logging.INFO):
        shown = {name: _hidden(name, value) for name, value in fields.items()}
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = {**shown, "event": event, "level": "info", "logger": logger, "timestamp": at}
        handler.put(json.dumps(line, default=str))
    return True


def redact(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hides what a secret's name or look gives away, at any depth."""
    return {key: _hidden(key, value) for key, value in event.items()}


def _hidden(key: str, value: Any) -> Any:
    if value is not None and _names_a_secret(key):
        return HIDDEN
    if isinstance(value, str):
        spoken = without_secrets(value)
        return _SECRET_TEXT.sub(HIDDEN, spoken) if any(sign in spoken for sign in _SIGNS) else spoken
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
    handler = Lines(out, is_json=not console) if _is_file(out) else logging.StreamHandler(out)
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
    for quiet in ("uvicorn.access", "alembic"):
        logging.getLogger(quiet).setLevel(logging.WARNING)


def _is_file(stream: TextIO) -> bool:
    """Whether lines go to a file or a pipe, where nobody watches them appear."""
    try:
        return os.fstat(stream.fileno()) is not None and not stream.isatty()
    except (OSError, ValueError):
        return False


def _last(console: bool, *, colours: bool) -> list[structlog.typing.Processor]:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if console:
        return [remove, structlog.processors.format_exc_info, redact, structlog.dev.ConsoleRenderer(colors=colours)]
    return [remove, structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(default=str)]
