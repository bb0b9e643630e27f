"""Sessions reach the engine from the real calendars, before the prices they are for; and what is due goes through."""

import asyncio
import time as clocks
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain.clock import from_ns, parse_iso
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice
from evenkeel.domain.mtm import DayRules, Measure, MtmRules, SessionTimes
from evenkeel.domain.mtm_records import MtmBreached, MtmStopped, SessionsListed
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Source
from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.market.calendars import calendar
from evenkeel.trading.engine.mtm.hours import MINUTE, plan_of
from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.hours import sessions_of
from evenkeel.trading.live.runner import Runner
from tests.trading.live.desk import ACCOUNT, BY, STOCK, MemoryJournal, buy, make_runner, opened

MAIN = Scope(ScopeKind.ACCOUNT, ACCOUNT.id)
LISTED = Instrument("stock", "STK", "XNAS", AssetClass.EQUITY, "USD", Decimal("0.01"), Decimal(1), calendar="XNYS")
RULES = DayRules(no_entries_after=time(15), square_off_at=time(15, 15), end_of_day=10)


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Singapore"])
def host_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    clocks.tzset()
    yield request.param
    monkeypatch.undo()
    clocks.tzset()


@pytest.mark.parametrize("exchange", ["XNYS", "XNSE", "XLON", "XTKS", "FX"])
def test_moments_lie_in_every_session_of_six_years(host_zone: str, exchange: str) -> None:
    """Half days, special sessions and the days on which clocks change are all there, whatever the host's zone is."""
    known = calendar(exchange)
    zone, shortened, offsets = ZoneInfo(str(known.zone)), 0, set()
    for one in known.sessions(date(2020, 1, 1), date(2025, 12, 31)):
        plan = plan_of(RULES, SessionTimes(one.date, one.open, one.close), zone=str(known.zone))
        for moment, wanted in ((plan.no_entries, time(15)), (plan.square_off, time(15, 15))):
            assert one.open <= moment < one.close
            local = from_ns(moment).astimezone(zone)
            if local.time() != wanted:
                closes = from_ns(one.close).astimezone(zone)
                opens = from_ns(one.open).astimezone(zone)
                assert closes.time() <= wanted or opens.time() > wanted, one
                assert moment in (one.open, one.close - 5 * MINUTE)
                shortened += 1
            offsets.add(local.utcoffset())
        assert plan.end_of_day == one.close - 10 * MINUTE
    assert len(offsets) == (2 if exchange in ("XNYS", "XLON", "FX") else 1)
    assert (shortened > 0) == (exchange in ("XNYS", "XNSE", "XLON", "XTKS"))


def test_what_is_known_is_a_month_ahead_and_unknown_names_are_told_so() -> None:
    known = sessions_of("XNYS", parse_iso("2024-07-03T16:59:59Z"))
    assert (known.sessions[0].date, known.sessions[1].date) == (date(2024, 7, 3), date(2024, 7, 5))
    assert known.sessions[0].close == parse_iso("2024-07-03T17:00:00Z")
    assert sessions_of("XNYS", known.sessions[0].close).sessions[0].date == date(2024, 7, 5)
    assert sessions_of("nowhere", 0).sessions == ()


def local(day: int, text: str) -> int:
    moment = datetime.combine(date(2005, 9, day), time.fromisoformat(text), ZoneInfo("America/New_York"))
    return parse_iso(moment.isoformat())


async def shown(runner: Runner, at: int, price: float) -> None:
    """A minute's bar that closes at `at`, through engine and venue."""
    one = Bar(STOCK.id, at - MINUTE, at, price, price, price, price, 1e6)
    await FeedControl(runner, None, None).hand_over(MarketSlice(at, (one,)))
    await runner.answered()


def held(runner: Runner) -> Decimal:
    return runner.state.position(PositionKey(ACCOUNT.id, "manual", STOCK.id)).quantity


