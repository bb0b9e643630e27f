"""Layers of limits in the engine: what each layer reads, who falls under it, and that none can loosen another."""

from datetime import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.accounts import Account, AccountType, Limits
from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.ids import Hashed
from evenkeel.domain.limit_records import ScopeDayClosed, ScopeLimitsChanged
from evenkeel.domain.limits import Layer, LimitScope, RuleSet, Window
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.orders import Order, OrderKind, OrderState, Side
from evenkeel.domain.records import OrderDecided
from evenkeel.trading.engine.engine import Engine
from evenkeel.trading.engine.usage import what_if
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, World, assert_sound, at, bar, fold

D = Decimal
PLATFORM, USER = LimitScope(Layer.PLATFORM), LimitScope(Layer.USER, "u")
STRATEGY = LimitScope(Layer.STRATEGY, "trend")
OF_ACME, OF_ACME_FOR_ALL = LimitScope(Layer.INSTRUMENT, ACME.id, "u"), LimitScope(Layer.INSTRUMENT, ACME.id)


def desk(**more: Any) -> World:
    """Two accounts of one user and one of another, all with 100,000 and no limits of their own; ACME and BOLT at 10;
    a strategy with a tenth of A and B."""
    world = World()
    world.account("A", limits=OPEN, **more)
    world.account("B", limits=OPEN)
    other = Account("C", "v", "C", "sim", "USD", limits=OPEN, type=AccountType.MARGIN)
    world.step(c.OpenAccount(provenance=WHO, account=other, initial_cash=D(100_000)))
    world.step(e.BrokerSnapshot(account_id="C", complete=True))
    world.deploy(("A", "0.1"), ("B", "0.1"))
    world.step(MarketSlice(at(0), bars=(bar(ACME, 0, 10.0), bar(BOLT, 0, 10.0))))
    return world


def ruled(world: World, scope: LimitScope, **rules: Any) -> None:
    numbers: dict[str, Any] = {name: D(value) if isinstance(value, str) else value for name, value in rules.items()}
    world.step(c.SetScopeLimits(provenance=WHO, scope=scope, rules=RuleSet(**numbers)))


def refused(order: Order) -> tuple[str | None, str | None, str | None]:
    """Rule, value and layer of a refusal."""
    assert order.state is OrderState.REFUSED, order.state
    return order.rule, order.value, order.layer


def passes(order: Order) -> bool:
    return order.state is not OrderState.REFUSED


# Each layer with a limit of 100 units of ACME: held is 40 in account A by hand, 30 in B by the strategy, 20 in C
# (another user's) by hand. What may still be bought in A by hand shows what the layer reads.
REACH = [
    ("the instrument, for the user", OF_ACME, 30),
    ("the instrument, for everybody", OF_ACME_FOR_ALL, 10),
    ("the user", USER, 30),
    ("the platform", PLATFORM, 10),
]


@pytest.mark.parametrize(("scope", "left"), [row[1:] for row in REACH], ids=[row[0] for row in REACH])
def test_what_a_layer_reads(scope: LimitScope, left: int) -> None:
    world = desk()
    world.holding("40")
    world.holding("30", account_id="B", book="trend")
    world.holding("20", account_id="C")
    ruled(world, scope, max_position="100")
    assert refused(world.submit(Side.BUY, str(left + 1))) == ("max-position", "101", scope.kind)
    assert passes(world.submit(Side.BUY, str(left)))
    assert_sound(world)


def test_a_strategy_reads_its_book_in_all_its_accounts() -> None:
    world = desk()
    world.holding("1000")
    world.holding("60", book="trend")
    world.holding("30", account_id="B", book="trend")
    ruled(world, STRATEGY, max_position="100")
    assert refused(world.submit(Side.BUY, "11", book="trend")) == ("max-position", "101", Layer.STRATEGY)
    assert passes(world.submit(Side.BUY, "11"))
    assert passes(world.submit(Side.BUY, "10", book="trend", account_id="B"))
    assert_sound(world)


def test_what_works_counts_as_if_it_had_filled() -> None:
    world = desk()
    ruled(world, USER, max_position="100")
    world.resting(Side.BUY, "60", kind=OrderKind.LIMIT, limit_price=D(9), account_id="B")
    assert refused(world.submit(Side.BUY, "41")) == ("max-position", "101", Layer.USER)
    assert passes(world.submit(Side.SELL, "100"))


