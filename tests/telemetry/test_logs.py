"""Logs: one JSON line an event, and no secret in any of them."""

import io
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from evenkeel.telemetry import logs
from evenkeel.telemetry.unspoken import HIDDEN

CANARIES = {
    "password": "canary-1",
    "new_password": "canary-2",
    "refresh_token": "canary-3",
    "Authorization": "Bearer canary-4",
    "cookie": "evenkeel_session=canary-5",
    "api_key": "canary-6",
    "jwt_secret": "canary-7",
    "url": "postgresql://trader:canary-8@db.example/evenkeel",
    "path": "/link/?token=canary-9&x=1",
    "query": "ticket=canary-10",
    "inbound": "/api/v2/webhooks/in/evw_canary-16-and-more",
    "header": "bearer canary-11",
    "token_in_text": "eyJhbGciOiJIUzI1NiJ9.canary-12.sig-part",
    "nested": {"deep": [{"secret": "canary-13"}]},
}
HIDDEN_BY_NAME_ONLY = {"query"}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(level="debug", style="json", stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_line_an_event_with_its_context(log: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        structlog.get_logger("evenkeel.test").info("order placed", symbol="AAPL", text="two\nlines")
    (line,) = lines(log)
    assert line["event"] == "order placed"
    assert (line["level"], line["logger"], line["symbol"], line["request_id"]) == (
        "info", "evenkeel.test", "AAPL", "abc",
    )  # fmt: skip
    assert line["timestamp"].endswith("Z")


def test_libraries_are_written_alike(log: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("port %s is taken", 8000)
    (line,) = lines(log)
    assert (line["event"], line["level"], line["logger"]) == ("port 8000 is taken", "warning", "uvicorn.error")


def test_no_planted_secret_comes_out(log: io.StringIO) -> None:
    given = {name: value for name, value in CANARIES.items() if name not in HIDDEN_BY_NAME_ONLY}
    structlog.get_logger("evenkeel.test").info("canaries", **given)
    logging.getLogger("library").info("connecting to %s with ?ticket=canary-14", CANARIES["url"])
    assert "canary-" not in log.getvalue()
    assert "trader" not in log.getvalue()
    assert HIDDEN in log.getvalue()


def test_a_traceback_is_one_line_and_hides_secrets_too(log: io.StringIO) -> None:
    try:
        int("postgresql://trader:canary-15@db")
    except ValueError:
        structlog.get_logger("evenkeel.test").exception("failed")
    (line,) = lines(log)
    assert "ValueError" in line["exception"]
    assert "canary-" not in log.getvalue()


def test_the_level_holds(log: io.StringIO) -> None:
    logs.configure(level="warning", style="json", stream=log)
    structlog.get_logger("evenkeel.test").info("not worth a line")
    assert log.getvalue() == ""


def test_the_console_form_is_for_people() -> None:
    stream = io.StringIO()
    try:
        logs.configure(style="console", stream=stream)
        structlog.get_logger("evenkeel.test").info("order placed", symbol="AAPL", password="canary")
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers.clear()
    assert "order placed" in stream.getvalue()
    assert "AAPL" in stream.getvalue()
    assert "canary" not in stream.getvalue()


def test_lines_to_a_file_are_written_in_groups_and_a_warning_at_once(tmp_path: Path) -> None:
    record = logging.LogRecord("x", logging.INFO, "x", 1, "said", (), None)
    with (tmp_path / "log").open("w") as stream:
        handler = logs.Lines(stream)
        handler.handle(record)
        assert (tmp_path / "log").read_text() == ""
        handler.handle(logging.LogRecord("x", logging.WARNING, "x", 1, "look", (), None))
        assert (tmp_path / "log").read_text() == "said\nlook\n"
        handler.handle(record)
        handler.close()
        handler.flush()
        assert (tmp_path / "log").read_text() == "said\nlook\nsaid\n"


def test_a_waiting_line_is_written_soon(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        handler = logs.Lines(stream)
        handler.handle(logging.LogRecord("x", logging.INFO, "x", 1, "said", (), None))
        end = time.monotonic() + 5
        while not (tmp_path / "log").read_text() and time.monotonic() < end:
            time.sleep(0.01)
        assert (tmp_path / "log").read_text() == "said\n"


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_short_line_is_the_usual_line(tmp_path: Path, style: str, log: io.StringIO) -> None:
    told = {"method": "POST", "path": "/x?token=canary", "password": "canary", "status": 201, "client": None}
    assert not logs.short_line("evenkeel.test", "request", **told)
    with (tmp_path / "log").open("w") as stream:
        logs.configure(level="info", style=style, stream=stream)
        assert logs.short_line("evenkeel.test", "request", **told) is (style == "json")
        structlog.get_logger("evenkeel.test").info("request", **told)
        logging.getLogger().handlers[0].flush()
        logging.getLogger().setLevel("WARNING")
        assert logs.short_line("evenkeel.test", "request", **told) is (style == "json")
        logging.getLogger().handlers[0].flush()
    text = (tmp_path / "log").read_text()
    assert "canary" not in text
    if style == "json":
        short, usual = (json.loads(line) for line in text.splitlines())
        assert len(short.pop("timestamp")) == len(usual.pop("timestamp"))
        assert short == usual
