"""Exits on paper: the same fills as in a backtest, and after a stop at any batch of the journal the same end."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from evenkeel import backtest, sample_bars
from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account, AccountType, Financing, Limits
from evenkeel.domain.clock import parse_iso
from evenkeel.domain.fills import Fill
from evenkeel.domain.marketdata import Dividend
from evenkeel.domain.records import FillBooked
from evenkeel.domain.sizing import PercentOfEquity, VolatilityTarget
from evenkeel.domain.strategies import Allocation, Deployment, Entry, Protection
from evenkeel.market.bars import Bars
from evenkeel.market.feeds.replay import ReplayFeed
from evenkeel.market.sample import sample_market
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.quant.indicators import Floats
from evenkeel.trading.brokers.registry import BrokerSetup, build
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.hosting.inline import InlineHosts
from evenkeel.trading.live.runner import Runner
from evenkeel.trading.live.simulated import recall_marks, standing
from evenkeel.trading.live.strategies import StrategyDesk
from evenkeel.trading.strategies import Params, SignalStrategy
from evenkeel.trading.strategies.registry import Registry
from tests.trading.live.desk import BY, DAY, MemoryJournal, make_runner

INSTRUMENTS, BARS, SPLITS = sample_market()
AAPL = next(one for one in INSTRUMENTS if one.symbol == "AAPL")
FIRST, LAST = parse_iso("2005-01-20"), parse_iso("2005-05-01")  # a split of two for one goes ex on 2005-02-28
PAID = (Dividend(AAPL.id, date(2005, 2, 10), Decimal("0.12")), Dividend(AAPL.id, date(2005, 4, 7), Decimal("0.20")))
TERMS: dict[str, dict[str, Any]] = {
    "stops": {"stop_loss": 0.03, "take_profit": 0.05, "trailing_stop": 0.04},
    "limits": {"fill": "limit", "limit_offset": 0.004, "stop_loss": 0.025, "take_profit": 0.03},
    "close": {"fill": "close", "trailing_stop": 0.03},
    "margin": {"maintenance": 0.3, "financing": 0.08, "borrow": 0.02},
    "scaled": {"size": VolatilityTarget(0.4, window=5, most=2.0), "stop_loss": 0.03},
}


class ByDate(SignalStrategy):
    """Turns with the days from FIRST on, so that it does not matter where its history begins."""

    name = "by-date"

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        turn = (bars.ts // DAY) % 11
        told: Floats = np.select([turn == 0, turn == 3, turn == 5, turn == 8], [1.0, 0.5, -1.0, 0.0], np.nan)
        return np.where(bars.ts > FIRST, told, np.nan)


def asked(terms: dict[str, Any]) -> dict[str, Any]:
    return {"cash": 100_000, "size": PercentOfEquity(Decimal("1.5"))} | terms


def account(terms: dict[str, Any]) -> Account:
    maintenance = Decimal(str(terms["maintenance"])) if "maintenance" in terms else None
    limits = Limits(
        max_position_share=None, daily_loss=None, max_trades_per_day=None, allow_short=True, cash_check=False,
        maintenance=maintenance,
    )  # fmt: skip
    rates = Financing(terms["financing"], 0.0, terms["borrow"]) if "financing" in terms else None
    return Account("one", "user", "one", "simulated", "USD", type=AccountType.MARGIN, limits=limits, financing=rates)


def deployment(terms: dict[str, Any]) -> Deployment:
    guards = Protection(terms.get("stop_loss"), terms.get("take_profit"), terms.get("trailing_stop"))
    return Deployment(
        "d", "d", "by-date", "1", {}, (AAPL.id,), (Allocation("one", Decimal(1)),), sizing=asked(terms)["size"],
        entry=Entry(terms["limit_offset"]) if terms.get("fill") == "limit" else None,
        protection=guards if guards != Protection() else None,
    )  # fmt: skip


async def live(journal: MemoryJournal, terms: dict[str, Any]) -> Runner:
    store = MemoryStore([AAPL], [BARS[AAPL.id]], splits=SPLITS, dividends=PAID)
    source = ReplayFeed(store, start=FIRST, end=LAST)
    options = {"participation": "none", "fill": "close" if terms.get("fill") == "close" else "next-open"}

    def brokers(state: State) -> dict[str, Any]:
        return {"simulated": build("simulated", BrokerSetup(standing=standing(state, "simulated"), options=options))}

    runner = make_runner(journal, brokers, start=source.start)
    recall_marks(runner.state, source)
    is_new = runner.state.seq == 0
    strategies = StrategyDesk(InlineHosts(Registry((ByDate,))), source, runner)
    runner.subscribe(strategies)
    await runner.start(run="test", version="0")
    if is_new:
        await runner.submit(c.ListInstrument(provenance=BY, instrument=AAPL))
        await runner.submit(c.OpenAccount(provenance=BY, account=account(terms), initial_cash=Decimal(100_000)))
        await runner.submit(c.Deploy(provenance=BY, deployment=deployment(terms)))
        await runner.quiet()
    control = FeedControl(runner, source, strategies, kind="replay", speed=Decimal(0))
    control.recall()
    control.launch()
    async with asyncio.timeout(60):
        while control.state == "running":  # noqa: ASYNC110 - the control has no event to wait for
            await asyncio.sleep(0.005)
    await control.stop()
    await runner.stop()
    assert control.state == "ended"
    return runner


def booked(journal: MemoryJournal) -> list[Fill]:
    return [record.fill for record in journal.records() if isinstance(record, FillBooked)]


def told(fills: list[Fill]) -> list[tuple[int, int, float, float]]:
    """What has filled; the two legs through zero meet one price at one moment, in whatever sequence."""
    return sorted((f.executed_at, f.side.sign, float(f.quantity), float(f.price)) for f in fills)


@pytest.mark.parametrize("name", TERMS)
async def test_paper_and_backtest_fill_alike(name: str) -> None:
    terms, journal = TERMS[name], MemoryJournal()
    runner = await live(journal, terms)
    bars = sample_bars("AAPL").between(FIRST - 30 * DAY, LAST)
    tested = backtest(ByDate, bars, engine="event", splits=SPLITS, dividends=PAID, **asked(terms))
    there = told(booked(journal))
    assert there == sorted((f.at, f.side, f.quantity, f.price) for f in tested.fills)
    assert len(there) > 12
    assert float(runner.state.equity(runner.state.accounts["one"])) == pytest.approx(tested.final_equity, abs=0.01)


def figures(runner: Runner) -> tuple[object, ...]:
    held = runner.state.accounts["one"]
    guards = {key: (guard.side, guard.best, guard.rule) for key, guard in held.guards.items()}
    working = sorted((o.spec.kind, o.quantity, o.stop_price, o.limit_price) for o in held.working.values())
    return held.cash, held.net, guards, working


@pytest.mark.parametrize("name", ["stops", "limits", "margin"])
async def test_a_stop_after_any_batch_ends_where_an_undisturbed_run_ends(name: str) -> None:
    whole, terms = MemoryJournal(), TERMS[name]
    wanted = figures(await live(whole, terms))
    fills, compared = told(booked(whole)), 0
    for kept in range(6, len(whole.batches), 7):
        journal = MemoryJournal(whole.batches[:kept])
        runner = await live(journal, terms)
        lost = [o for o in runner.state.orders.values() if o.state == "EXPIRED_UNSENT" and not o.spec.link]
        if not lost:  # what a signal asked for and never left is not sent late; exits are placed again
            compared += 1
            assert figures(runner) == wanted, f"stopped after batch {kept} of {len(whole.batches)}"
            assert told(booked(journal)) == fills, f"stopped after batch {kept}"
    assert compared > 3