def test_another_user_is_not_held_back_by_ones_own_limits() -> None:
    world = desk()
    ruled(world, USER, max_order_quantity="10")
    ruled(world, OF_ACME, max_order_quantity="5")
    assert passes(world.submit(Side.BUY, "11", account_id="C"))
    assert refused(world.submit(Side.BUY, "6")) == ("max-order-quantity", "6", Layer.INSTRUMENT)
    assert refused(world.submit(Side.BUY, "11", instrument_id=BOLT.id)) == ("max-order-quantity", "11", Layer.USER)


def test_the_first_layer_that_refuses_is_named_and_none_can_loosen_another() -> None:
    world = desk()
    scopes = (OF_ACME, STRATEGY, USER, PLATFORM)
    for size, scope in enumerate(scopes, 10):
        ruled(world, scope, max_order_quantity=str(size))
    own = Limits(None, None, None, max_order_quantity=D(20), allow_short=True, cash_check=False)
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=own))
    for scope in (OF_ACME, STRATEGY, USER, PLATFORM):
        order = world.submit(Side.BUY, "30", book="trend")
        assert refused(order) == ("max-order-quantity", "30", scope.kind)
        ruled(world, scope)
        if scope is STRATEGY:
            assert refused(world.submit(Side.BUY, "30")) == ("max-order-quantity", "30", Layer.ACCOUNT)
            world.step(c.SetLimits(provenance=WHO, account_id="A", limits=OPEN))
    assert passes(world.submit(Side.BUY, "30", book="trend"))
    assert world.state.layers == {}
    assert_sound(world)


def test_approved_checks_record_what_every_layer_saw() -> None:
    world = desk()
    for scope in (OF_ACME, USER, PLATFORM):
        ruled(world, scope, max_position="100")
    world.submit(Side.BUY, "10")
    decided = world.of(OrderDecided)[-1]
    found = [(check.rule, check.layer, check.value) for check in decided.checks if check.rule == "max-position"]
    assert found == [("max-position", kind, "10") for kind in (Layer.INSTRUMENT, Layer.USER, Layer.PLATFORM)]


MONEY = [
    # 1,000 ACME long in A, 500 BOLT short in B, both at 10: gross 15,000, net 5,000, of 200,000 for the user.
    ("max_gross_exposure", "15100", 10, "15110.00"),
    ("max_net_exposure", "5100", 10, "5110.00"),
    ("max_gross_leverage", "0.0755", 10, "0.0756"),
    ("max_net_leverage", "0.0255", 10, "0.0256"),
    ("max_margin_use", "0.03775", 10, "0.0378"),
    ("max_turnover", "0.0755", 10, "0.0756"),
]


@pytest.mark.parametrize(("rule", "limit", "most", "value"), MONEY, ids=[row[0] for row in MONEY])
def test_exposure_over_accounts(rule: str, limit: str, most: int, value: str) -> None:
    world = desk()
    world.holding("1000")
    world.holding("-500", account_id="B", instrument_id=BOLT.id)
    ruled(world, USER, **{rule: limit})
    assert refused(world.submit(Side.BUY, str(most + 1))) == (rule.replace("_", "-"), value, Layer.USER)
    assert passes(world.submit(Side.BUY, str(most)))


def test_money_of_two_currencies_does_not_add_up() -> None:
    world = desk()
    account = Account("E", "u", "E", "sim", "EUR", limits=OPEN, type=AccountType.MARGIN)
    world.step(c.OpenAccount(provenance=WHO, account=account, initial_cash=D(10**9)))
    ruled(world, USER, max_gross_leverage="0.5")
    assert refused(world.submit(Side.BUY, "10001")) == ("max-gross-leverage", "0.50005", Layer.USER)
    assert passes(world.submit(Side.BUY, "10000"))


