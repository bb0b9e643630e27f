"""Every rule of a layer at its limit: what touches it exactly, and what goes beyond it by one unit."""

from datetime import time
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from evenkeel.domain.clock import SECOND
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.limits import RULES, Layer, RuleSet, Tier, Window
from evenkeel.domain.orders import OrderKind, OrderSpec, Side
from evenkeel.domain.records import Check
from evenkeel.trading.risk import Seen, plan_of
from evenkeel.trading.risk.metrics import Closest
from evenkeel.trading.risk.rules import RULE_CHECKS

D = Decimal
ACME = Instrument("i", "ACME", "TEST", AssetClass.EQUITY, "USD", D("0.01"), D(1), calendar="XNYS")
HOURS = (Window(time(9, 30), time(16), "America/New_York"),)


def seen(rules: RuleSet, layer: Layer = Layer.USER, **more: Any) -> Seen:
    """A purchase of 100 ACME at 10 by a reach that holds nothing and is worth 100,000; more as said."""
    spec = OrderSpec("a", "manual", ACME.id, Side.BUY, D(100), OrderKind.MARKET, "c")
    spec = msgspec.structs.replace(spec, **{name: more.pop(name) for name in ("kind", "limit_price") if name in more})
    known: dict[str, Any] = {"price": D(10), "last": D(10), "quantity": spec.quantity, "held": D(0)}
    known |= {"working_buys": D(0), "working_sells": D(0), "equity": D(100_000), "day_start_equity": D(100_000)}
    return Seen(layer=layer, rules=rules, spec=spec, instrument=ACME, **(known | more))


def asked(rules: RuleSet, **more: Any) -> Check:
    """The check of the one rule that is on."""
    view = seen(rules, **more)
    (found,) = [check for ask in plan_of(rules) if (check := ask(view)) is not None]
    return found


# The rule with its limit; what passes at it, with the value in the record; what is refused one unit beyond it.
TABLE: list[tuple[str, Any, dict[str, Any], str, dict[str, Any], str]] = [
    ("max_position", D(500), {"held": D(400)}, "500", {"held": D(401)}, "501"),
    ("max_position_value", D(5000), {"held": D(400)}, "5000.00", {"held": D(401)}, "5010.00"),
    ("max_position_share", D("0.05"), {"held": D(400)}, "0.0500", {"held": D(401)}, "0.0501"),
    ("max_gross_exposure", D(5000), {"gross": D(5000)}, "5000.00", {"gross": D("5000.01")}, "5000.01"),
    ("max_net_exposure", D(5000), {"net": D(5000)}, "5000.00", {"net": D("5000.01")}, "5000.01"),
    ("max_gross_leverage", D("1.5"), {"gross": D(150_000)}, "1.5000", {"gross": D(150_010)}, "1.5001"),
    ("max_net_leverage", D("1.5"), {"net": D(150_000)}, "1.5000", {"net": D(150_010)}, "1.5001"),
    ("max_margin_use", D("0.5"), {"margin": D(50_000)}, "0.5000", {"margin": D(50_010)}, "0.5001"),
    ("max_correlation", D("0.8"), {"closest": Closest(0.8)}, "0.8000",
     {"closest": Closest(0.8001)}, "0.8001"),
    ("min_diversification", D(2), {"diversification": (3.0, 2.0)}, "2.0000",
     {"diversification": (3.0, 1.9999)}, "1.9999"),
    ("max_open_orders", 10, {"open_orders": 9}, "9", {"open_orders": 10}, "10"),
    ("max_order_quantity", D(100), {}, "100", {"quantity": D(101)}, "101"),
    ("max_order_value", D(1000), {}, "1000.00", {"quantity": D(101)}, "1010.00"),
    ("price_collar", D("0.05"), {"kind": OrderKind.LIMIT, "limit_price": D("9.50")}, "0.0500",
     {"kind": OrderKind.LIMIT, "limit_price": D("9.49")}, "0.0510"),
    ("max_quote_age", 5, {"quote_age": 5 * SECOND}, "5", {"quote_age": 5 * SECOND + 1}, "5.000000001"),
    ("max_trades_per_day", 10, {"trades_today": 9}, "9", {"trades_today": 10}, "10"),
    ("max_turnover", D(2), {"turnover": D(200_000)}, "2.0000", {"turnover": D(200_010)}, "2.0001"),
    ("daily_loss", D("0.02"), {"equity": D("98000.01")}, "0.0200", {"equity": D(98_000)}, "0.0200"),
    ("daily_loss_amount", D(2000), {"equity": D("98000.01")}, "1999.99", {"equity": D(98_000)}, "2000.00"),
    ("drawdown_reduce", D("0.08"), {"drawdown": D("0.079999999")}, "0.0800", {"drawdown": D("0.08")}, "0.0800"),
    ("drawdown_halt", D("0.12"), {"drawdown": D("0.119999999")}, "0.1200", {"drawdown": D("0.12")}, "0.1200"),
    ("max_losses", 3, {"losses": 2, "paused": 1}, "2", {"losses": 3, "paused": 1}, "3"),
    ("windows", HOURS, {"in_window": True}, "inside", {"in_window": False}, "outside"),
    ("exchange_hours", True, {"in_session": True}, "open", {"in_session": False}, "closed"),
]  # fmt: skip


