"""From weights to a rebalance: the steps that take a while are taken on threads, the others on the loop."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from msgspec.structs import replace

from evenkeel.desk.portfolios import rebalancing
from evenkeel.desk.portfolios.rebalancing import Part, Plan, Terms
from evenkeel.domain.execution import Execution, ExecutionKind
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.provenance import Source
from evenkeel.market.ports import BarStore
from evenkeel.market.profiles import usual_volume
from evenkeel.trading.engine.state import State

_TURNS = 2
"""Sales, and purchases after them."""
_TRIES = 3


class Across(Protocol):
    """What chooses the accounts that sell and buy, where weights are of all of them together."""

    def terms_of(
        self, state: State, portfolio_id: str, parts: Sequence[Part], *, terms: Terms
    ) -> Callable[[], Terms] | None:
        """What finds each account's own weights, on a thread; None where no account is open."""


async def planned(
    state: Callable[[], State],
    portfolio_id: str,
    terms: Terms,
    *,
    across: Across | None = None,
    source: Source = Source.USER,
) -> Plan:
    """What would be traded now, if `source` asked; with `across`, weights are of all accounts together.

    Where prices have moved on meanwhile, it is planned anew, so that risk judges what was planned at the same prices.
    Raises NotFound.
    """
    tries = _TRIES
    while True:
        now, own = state(), terms
        found = rebalancing.gathered(now, portfolio_id, terms)
        if across is not None:
            work = across.terms_of(now, portfolio_id, found, terms=terms)
            own = terms if work is None else await asyncio.to_thread(work)
        accounts = await asyncio.to_thread(rebalancing.solved, found, own)
        tries -= 1
        if not tries or rebalancing.holds(state(), found):
            return rebalancing.told(state(), portfolio_id, terms, found, accounts=accounts, source=source)


async def paced(
    execution: Execution | None, store: BarStore, instruments: Iterable[Instrument], *, at: int
) -> Execution | None:
    """The execution from `at` (ns) on, with what usually trades where it goes by that."""
    if execution is None or execution.kind is not ExecutionKind.VWAP:
        return execution
    end, every = at + _TURNS * execution.duration, execution.every

    def read() -> dict[str, tuple[float, ...]]:
        return {one.id: usual_volume(store, one, start=at, end=end, every=every, at=at) for one in instruments}

    known = await asyncio.to_thread(read)
    return replace(execution, since=at, profiles={name: shares for name, shares in known.items() if sum(shares) > 0.0})