def test_orders_and_trades_are_counted_by_reach() -> None:
    world = desk()
    ruled(world, USER, max_open_orders=3)
    ruled(world, STRATEGY, max_trades_per_day=1)
    ruled(world, OF_ACME, max_trades_per_day=3)
    assert passes(world.submit(Side.BUY, "1", book="trend"))
    assert refused(world.submit(Side.BUY, "1", book="trend")) == ("max-trades-per-day", "1", Layer.STRATEGY)
    assert passes(world.submit(Side.BUY, "1", account_id="B"))
    assert passes(world.submit(Side.BUY, "1", account_id="C"))
    assert passes(world.submit(Side.BUY, "1"))
    assert refused(world.submit(Side.BUY, "1")) == ("max-trades-per-day", "3", Layer.INSTRUMENT)
    assert refused(world.submit(Side.BUY, "1", instrument_id=BOLT.id)) == ("max-open-orders", "3", Layer.USER)
    assert_sound(world)


def test_turnover_is_what_has_filled_today_and_what_works() -> None:
    world = desk()
    ruled(world, STRATEGY, max_turnover="0.2")  # of 20,000 that are allotted
    world.fill(world.resting(Side.BUY, "200", book="trend"), "200")
    world.resting(Side.BUY, "100", book="trend", account_id="B", kind=OrderKind.LIMIT, limit_price=D(9))
    assert refused(world.submit(Side.BUY, "101", book="trend")) == ("max-turnover", "0.2005", Layer.STRATEGY)
    assert passes(world.submit(Side.BUY, "100", book="trend"))
    world.price(ACME, 10.0, 1)
    assert passes(world.submit(Side.BUY, "100", book="trend")), "what filled yesterday is not today's"
    assert_sound(world)


@pytest.mark.parametrize("scope", [STRATEGY, USER, PLATFORM, OF_ACME], ids=lambda one: one.kind)
def test_a_low_price_of_one_order_does_not_make_the_turnover_of_others_less(scope: LimitScope) -> None:
    world = desk()
    ruled(world, scope, max_turnover="1")
    equity = {STRATEGY: 20_000, PLATFORM: 300_000}.get(scope, 200_000)
    half = {"book": "trend", "kind": OrderKind.LIMIT, "limit_price": D(5)}
    world.resting(Side.BUY, str(equity // 10), **half)  # judged at 5; from now on it counts at the last price, 10
    one = {"book": "trend", "kind": OrderKind.LIMIT, "limit_price": D("0.01")}
    rule, value, layer = refused(world.submit(Side.BUY, "1", **one))
    assert (rule, layer) == ("max-turnover", scope.kind)
    assert 1 < D(value or 0) < D("1.000001")
    assert_sound(world)


def test_a_strategy_has_lost_what_its_book_has_since_the_day_began() -> None:
    world = desk()
    world.holding("100", book="trend")
    world.holding("5000")
    world.price(ACME, 12.0, 1)
    ruled(world, STRATEGY, daily_loss="0.01", daily_loss_amount="150")
    world.price(ACME, 12.0, 2)
    (closed, _) = world.of(ScopeDayClosed)
    assert (closed.account_id, closed.result) == ("A", D(200))
    world.price(ACME, 10.51, 2)
    assert passes(world.submit(Side.BUY, "1", book="trend")), "149 of it"
    world.price(ACME, 10.50, 2)
    assert refused(world.submit(Side.BUY, "1", book="trend")) == ("daily-loss-amount", "150.00", Layer.STRATEGY)
    assert passes(world.submit(Side.BUY, "1")), "the account has none"
    world.price(ACME, 10.50, 3)
    assert passes(world.submit(Side.BUY, "1", book="trend")), "another day"
    assert_sound(world)


def test_losses_count_from_when_a_rule_first_reads_them() -> None:
    world = desk()
    world.holding("100", book="trend")
    ruled(world, STRATEGY, max_position="1000")
    world.price(ACME, 12.0, 1)
    world.price(ACME, 12.0, 2)
    assert world.of(ScopeDayClosed) == []
    ruled(world, STRATEGY, max_position="1000", daily_loss_amount="150")
    world.price(ACME, 10.51, 2)
    assert passes(world.submit(Side.BUY, "1", book="trend"))
    ruled(world, STRATEGY, max_position="999", daily_loss_amount="149")
    assert refused(world.submit(Side.BUY, "1", book="trend")) == ("daily-loss-amount", "149.00", Layer.STRATEGY)
    assert_sound(world)


def test_a_user_has_lost_what_all_accounts_have() -> None:
    world = desk()
    world.holding("1000")
    world.holding("1000", account_id="B")
    ruled(world, USER, daily_loss_amount="2000")
    world.price(ACME, 9.01, 0)
    assert passes(world.submit(Side.BUY, "1"))
    world.price(ACME, 9.0, 0)
    assert refused(world.submit(Side.BUY, "1", account_id="B")) == ("daily-loss-amount", "2000.00", Layer.USER)
    assert passes(world.submit(Side.BUY, "1", account_id="C"))


def losing(world: World, book: str = "manual", **more: Any) -> None:
    """A closed trade that has lost one dollar a share."""
    world.holding("10", "10", book=book, **more)
    world.fill(world.resting(Side.SELL, "10", book=book, **more), "10", "9")


def test_a_streak_of_losses_pauses_entries_for_a_while() -> None:
    world = desk()
    limits = Limits(None, None, None, allow_short=True, cash_check=False, max_losses=2, loss_pause=600)
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=limits))
    ruled(world, USER, max_losses=3, loss_pause=3600)
    losing(world)
    assert passes(world.submit(Side.BUY, "1"))
    losing(world, account_id="B")
    losing(world)
    assert refused(world.submit(Side.BUY, "1")) == ("loss-streak", "2", Layer.ACCOUNT)
    assert refused(world.submit(Side.BUY, "1", account_id="B")) == ("loss-streak", "3", Layer.USER)
    world.now += 600 * 10**9
    assert refused(world.submit(Side.BUY, "1")) == ("loss-streak", "3", Layer.USER)
    world.now += 3000 * 10**9 - 1
    assert not passes(world.submit(Side.BUY, "1"))
    world.now += 1
    assert passes(world.submit(Side.BUY, "1"))
    assert_sound(world)


