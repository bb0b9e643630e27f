"""Drawdown tiers: told once, refused by, halted at, lifted; what they are measured from, and what a restart knows."""

from typing import Any

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Limits
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import Conflict
from evenkeel.domain.limit_records import DrawdownMoved
from evenkeel.domain.limits import HOUSE, Layer, LimitScope, RuleSet, Tier
from evenkeel.domain.orders import OrderKind, OrderState, Side
from tests.trading.engine.test_layers import D, desk, passes, refused
from tests.trading.engine.world import ACME, OPEN, WHO, World, assert_sound, fold

MAIN = LimitScope(Layer.ACCOUNT, "A")
TIERS: dict[str, Any] = {name: limit for name, limit in HOUSE.items() if name.startswith("drawdown")}
TIERED = Limits(None, None, None, allow_short=True, cash_check=False, **TIERS)


def invested(limits: Limits = TIERED) -> World:
    """An account that has put all of its 100,000 into 10,000 ACME at 10: a dollar is ten per cent."""
    world = World()
    world.account("A", limits=limits)
    world.price(ACME, 10.0)
    world.holding("10000")
    return world


def show(world: World, price: float) -> None:
    """The market a second later."""
    world.now += SECOND
    world.price(ACME, price, 0)
    world.step(c.MoveCash(provenance=WHO, account_id="A", amount=D("0.01")))  # any event


def tiers(world: World) -> list[str]:
    return [record.tier.value for record in world.of(DrawdownMoved)]


def test_a_fall_through_the_tiers_is_told_step_by_step() -> None:
    world = invested()
    for price in (9.61, 9.60, 9.55, 9.21, 9.20, 8.81, 8.80, 8.5):
        show(world, price)
    assert tiers(world) == ["warn", "reduce", "halt"]
    assert [kind for kind in world.alerts() if kind.startswith("drawdown")] == [
        "drawdown-warn", "drawdown-reduce", "drawdown-halt",
    ]  # fmt: skip
    assert world.of(DrawdownMoved)[0].drawdown == D("0.04")
    assert_sound(world)


def test_an_order_is_judged_by_the_drawdown_of_that_moment() -> None:
    world = invested()
    world.price(ACME, 9.21, 0)
    assert passes(world.submit(Side.BUY, "1"))
    world.price(ACME, 9.20, 0)
    assert refused(world.submit(Side.BUY, "1")) == ("drawdown-reduce", "0.0800", Layer.ACCOUNT)
    assert passes(world.submit(Side.SELL, "9999"))
    world.price(ACME, 9.21, 0)
    assert passes(world.submit(Side.BUY, "1"))


def test_a_halt_cancels_what_adds_and_leaves_what_reduces() -> None:
    world = invested()
    adds = world.resting(Side.BUY, "10", kind=OrderKind.LIMIT, limit_price=D(8), time_in_force="GTC")
    reduces = world.resting(Side.SELL, "10", kind=OrderKind.LIMIT, limit_price=D(12), time_in_force="GTC")
    show(world, 8.8)
    assert adds.state is OrderState.CANCEL_PENDING
    assert reduces.state is OrderState.ACCEPTED
    show(world, 9.99)
    check = world.submit(Side.BUY, "1")
    assert check.rule == "drawdown-halt"
    assert check.reason == "entries have been halted since a drawdown of 12 %; lift the halt first"
    assert passes(world.submit(Side.SELL, "100"))
    assert fold(world.records).accounts["A"].standing.tier is Tier.HALT
    assert_sound(world)


def test_lifted_it_is_measured_anew_while_the_account_keeps_its_record() -> None:
    world = invested()
    assert isinstance(world.declined(c.LiftHalt(provenance=WHO, scope=MAIN)), Conflict)
    show(world, 8.8)
    world.step(c.LiftHalt(provenance=WHO, scope=MAIN))
    assert passes(world.submit(Side.BUY, "1"))
    account = world.state.accounts["A"]
    assert round(account.growth.drawdown(world.state.equity(account)), 3) == 0.12
    show(world, 8.44)
    assert tiers(world) == ["halt", "none", "warn"]
    assert_sound(world)


