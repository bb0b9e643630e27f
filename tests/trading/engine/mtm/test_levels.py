"""Rules on what a level makes: when each is reached, to the cent, what its breach does, and what ends that."""

from typing import Any

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import mtm_records as m
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Account, AccountType
from evenkeel.domain.errors import Conflict, InvalidInput, NotFound
from evenkeel.domain.fills import Charge
from evenkeel.domain.marketdata import Dividend, MarketSlice
from evenkeel.domain.mtm import Basis, BreachAction, Rule, Watch
from evenkeel.domain.orders import OrderKind, OrderState, Side
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.trading.engine.mtm.judging import bounds
from tests.trading.engine.mtm.desk import IN_ACME, MAIN, TREND, USER, Desk, rules
from tests.trading.engine.world import ACME, BOLT, WHO, D, assert_sound, at, fold, split_slice

TOUCHED = [
    # rule, how it is set, profit a cent before it is reached, profit at which it is
    (Rule.STOP_LOSS, {"stop": "500"}, "-499.99", "-500"),
    (Rule.STOP_LOSS, {"stop": "0.05%"}, "-499.99", "-500"),
    (Rule.TARGET, {"target": "500"}, "499.99", "500"),
    (Rule.TARGET, {"target": "0.05%"}, "499.99", "500"),
    (Rule.TRAIL, {"trail": ("500", None)}, "-499.99", "-500"),
    (Rule.STOP_LOSS, {"stop": "500", "trail": ("600", None)}, "-499.99", "-500"),
    (Rule.TRAIL, {"stop": "700", "trail": ("600", None)}, "-599.99", "-600"),
]


@pytest.mark.parametrize(("rule", "given", "before", "reached"), TOUCHED)
def test_a_rule_is_breached_when_it_is_reached(rule: Rule, given: dict[str, Any], before: str, reached: str) -> None:
    desk = Desk(held=False)
    desk.holding("1", "1000")
    desk.quote(ACME, "1000")
    desk.set(**given)
    desk.quote(ACME, str(1000 + D(before)))
    assert (desk.of(m.MtmBreached), desk.profit()) == ([], D(before))
    desk.quote(ACME, str(1000 + D(reached)))
    (breach,) = desk.of(m.MtmBreached)
    assert (breach.rule, breach.value, breach.limit) == (rule, D(reached), D(reached))
    (order,) = desk.closing()
    assert (order.spec.side, order.quantity, order.spec.kind) == (Side.SELL, D(1), OrderKind.MARKET)
    desk.settle("995")
    assert desk.position() == 0
    assert_sound(desk)


TRAIL = [
    # made, best taken, floor in force after it: trail by 200 from 300 on, in steps of 2
    ("0", "0", None),
    ("299", "0", None),
    ("300", "300", "100"),
    ("301", "300", "100"),
    ("302", "302", "102"),
    ("250", "302", "102"),
    ("1000", "1000", "800"),
    ("801", "1000", "800"),
    ("800", "1000", "breach at 800"),
]
LOCKED = [
    # made, best taken, floor: at 500 lock in 200, at 1000 lock in 700
    ("499", "0", None),
    ("500", "500", "200"),
    ("600", "500", "200"),
    ("201", "500", "200"),
    ("1500", "1500", "700"),
    ("701", "1500", "700"),
    ("650", "1500", "breach at 700"),
]
BREAK_EVEN = [
    ("300", "300", "0"),
    ("1", "300", "0"),
    ("0", "300", "breach at 0"),
]