def test_a_trade_that_wins_ends_the_streak_and_one_through_zero_is_closed() -> None:
    world = desk()
    standing = world.state.accounts["A"].standing
    losing(world)
    world.holding("10", "10")
    world.fill(world.resting(Side.SELL, "25"), "25", "11")
    assert standing.losses == 0
    world.fill(world.resting(Side.BUY, "15"), "15", "12")
    assert standing.losses == 1
    assert_sound(world)


def test_hours_and_sessions() -> None:
    world = desk()  # it is four o'clock in New York on a Monday
    close = Window(time(16), time(16, 30), "America/New_York", (1,))
    ruled(world, USER, windows=(close,))
    assert passes(world.submit(Side.BUY, "1"))
    world.now += 30 * 60 * 10**9 - 1
    assert passes(world.submit(Side.BUY, "1"))
    world.now += 1
    assert refused(world.submit(Side.BUY, "1")) == ("time-window", "outside", Layer.USER)
    night = Window(time(22), time(4), "America/New_York", (1,))
    ruled(world, USER, windows=(night,))
    world.now = at(0) + 10 * 3600 * 10**9  # two in the morning on Tuesday, which is Monday's night
    assert passes(world.submit(Side.BUY, "1"))
    world.now += 24 * 3600 * 10**9
    assert refused(world.submit(Side.BUY, "1")) == ("time-window", "outside", Layer.USER)
    ruled(world, USER, exchange_hours=True)
    assert passes(world.submit(Side.BUY, "1")), "it trades around the clock"


def test_a_strategys_exit_passes_its_own_limits_and_not_those_of_its_account() -> None:
    world = desk()
    world.holding("-40")
    world.holding("40", book="trend")
    ruled(world, STRATEGY, max_trades_per_day=0, max_order_quantity="1")
    assert passes(world.submit(Side.SELL, "40", book="trend"))
    ruled(world, USER, max_order_quantity="1")
    assert not passes(world.submit(Side.SELL, "40", book="trend")), "the account is flat: this would make it short"


