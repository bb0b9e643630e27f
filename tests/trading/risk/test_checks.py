"""Every check at its boundary, with the words a trader reads; and what may never be held back."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.accounts import AccountType, Limits, Readiness
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.orders import OrderKind, OrderSpec, Side
from evenkeel.domain.records import Check
from evenkeel.domain.risk import Approved, Refused
from evenkeel.trading.risk import RiskView, assess, buffer_of
from evenkeel.trading.risk.checks import ENTRY_CHECKS, ORDER_CHECKS

D = Decimal
ACME = Instrument("i", "ACME", "TEST", AssetClass.EQUITY, "USD", D("0.05"), D(10))
NO_LIMITS = Limits(None, None, None, allow_short=True, cash_check=False)


def view(
    side: Side = Side.BUY,
    quantity: str = "100",
    *,
    kind: OrderKind = OrderKind.MARKET,
    limit: str | None = None,
    stop: str | None = None,
    **more: Any,
) -> RiskView:
    """A calm account: 100,000 of equity in cash, ACME at 10 (0: not quoted), nothing held and nothing on its way."""
    limit_price, stop_price = (None if text is None else D(text) for text in (limit, stop))
    spec = OrderSpec("a", "manual", ACME.id, side, D(quantity), kind, "c", limit_price, stop_price)
    numbers = {"price": "10", "held": "0", "working_buys": "0", "working_sells": "0", "cash": "100000"}
    numbers |= {"reserved": "0", "charges": "0", "equity": "100000", "day_start_equity": "100000"}
    figures: dict[str, Any] = {name: D(more.pop(name, text)) for name, text in numbers.items()}
    rest: dict[str, Any] = {
        "spec": spec,
        "quantity": spec.quantity,
        "instrument": ACME,
        "rules": more.pop("limits", Limits()),
        "account_type": AccountType.CASH,
        "account_currency": "USD",
        "readiness": Readiness.READY,
        "readiness_reason": None,
        "trades_today": 0,
    }
    seen = RiskView(**(figures | rest | more))
    return seen if seen.price else msgspec.structs.replace(seen, price=None)


def refusal(seen: RiskView) -> Check:
    verdict = assess(seen)
    assert isinstance(verdict, Refused), verdict
    return verdict.check


def passed(seen: RiskView, rule: str) -> Check:
    verdict = assess(seen)
    assert isinstance(verdict, Approved), verdict
    return next(check for check in verdict.checks if check.rule == rule)


REFUSED: list[tuple[str, RiskView, tuple[str, str, str, str]]] = [
    (
        "an odd lot",
        view(quantity="15"),
        ("lot-size", "10", "15", "quantity 15 is not a positive multiple of the lot size 10"),
    ),
    (
        "nothing",
        view(quantity="0"),
        ("lot-size", "10", "0", "quantity 0 is not a positive multiple of the lot size 10"),
    ),
    (
        "less than nothing",
        view(quantity="-10"),
        ("lot-size", "10", "-10", "quantity -10 is not a positive multiple of the lot size 10"),
    ),
    (
        "between ticks",
        view(kind=OrderKind.LIMIT, limit="10.01"),
        ("tick-size", "0.05", "10.01", "price 10.01 is not a positive multiple of the tick size 0.05"),
    ),
    (
        "a stop between ticks",
        view(kind=OrderKind.STOP_LIMIT, limit="10.05", stop="10.06"),
        ("tick-size", "0.05", "10.06", "price 10.06 is not a positive multiple of the tick size 0.05"),
    ),
    (
        "a price of nothing",
        view(kind=OrderKind.LIMIT, limit="0"),
        ("tick-size", "0.05", "0", "price 0 is not a positive multiple of the tick size 0.05"),
    ),
    (
        "another currency",
        view(account_currency="EUR"),
        ("currency", "EUR", "USD", "the account holds EUR, and ACME trades in USD"),
    ),
    ("no price", view(price="0"), ("price-known", "a price", "None", "no price of ACME has been seen yet")),
    (
        "not ready",
        view(readiness=Readiness.NOT_READY),
        ("account-ready", "READY", "NOT_READY", "the account is NOT_READY: it has not been reconciled"),
    ),
    (
        "blocked",
        view(readiness=Readiness.BLOCKED, readiness_reason="a person must decide"),
        ("account-ready", "READY", "BLOCKED", "the account is BLOCKED: a person must decide"),
    ),
    (
        "the hundred-and-first",
        view(trades_today=100),
        ("max-trades-per-day", "100", "100", "100 orders today, the limit is 100"),
    ),
    (
        "a loss at the limit",
        view(equity="98000"),
        ("daily-loss", "0.02", "0.0200", "today's loss is 2 % of equity, the limit is 2 %"),
    ),
    (
        "a loss beyond it",
        view(equity="97655"),
        ("daily-loss", "0.02", "0.0234", "today's loss is 2.34 % of equity, the limit is 2 %"),
    ),
    (
        "a short",
        view(Side.SELL, "10"),
        ("short-selling", "off", "10", "this would leave the account 10 short, and short selling is off"),
    ),
    (
        "a short by ten",
        view(Side.SELL, "110", held="100"),
        ("short-selling", "off", "10", "this would leave the account 10 short, and short selling is off"),
    ),
    (
        "a short beside a resting sale",
        view(Side.SELL, "100", held="100", working_sells="50"),
        (
            "short-selling",
            "off",
            "50",
            (
                "this would leave the account 50 short, and short selling is off: orders that work sell 50 of the 100 "
                "ACME held; cancel one, or place both as an OCO"
            ),
        ),
    ),
    (
        "a stop beside a purchase that has not filled",
        view(Side.SELL, "10", working_buys="10"),
        (
            "short-selling",
            "off",
            "10",
            (
                "this would leave the account 10 short, and short selling is off: what is being bought of ACME counts "
                "once it has filled; a bracket waits for that"
            ),
        ),
    ),
    (
        "a short in a cash account",
        view(Side.SELL, "10", limits=Limits(allow_short=True)),
        ("short-selling", "off", "10", "this would leave the account 10 short, and a cash account cannot sell short"),
    ),
    (
        "a share too large",
        view(quantity="1010"),
        ("max-position-share", "0.10", "0.1010", "ACME would be 10.1 % of equity, the limit is 10 %"),
    ),
    (
        "a share with what is held and on its way",
        view(quantity="10", held="500", working_buys="500"),
        ("max-position-share", "0.10", "0.1010", "ACME would be 10.1 % of equity, the limit is 10 %"),
    ),
    (
        "a share too short",
        view(Side.SELL, "1010", limits=Limits(allow_short=True), account_type=AccountType.MARGIN),
        ("max-position-share", "0.10", "0.1010", "ACME would be 10.1 % of equity, the limit is 10 %"),
    ),
    (
        "no equity",
        view(equity="0", day_start_equity="0"),
        ("max-position-share", "0.10", "0", "the account has no equity to take risk with"),
    ),
    (
        "more than the cash",
        view(cash="1009.99", quantity="100"),
        ("cash", "1009.99", "1010.00", "needs 1010.00 USD, and 1009.99 is free"),
    ),
    (
        "more than the cash not reserved",
        view(cash="2000", reserved="990.01"),
        ("cash", "1009.99", "1010.00", "needs 1010.00 USD, and 1009.99 is free"),
    ),
    (
        "more than the cash with charges",
        view(kind=OrderKind.LIMIT, limit="10", cash="1000", charges="0.01"),
        ("cash", "1000.00", "1000.01", "needs 1000.01 USD, and 1000.00 is free"),
    ),
]


@pytest.mark.parametrize(("seen", "expected"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refusals(seen: RiskView, expected: tuple[str, str, str, str]) -> None:
    check = refusal(seen)
    assert (check.rule, check.limit, check.value, check.reason) == expected


ALLOWED: list[tuple[str, RiskView, str, str, str]] = [
    ("a lot", view(quantity="10"), "lot-size", "10", "10"),
    ("on the tick", view(kind=OrderKind.LIMIT, limit="9.95"), "tick-size", "0.05", "ok"),
    ("the hundredth", view(trades_today=99), "max-trades-per-day", "100", "99"),
    ("a loss just below", view(equity="98000.01"), "daily-loss", "0.02", "0.0200"),
    ("a profit", view(equity="120000"), "daily-loss", "0.02", "0.0000"),
    ("the last one held", view(Side.SELL, "100", held="200", working_sells="100"), "lot-size", "10", "100"),
    ("a share at the limit", view(quantity="1000"), "max-position-share", "0.10", "0.1000"),
    (
        "a purchase that only shrinks a short",
        view(quantity="1000", held="-500", price="10", readiness=Readiness.READY),
        "max-position-share",
        "0.10",
        "0.0500",
    ),
    ("all the cash", view(cash="1010.00"), "cash", "1010.00", "1010.00"),
    (
        "all the cash at a limit",
        view(kind=OrderKind.LIMIT, limit="10", cash="1000", charges="0"),
        "cash",
        "1000.00",
        "1000.00",
    ),
    (
        "a short where it is allowed",
        view(Side.SELL, "10", limits=Limits(allow_short=True), account_type=AccountType.MARGIN),
        "short-selling",
        "on",
        "10",
    ),
]


@pytest.mark.parametrize(
    ("seen", "rule", "limit", "value"), [case[1:] for case in ALLOWED], ids=[case[0] for case in ALLOWED]
)
def test_what_is_just_allowed(seen: RiskView, rule: str, limit: str, value: str) -> None:
    check = passed(seen, rule)
    assert (check.limit, check.value, check.reason) == (limit, value, None)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"max_position_share": None}, "max-position-share"),
        ({"daily_loss": None}, "daily-loss"),
        ({"max_trades_per_day": None}, "max-trades-per-day"),
        ({"cash_check": False}, "cash"),
    ],
)
def test_a_check_that_is_off_says_nothing(change: dict[str, Any], rule: str) -> None:
    off = msgspec.structs.replace(Limits(), **change)
    verdict = assess(view(limits=off))
    assert isinstance(verdict, Approved)
    assert rule not in {check.rule for check in verdict.checks}
    assert passed(view(), rule).rule == rule


def test_limits_off_are_all_that_stands_between_a_trader_and_ruin() -> None:
    wild = view(quantity="1000000", limits=NO_LIMITS, equity="1", day_start_equity="100", trades_today=10**6)
    assert isinstance(assess(wild), Approved)


def test_a_limit_of_nothing_allows_nothing() -> None:
    assert refusal(view(limits=Limits(max_trades_per_day=0))).rule == "max-trades-per-day"
    assert refusal(view(limits=Limits(max_position_share=D(0)))).rule == "max-position-share"
    assert refusal(view(limits=Limits(daily_loss=D(0)))).rule == "daily-loss"


def test_the_order_comes_before_its_account_and_that_before_its_limits() -> None:
    """The first that fails is the one named, with what passed before it."""
    assert [check.__name__ for check in (*ORDER_CHECKS, *ENTRY_CHECKS)] == [
        "supported", "lot_size", "tick_size", "reduce_only", "currency", "not_halted", "stopped", "in_use",
        "priced", "queue_full", "account_ready", "nothing_in_doubt", "short_selling",
    ]  # fmt: skip
    everything_wrong = view(
        Side.SELL, "15", kind=OrderKind.LIMIT, limit="10.01", account_currency="EUR", price="0",
        readiness=Readiness.NOT_READY, in_doubt="an order", trades_today=100, equity="50000", cash="0",
    )  # fmt: skip
    repairs: list[tuple[str, dict[str, Any]]] = [
        ("lot-size", {"quantity": D(5010)}),
        ("tick-size", {"spec": msgspec.structs.replace(everything_wrong.spec, limit_price=D("10.05"))}),
        ("currency", {"account_currency": "USD"}),
        ("price-known", {"price": D("10.05")}),
        ("account-ready", {"readiness": Readiness.READY}),
        ("nothing-in-doubt", {"in_doubt": None}),
        ("short-selling", {"spec": msgspec.structs.replace(everything_wrong.spec, side=Side.BUY, limit_price=None)}),
        ("max-trades-per-day", {"trades_today": 0}),
        ("daily-loss", {"equity": D(100_000)}),
        ("max-position-share", {"quantity": D(100)}),
        ("cash", {"cash": D(100_000)}),
    ]
    seen = everything_wrong
    before: set[str] = set()
    for rule, repair in repairs:
        verdict = assess(seen)
        assert isinstance(verdict, Refused)
        assert verdict.check.rule == rule
        assert {check.rule for check in verdict.passed} <= before
        assert all(check.reason is None for check in verdict.passed)
        before.add(rule)
        seen = msgspec.structs.replace(seen, **repair)
    assert isinstance(assess(seen), Approved)


lots = st.integers(0, 50).map(lambda n: D(10 * n))
ENTRY_RULES = {"account-ready", "max-trades-per-day", "daily-loss", "short-selling", "max-position-share", "cash"}


@given(
    short=st.booleans(),
    quantity=st.integers(1, 50).map(lambda n: D(10 * n)),
    away=lots,
    left=lots,
    readiness=st.sampled_from(list(Readiness)),
    limits=st.sampled_from([Limits(), NO_LIMITS, Limits(D(0), D(0), 0)]),
    equity=st.sampled_from([D(-5), D(0), D(1), D(100_000)]),
    kind=st.sampled_from([OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP]),
)
def test_what_only_reduces_is_never_held_back(
    short: bool,
    quantity: Decimal,
    away: Decimal,
    left: Decimal,
    readiness: Readiness,
    limits: Limits,
    equity: Decimal,
    kind: OrderKind,
) -> None:
    side = Side.BUY if short else Side.SELL
    held = -side.sign * (quantity + away + left)
    working = {"working_buys": away} if short else {"working_sells": away}
    seen = view(
        side,
        str(quantity),
        kind=kind,
        limit="10" if kind is OrderKind.LIMIT else None,
        stop="10" if kind is OrderKind.STOP else None,
        held=held,
        readiness=readiness,
        limits=limits,
        equity=equity,
        cash=D(0),
        trades_today=10**6,
        **working,
    )
    assert seen.reduces
    verdict = assess(seen)
    assert isinstance(verdict, Approved)
    assert not {check.rule for check in verdict.checks} & ENTRY_RULES


@given(
    held=st.integers(-50, 50).map(lambda n: D(10 * n)),
    quantity=lots.filter(bool),
    buys=lots,
    sells=lots,
    side=st.sampled_from(list(Side)),
)
def test_whatever_counts_as_reducing_cannot_turn_or_grow_the_position(
    held: Decimal, quantity: Decimal, buys: Decimal, sells: Decimal, side: Side
) -> None:
    seen = view(side, str(quantity), held=held, working_buys=buys, working_sells=sells)
    signed = side.sign * quantity
    same_side = buys if signed > 0 else sells
    after = held + signed + side.sign * same_side
    if seen.reduces:
        assert abs(after) < abs(held)
        assert after * held >= 0
    assert seen.worst_position == max(D(0), side.sign * after)


def test_a_reducing_order_still_needs_lots_and_ticks_and_no_price() -> None:
    held: dict[str, Any] = {"held": "100", "readiness": Readiness.NOT_READY}
    assert refusal(view(Side.SELL, "15", **held)).rule == "lot-size"
    assert refusal(view(Side.SELL, "10", kind=OrderKind.LIMIT, limit="9.99", **held)).rule == "tick-size"
    assert isinstance(assess(view(Side.SELL, "10", price="0", **held)), Approved)


def test_a_halt_lets_nothing_pass_that_adds_risk_and_of_a_strategy_nothing_at_all() -> None:
    halted: dict[str, Any] = {"halted": "account Main", "held": "100"}
    check = refusal(view(Side.BUY, "10", **halted))
    assert (check.rule, check.limit, check.value) == ("halted", "reductions", "account Main")
    assert isinstance(assess(view(Side.SELL, "100", **halted)), Approved)
    assert refusal(view(Side.SELL, "110", **halted)).rule == "halted"
    assert refusal(view(Side.SELL, "10", may_reduce=False, **halted)).limit == "nothing"
    free = assess(view(Side.BUY, "10"))
    assert isinstance(free, Approved)
    assert "halted" not in {check.rule for check in free.checks}


def test_a_full_queue_holds_back_what_adds_risk() -> None:
    full: dict[str, Any] = {"waiting": 30, "most_waiting": 30}
    check = refusal(view(Side.BUY, "10", **full))
    assert (check.rule, check.limit, check.value) == ("queue-full", "30", "30")
    assert isinstance(assess(view(Side.SELL, "10", held="100", **full)), Approved)
    assert passed(view(Side.BUY, "10", waiting=29, most_waiting=30), "queue-full").value == "29"


@pytest.mark.parametrize(
    ("kind", "buffer"), [("MARKET", "1.01"), ("STOP", "1.01"), ("LIMIT", "1"), ("STOP_LIMIT", "1")]
)
def test_the_buffer_is_for_what_fills_at_the_market(kind: str, buffer: str) -> None:
    assert buffer_of(OrderKind(kind)) == D(buffer)