@pytest.mark.parametrize(
    ("given", "table"),
    [
        ({"trail": ("200", "300")}, TRAIL),
        ({"lock": [("500", "200"), ("1000", "700")]}, LOCKED),
        ({"lock": [("300", "0")]}, BREAK_EVEN),
    ],
    ids=["trail", "lock-in", "break-even"],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_what_has_been_made_is_kept(given: dict[str, Any], table: list[Any], restarted: bool) -> None:
    desk = Desk()
    desk.set(**given)
    for made, best, floor in table:
        if restarted:
            restart(desk)
        desk.earn(made)
        level = desk.level()
        assert level.peak == D(best), made
        if floor is not None and floor.startswith("breach"):
            assert level.breached is not None
            assert level.breached.limit == D(floor.split()[-1])
        else:
            assert level.breached is None
            assert max((one.limit for one in bounds(level)), default=None) == (None if floor is None else D(floor))
    assert_sound(desk)


def restart(desk: Desk) -> None:
    """What a restart knows: the records, and the last prices from the feed."""
    marks = desk.state.marks
    desk.engine.state = fold(desk.records)
    desk.engine.state.marks.update(marks)


def test_what_is_breached_is_recorded_told_and_refused() -> None:
    desk = Desk()
    rests = desk.resting(Side.BUY, "5", kind=OrderKind.LIMIT, limit_price=D(90))
    guards = desk.resting(Side.SELL, "100", kind=OrderKind.STOP, stop_price=D(80))
    desk.set(stop="500")
    desk.earn("-512")
    (breach,) = desk.of(m.MtmBreached)
    assert (breach.limit, breach.value, breach.base, breach.version) == (D(-500), D(-512), D(0), 1)
    assert {rests.state, guards.state} == {OrderState.CANCEL_PENDING}
    assert desk.closing() == [], "the stop that still works could fill beside the order that closes"
    assert "mtm-breached" in desk.alerts()
    desk.settle("94.88")
    assert (desk.position(), len(desk.closing())) == (D(0), 1)
    refused = desk.submit(Side.BUY, "1")
    assert (refused.state, refused.rule, refused.value) == (OrderState.REFUSED, "mtm", "stop-loss")
    assert refused.reason == (
        "mark-to-market of account A was -512 USD, and the stop-loss floor is -500; "
        "no entries are taken until 2024-03-04T22:00:00Z"
    )
    (check,) = [one for one in desk.of(r.OrderDecided)[-1].checks if one.rule == "mtm"]
    assert check.layer == "account"
    desk.earn("-900")
    assert len(desk.of(m.MtmBreached)) == 1
    assert_sound(desk)


def test_the_next_day_arms_it_and_it_counts_from_the_close() -> None:
    desk = Desk()
    desk.set(stop="500")
    desk.earn("-500")
    desk.settle("95")
    desk.price(ACME, 94, day=1)
    assert desk.level().breached is None
    assert desk.of(r.PanicEnded)[-1].provenance.actor == "mtm"
    desk.holding("100", "94")
    desk.quote(ACME, "89.01")
    assert desk.level().breached is None
    desk.quote(ACME, "89")
    assert desk.of(m.MtmBreached)[-1].value == D(-500)
    assert_sound(desk)


def test_a_night_counts_for_the_day_that_follows() -> None:
    desk = Desk()
    desk.set(stop="500")
    desk.earn("-400")
    desk.price(ACME, 95.5, day=1)
    assert (desk.level().base, desk.profit()) == (D(-400), D(-50)), "the base is the close, not the gap"
    desk.quote(ACME, "91.01")
    assert desk.level().breached is None
    desk.quote(ACME, "91")
    assert desk.level().breached is not None


def test_an_order_before_the_first_price_of_a_day_meets_the_new_day() -> None:
    desk = Desk()
    desk.set(stop="500")
    desk.earn("-500")
    desk.settle("95")
    desk.now = at(1)
    assert desk.submit(Side.BUY, "1").state is OrderState.SUBMITTED


def test_a_close_that_outlasts_the_day_goes_on_and_keeps_entries_out() -> None:
    desk = Desk()
    desk.set(stop="500")
    desk.earn("-500")
    desk.price(ACME, 94, day=1)
    assert desk.submit(Side.BUY, "1").rule == "mtm"
    assert desk.level().breached is not None
    desk.settle("94")
    assert desk.level().breached is None
    assert desk.submit(Side.BUY, "1").state is OrderState.SUBMITTED
    assert_sound(desk)


def test_by_entry_it_counts_from_the_last_time_it_was_flat() -> None:
    desk = Desk()
    desk.set(stop="500", basis=Basis.ENTRY)
    desk.earn("-300")
    desk.price(ACME, 97, day=1)
    assert desk.profit() == D(-300), "a new day changes nothing"
    desk.fill(desk.resting(Side.SELL, "100"), "100", "97")
    assert desk.of(m.MtmBased)[-1].why == "flat"
    assert desk.profit() == D(0)
    desk.holding("100", "97")
    desk.quote(ACME, "92.01")
    assert desk.level().breached is None
    desk.quote(ACME, "92")
    assert desk.level().breached is not None
    assert_sound(desk)


def test_what_is_open_when_rules_are_set_counts_by_entry_and_not_by_day() -> None:
    desk = Desk()
    desk.earn("-300")
    desk.set(stop="500", basis=Basis.ENTRY)
    assert desk.profit() == D(-300)
    desk.set(IN_ACME, stop="500")
    assert desk.profit(IN_ACME) == D(0)
    desk.earn("-500")
    assert [one.scope for one in desk.of(m.MtmBreached)] == [MAIN]


def test_a_change_of_rules_keeps_the_count_and_the_best() -> None:
    desk = Desk()
    desk.set(trail=("200", None))
    desk.earn("400")
    desk.set(trail=("100", None))
    assert (desk.level().version, desk.level().peak, desk.profit()) == (2, D(400), D(400))
    desk.earn("300")
    assert [one.version for one in desk.of(m.MtmBreached)] == [2]


def test_the_same_rules_again_are_no_news_and_empty_ones_take_it_away() -> None:
    desk = Desk()
    desk.set(stop="500")
    seq = desk.state.seq
    desk.set(stop="500")
    assert desk.state.seq == seq
    assert desk.set() is None
    desk.earn("-900")
    assert desk.of(m.MtmBreached) == []
    assert desk.set() is None
    assert_sound(desk)


def test_fills_and_their_charges_are_seen_at_once() -> None:
    desk = Desk()
    desk.set(stop="500")
    desk.earn("-498")
    order = desk.resting(Side.BUY, "1", instrument_id=BOLT.id)
    desk.fill(order, "1", "100", charges=(Charge("commission", D(2)),))
    assert desk.of(m.MtmBreached)[-1].value == D(-500)
    assert {order.spec.instrument_id for order in desk.closing()} == {ACME.id, BOLT.id}


def test_only_the_closes_of_bars_count_where_so_configured() -> None:
    desk = Desk()
    desk.set(stop="500", watch=Watch.BAR)
    desk.earn("-900")
    assert desk.of(m.MtmBreached) == []
    desk.price(ACME, 95, day=0)
    assert desk.of(m.MtmBreached)[-1].value == D(-500)


def test_an_instrument_level_closes_that_instrument_alone() -> None:
    desk = Desk()
    desk.holding("10", "100", instrument_id=BOLT.id)
    other = desk.resting(Side.BUY, "1", instrument_id=BOLT.id, kind=OrderKind.LIMIT, limit_price=D(1))
    desk.set(IN_ACME, stop="500")
    desk.earn("-500")
    desk.settle("95")
    assert (desk.position(), desk.position(of=BOLT), other.state) == (D(0), D(10), OrderState.ACCEPTED)
    refused = desk.submit(Side.BUY, "1")
    assert (refused.rule, refused.reason and refused.reason[:40]) == ("mtm", "mark-to-market of ACME in account A was ")
    assert desk.submit(Side.BUY, "1", instrument_id=BOLT.id).state is OrderState.SUBMITTED
    assert_sound(desk)


def test_a_strategy_in_two_accounts_is_one_level_or_two() -> None:
    desk = Desk("A", "B", held=False)
    desk.deploy(("A", "0.5"), ("B", "0.5"))
    for name in "AB":
        desk.holding("100", "100", account_id=name, book="trend")
        desk.holding("100", "100", account_id=name)
    only_b = Scope(ScopeKind.STRATEGY, "trend", account_id="B")
    desk.set(only_b, stop="400")
    desk.set(TREND, stop="1000")
    desk.earn("-400")
    desk.settle("96")
    held = {(name, book): desk.position(book, account_id=name) for name in "AB" for book in ("trend", "manual")}
    assert held == {("A", "trend"): 100, ("A", "manual"): 100, ("B", "trend"): 0, ("B", "manual"): 100}
    assert desk.submit(Side.BUY, "1", book="trend", account_id="B").rule == "mtm"
    assert desk.submit(Side.BUY, "1", account_id="B").state is OrderState.SUBMITTED
    desk.quote(ACME, "94.01")
    assert desk.level(TREND).breached is None, "of the two, A has lost 599 and B 400"
    desk.quote(ACME, "94")
    assert desk.level(TREND).breached is not None
    desk.settle("94")
    assert desk.position("trend", account_id="A") == 0
    assert_sound(desk)


def test_a_stopped_strategy_is_heard_and_does_not_trade() -> None:
    desk = Desk(held=False)
    desk.deploy(("A", "0.5"))
    desk.signal(0.01)
    (order,) = desk.state.orders.values()
    desk.step(desk.said(e.VenueAccepted, order))
    desk.fill(order, str(order.quantity), "100")
    desk.set(TREND, stop="0.04%")
    assert desk.level(TREND).equity == D(500_000)
    desk.quote(ACME, "96")
    desk.settle("96")
    desk.signal(0.5)
    assert (desk.position("trend"), desk.state.deployments["trend"].targets[ACME.id]) == (D(0), 0.5)
    assert len(desk.state.orders) == 2
    desk.price(ACME, 96, day=1)
    desk.signal(0.5)
    assert len(desk.state.orders) == 2, "it waits for the next change of its target"
    desk.signal(0.4)
    assert len(desk.state.orders) == 3
    assert_sound(desk)


def test_levels_breached_at_once_close_each_position_once() -> None:
    desk = Desk("A", "B", held=False)
    desk.deploy(("A", "0.5"), ("B", "0.5"))
    desk.holding("100", "100", book="trend")
    desk.holding("-40", "100")
    desk.holding("50", "100", account_id="B", book="trend")
    for scope in (IN_ACME, TREND, MAIN, USER):
        desk.set(scope, stop="100")
    desk.quote(ACME, "90")
    assert {one.scope.kind for one in desk.of(m.MtmBreached)} == {"user", "account", "strategy"}
    assert len(desk.of(m.MtmBreached)) == 4
    assert sorted((o.spec.account_id, o.quantity) for o in desk.closing()) == [("A", D(60)), ("B", D(50))], "net"
    desk.settle("90")
    assert desk.state.accounts["A"].net[ACME.id] == desk.state.accounts["B"].net[ACME.id] == 0
    assert all(halt.done_at for halt in desk.state.halts.values())
    assert len(desk.closing()) == 2
    assert_sound(desk)


def test_a_halt_is_a_panic_and_resuming_it_arms_the_level() -> None:
    desk = Desk(held=False)
    desk.deploy(("A", "0.5"))
    desk.holding("100", "100", book="trend")
    desk.set(TREND, stop="500", action=BreachAction.HALT, cooldown=60_000_000_000)
    desk.quote(ACME, "95")
    halt = desk.state.halts["strategy:trend"]
    assert (halt.rule, desk.state.deployments["trend"].deployment.paused) == ("", "panic of strategy trend")
    desk.settle("95")
    desk.price(ACME, 96, day=1)
    assert desk.level(TREND).breached is not None, "a new day does not end a panic"
    assert isinstance(desk.declined(c.RearmMtm(provenance=WHO, scope=TREND)), Conflict)
    desk.step(c.Resume(provenance=WHO, scope=TREND))
    assert desk.level(TREND).breached is None
    assert (desk.level(TREND).base, desk.profit(TREND)) == (D(-500), D(0))
    assert desk.state.deployments["trend"].is_running
    assert_sound(desk)


def test_a_person_may_arm_it_again_after_its_cool_down() -> None:
    desk = Desk()
    again = c.RearmMtm(provenance=WHO, scope=MAIN)
    assert isinstance(desk.declined(again), NotFound)
    desk.set(stop="500", cooldown=60_000_000_000)
    assert isinstance(desk.declined(again), NotFound)
    desk.earn("-500")
    assert "cool-down has 60 seconds left" in desk.declined(again).message
    desk.now += 60_000_000_000
    assert "1 positions are left" in desk.declined(again).message
    desk.settle("95")
    desk.step(again)
    assert (desk.level().breached, desk.profit()) == (None, D(0))
    assert desk.submit(Side.BUY, "1").state is OrderState.SUBMITTED
    assert_sound(desk)


def test_a_reduction_by_hand_passes_while_it_is_closed() -> None:
    desk = Desk()
    desk.resting(Side.BUY, "5", kind=OrderKind.LIMIT, limit_price=D(90))
    unconfirmed = desk.resting(Side.SELL, "1", kind=OrderKind.LIMIT, limit_price=D(200))
    desk.set(stop="500")
    desk.earn("-500")
    assert desk.closing() == []
    by_hand = desk.submit(Side.SELL, "60")
    assert by_hand.state is OrderState.SUBMITTED
    desk.step(e.PanicDue())
    assert [order.quantity for order in desk.closing()] == [D(39)], "what the others may fill is left to them"
    assert unconfirmed.state is OrderState.CANCEL_PENDING


def test_nothing_is_closed_for_want_of_a_price() -> None:
    """After a restart some prices are not known yet: what is held without one must not be taken for its cost."""
    desk = Desk()
    desk.holding("100", "100", instrument_id=BOLT.id)
    desk.set(trail=("200", None))
    desk.quote(BOLT, "110")
    assert desk.level().peak == D(1000)
    desk.engine.state = fold(desk.records)
    desk.earn("1")
    desk.earn("0")
    assert desk.of(m.MtmBreached) == []
    assert desk.alerts().count("mtm-blind") == 1
    desk.quote(BOLT, "107.99")
    assert desk.of(m.MtmBreached)[-1].value == D(799)


def test_a_dividend_counts_with_the_price_that_falls_by_it() -> None:
    desk = Desk()
    desk.set(stop="500")
    ex = desk.state.accounts["A"].day
    desk.now += 1
    dividend = Dividend(ACME.id, ex, D(4))
    desk.step(MarketSlice(desk.now, dividends=(dividend,)), desk.now)
    desk.earn("-400")
    assert desk.profit() == D(0)
    assert desk.level().income == D(400)
    assert_sound(desk)


def test_books_that_offset_each_other_do_not_breach_it_again() -> None:
    """What they make together stays as it is, and is behind a level that is armed again, by entry too."""
    desk = Desk(held=False)
    desk.set(stop="100", basis=Basis.ENTRY)
    desk.holding("-10", "100", book="trend")
    desk.holding("10", "120")
    assert desk.of(m.MtmBreached)[-1].value == D(-200)
    assert (desk.closing(), desk.state.accounts["A"].net[ACME.id]) == ([], D(0)), "the broker holds nothing"
    desk.price(ACME, 90, day=1)
    assert (desk.level().breached, desk.profit()) == (None, D(0))
    desk.quote(ACME, "130")
    assert len(desk.of(m.MtmBreached)) == 1
    assert_sound(desk)


def test_a_split_moves_nothing() -> None:
    desk = Desk()
    desk.set(stop="500", trail=("200", None))
    desk.earn("100")
    desk.step(split_slice(0))
    desk.quote(ACME, "50.50")
    assert (desk.profit(), desk.position()) == (D(100), D(200))
    desk.quote(ACME, "49.51")
    assert desk.of(m.MtmBreached) == []
    desk.quote(ACME, "49.50")
    assert desk.of(m.MtmBreached)[-1].value == D(-100)


def test_it_agrees_with_what_positions_show() -> None:
    desk = Desk()
    desk.set(USER, stop="90000")
    desk.holding("30", "101", instrument_id=BOLT.id)
    desk.fill(desk.resting(Side.SELL, "40"), "40", "103")
    desk.earn("250")
    shown = [
        position.realised - position.charges + desk.state.unrealised(position)
        for held in desk.state.accounts.values()
        for position in held.positions.values()
    ]
    assert desk.profit(USER) == sum(shown) == desk.state.equity(desk.state.accounts["A"]) - 1_000_000


def test_a_fraction_is_of_the_equity_at_the_days_start() -> None:
    desk = Desk()
    desk.set(stop="1%")
    desk.earn("-9999")
    desk.price(ACME, 0.01 + 0.0001, day=1)
    assert desk.level().equity == D("990001")
    assert desk.level().breached is None


FAULTS = [
    ("stop_loss", {"stop": "0"}),
    ("stop_loss", {"stop": "-5"}),
    ("stop_loss", {"stop": "0.001"}),
    ("stop_loss", {"stop": "101%"}),
    ("target", {"target": "NaN"}),
    ("trail.distance", {"trail": ("0", None)}),
    ("trail.activates_at", {"trail": ("1", "0")}),
    ("lock_in.0.floor", {"lock": [("500", "500")]}),
    ("lock_in.1.floor", {"lock": [("500", "0"), ("1%", "2%")]}),
    ("cooldown", {"stop": "1", "cooldown": -1}),
]


@pytest.mark.parametrize(("field", "given"), FAULTS)
def test_rules_that_make_no_sense(field: str, given: dict[str, Any]) -> None:
    error = Desk().declined(c.SetMtmRules(provenance=WHO, scope=MAIN, rules=rules(**given)))
    assert isinstance(error, InvalidInput)
    assert field in [one.field for one in error.errors]


def test_scopes_that_cannot_be() -> None:
    desk = Desk("A", "B")
    euros = Account(id="E", user_id="u", name="E", broker="sim", currency="EUR")
    desk.step(c.OpenAccount(provenance=WHO, account=euros, initial_cash=D(5)))
    some = rules(stop="5")
    for scope, kind in (
        (Scope(ScopeKind.PLATFORM), InvalidInput),
        (Scope(ScopeKind.ACCOUNT, "nobody"), NotFound),
        (Scope(ScopeKind.ACCOUNT, "A", instrument_id="nothing"), NotFound),
        (Scope(ScopeKind.STRATEGY, "nothing"), NotFound),
        (Scope(ScopeKind.USER, "nobody"), NotFound),
        (USER, InvalidInput),
    ):
        assert isinstance(desk.declined(c.SetMtmRules(provenance=WHO, scope=scope, rules=some)), kind), scope
    narrow = rules(stop="5", action=BreachAction.HALT)
    error = desk.declined(c.SetMtmRules(provenance=WHO, scope=IN_ACME, rules=narrow))
    assert "a halt is for a whole strategy" in error.errors[0].message  # type: ignore[attr-defined]


def test_an_account_of_another_currency_that_comes_later_does_not_count() -> None:
    desk = Desk()
    desk.set(USER, stop="5%")
    euros = Account(id="E", user_id="u", name="E", broker="sim", currency="EUR", type=AccountType.MARGIN)
    desk.step(c.OpenAccount(provenance=WHO, account=euros, initial_cash=D(70000)))
    desk.step(e.BrokerSnapshot(account_id="E", complete=True))
    desk.price(ACME, 99, day=1)
    assert (desk.level(USER).base, desk.level(USER).equity) == (D(0), D(1_000_000))
    desk.set(USER, stop="4%")
    assert desk.level(USER).currency == "USD"
    assert_sound(desk)


def test_a_strategy_without_an_account_any_more_counts_nothing() -> None:
    desk = Desk(held=False)
    desk.deploy(("A", "0.5"))
    desk.set(TREND, stop="5%")
    desk.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", accounts=()))
    desk.price(ACME, 99, day=1)
    desk.price(ACME, 98, day=2)
    assert (desk.level(TREND).breached, desk.profit(TREND)) == (None, D(0))
    assert_sound(desk)


def test_a_quiet_market_stays_quiet() -> None:
    """What an armed level does not hold costs no record; neither does one whose bounds are far."""
    desk = Desk()
    desk.set(stop="500")
    seq = desk.state.seq
    desk.quote(BOLT, "50")
    for made in ("1", "2", "3", "-499"):
        desk.earn(made)
    assert desk.state.seq == seq
    assert not desk.state.mtm.concern({BOLT.id})
    assert desk.state.mtm.concern({ACME.id})
