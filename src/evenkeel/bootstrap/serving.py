"""The whole run of a desk, which owns its home from the first lock to the last commit; what runs is in `desk.py`."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog

from evenkeel.cli.doors import ServePlan
from evenkeel.cli.place import MODE
from evenkeel.domain.errors import Conflict

if TYPE_CHECKING:
    import socket

    from evenkeel.settings import Settings
    from evenkeel.storage.ownership import Owner

log = structlog.get_logger(__name__)


def serve(plan: ServePlan) -> int:
    """Runs the desk until it is told to stop; returns the exit code. Raises EvenkeelError where it cannot start."""
    from evenkeel.bootstrap.compiling import keep_compiled
    from evenkeel.bootstrap.process import loop_factory, lost
    from evenkeel.server.listen import bound
    from evenkeel.settings import load
    from evenkeel.storage.database import database
    from evenkeel.storage.ownership import Owner
    from evenkeel.storage.schema import upgrade
    from evenkeel.telemetry.logs import configure

    names = ("host", "port", "speed", "feed", "allow_public", "log_level", "log_format")
    overrides = {name: value for name in names if (value := getattr(plan, name)) is not None}
    settings, notices = load(plan.home, overrides=overrides, ignore_database=plan.mode == "demo")
    configure(level=settings.log_level, style=settings.log_format)
    for notice in notices:
        log.warning("setting", notice=notice)
    plan.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    keep_compiled(plan.home)
    where = database(plan.home, settings.database_url)
    with Owner(where, on_lost=lost) as owner, bound(settings.host, settings.port) as listener:
        _claim(plan)
        upgrade(where)
        with asyncio.Runner(loop_factory=loop_factory()) as loop:
            return loop.run(_serve(plan, settings, owner, listener))


def _claim(plan: ServePlan) -> None:
    """A home belongs to the demo or to trading for good: starting the demo over sets its journal aside."""
    mark = plan.home / MODE
    found = mark.read_text(encoding="utf-8").strip() if mark.exists() else ""
    if not found:
        mark.write_text(plan.mode + "\n", encoding="utf-8")
        return
    if found != plan.mode:
        raise Conflict(
            f"{plan.home} is a home of `evenkeel {found}`, not of `evenkeel {plan.mode}`",
            hint="Name another folder with --home.",
        )


async def _serve(plan: ServePlan, settings: Settings, owner: Owner, listener: socket.socket) -> int:
    from evenkeel.bootstrap.compiling import compiled_ahead
    from evenkeel.bootstrap.desk import Desk

    async with AsyncExitStack() as stack:
        desk = Desk(plan, settings, owner, listener)
        stack.push_async_callback(desk.close)
        await desk.open()
        await stack.enter_async_context(compiled_ahead())
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, desk.stopping.set)
        await desk.until_stopped()
    return 0
