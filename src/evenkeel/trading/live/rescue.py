"""A panic without a desk: a runner that is started for one command, sees it through as far as it goes, and stops."""

import asyncio
from collections.abc import Sequence
from time import monotonic

from msgspec import Struct

from evenkeel.domain.accounts import Readiness
from evenkeel.domain.commands import Panic, Resume
from evenkeel.domain.errors import NotFound
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.trading.engine import halts, panic
from evenkeel.trading.engine.halts import Halt
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.runner import Runner

_LOOK = 0.02
_REST = 0.3


class Rescued(Struct, frozen=True):
    """`done`: nothing is left. `rests`: all that is left waits at the broker, for a price or for its market to open."""

    name: str
    done: bool
    rests: bool
    left: tuple[str, ...] = ()


def scope_of(state: State, kind: ScopeKind, wanted: str | None, owner: str) -> Scope | None:
    """The scope that a person names: an account or strategy by name, id or its beginning. None: it is not here.

    Raises NotFound for a name that is not unique.
    """
    if kind is ScopeKind.PLATFORM:
        return Scope(kind)
    if kind is ScopeKind.USER:
        return Scope(kind, owner)
    if kind is ScopeKind.ACCOUNT:
        names = {held.account.id: held.account.name for held in state.accounts.values()}
    else:
        standing = (held.deployment for held in state.deployments.values() if not held.deployment.removed)
        names = {one.id: one.name for one in standing}
    word = wanted or ""
    found = (
        [one for one, name in names.items() if word in (one, name)]
        or [one for one, name in names.items() if word.casefold() == name.casefold()]
        or [one for one in names if word and one.startswith(word)]
    )
    if len(found) > 1:
        raise NotFound(f"{word!r} names more than one {kind}", hint="Give the id.")
    return Scope(kind, found[0]) if found else None


async def carry_out(
    runner: Runner,
    command: Panic | Resume,
    *,
    run: str,
    version: str,
    wait: float,
    missed: Sequence[MarketSlice] = (),
) -> Rescued:
    """Takes over with the splits and dividends that were `missed`, reconciles, carries the command out for at most
    `wait` seconds, and stops.

    What is left then is in the journal, and goes on when the desk starts. Raises what the engine declines it with.
    """
    await runner.start(run=run, version=version, missed=missed)
    try:
        name = halts.title(runner.state, command.scope)
        await runner.submit(command)
        if isinstance(command, Resume):
            return Rescued(name, done=True, rests=False)
        return await _see_through(runner, command.scope, name, wait=wait)
    finally:
        await runner.stop()


async def _see_through(runner: Runner, scope: Scope, name: str, *, wait: float) -> Rescued:
    end, rested = monotonic() + wait, 0.0
    while True:
        halt = runner.state.halts[scope.key]
        if halt.done_at:
            return Rescued(name, done=True, rests=False)
        rests = not runner.dispatcher.busy and _rests(runner.state, halt)
        rested = rested + _LOOK if rests else 0.0
        if rested >= _REST or halt.stuck or monotonic() >= end or runner.failure is not None:
            left = tuple(panic.said(runner.state, one) for one in panic.left_of(runner.state, halt))
            return Rescued(name, done=False, rests=rests, left=left)
        await asyncio.sleep(_LOOK)


def _rests(state: State, halt: Halt) -> bool:
    """Whether everything that is left has an order at the broker that will close it."""
    left = list(panic.left_of(state, halt))
    if any(state.accounts[one.account_id].readiness is not Readiness.READY for one in left):
        return False
    at_broker = (one for one in left if one.order_id and state.orders[one.order_id].has_venue_event)
    sent = {(one.account_id, one.instrument_id) for one in at_broker}
    return all(one.what != "order" and (one.account_id, one.instrument_id) in sent for one in left)
