"""Rebalances in the engine: sold before bought, each order once, on after a crash, and what is said at the end."""

from decimal import Decimal
from typing import Any

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.errors import Conflict, IdempotencyConflict, InvalidInput, NotFound
from evenkeel.domain.fills import Charge
from evenkeel.domain.orders import OrderState, Side
from evenkeel.domain.rebalancing import PlannedTrade, Rebalance, RebalanceEnded, RebalanceStarted
from evenkeel.domain.records import AlertRaised
from evenkeel.trading.engine.engine import Engine
from evenkeel.trading.engine.fold import apply
from evenkeel.trading.engine.state import State
from tests.trading.engine.portfolios.funds import fund, world
from tests.trading.engine.world import ACME, BOLT, WHO, World, assert_sound

D = Decimal


def held() -> World:
    """A portfolio that holds 100 ACME in account A, and cash in A and B."""
    made = world()
    fund(made, "fund", "A", "B", cash=D(5000))
    made.holding("100", "10", book="fund")
    return made


def trade(quantity: str, of: Any = ACME, *, account: str = "A", had: str = "0") -> PlannedTrade:
    return PlannedTrade(account, of.id, D(quantity), D(10), D(had))


SALE = trade("-60", had="100")
PURCHASE = trade("25", BOLT)


def rebalance(
    *trades: PlannedTrade, name: str = "one", retry: bool = False, asked: str = "x", **more: Any
) -> c.RebalancePortfolio:
    about: dict[str, Any] = {"portfolio_id": "fund", "value": D(5000), "cost": D(0)} | more
    this = Rebalance(id=f"r-{name}", name=name, asked=asked, trades=trades, **about)
    return c.RebalancePortfolio(provenance=WHO, rebalance=this, retry=retry)


def orders(made: World) -> dict[str, OrderState]:
    return {
        one.spec.client_order_id: one.state for one in made.state.orders.values() if ":" in one.spec.client_order_id
    }


def order(made: World, name: str, account: str = "A") -> Any:
    return made.state.orders[made.state.client_ids[account, name]]


def test_sales_first_and_purchases_once_they_have_ended() -> None:
    made = held()
    made.step(rebalance(SALE, PURCHASE, trade("5", BOLT, account="B")))
    assert set(orders(made)) == {"r-one:0", "r-one:2"}, "the other account has nothing to sell, and does not wait"
    made.fill(order(made, "r-one:0"), "30")
    assert "r-one:1" not in orders(made)
    made.fill(order(made, "r-one:0"), "30", charges=(Charge("commission", D("1.50")),))
    bought = order(made, "r-one:1")
    assert (bought.spec.side, bought.quantity, bought.spec.book) == (Side.BUY, D(25), "fund")
    made.fill(bought, "25", "20")
    assert not made.of(RebalanceEnded)
    made.fill(order(made, "r-one:2", "B"), "5", "20")
    (ended,) = made.of(RebalanceEnded)
    assert (ended.success, ended.traded, ended.cost, ended.reasons) == (True, D(1200), D("1.50"), ())
    assert ended.after[ACME.id] == D("0.080024"), "40 of ACME at 10 in what the fund is worth"
    assert made.state.rebalances.running == {}
    assert_sound(made)


def test_the_same_again_places_nothing() -> None:
    made = held()
    first = made.step(rebalance(SALE, PURCHASE))
    again = made.step(rebalance(SALE, PURCHASE))
    assert first.outcome is not None
    assert again.outcome is not None
    assert (first.outcome.created, again.outcome.created, again.records) == (True, False, ())
    assert isinstance(made.declined(rebalance(SALE, asked="other")), IdempotencyConflict)
    assert isinstance(made.declined(rebalance(SALE, name="two")), Conflict), "one at a time"