def test_a_tier_is_left_at_the_end_of_a_day_and_a_halt_is_not() -> None:
    world = invested()
    show(world, 9.5)
    show(world, 9.9)
    assert tiers(world) == ["warn"]
    world.price(ACME, 9.9, 1)
    world.price(ACME, 9.9, 2)
    assert tiers(world) == ["warn", "none"]
    world.price(ACME, 8.0, 3)
    world.price(ACME, 10.0, 4)
    world.price(ACME, 10.0, 5)
    assert tiers(world) == ["warn", "none", "halt"]
    assert_sound(world)


def test_a_tier_that_is_turned_off_holds_nothing_back() -> None:
    world = invested()
    show(world, 8.0)
    assert not passes(world.submit(Side.BUY, "1"))
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=OPEN))
    assert passes(world.submit(Side.BUY, "1"))
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=TIERED))
    assert refused(world.submit(Side.BUY, "1"))[0] == "drawdown-halt", "it is still as deep"
    assert_sound(world)


def test_a_payment_is_no_drawdown() -> None:
    world = invested()
    world.price(ACME, 9.7, 0)
    world.step(c.MoveCash(provenance=WHO, account_id="A", amount=D(100_000)))
    show(world, 9.7)
    assert tiers(world) == []


def test_of_a_user_all_accounts_count_from_their_best_day() -> None:
    world = desk()
    user = LimitScope(Layer.USER, "u")
    world.step(c.SetScopeLimits(provenance=WHO, scope=user, rules=RuleSet(**TIERS)))
    world.holding("10000")
    world.price(ACME, 12.0, 1)
    world.price(ACME, 12.0, 2)  # 220,000 at the best close
    world.price(ACME, 10.25, 2)
    assert passes(world.submit(Side.BUY, "1", account_id="B")), "17,500 of it"
    world.price(ACME, 10.24, 2)
    assert refused(world.submit(Side.BUY, "1", account_id="B")) == ("drawdown-reduce", "0.0800", Layer.USER)
    assert passes(world.submit(Side.BUY, "1", account_id="C"))
    world.now += SECOND
    world.price(ACME, 9.36, 2)
    assert [one.tier for one in world.of(DrawdownMoved)][-1] is Tier.HALT
    world.step(c.LiftHalt(provenance=WHO, scope=user))
    assert passes(world.submit(Side.BUY, "1", account_id="B"))
    assert_sound(world)


def test_of_a_strategy_its_book_counts_by_what_is_allotted() -> None:
    world = desk()
    scope = LimitScope(Layer.STRATEGY, "trend")
    world.holding("1000", book="trend")
    world.step(c.SetScopeLimits(provenance=WHO, scope=scope, rules=RuleSet(**TIERS)))
    world.price(ACME, 8.37, 0)
    assert passes(world.submit(Side.BUY, "1", book="trend")), "1,630 of 21,467"
    world.price(ACME, 8.0, 0)
    assert refused(world.submit(Side.BUY, "1", book="trend"))[0] == "drawdown-reduce"
    assert passes(world.submit(Side.BUY, "1"))
    assert passes(world.submit(Side.SELL, "500", book="trend"))
    assert_sound(world)


def test_it_is_looked_at_once_a_second_and_not_at_every_price() -> None:
    world = invested()
    show(world, 10.0)
    world.price(ACME, 9.5, 0)
    assert tiers(world) == []
    world.now += SECOND
    world.price(ACME, 9.5, 0)
    assert tiers(world) == ["warn"]


def test_a_restart_without_prices_is_no_drawdown() -> None:
    """What is held counts at its cost until the market shows; here that would be a loss of a third."""
    world = invested()
    world.price(ACME, 15.0, 1)
    world.price(ACME, 15.0, 2)
    world.state.marks.clear()
    world.now += SECOND
    world.step(c.MoveCash(provenance=WHO, account_id="A", amount=D("0.01")))
    assert tiers(world) == []
    show(world, 13.2)
    assert tiers(world) == ["halt"]


def test_without_tiers_nothing_is_looked_at() -> None:
    world = invested(OPEN)
    show(world, 5.0)
    assert not world.state.tiered
    assert tiers(world) == []


def test_a_limit_can_be_met_exactly_though_growth_is_measured() -> None:
    growth = invested().state.accounts["A"].growth
    assert growth.drawdown(D(92_000)) < 0.08, "as floats have it"
    assert growth.fallen(D(92_000)) == D("0.08")
