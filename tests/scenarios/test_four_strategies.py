"""The whole desk for eight months: it agrees with the venue each day, repeats itself, and survives kills."""

import decimal
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from evenkeel.domain import records as r
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.orders import OrderState
from tests.scenarios import year
from tests.scenarios.desk import Desk
from tests.trading.engine.world import D, comparable, fold


@pytest.fixture(scope="module")
def market() -> list[MarketSlice]:
    return list(year.slices())


@pytest.fixture(scope="module")
def finished(market: list[MarketSlice]) -> Desk:
    """The run that the others are measured by: nothing interrupts it."""
    return run(year.desk(), market)


def run(desk: Desk, market: list[MarketSlice]) -> Desk:
    for one in market:
        desk.hand_over(one)
    return desk


def test_the_run_is_worth_looking_at(finished: Desk, market: list[MarketSlice]) -> None:
    finished.finish()
    assert len(market) == 170
    states = Counter(order.state for order in finished.state.orders.values())
    assert states[OrderState.FILLED] > 150
    assert states[OrderState.EXPIRED] > 5, "partial fills that a day ended"
    refused = Counter(o.rule for o in finished.state.orders.values() if o.state is OrderState.REFUSED)
    assert refused.keys() >= {"max-position-share", "max-trades-per-day", "short-selling", "daily-loss"}
    for deployment in finished.state.deployments.values():
        assert deployment.fills
    for account in finished.state.accounts:
        assert any(fill.account_id == account for fill in finished.state.fills.values())
    (split,) = finished.of(r.SplitApplied)
    assert split.positions, "somebody held AAPL over its split"
    assert len(finished.of(r.DayClosed)) == 3 * (len(market) - 1)


def test_every_day_starts_where_the_last_ended(finished: Desk) -> None:
    for account_id, account in finished.state.accounts.items():
        days = [record for record in finished.of(r.DayClosed) if record.account_id == account_id]
        profits = [after.equity - before.equity for before, after in pairwise(days)]
        last = finished.equity(account_id) - days[-1].equity
        assert days[0].equity + sum(profits) + last == finished.equity(account_id)
        assert account.day_start_equity == days[-1].equity
        highest = max(account.contributed, *(day.equity for day in days))
        assert account.growth.peak == pytest.approx(float(highest / account.contributed), rel=1e-15)


def test_profit_is_what_the_books_made(finished: Desk) -> None:
    for account_id, account in finished.state.accounts.items():
        made = D(0)
        for held in account.positions.values():
            made += held.realised + finished.state.unrealised(held) - held.charges
        assert finished.equity(account_id) == account.contributed + made


def test_the_same_inputs_make_the_same_bytes(finished: Desk, market: list[MarketSlice]) -> None:
    assert run(year.desk(), market).journal() == finished.journal()


@contextmanager
def far_away() -> Iterator[None]:
    """Another host: its zone, and a decimal context in which nothing could be computed."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Singapore"
    time.tzset()
    try:
        with decimal.localcontext(decimal.Context(prec=2, rounding=decimal.ROUND_UP)):
            yield
    finally:
        os.environ.pop("TZ") if before is None else os.environ.__setitem__("TZ", before)
        time.tzset()


def test_neither_zone_nor_decimal_context_of_the_host_takes_part(finished: Desk, market: list[MarketSlice]) -> None:
    with far_away():
        desk = year.desk()
        desk.compares = False  # the comparison itself reckons in the host's context
        assert run(desk, market).journal() == finished.journal()


@pytest.mark.parametrize("days", [(0,), (38, 39, 40), tuple(range(7, 170, 11))], ids=str)
def test_a_restart_changes_nothing(finished: Desk, market: list[MarketSlice], days: tuple[int, ...]) -> None:
    """Killed after these sessions and folded from the journal, engine and venue, the run ends in the same bytes."""
    desk = year.desk()
    for day, one in enumerate(market):
        desk.hand_over(one)
        if day in days:
            desk = desk.restarted()
            desk.assert_agreed()
    assert desk.journal() == finished.journal()
    assert comparable(desk.state) == comparable(finished.state)


def test_the_journal_alone_gives_the_whole_state(finished: Desk) -> None:
    assert comparable(fold(finished.records)) == comparable(finished.state)