def test_a_journal_cut_anywhere_goes_on_and_doubles_nothing() -> None:
    """Whatever was committed when the process died, what follows from it comes out the same."""
    made = held()
    made.step(rebalance(SALE, PURCHASE))
    for name in ("r-one:0", "r-one:1"):
        restarted(made)
        assert made.state.rebalances.running["fund"].trades == (SALE, PURCHASE)
        assert made.step(rebalance(SALE, PURCHASE, retry=True)).records == ()
        made.fill(order(made, name), str(order(made, name).quantity), "10" if name == "r-one:0" else "20")
    (ended,) = made.of(RebalanceEnded)
    assert (ended.success, sorted(orders(made))) == (True, ["r-one:0", "r-one:1"])
    assert_sound(made)


def restarted(made: World) -> None:
    """The process dies, and another one folds what was committed; prices come again from the feed."""
    state = State()
    for record in made.records:
        apply(state, record)
    state.marks = made.state.marks
    made.engine = Engine(state, made.engine.ids)


def test_what_came_to_nothing_is_placed_anew_by_a_retry_and_nothing_else() -> None:
    made = held()
    made.step(rebalance(SALE, PURCHASE))
    sale = order(made, "r-one:0")
    made.fill(sale, "20")
    made.step(made.said(e.VenueCancelled, sale))
    made.fill(order(made, "r-one:1"), "25", "20")
    (ended,) = made.of(RebalanceEnded)
    assert not ended.success
    assert ended.reasons == ("SELL 60 ACME in A: 20 filled, CANCELLED",)
    assert made.of(AlertRaised)[-1].kind == "rebalance-incomplete"
    assert made.step(rebalance(SALE, PURCHASE)).records == ()
    made.step(rebalance(SALE, PURCHASE, retry=True))
    assert sorted(orders(made)) == ["r-one:0", "r-one:1", "r-one:r1:0"]
    assert order(made, "r-one:r1:0").quantity == D(40)
    made.fill(order(made, "r-one:r1:0"), "40")
    assert made.of(RebalanceEnded)[-1].success
    assert made.of(RebalanceEnded)[-1].traded == D(1100), "of both attempts"
    assert made.step(rebalance(SALE, PURCHASE, retry=True)).records == ()
    assert_sound(made)


def test_refused_orders_end_it_at_once() -> None:
    made = held()
    made.step(rebalance(trade("0.5", had="100")))
    (ended,) = made.of(RebalanceEnded)
    assert not ended.success
    assert "lot size" in ended.reasons[0]


def test_nothing_to_trade_is_done() -> None:
    made = held()
    made.step(rebalance())
    assert made.of(RebalanceEnded)[0].success


def test_a_plan_that_does_not_fit_any_more_is_declined() -> None:
    made = held()
    assert isinstance(made.declined(rebalance(trade("-60", had="90"))), Conflict)
    assert isinstance(made.declined(rebalance(trade("0", had="100"))), InvalidInput)
    assert isinstance(made.declined(rebalance(SALE, SALE)), InvalidInput)
    assert isinstance(made.declined(rebalance(SALE, portfolio_id="none")), NotFound)
    made.resting(Side.SELL, "10", book="fund")
    assert isinstance(made.declined(rebalance(SALE)), Conflict)
    assert not made.of(RebalanceStarted)


def test_an_undone_fill_counts_no_more() -> None:
    made = held()
    made.step(rebalance(SALE, PURCHASE))
    sold = order(made, "r-one:0")
    fill = made.fill(sold, "30", charges=(Charge("commission", D("1.50")),))
    made.step(made.said(e.VenueBusted, sold, execution_id=fill.execution_id, reason="a mistake"))
    running = made.state.rebalances.running["fund"]
    assert (running.traded, running.cost) == (0, 0)


@pytest.mark.parametrize("account", ["C"])
def test_accounts_that_it_does_not_trade_are_none_of_its(account: str) -> None:
    made = held()
    made.account(account, "100")
    assert isinstance(made.declined(rebalance(trade("1", account=account))), InvalidInput)