@pytest.mark.parametrize("layer", list(Layer))
@pytest.mark.parametrize(("name", "limit", "at", "shown", "beyond", "value"), TABLE, ids=[row[0] for row in TABLE])
def test_a_limit_touched_and_one_unit_beyond(
    name: str, limit: Any, at: dict[str, Any], shown: str, beyond: dict[str, Any], value: str, layer: Layer
) -> None:
    rules = RuleSet(**{name: limit})
    touched, exceeded = asked(rules, layer=layer, **at), asked(rules, layer=layer, **beyond)
    assert (touched.reason, touched.value, touched.layer) == (None, shown, layer)
    assert exceeded.reason is not None
    assert (exceeded.rule, exceeded.value, exceeded.layer) == (touched.rule, value, layer)
    assert exceeded.rule == name.replace("_", "-").replace("max-losses", "loss-streak").replace(
        "windows", "time-window"
    )


def test_every_rule_has_its_row_and_its_check() -> None:
    counted = {"max_rejects", "reject_window"}  # of what came to nothing: see engine.rejects
    elsewhere = {"drawdown_warn", "loss_pause", *counted}  # which refuse nothing by themselves
    assert {row[0] for row in TABLE} | elsewhere == set(RULES)
    assert {name for _, names in RULE_CHECKS for name in names} | {"loss_pause", *counted} == set(RULES)


WORDS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"max_position": D(50)}, {}, "ACME would be 100, the limit is 50 for all accounts of the user"),
    ({"max_position_value": D(500)}, {}, "ACME would be 1000.00 USD, the limit is 500 for all accounts of the user"),
    ({"max_gross_leverage": D(1)}, {"gross": D(150_000), "layer": Layer.PLATFORM},
     "gross exposure would be 1.5 times of equity, the limit is 1 for the whole platform"),
    ({"max_order_quantity": D(50)}, {"layer": Layer.INSTRUMENT},
     "the order is for 100, the limit is 50 for the instrument"),
    ({"price_collar": D("0.05")}, {"limit_price": D(11), "layer": Layer.ACCOUNT},
     "the order's price is 10 % from the last, 10; the limit is 5 %"),
    ({"max_gross_leverage": D("0.5")}, {"gross": D("50000.01"), "layer": Layer.ACCOUNT},
     "gross exposure would be 0.5000001 times of equity, the limit is 0.5"),
    ({"max_gross_exposure": D(5000)}, {"gross": D("5000.0004"), "layer": Layer.ACCOUNT},
     "gross exposure would be 5000.0004 USD, the limit is 5000"),
    ({"max_open_orders": 3}, {"open_orders": 3, "layer": Layer.STRATEGY},
     "3 orders work already, the limit is 3 for the strategy"),
    ({"drawdown_reduce": D("0.08")}, {"drawdown": D("0.1"), "layer": Layer.ACCOUNT},
     "the drawdown is 10 %, from 8 % on only what reduces may be ordered"),
    ({"max_losses": 2}, {"losses": 2, "paused": 90 * SECOND, "layer": Layer.ACCOUNT},
     "2 closed trades in a row have lost: entries pause for another 90 seconds"),
    ({"windows": HOURS}, {"in_window": False, "layer": Layer.ACCOUNT},
     "entries are for 09:30–16:00 America/New_York only"),
    ({"exchange_hours": True}, {"in_session": False, "layer": Layer.ACCOUNT}, "the exchange (XNYS) is closed"),
    ({"max_margin_use": D("0.5")}, {"equity": D(0)}, "the user has no equity to take risk with"),
    ({"max_position_share": D("0.5")}, {"equity": D(-1), "layer": Layer.ACCOUNT},
     "the account has no equity to take risk with"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "more", "words"), WORDS, ids=[next(iter(row[0])) for row in WORDS])
