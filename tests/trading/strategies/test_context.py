"""The context: what it refuses at once, and what it records."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from evenkeel.domain.composites import Bracket
from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.marketdata import Quote
from evenkeel.domain.orders import OrderKind, OrderSpec, Side, Trail
from evenkeel.domain.strategies import Allocation, Deployment
from evenkeel.trading.strategies import Context, Params


def context(name: str = "d", instruments: tuple[str, ...] = ("i",)) -> Context:
    accounts = (Allocation("a", Decimal(1)), Allocation("b", Decimal(1)))
    made = Deployment(name, name, "t", "1", {}, instruments, accounts)
    return Context(made, Params(), history=lambda instrument_id, count, timeframe: None)


@pytest.mark.parametrize(
    ("limit", "stop", "kind"),
    [
        (None, None, OrderKind.MARKET),
        (Decimal(1), None, OrderKind.LIMIT),
        (None, Decimal(1), OrderKind.STOP),
        (Decimal(1), Decimal(2), OrderKind.STOP_LIMIT),
    ],
)
def test_prices_make_the_kind(limit: Decimal | None, stop: Decimal | None, kind: OrderKind) -> None:
    ctx = context()
    ctx.sell(1, account_id="a", limit=limit, stop=stop)
    (wish,) = ctx.take_wishes()
    assert isinstance(wish, OrderSpec)
    assert (wish.kind, wish.limit_price, wish.stop_price) == (kind, limit, stop)
    assert ctx.take_wishes() == []


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda ctx: ctx.buy(0), "quantity: expected more than zero, not 0"),
        (lambda ctx: ctx.buy(Decimal("NaN")), "quantity"),
        (lambda ctx: ctx.buy(1, limit=Decimal("Infinity")), "limit: expected a price"),
        (lambda ctx: ctx.buy(1, "other"), "other is not one of this deployment: i"),
        (lambda ctx: ctx.buy(1, account_id="c"), "c is not an account"),
    ],
)
def test_what_could_never_be_an_order_is_refused(call: Callable[[Context], Any], says: str) -> None:
    ctx = context()
    with pytest.raises(InvalidInput, match=says):
        call(ctx)
    assert ctx.take_wishes() == []


def test_an_instrument_must_be_named_where_there_are_several() -> None:
    with pytest.raises(InvalidInput, match="name an instrument of this deployment: i, j"):
        context(instruments=("i", "j")).position()


def test_ids_count_within_a_moment_and_stay_short() -> None:
    ctx = context("x" * 60)
    ctx.now = 1_700_000_000_000_000_000
    first, second = ctx.buy(1), ctx.buy(1)
    ctx.now += 1
    third = ctx.sell(1)
    assert len({first, second, third}) == 3
    assert all(len(name) <= 64 for name in (first, second, third))
    assert third.endswith(":1")


def test_positions_by_account_and_together() -> None:
    ctx = context()
    ctx.set_position("a", "i", Decimal(5))
    ctx.add_position("b", "i", Decimal(-2))
    assert (ctx.position(), ctx.position("i", "b")) == (Decimal(3), Decimal(-2))


def test_what_has_not_been_seen_is_said() -> None:
    ctx = context()
    assert ctx.quote() is None
    ctx.shown["i"] = Quote("i", 1, 1.0, 2.0, 1.5)
    quote = ctx.quote()
    assert quote is not None
    assert quote.ask == 2.0
    with pytest.raises(NotFound, match="no bar of i"):
        ctx.bars(3)


def test_timers_can_be_cleared() -> None:
    ctx = context()
    ctx.set_timer("t", 5)
    ctx.clear_timer("t")
    ctx.clear_timer("t")
    assert ctx.timers == {}


def test_a_bracket_is_asked_of_every_account_under_one_id() -> None:
    ctx = context()
    name = ctx.bracket(Side.BUY, 5, stop_loss=Decimal(9), stop_trail=Trail(fraction=Decimal("0.05")), limit=Decimal(10))
    wishes = ctx.take_wishes()
    assert [wish.entry.account_id for wish in wishes if isinstance(wish, Bracket)] == ["a", "b"]
    for wish in wishes:
        assert isinstance(wish, Bracket)
        assert (wish.entry.client_order_id, wish.entry.kind, wish.stop_loss) == (name, OrderKind.LIMIT, Decimal(9))
        assert (wish.take_profit, wish.trail) == (None, Trail(fraction=Decimal("0.05")))
