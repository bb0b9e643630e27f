"""Mark-to-market rules in a backtest: what closes when, by the engine that closes it live."""

import pickle
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

import evenkeel as ek
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.mtm import Basis, Carry, DayRules, LockIn, Measure, MtmRules, Trail
from evenkeel.domain.orders import Product
from evenkeel.research.backtest.outcome import Why
from evenkeel.research.backtest.terms import Terms
from tests.research.test_compiled import Told, flat
from tests.research.test_event_skipping import assert_same_either_way
from tests.research.worlds import MINUTE, START, Random, Restless, walk

D = Decimal


def fills(result: ek.BacktestResult) -> list[tuple[int, float, str]]:
    return [(fill.bar, fill.side * fill.quantity, fill.why.name) for fill in result.fills]


def minutes(*closes: float) -> ek.Bars:
    """Bars of a minute that open where the one before closed."""
    plain = flat(*closes)
    ts = START + np.arange(len(closes)) * MINUTE
    return ek.Bars(ts, plain.open, plain.high, plain.low, plain.close, plain.volume, timeframe="1m", symbol="X")


def test_a_loss_that_is_reached_closes_at_the_next_open_and_takes_no_entries_that_day() -> None:
    wants = [1.0, np.nan, np.nan, np.nan, 0.0, 1.0, np.nan]
    bars = minutes(100, 100, 95.01, 95, 96, 97, 98)
    result = ek.backtest(Told(wants), bars, size=10, check=False, mtm=ek.mtm_rules(stop_loss=50))
    assert fills(result) == [(1, 10, "SIGNAL"), (4, -10, "MTM")]
    assert result.fills[1].price == 95.0
    assert result.engine == "event"
    assert result.outcome.notes == ("mark-to-market control closed a level by its stop-loss, 1 in all",)


def test_the_next_day_it_trades_again() -> None:
    wants = [1.0, np.nan, np.nan, 0.0, 1.0, np.nan, np.nan]
    result = ek.backtest(
        Told(wants), flat(100, 100, 94, 93, 90, 90, 90), size=10, check=False, mtm=ek.mtm_rules(stop_loss=50)
    )
    assert fills(result) == [(1, 10, "SIGNAL"), (3, -10, "MTM"), (5, 10, "SIGNAL")]


def test_a_halt_lasts_to_the_end() -> None:
    wants = [1.0, np.nan, np.nan, 0.0, 1.0, np.nan, np.nan]
    rules = ek.mtm_rules(stop_loss=50, action="halt")
    for level in ("account", "strategy"):
        result = ek.backtest(Told(wants), flat(100, 100, 94, 93, 90, 90, 90), size=10, check=False, mtm={level: rules})
        assert fills(result) == [(1, 10, "SIGNAL"), (3, -10, "MTM")]


def test_a_level_of_an_instrument_leaves_the_others_alone() -> None:
    bars = {"A": flat(100, 100, 90, 90, 90), "B": flat(100, 100, 90, 90, 90)}
    result = ek.backtest(
        "buy-and-hold", bars, size=10, check=False, mtm={"A": ek.mtm_rules(stop_loss="0.05%", basis="entry")}
    )
    closed = [fill for fill in result.fills if fill.why is Why.MTM]
    assert [(fill.symbol, fill.bar) for fill in closed] == [("A", 3)]
    assert result.outcome.positions[:, -1].tolist() == [0, 10]


def test_square_off_is_at_its_time() -> None:
    """The bars begin at 14:50 UTC; their day is around the clock."""
    bars = minutes(*[100 + n for n in range(30)])
    wants = [1.0, *[np.nan] * 24, 0.0, 1.0, *[np.nan] * 3]
    result = ek.backtest(Told(wants), bars, size=10, check=False, mtm=ek.mtm_rules(square_off_at="15:00"))
    assert fills(result) == [(1, 10, "SIGNAL"), (10, -10, "MTM")]
    assert result.outcome.notes[-1] == "mark-to-market control closed a level by its square-off, 1 in all"


def test_a_trail_and_what_is_locked_in() -> None:
    bars = minutes(100, 100, 105, 110, 108, 107, 106, 100)
    wants = [1.0, *[np.nan] * 7]
    for rules in (ek.mtm_rules(trail=30, trail_from=60), ek.mtm_rules(lock_in={100: 70})):
        result = ek.backtest(Told(wants), bars, size=10, check=False, mtm=rules)
        assert fills(result) == [(1, 10, "SIGNAL"), (6, -10, "MTM")]


