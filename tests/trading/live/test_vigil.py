"""The vigil: what it measures once a second, and what it has the engine told, on a clock that a test moves.

The desk is a whole runner over the simulated broker; `Hands` is its clock.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from evenkeel.domain import records as r
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.clock import SECOND, to_ns
from evenkeel.domain.commands import DeactivateAccount, ListInstrument
from evenkeel.domain.errors import BrokerUnavailable
from evenkeel.domain.events import BrokerPosition
from evenkeel.domain.ids import Hashed
from evenkeel.domain.limits import Window
from evenkeel.domain.orders import OrderKind, TimeInForce
from evenkeel.trading.brokers.simulated.adapter import SimulatedBroker
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.engine.windows import end_of
from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.runner import Clock, Runner
from evenkeel.trading.live.silence import silent_for
from tests.trading.live.desk import ACCOUNT, BY, STOCK, MemoryJournal, buy, market, opened

NOON = to_ns(datetime(2024, 3, 5, 17, tzinfo=UTC))  # a Tuesday in New York
RESTART = (Window(time(12, 30), time(12, 45), "America/New_York", (2,)),)


class Hands(Clock):
    """A clock whose hands a test moves; it starts at noon in New York."""

    def __init__(self, *, replay: bool = False) -> None:
        super().__init__(replay=replay)
        self.passed = 0.0

    def wall(self) -> int:
        return NOON + round(self.passed * SECOND)

    def monotonic(self) -> float:
        return self.passed


class Venue(SimulatedBroker):
    """A simulated venue that can be told to fail its queries, and counts the pictures taken of it."""

    def __init__(self, **profile: Any) -> None:
        super().__init__(Book())
        self._profile = msgspec.structs.replace(self._profile, **profile)
        self.pictures = 0
        self.fault: BrokerUnavailable | None = None

    async def positions(self, account_id: str) -> tuple[BrokerPosition, ...]:
        self.pictures += 1
        if self.fault is not None:
            raise self.fault
        return await super().positions(account_id)


class Desk:
    """A runner whose vigil looks when it is told to."""

    def __init__(self, broker: Venue, *, replay: bool = False) -> None:
        self.broker, self.clock, self.journal = broker, Hands(replay=replay), MemoryJournal()
        self.runner = Runner(
            self.journal, lambda _: {"simulated": broker}, ids=lambda _: Hashed("vigil"), clock=self.clock
        )

    async def open(self) -> None:
        await opened(self.runner)
        listed = msgspec.structs.replace(STOCK, calendar="XNYS")
        await self.runner.submit(ListInstrument(provenance=BY, instrument=listed))
        await self.until(lambda: self.readiness is Readiness.READY)
        assert self.runner.vigil._task is not None
        self.runner.vigil._task.cancel()  # from here on the test looks

    @property
    def readiness(self) -> Readiness:
        return self.runner.state.accounts[ACCOUNT.id].readiness

    async def until(self, done: Any) -> None:
        async with asyncio.timeout(5):
            while not done():  # noqa: ASYNC110 - what it waits for tells nobody
                await asyncio.sleep(0.005)

    async def after(self, seconds: float) -> None:
        """The clock has moved on, and the vigil has looked."""
        self.clock.passed += seconds
        vigil = self.runner.vigil
        await vigil.restarts.look()
        await vigil.rounds.look()
        await vigil.readiness.look()
        await vigil.silence.look()
        await self.runner.quiet()

    def alerts(self, kind: str) -> list[str]:
        return [one.message for one in self.journal.records() if isinstance(one, r.AlertRaised) and one.kind == kind]

    def rounds(self) -> list[r.AccountReconciled]:
        return [one for one in self.journal.records() if isinstance(one, r.AccountReconciled)]


@pytest.fixture
async def made() -> AsyncIterator[list[Desk]]:
    desks: list[Desk] = []
    yield desks
    for desk in desks:
        await desk.runner.stop()


async def desk(made: list[Desk], *, replay: bool = False, **profile: Any) -> Desk:
    one = Desk(Venue(**profile), replay=replay)
    made.append(one)
    await one.open()
    return one


async def test_an_account_is_compared_every_so_often(made: list[Desk]) -> None:
    """Once a period and not more, whatever the number of looks, and marked as routine."""
    one = await desk(made, reconcile_every=300 * SECOND, reconcile_after=0)
    await one.after(1)
    before = len(one.rounds())
    for _ in range(10):
        await one.after(29)
    assert len(one.rounds()) == before
    for _ in range(20):
        await one.after(29)
    assert [each.routine for each in one.rounds()[before:]] == [True, True]


async def test_an_account_is_compared_once_after_it_has_been_busy(made: list[Desk]) -> None:
    one = await desk(made, reconcile_every=0, reconcile_after=10 * SECOND)
    await one.after(1)
    await one.runner.submit(buy())
    await one.after(1)
    before = len(one.rounds())
    await one.after(9)
    assert len(one.rounds()) == before, "it may not be quiet yet"
    for _ in range(5):
        await one.after(10)
    assert len(one.rounds()) == before + 1


async def test_a_round_that_fails_changes_nothing_and_is_counted(made: list[Desk]) -> None:
    """F16: no answer is not an empty account; it is tried again, told once, and the account goes on."""
    one = await desk(made, reconcile_every=60 * SECOND)
    await one.runner.submit(buy())
    await one.runner.post_all([market(1)])
    one.broker.fault = BrokerUnavailable("no answer")
    for _ in range(4):
        await one.after(20)
    assert one.runner.failures(ACCOUNT.id).times == 1
    assert one.runner.failures(ACCOUNT.id).reason == "no answer"
    assert len(one.alerts("reconcile-failed")) == 1
    assert one.readiness is Readiness.READY
    one.broker.fault = None
    before = len(one.rounds())
    await one.until(lambda: len(one.rounds()) > before)


async def test_nothing_is_scheduled_where_the_profile_says_so(made: list[Desk]) -> None:
    one = await desk(made, reconcile_every=0, reconcile_after=0)
    before = one.broker.pictures
    for _ in range(20):
        await one.after(500)
    assert one.broker.pictures == before


async def test_a_planned_restart_shuts_the_gate_and_a_reconcile_opens_it(made: list[Desk]) -> None:
    """F14: from half past twelve to a quarter to one in New York, and only on a Tuesday."""
    one = await desk(made, restarts=RESTART)
    await one.after(29 * 60)
    assert one.readiness is Readiness.READY
    await one.after(60)
    assert one.readiness is Readiness.NOT_READY
    outcome = await one.runner.submit(buy())
    assert one.runner.state.orders[outcome.id].rule == "account-ready"
    await one.after(14 * 60)
    assert one.readiness is Readiness.NOT_READY
    assert one.alerts("account-away") == [], "what was planned is no alarm"
    await one.after(60)
    await one.until(lambda: one.readiness is Readiness.READY)
    assert len(one.alerts("broker-restart")) == 1


async def test_a_link_that_stays_away_is_told_within_a_minute(made: list[Desk]) -> None:
    """Incident 10: not only as it is lost, but as long as it is, while the market trades."""
    one = await desk(made)
    await one.broker.disconnect()
    one.broker.connect = never  # type: ignore[method-assign]
    await one.until(lambda: one.readiness is Readiness.NOT_READY)
    await one.after(0)
    await one.after(59)
    assert one.alerts("account-away") == []
    assert one.runner.away(ACCOUNT.id) == 59
    await one.after(1)
    assert len(one.alerts("account-away")) == 1
    for _ in range(14):
        await one.after(60)
    assert len(one.alerts("account-away")) == 1
    await one.after(60)
    assert len(one.alerts("account-away")) == 2


async def test_nobody_is_told_of_an_account_that_is_not_to_trade(made: list[Desk]) -> None:
    """A live account never switched on has no way to its broker; one out of use is missed only for what it holds."""
    one = await desk(made)
    await one.runner.submit(DeactivateAccount(provenance=BY, account_id=ACCOUNT.id))
    held = one.runner.state.accounts[ACCOUNT.id]
    await one.broker.disconnect()
    one.broker.connect = never  # type: ignore[method-assign]
    await one.until(lambda: one.readiness is Readiness.NOT_READY)
    for _ in range(5):
        await one.after(60)
    assert one.alerts("account-away") == []
    held.retired, held.is_off = "", True
    for _ in range(5):
        await one.after(60)
    assert one.alerts("account-away") == []
    held.retired, held.is_off = "out of use", False
    held.net[STOCK.id] = Decimal(10)
    for _ in range(2):
        await one.after(60)
    assert len(one.alerts("account-away")) == 1


async def test_a_watch_that_fails_is_logged_and_keeps_no_other_from_looking(
    made: list[Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await desk(made, reconcile_every=60 * SECOND)
    monkeypatch.setattr(one.runner.vigil.restarts, "look", never)
    pictures = one.broker.pictures
    await one.runner.vigil.look()
    one.clock.passed += 61
    with capture_logs() as lines:
        await one.runner.vigil.look()
    assert [(line["event"], line["watch"]) for line in lines if line["log_level"] == "error"] == [
        ("a watch has failed, and goes on", "RestartWatch")
    ]
    await one.until(lambda: one.broker.pictures > pictures)


async def test_at_night_nobody_is_woken(made: list[Desk]) -> None:
    one = await desk(made)
    one.clock.passed = 10 * 3600.0
    await one.broker.disconnect()
    one.broker.connect = never  # type: ignore[method-assign]
    await one.until(lambda: one.readiness is Readiness.NOT_READY)
    for _ in range(5):
        await one.after(60)
    assert one.alerts("account-away") == []
    await one.after(12 * 3600)
    assert len(one.alerts("account-away")) == 1


async def never() -> None:
    raise BrokerUnavailable("the wire is cut")


def test_the_end_of_a_window() -> None:
    assert end_of(RESTART, NOON) == 0
    assert end_of(RESTART, NOON + 1800 * SECOND) == NOON + 2700 * SECOND
    assert end_of(RESTART, NOON + 2700 * SECOND) == 0
    night = (Window(time(23, 45), time(0, 15), "UTC"),)
    before = to_ns(datetime(2024, 3, 4, 23, 50, tzinfo=UTC))
    assert end_of(night, before) == end_of(night, before + 1200 * SECOND) == before + 1500 * SECOND


def test_silence_counts_within_sessions_alone() -> None:
    """F15 and F25: nights, weekends and holidays are no silence, half days count as what they are."""
    friday = to_ns(datetime(2024, 3, 1, 20, 59, tzinfo=UTC))
    monday = to_ns(datetime(2024, 3, 4, 14, 31, tzinfo=UTC))
    assert silent_for("XNYS", friday, monday) == 120 * SECOND
    assert silent_for("XNYS", friday, monday, sessions=1) == 60 * SECOND
    assert silent_for("24/7", friday, monday) == monday - friday
    assert silent_for("nowhere", friday, monday) == 0
    before, after = datetime(2024, 7, 2, 20, tzinfo=UTC), datetime(2024, 7, 5, 13, 30, tzinfo=UTC)
    assert silent_for("XNYS", to_ns(before), to_ns(after)) == 3.5 * 3600 * SECOND, "the third is a half day"


class Feed:
    """What the driver of a feed needs of one that shows nothing by itself."""

    timeframes = ("1m",)
    instruments = (STOCK,)
    start, end = 0, None

    def slices(self, after: int | None = None) -> Any:
        return iter(())


async def test_an_instrument_that_falls_silent_is_told_and_refused(made: list[Desk]) -> None:
    """F15: through a whole desk, on the wall's clock, by the length of a bar and the time that is set."""
    one = await desk(made)
    control = FeedControl(one.runner, Feed(), None, kind="replay", speed=Decimal(1))
    one.runner.vigil.silence.watch(control, 60)
    close = one.clock.now()
    bar = msgspec.structs.replace(market(0).bars[0], ts=close - 60 * SECOND, close_ts=close)
    await one.runner.post_all([msgspec.structs.replace(market(0), at=close, bars=(bar,))])
    await one.after(120)
    assert one.alerts("feed-silent") == []
    await one.after(1)
    assert len(one.alerts("feed-silent")) == 1
    outcome = await one.runner.submit(buy())
    order = one.runner.state.orders[outcome.id]
    assert (order.rule, order.limit, order.value) == ("stale-price", "60 s", "61")
    await one.after(30)
    assert len(one.alerts("feed-silent")) == 1
    now = one.clock.now()
    bar = msgspec.structs.replace(bar, ts=now - 60 * SECOND, close_ts=now)
    await one.runner.post_all([msgspec.structs.replace(market(0), at=now, bars=(bar,))])
    assert len(one.alerts("feed-back")) == 1
    outcome = await one.runner.submit(buy("two"))
    assert one.runner.state.orders[outcome.id].rule is None