def test_limits_that_make_no_sense_are_declined_by_field() -> None:
    world = desk()
    scope = LimitScope(Layer.USER, "u")
    faults: list[tuple[dict[str, Any], str]] = [
        ({"max_position": D(-1)}, "rules.max_position"),
        ({"max_gross_leverage": D("NaN")}, "rules.max_gross_leverage"),
        ({"max_correlation": D("1.1")}, "rules.max_correlation"),
        ({"max_losses": 3}, "rules.loss_pause"),
        ({"loss_pause": 60}, "rules.max_losses"),
        ({"max_open_orders": -1}, "rules.max_open_orders"),
        ({"drawdown_halt": D(1)}, "rules.drawdown_halt"),
        ({"drawdown_halt": D("0.05"), "drawdown_warn": D("0.1")}, "rules.drawdown_halt"),
        ({"windows": ()}, "rules.windows"),
    ]
    for rules, field in faults:
        error = world.declined(c.SetScopeLimits(provenance=WHO, scope=scope, rules=RuleSet(**rules)))
        assert isinstance(error, InvalidInput)
        assert [fault.field for fault in error.errors] == [field]
    for wrong in (
        LimitScope(Layer.INSTRUMENT, "none"),
        LimitScope(Layer.ACCOUNT, "A"),
        LimitScope(Layer.PLATFORM, "x"),
    ):
        assert isinstance(world.declined(c.SetScopeLimits(provenance=WHO, scope=wrong, rules=RuleSet())), InvalidInput)
    missing = c.SetScopeLimits(provenance=WHO, scope=LimitScope(Layer.STRATEGY, "none"), rules=RuleSet())
    assert isinstance(world.declined(missing), NotFound)


def test_a_change_is_recorded_with_its_version_and_the_same_again_is_none() -> None:
    world = desk()
    for limit in ("10", "10", "20"):
        ruled(world, USER, max_position=limit)
    ruled(world, USER)
    assert [(one.version, one.rules.max_position) for one in world.of(ScopeLimitsChanged)] == [
        (1, D(10)), (2, D(20)), (3, None),
    ]  # fmt: skip
    assert fold(world.records).layers == {}


amounts = st.sampled_from([None, "0", "0.01", "0.5", "5", "50", "5000", "100000"])
counts = st.sampled_from([None, 0, 1, 5, 100])
RULES_OF_ANY_KIND = st.fixed_dictionaries(
    {
        **dict.fromkeys(
            (
                "max_position", "max_position_value", "max_gross_exposure", "max_net_exposure", "max_order_quantity",
                "max_order_value", "max_position_share", "max_gross_leverage", "max_net_leverage", "max_margin_use",
                "max_turnover", "daily_loss_amount", "price_collar", "min_diversification",
            ),
            amounts,
        ),
        **dict.fromkeys(("max_open_orders", "max_trades_per_day", "max_quote_age"), counts),
        "daily_loss": st.sampled_from([None, "0", "0.01", "1"]),
        "drawdown_reduce": st.sampled_from([None, "0.0001", "0.05"]),
        "exchange_hours": st.sampled_from([None, True]),
    }
)  # fmt: skip
SOME_LAYER = st.sampled_from([OF_ACME, OF_ACME_FOR_ALL, STRATEGY, USER, PLATFORM])
FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def _with_limits(layers: dict[LimitScope, dict[str, Any]], held: int) -> World:
    world = desk()
    world.holding(str(held), book="trend")
    world.holding("300", account_id="B")
    world.price(ACME, 8.0, 0)
    for scope, rules in layers.items():
        ruled(world, scope, **rules)
    return world


@FEW
@given(
    layers=st.dictionaries(SOME_LAYER, RULES_OF_ANY_KIND, max_size=3),
    held=st.integers(-500, 500).filter(bool),
    part=st.floats(0.01, 1),
    kind=st.sampled_from([OrderKind.MARKET, OrderKind.LIMIT]),
)
def test_what_reduces_passes_whatever_limits_are_set(
    layers: dict[LimitScope, dict[str, Any]], held: int, part: float, kind: OrderKind
) -> None:
    world = _with_limits(layers, held)
    side, quantity = (Side.SELL if held > 0 else Side.BUY), max(1, int(abs(held) * part))
    prices = {"limit_price": D(500)} if kind is OrderKind.LIMIT else {}
    order = world.submit(side, str(quantity), book="trend", kind=kind, **prices)
    assert passes(order), (order.rule, order.reason)