def test_the_compiled_engine_refuses_them() -> None:
    with pytest.raises(InvalidInput, match="compiled engine does not have mark-to-market rules"):
        ek.backtest("rsi", flat(*[100.0] * 40), engine="compiled", mtm=ek.mtm_rules(stop_loss=5))


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"mtm": {"B": ek.mtm_rules(stop_loss=5)}}, "no level 'B'; expected one of account, strategy"),
        ({"mtm": "2%"}, "expected ek.mtm_rules"),
        ({"mtm": {"account": {"stop_loss": 5}}}, "expected ek.mtm_rules"),
        ({"mtm": ek.mtm_rules()}, "no rules are given for account"),
        ({"mtm": ek.mtm_rules(stop_loss=-5)}, "not valid"),
        ({"mtm": ek.mtm_rules(stop_loss="0.001")}, "not valid"),
        ({"mtm": ek.mtm_rules(end_of_day=0)}, "not valid"),
        ({"mtm": ek.mtm_rules(end_of_day=5, not_over=[0])}, "not valid"),
        ({"mtm": ek.mtm_rules(stop_loss=5, carry="all")}, "not valid"),
    ],
)
def test_levels_and_amounts_that_make_no_sense_are_refused(asked: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        ek.backtest("buy-and-hold", flat(100, 100), check=False, **asked)


def test_what_makes_no_sense_is_named_by_level_and_rule() -> None:
    rules = {"account": ek.mtm_rules(stop_loss="0.001"), "X": ek.mtm_rules(end_of_day=0, target=5, action="halt")}
    with pytest.raises(InvalidInput) as caught:
        ek.backtest("buy-and-hold", {"X": flat(100, 100)}, check=False, mtm=rules)
    assert [one.field for one in caught.value.errors] == ["mtm.account.stop_loss", "mtm.X.action", "mtm.X.end_of_day"]


def test_rules_are_the_same_whatever_made_them() -> None:
    """The cool-down counts for nothing here, and defaults may be spelled out."""
    made = ek.mtm_rules(target=500)
    sent = MtmRules(target=Measure(D(500)), cooldown=7, day=DayRules(products=()))
    one, other = (
        ek.backtest("buy-and-hold", flat(100, 100), check=False, mtm=rules)
        for rules in (made, pickle.loads(pickle.dumps(sent)))
    )
    assert one.fingerprint == other.fingerprint
    assert one.summary()["terms"]["mtm"] == {"account": {"target": {"value": "500"}, "day": {}}}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"stop_loss": "much"}, "stop_loss: expected money"),
        ({"target": "nan"}, "target: expected money"),
        ({"target": True}, "target: expected money"),
        ({"trail_from": 5}, "trail_from: goes with trail"),
        ({"lock_in": 5}, "lock_in: expected floors"),
        ({"lock_in": {"a": 5}}, "lock_in: expected money"),
        ({"square_off_at": "25:00"}, "square_off_at: expected a time"),
        ({"square_off_at": 15}, "square_off_at: expected a time"),
        ({"end_of_day": "soon"}, "end_of_day: expected minutes"),
        ({"basis": "week"}, "basis: expected day or entry"),
        ({"products": ["margin"]}, "products: expected NONE or CNC"),
        ({"products": 5}, "products: expected NONE or CNC"),
        ({"products": 0.5}, "products: expected one or several"),
        ({"carry": "some"}, "carry: expected none or all or winners"),
        ({"carry_days": "few"}, "carry_days: expected a number of nights"),
        ({"not_over": "someday"}, "not_over: expected mon"),
        ({"products": ""}, "products: expected NONE or CNC"),
        ({"expiry": "no"}, "expiry: expected True or False"),
        ({"stop": 5}, "stop: unknown"),
    ],
)
def test_rules_that_cannot_be_read_are_named(given: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        ek.mtm_rules(**given)


def test_rules_are_those_of_a_desk() -> None:
    made = ek.mtm_rules(stop_loss="2%", trail=200, trail_from="1%", lock_in={"500": 200}, basis="entry", end_of_day=5)
    assert made == MtmRules(
        stop_loss=Measure(D("0.02"), of_equity=True),
        trail=Trail(Measure(D(200)), Measure(D("0.01"), of_equity=True)),
        lock_in=(LockIn(Measure(D(500)), Measure(D(200))),),
        basis=Basis.ENTRY,
        day=DayRules(end_of_day=5),
    )
    night: Any = {"carry": "winners", "carry_days": 3, "not_over": ["Friday", 1], "expiry": False}
    assert ek.mtm_rules(end_of_day=5, products="NRML", **night).day == DayRules(
        end_of_day=5, products=(Product.NRML,), carry=Carry.WINNERS, carry_days=3, not_over=(1, 5), expiry=False
    )


def test_a_result_says_which_rules_were_in_force(tmp_path: Any) -> None:
    bars, rules = flat(100, 100, 90, 90), {"X": ek.mtm_rules(stop_loss="1%", square_off_at="15:15", lock_in={9: 5})}
    result = ek.backtest("buy-and-hold", {"X": bars}, check=False, mtm=rules)
    bare = ek.backtest("buy-and-hold", {"X": bars}, check=False, engine="event")
    assert "mtm" not in bare.summary()["terms"]
    assert result.fingerprint != bare.fingerprint
    assert '"stop_loss"' in result.to_json()
    sheet = result.to_html(tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert "X: stop loss 1 %" in sheet.replace("\u202f", " ").replace("\u00a0", " ").replace("1.00", "1")


RULES = (
    (("account", ek.mtm_rules(stop_loss=30, basis="entry")),),
    (("account", ek.mtm_rules(trail=20, target=60)), ("X", ek.mtm_rules(lock_in={10: 2}, watch="bar"))),
    (("strategy", ek.mtm_rules(square_off_at="16:30", no_entries_after="15:00")),),
    (("account", ek.mtm_rules(end_of_day=600)), ("Y", ek.mtm_rules(stop_loss="0.2%"))),
)


@pytest.mark.parametrize("strategy", [Restless, Random])
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("step", [1, 30])
def test_skipping_what_is_quiet_changes_nothing(strategy: type[Any], rules: Any, step: int) -> None:
    bars = {name: walk(300, seed, name=name, minutes=step) for seed, name in enumerate(("X", "Y"))}
    values = {"seed": 3} | ({"often": 0.1} if strategy is Restless else {})
    assert_same_either_way(strategy, values, terms=Terms(cash=D(10_000), mtm=rules), bars=bars)