async def test_an_instrument_that_never_shows_a_price_is_told_where_something_depends_on_it(made: list[Desk]) -> None:
    """F15: after a start nothing has a price; an order that rests, or a position, waits for one that never comes."""
    one = await desk(made)
    control = FeedControl(one.runner, Feed(), None, kind="replay", speed=Decimal(1))
    one.runner.vigil.silence.watch(control, 60)
    other = msgspec.structs.replace(STOCK, id="never", symbol="NEVER", calendar="XNYS")
    await one.runner.submit(ListInstrument(provenance=BY, instrument=other))
    one.runner.state.marks.clear()
    await one.after(600)
    assert one.alerts("feed-silent") == [], "nobody needs it"
    spec = msgspec.structs.replace(
        buy().spec, instrument_id=other.id, kind=OrderKind.LIMIT, limit_price=Decimal(9), time_in_force=TimeInForce.GTC
    )
    await one.runner.submit(msgspec.structs.replace(buy(), spec=spec))
    await one.after(11)
    await one.after(120)
    assert one.alerts("feed-silent") == []
    await one.after(1)
    told = one.alerts("feed-silent")
    assert len(told) == 1
    assert told[0].startswith("No price of NEVER has come for 61 seconds")
    now = one.clock.now()
    bar = msgspec.structs.replace(market(0).bars[0], instrument_id=other.id, ts=now - 60 * SECOND, close_ts=now)
    await one.runner.post_all([msgspec.structs.replace(market(0), at=now, bars=(bar,))])
    assert len(one.alerts("feed-back")) == 1


