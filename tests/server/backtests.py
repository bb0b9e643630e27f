"""Backtests for the tests of this room: rows in a dictionary, and one that is done."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from evenkeel.desk.backtests import Asked, Backtest, BacktestState
from evenkeel.domain.errors import NotFound
from evenkeel.market.ports import BarStore
from evenkeel.research.shipping import StrategyReference
from evenkeel.server.jobs.job import Finished, Work
from evenkeel.server.jobs.queue import concluded
from evenkeel.server.jobs.worker import carry_out
from evenkeel.trading.strategies.registry import BUILT_IN, PANELS, Registry
from tests.desk.paging import page
from tests.server.misbehaving import MISBEHAVING
from tests.trading.live.desk import START, STOCK

BACKTEST = "0190b000-0000-7000-8000-000000000001"
PARAMETERS = {"fast": 2, "slow": 3, "allow_short": True}


class MemoryBacktests:
    """As the table would have them. `fault` is raised by the next write."""

    def __init__(self) -> None:
        self.rows: dict[str, Backtest] = {}
        self.fault: Exception | None = None

    def _write(self, backtest: Backtest) -> None:
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        self.rows[backtest.id] = backtest

    async def add(self, backtest: Backtest) -> None:
        self._write(backtest)

    async def replace(self, backtest: Backtest) -> None:
        if backtest.id not in self.rows:
            raise NotFound("there is no such backtest")
        self._write(backtest)

    async def remove(self, user_id: str, backtest_id: str) -> bool:
        held = self.rows.get(backtest_id)
        if held is None or held.user_id != user_id:
            return False
        del self.rows[backtest_id]
        return True

    async def some(self, user_id: str, ids: Collection[str]) -> Mapping[str, Backtest]:
        return {one.id: one for one in self.rows.values() if one.id in ids and one.user_id == user_id}

    async def page(
        self,
        user_id: str,
        *,
        kind: str | None = None,
        strategy: str | None = None,
        state: str | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[Sequence[Backtest], str | None]:
        rows = sorted(self.rows.values(), key=lambda one: (one.created_at, one.id), reverse=True)
        rows = [one for one in rows if one.user_id == user_id and strategy in (None, one.strategy)]
        rows = [one for one in rows if kind in (None, one.kind)]
        rows = [msgspec.structs.replace(one, summary=None) for one in rows if state in (None, one.state)]
        return page(rows, limit, cursor)

    async def unfinished(self) -> Sequence[Backtest]:
        found = [one for one in self.rows.values() if not one.has_ended]
        return sorted(found, key=lambda one: (one.created_at, one.id))

    async def finished_ids(self) -> Collection[str]:
        return {one.id for one in self.rows.values() if one.state == BacktestState.DONE}

    async def failed_ids(self) -> Collection[str]:
        return {one.id for one in self.rows.values() if one.state == BacktestState.FAILED}


def asked(**changes: Any) -> Asked:
    """All stored bars of the one instrument."""
    given: dict[str, Any] = {
        "symbols": (STOCK.symbol,),
        "instrument_ids": (STOCK.id,),
        "timeframe": "1d",
        "until": START,
    }
    return Asked(**given | changes)


def backtest(user_id: str, backtest_id: str = BACKTEST, **changes: Any) -> Backtest:
    """One that waits."""
    made = Backtest(
        id=backtest_id,
        user_id=user_id,
        created_at=1_700_000_000_000_000_000,
        strategy="sma-crossover",
        version="1",
        parameters=PARAMETERS,
        request=asked().stored(),
    )
    return msgspec.structs.replace(made, **changes)


def done(user_id: str, store: BarStore, folder: Path) -> Backtest:
    """One that has really been run, its file in `folder`."""
    summary, columns = _run(store)
    folder.mkdir(exist_ok=True)
    (folder / f"{BACKTEST}.npz").write_bytes(columns)
    return concluded(backtest(user_id, started_at=1_700_000_001_000_000_000), Finished(summary))


_RUN: list[tuple[dict[str, Any], bytes]] = []


def _run(store: BarStore) -> tuple[dict[str, Any], bytes]:
    if not _RUN:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "result.npz"
            reference = StrategyReference.of(Registry().create("sma-crossover"))
            work = Work(strategy=reference, parameters=PARAMETERS, asked=asked(), store=store, file=file)
            _RUN.append((carry_out(work, lambda _: None).summary, file.read_bytes()))
    return _RUN[0]


@cache
def templates() -> Registry:
    """The built-in ones, and some that misbehave; they are not examined, which would end in this process."""
    return Registry((*BUILT_IN, *PANELS, *MISBEHAVING))