def test_a_refusal_in_words(rules: dict[str, Any], more: dict[str, Any], words: str) -> None:
    assert asked(RuleSet(**rules), **more).reason == words


def test_what_cannot_be_judged_does_not_pass() -> None:
    collar = RuleSet(price_collar=D("0.05"))
    assert asked(collar, limit_price=D(10), last=None).value == "no last price"
    assert asked(collar, limit_price=D(10), last=None).reason is not None
    assert asked(RuleSet(max_quote_age=5), quote_age=None).reason == (
        "there is no quote to go by for all accounts of the user"
    )


def test_what_has_not_been_measured_passes_and_is_recorded_so() -> None:
    alike = RuleSet(max_correlation=D("0.8"))
    for closest, value in (
        (None, "not measured"),
        (Closest(), "nothing else is held"),
        (Closest(None, 1), "not measured"),
        (Closest(0.5, 2), "0.5000, 2 not measured"),
    ):
        found = asked(alike, closest=closest)
        assert (found.value, found.reason) == (value, None)


def test_a_collar_and_an_age_concern_only_orders_that_they_can() -> None:
    """A market order names no price, and a limit order waits for its own."""
    view = seen(RuleSet(price_collar=D(0), max_quote_age=0), quote_age=9)
    assert [found.rule for ask in plan_of(view.rules) if (found := ask(view)) is not None] == ["max-quote-age"]
    resting = seen(view.rules, kind=OrderKind.LIMIT, limit_price=D(10), quote_age=9)
    assert [found.rule for ask in plan_of(view.rules) if (found := ask(resting)) is not None] == ["price-collar"]


TIERS = RuleSet(drawdown_warn=D("0.04"), drawdown_reduce=D("0.08"), drawdown_halt=D("0.12"))


@pytest.mark.parametrize(
    ("fallen", "rule", "limit", "refused"),
    [
        ("0", "drawdown-reduce", "0.08", False),
        ("0.04", "drawdown-reduce", "0.08", False),
        ("0.08", "drawdown-reduce", "0.08", True),
        ("0.119", "drawdown-reduce", "0.08", True),
        ("0.12", "drawdown-halt", "0.12", True),
        ("0.5", "drawdown-halt", "0.12", True),
    ],
)
def test_the_deepest_tier_speaks(fallen: str, rule: str, limit: str, refused: bool) -> None:
    check = asked(TIERS, drawdown=D(fallen))
    assert (check.rule, check.limit, check.reason is not None) == (rule, limit, refused)


def test_a_warning_refuses_nothing() -> None:
    check = asked(RuleSet(drawdown_warn=D("0.04")), drawdown=D("0.5"))
    assert (check.rule, check.reason) == ("drawdown-warn", None)


def test_a_halt_stays_when_the_drawdown_has_recovered() -> None:
    check = asked(TIERS, drawdown=D("0.01"), tier=Tier.HALT, layer=Layer.ACCOUNT)
    assert check.rule == "drawdown-halt"
    assert check.reason == "entries have been halted since a drawdown of 12 %; lift the halt first"


def test_what_does_not_spread_less_passes_however_little_is_spread() -> None:
    """The first position of all is one, and could not be anything else."""
    few = RuleSet(min_diversification=D(5))
    assert asked(few, diversification=(0.0, 1.0)).reason is None
    assert asked(few, diversification=(2.0, 2.0)).reason is None
    assert asked(few, diversification=(2.0, 1.9)).reason is not None