async def test_a_replay_that_stands_still_is_told(made: list[Desk]) -> None:
    one = await desk(made, replay=True)
    control = FeedControl(one.runner, Feed(), None, kind="replay", speed=Decimal("0.1"))
    one.runner.vigil.silence.watch(control, 60)
    await one.after(500)
    assert one.alerts("feed-stalled") == [], "it is paused"
    control._state, control.handed_at = "running", one.clock.monotonic()
    await one.after(70)
    assert one.alerts("feed-stalled") == []
    await one.after(1)
    assert len(one.alerts("feed-stalled")) == 1
    assert one.runner.state.marks.stalled


async def test_what_a_replay_shows_again_after_a_kill_is_no_silence(made: list[Desk]) -> None:
    """The market stands where it had come to; the slices behind the cursor come again from before that, one by one."""
    one = await desk(made, replay=True)
    control = FeedControl(one.runner, Feed(), None, kind="replay", speed=Decimal(1))
    one.runner.vigil.silence.watch(control, 60)
    await one.runner.post_all([market(30)])
    one.clock.at, one.runner.last_market = market(30).at, market(30)
    one.runner.state.marks.clear()
    await control.hand_over(market(8))
    await one.after(1)
    assert one.alerts("feed-silent") == []
    assert one.runner.state.orders[(await one.runner.submit(buy())).id].rule is None
    await control.hand_over(msgspec.structs.replace(market(30), bars=()))
    await one.after(1)
    assert len(one.alerts("feed-silent")) == 1
