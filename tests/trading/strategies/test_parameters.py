"""Parameters: ranges, types, and faults by field."""

import pytest

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.strategies import Scalar
from evenkeel.trading.strategies import Parameter, ParameterType, Params, Registry, flag, number, whole
from evenkeel.trading.strategies.parameters import resolve

DECLARED = (
    whole("bars", 10, 2, 500),
    number("level", 0.5, 0.0),
    flag("short", False),
    Parameter("mode", ParameterType.TEXT, "fast", choices=("fast", "slow")),
)


def test_defaults_fill_in() -> None:
    params = resolve(DECLARED, {"bars": 20})
    assert params == {"bars": 20, "level": 0.5, "short": False, "mode": "fast"}
    assert (params.whole("bars"), params.number("level"), params.flag("short"), params.text("mode")) == (
        20,
        0.5,
        False,
        "fast",
    )


def test_whole_floats_become_ints_and_ints_floats() -> None:
    params = resolve(DECLARED, {"bars": 20.0, "level": 1})
    assert isinstance(params["bars"], int)
    assert isinstance(params["level"], float)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("bars", 1, "a whole number from 2 to 500, not 1"),
        ("bars", 501, "from 2 to 500"),
        ("bars", 2.5, "a whole number"),
        ("bars", "20", "a whole number"),
        ("bars", True, "a whole number"),
        ("level", -0.1, "a number of at least 0"),
        ("level", float("nan"), "a number"),
        ("level", float("inf"), "a number"),
        ("short", 1, "true or false"),
        ("mode", "medium", "one of fast, slow"),
        ("mood", 1, "unknown; expected one of bars, level, short, mode"),
    ],
)
def test_faults_name_the_field_and_what_was_expected(name: str, value: Scalar, says: str) -> None:
    with pytest.raises(InvalidInput, match="parameters are not valid") as caught:
        resolve(DECLARED, {name: value})
    (fault,) = caught.value.errors
    assert fault.field == f"parameters.{name}"
    assert says in fault.message


def test_all_faults_come_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve(DECLARED, {"bars": 0, "level": -1, "x": 1})
    assert {fault.field for fault in caught.value.errors} == {
        "parameters.bars",
        "parameters.level",
        "parameters.x",
    }


@pytest.mark.parametrize(
    ("template", "values", "field"),
    [
        ("sma-crossover", {"fast": 50, "slow": 50}, "parameters.fast"),
        ("rsi", {"oversold": 70.0, "overbought": 30.0}, "parameters.oversold"),
        ("donchian-breakout", {"entry": 5, "exit": 6}, "parameters.exit"),
        ("support-resistance", {"swing": 10, "lookback": 10}, "parameters.lookback"),
    ],
)
def test_parameters_are_checked_against_each_other(template: str, values: dict[str, Scalar], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Registry().resolve(template, values)
    assert [fault.field for fault in caught.value.errors] == [field]


def test_params_refuse_the_wrong_reading() -> None:
    with pytest.raises(AssertionError):
        Params(a="text").whole("a")