async def traded(runner: Runner, rules: MtmRules) -> None:
    """Ten units bought at 10, in an account with rules; the next day's morning."""
    await opened(runner)
    await runner.submit(c.ListInstrument(provenance=BY, instrument=LISTED))
    await runner.submit(buy())
    await runner.quiet()
    await shown(runner, local(2, "10:00"), 10.0)
    assert held(runner) == 10
    await runner.submit(c.SetMtmRules(provenance=BY, scope=MAIN, rules=rules))
    await runner.quiet()


async def test_a_square_off_goes_all_the_way_in_a_replay() -> None:
    journal = MemoryJournal()
    runner = make_runner(journal)
    await traded(runner, MtmRules(day=DayRules(square_off_at=time(15, 30))))
    (listed,) = [one for one in journal.records() if isinstance(one, SessionsListed)]
    assert listed.sessions[0].date == date(2005, 9, 2)
    await shown(runner, local(2, "15:29"), 10.0)
    assert held(runner) == 10
    await shown(runner, local(2, "15:30"), 10.0)
    await shown(runner, local(2, "15:31"), 10.0)
    assert held(runner) == 0
    assert all(halt.done_at for halt in runner.state.halts.values())
    for day in range(6, 31):
        await shown(runner, local(day, "10:00"), 10.0)
    assert len([one for one in journal.records() if isinstance(one, SessionsListed)]) > 1, "more are asked for in time"
    await runner.stop()


@pytest.mark.parametrize("deterministic", [True, False])
async def test_a_breach_that_was_killed_in_the_middle_is_closed_at_the_next_start(deterministic: bool) -> None:
    """At every end of a batch after the breach: the journal of that moment is taken over by another process."""
    journal = MemoryJournal()
    runner = make_runner(journal, deterministic=deterministic)
    await traded(runner, MtmRules(stop_loss=Measure(Decimal(20)), cooldown=0))
    await shown(runner, local(2, "11:00"), 8.0)
    await shown(runner, local(2, "11:01"), 8.0)
    assert held(runner) == 0
    batches = list(journal.batches)
    await runner.stop()
    first = next(place for place, batch in enumerate(batches) if _breaches(MemoryJournal(batches[: place + 1])))
    for length in range(first + 1, len(batches) + 1):
        kept = MemoryJournal(batches[:length])
        again = make_runner(kept, deterministic=deterministic, start=local(2, "12:00"))
        await again.start(run="again", version="0")
        await again.quiet()
        await asyncio.sleep(0 if deterministic else 0.02)
        for minute in (1, 2, 3):
            await shown(again, local(2, f"12:0{minute}"), 8.0)
        assert held(again) == 0, length
        assert len(_breaches(kept)) == 1
        assert sum(isinstance(one, MtmStopped) for one in kept.records()) == 1
        assert all(halt.done_at for halt in again.state.halts.values())
        closing = [order for order in again.state.orders.values() if order.source == Source.PANIC and order.filled]
        assert [order.filled for order in closing] == [10]
        await again.stop()


def _breaches(journal: MemoryJournal) -> list[MtmBreached]:
    return [one for one in journal.records() if isinstance(one, MtmBreached)]


class Listed:
    """Hears that sessions have been listed."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        if any(isinstance(record, SessionsListed) for record in records):
            self.heard.set()


async def test_a_calendar_is_looked_up_beside_live_trading() -> None:
    journal, listed = MemoryJournal(), Listed()
    runner = make_runner(journal, deterministic=False)
    runner.subscribe(listed)
    await opened(runner)
    await runner.submit(c.ListInstrument(provenance=BY, instrument=LISTED))
    runner.clock.is_replay, runner.clock.at = False, 0
    await runner.submit(c.SetMtmRules(provenance=BY, scope=MAIN, rules=MtmRules(day=DayRules(end_of_day=5))))
    async with asyncio.timeout(20):
        await listed.heard.wait()
    await runner.post_all(())
    assert runner.state.mtm[MAIN.key].plans["XNYS"].plan.session.close > clocks.time_ns()
    assert runner.state.timers.next < 2**63 - 1
    await runner.stop()