@FEW
@given(
    layers=st.dictionaries(SOME_LAYER, RULES_OF_ANY_KIND, max_size=3),
    held=st.integers(-500, 500).filter(bool),
    side=st.sampled_from(list(Side)),
    quantity=st.integers(1, 2000),
    limit=st.sampled_from([None, "7", "8", "9"]),
    book=st.sampled_from(["manual", "trend"]),
    account_id=st.sampled_from(["A", "B", "C"]),
)
def test_asking_says_what_placing_would_and_changes_nothing(
    layers: dict[LimitScope, dict[str, Any]],
    held: int,
    side: Side,
    quantity: int,
    limit: str | None,
    book: str,
    account_id: str,
) -> None:
    world = _with_limits(layers, held)
    kind = OrderKind.MARKET if limit is None else OrderKind.LIMIT
    prices = {} if limit is None else {"limit_price": D(limit)}
    spec = world.spec(side, str(quantity), account_id=account_id, book=book, kind=kind, **prices)
    before, seq = repr(world.state), world.state.seq
    found = what_if(world.state, spec, at=world.now)
    assert (repr(world.state), world.state.seq) == (before, seq)
    world.step(c.SubmitOrder(provenance=WHO, spec=spec))
    decided = world.of(OrderDecided)[-1]
    assert decided.approved is all(check.reason is None for check in found)
    assert decided.checks == (found if decided.approved else found[: len(decided.checks)])


def test_asking_on_another_day_counts_that_day() -> None:
    world = World()
    world.account("A", limits=Limits(max_position_share=None, max_trades_per_day=1))
    world.price(ACME, 10.0)
    world.submit(Side.BUY, "1")
    assert not all(check.reason is None for check in what_if(world.state, world.spec(Side.BUY, "1"), at=world.now))
    tomorrow = at(1)
    assert all(check.reason is None for check in what_if(world.state, world.spec(Side.BUY, "1"), at=tomorrow))


@FEW
@given(
    limits=st.fixed_dictionaries({
        "max_gross_exposure": st.sampled_from(["3000", "8000", None]),
        "max_net_exposure": st.sampled_from(["2500", "7000", None]),
        "max_position": st.sampled_from(["150", "400", None]),
    }),
    orders=st.lists(
        st.tuples(
            st.sampled_from(["A", "B"]), st.sampled_from([ACME.id, BOLT.id]), st.sampled_from(list(Side)),
            st.integers(1, 300), st.booleans(),
        ),
        max_size=12,
    ),
)  # fmt: skip
def test_no_limit_is_exceeded_by_what_was_approved(
    limits: dict[str, str | None], orders: list[tuple[str, str, Side, int, bool]]
) -> None:
    """Whichever of the approved orders fill, at the price they were judged by. What reduces is not limited by these."""
    world = desk()
    ruled(world, USER, **limits)
    for account_id, instrument_id, side, quantity, fills in orders:
        held_here = world.state.accounts[account_id].net.get(instrument_id, D(0))
        if held_here * side.sign < 0 and quantity <= abs(held_here):
            continue
        order = world.submit(side, str(quantity), account_id=account_id, instrument_id=instrument_id)
        if passes(order) and fills:
            world.step(world.said(e.VenueAccepted, order))
            world.fill(order, str(quantity))
    held = {(name, i): q for name in "AB" for i, q in world.state.accounts[name].net.items()}
    gross, net = 10 * sum(map(abs, held.values()), D(0)), 10 * abs(sum(held.values(), D(0)))
    assert limits["max_gross_exposure"] is None or gross <= D(limits["max_gross_exposure"])
    assert limits["max_net_exposure"] is None or net <= D(limits["max_net_exposure"])
    for instrument in (ACME.id, BOLT.id):
        whole = abs(sum((q for (_, i), q in held.items() if i == instrument), D(0)))
        assert limits["max_position"] is None or whole <= D(limits["max_position"])


def test_an_account_without_layers_is_judged_without_a_look_at_any() -> None:
    world = World()
    world.account("A", limits=OPEN)
    assert world.state.layers == {}
    assert not world.state.tiered
    assert world.state.accounts["A"].standing.plan == ()
    assert Engine(world.state, Hashed("again")).state is world.state
