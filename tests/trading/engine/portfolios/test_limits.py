"""The limits of a portfolio: a layer that reads its books, in all of its accounts, and what it is worth."""

from decimal import Decimal

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain.errors import NotFound
from evenkeel.domain.limits import Layer, LimitScope, RuleSet, Tier
from evenkeel.domain.orders import OrderState, Side
from evenkeel.domain.portfolios import Place
from evenkeel.trading.engine.usage import used, what_if
from tests.trading.engine.portfolios.funds import adopt, fund, transfer, world
from tests.trading.engine.world import ACME, WHO, World, assert_sound

D = Decimal
SCOPE = LimitScope(Layer.PORTFOLIO, "fund")


def rules(made: World, **more: object) -> None:
    made.step(c.SetScopeLimits(provenance=WHO, scope=SCOPE, rules=RuleSet(**more)))  # type: ignore[arg-type]


def test_the_largest_position_is_measured_by_what_it_is_worth() -> None:
    made = world()
    fund(made, cash=D(1000), rules=RuleSet(max_position_share=D("0.5")))
    assert made.submit(quantity="50", book="fund").state is OrderState.SUBMITTED
    refused = made.submit(quantity="1", book="fund")
    assert (refused.state, refused.rule, refused.layer) == (
        OrderState.REFUSED,
        "max-position-share",
        Layer.PORTFOLIO,
    )
    assert refused.reason == "ACME would be 51 % of equity, the limit is 50 % for the portfolio"
    assert made.submit(quantity="500", book="manual").state is OrderState.SUBMITTED


def test_one_without_money_takes_no_risk() -> None:
    made = world()
    fund(made, rules=RuleSet(max_gross_leverage=D(1)))
    assert made.submit(quantity="1", book="fund").reason == "the portfolio has no equity to take risk with"
    made.step(transfer(Place("A"), Place("A", "fund"), "10"))
    assert made.submit(quantity="1", book="fund").state is OrderState.SUBMITTED
    assert made.submit(quantity="1", book="fund").rule == "max-gross-leverage"


def test_adopted_books_and_all_its_accounts_count() -> None:
    made = world()
    made.deploy(("A", "0.5"))
    fund(made, "fund", "A", "B", cash=D(10000), rules=RuleSet(max_position=D(100)))
    made.holding("60", book="trend")
    made.holding("30", book="fund", account_id="B")
    assert made.submit(quantity="70", book="fund").state is OrderState.SUBMITTED
    made.step(adopt())
    assert made.submit(quantity="1", book="trend").rule == "max-position"
    assert made.submit(quantity="1", book="fund", account_id="B").rule == "max-position"
    assert made.submit(Side.SELL, "60", book="trend").state is OrderState.SUBMITTED
    assert_sound(made)


def test_an_order_in_an_account_it_does_not_trade_is_not_taken() -> None:
    made = world()
    fund(made, cash=D(1000))
    error = made.declined(c.SubmitOrder(provenance=WHO, spec=made.spec(book="fund", account_id="B")))
    assert error.errors[0].message.startswith("portfolio fund does not trade this account")  # type: ignore[attr-defined]


def test_losses_and_drawdowns_are_its_own() -> None:
    made = world()
    fund(made, cash=D(1000))
    rules(made, daily_loss=D("0.1"), drawdown_halt=D("0.2"))
    made.holding("100", "10", book="fund")
    made.price(ACME, 9.0, 1)
    assert made.submit(quantity="1", book="fund").rule == "daily-loss"
    assert made.submit(quantity="1").state is OrderState.SUBMITTED
    made.price(ACME, 9.0, 2)
    assert made.submit(quantity="1", book="fund").state is OrderState.SUBMITTED
    made.step(transfer(Place("A"), Place("A", "fund"), "100"))
    made.price(ACME, 7.5, 3)
    assert made.state.layers[SCOPE.key].tier is Tier.HALT
    made.step(c.LiftHalt(provenance=WHO, scope=SCOPE))
    assert made.state.layers[SCOPE.key].tier is Tier.NONE
    assert_sound(made)


def test_a_book_that_joins_or_leaves_is_no_gain_and_no_loss() -> None:
    made = world()
    made.deploy(("A", "0.5"))
    fund(made, cash=D(1000))
    made.holding("100", "10", book="trend")
    made.price(ACME, 5.0, 0)
    rules(made, daily_loss=D("0.1"), drawdown_halt=D("0.2"))
    made.step(adopt())
    assert made.state.layers[SCOPE.key].tier is Tier.NONE
    assert made.submit(quantity="1", book="fund").state is OrderState.SUBMITTED
    made.step(adopt(release=True))
    assert made.submit(quantity="1", book="fund").state is OrderState.SUBMITTED


def test_lost_trades_in_a_row_pause_it() -> None:
    made = world()
    fund(made, cash=D(10000))
    rules(made, max_losses=1, loss_pause=3600)
    made.holding("10", "10", book="manual")
    made.holding("-10", "9", book="manual")
    assert made.submit(quantity="1", book="fund").state is OrderState.SUBMITTED
    made.holding("10", "10", book="fund")
    made.holding("-10", "9", book="fund")
    assert made.submit(quantity="1", book="fund").rule == "loss-streak"


def test_use_and_what_if_read_the_portfolio() -> None:
    made = world()
    held = fund(made, cash=D(1000), rules=RuleSet(max_position_share=D("0.5"), max_gross_leverage=D(1)))
    made.holding("20", "10", book="fund")
    layer = made.state.layers[SCOPE.key]
    found = used(made.state, SCOPE, rules=layer.rules, standing=layer, at=made.now)
    assert found["max_position_share"].amount == found["max_gross_leverage"].amount == D("0.2")
    checks = what_if(made.state, made.spec(quantity="40", book="fund"), at=made.now)
    assert [one.rule for one in checks if one.reason and one.layer is Layer.PORTFOLIO] == ["max-position-share"]
    assert held.portfolio.id == "fund"


def test_a_scope_that_names_no_portfolio_is_none() -> None:
    made = world()
    scope = LimitScope(Layer.PORTFOLIO, "none")
    error = made.declined(c.SetScopeLimits(provenance=WHO, scope=scope, rules=RuleSet(max_position=D(1))))
    assert isinstance(error, NotFound)
    with pytest.raises(NotFound):
        made.state.portfolio("none")
