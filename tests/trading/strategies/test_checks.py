"""The checks: sneaky strategies are caught, honest ones pass, path dependence is told."""

import numpy as np
import pytest

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.strategies import Scalar
from evenkeel.trading.strategies import Params, Registry, SignalStrategy, check_strategy
from evenkeel.trading.strategies.checks import examine
from evenkeel.trading.strategies.registry import BUILT_IN
from evenkeel.trading.strategies.seeded import seeded_bars
from tests.trading.strategies import authors


@pytest.mark.parametrize(
    "sneaky",
    [
        authors.TomorrowsClose,
        authors.CentredWindow,
        authors.FullSample,
        authors.BackFilled,
        authors.RareGlance,
    ],
)
def test_looking_ahead_is_caught(sneaky: type[SignalStrategy]) -> None:
    report = check_strategy(sneaky)
    assert report.looks_ahead
    assert not report.ok
    assert report.first_peeking_bar is not None
    assert report.first_peeking_bar >= 20
    assert report.peeking_at == seeded_bars(320).ts[report.first_peeking_bar]
    assert "looks ahead" in report.faults[0]
    with pytest.raises(InvalidInput, match="may not run: it looks ahead"):
        Registry().register(sneaky, "test")


def test_the_first_peeking_bar_is_named() -> None:
    """Only bar 30 of these bars rises after bar 29, so only bar 29's target can change."""
    closes = [100.0] * 30 + [110.0] * 10
    report = check_strategy(authors.TomorrowsClose, authors.made_bars(closes))
    assert report.first_peeking_bar == 29


def test_looking_ahead_is_caught_on_long_histories_by_samples() -> None:
    assert check_strategy(authors.CentredWindow, seeded_bars(3_000)).looks_ahead


def test_random_numbers_are_told_apart_from_looking_ahead() -> None:
    report = check_strategy(authors.Dice)
    assert not report.ok
    assert not report.looks_ahead
    assert "random" in report.faults[0]


def test_a_refused_template_leaves_no_trace() -> None:
    registry = Registry()
    with pytest.raises(InvalidInput):
        registry.register(authors.TomorrowsClose, "test")
    assert authors.TomorrowsClose.name not in registry.names()


@pytest.mark.parametrize("template", BUILT_IN)
@pytest.mark.parametrize("allow_short", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_built_in_strategies_pass_on_other_bars(template: type[SignalStrategy], allow_short: bool, seed: int) -> None:
    can_short = any(parameter.name == "allow_short" for parameter in template.parameters)
    given: dict[str, Scalar] = {"allow_short": allow_short} if can_short else {}
    report = check_strategy(template, seeded_bars(600, seed), parameters=given)
    assert report.ok, report.faults
    assert report.changes > 2 or not can_short


@pytest.mark.parametrize(
    ("name", "parameters", "path_dependent"),
    [
        ("sma-crossover", {}, False),
        ("sma-crossover", {"allow_short": True}, False),
        ("support-resistance", {}, False),
        ("donchian-breakout", {}, False),
        ("donchian-breakout", {"allow_short": True}, True),  # which exit counts depends on the position
        ("rsi", {}, True),  # Wilder's average never forgets
        ("ema-crossover", {}, True),
        ("macd", {}, True),
        ("supertrend", {}, True),
        ("stochastic", {}, False),
        ("stochastic", {"allow_short": True}, False),
        ("bollinger", {}, False),
        ("bollinger", {"allow_short": True}, False),
        ("mean-reversion", {}, False),
        ("mean-reversion", {"allow_short": True}, False),
        ("vwap-reversion", {}, False),
        ("vwap-reversion", {"allow_short": True}, False),
        ("volatility-breakout", {}, False),
        ("volatility-breakout", {"allow_short": True}, True),
        ("obv", {}, False),
        ("momentum", {}, False),
        ("buy-and-hold", {}, False),
    ],
)
def test_memory_is_told(name: str, parameters: dict[str, bool], path_dependent: bool) -> None:
    registry = Registry()
    found = registry.examine(name, registry.resolve(name, parameters))
    assert found.path_dependent is path_dependent


def test_memory_is_found_even_where_no_details_show_it() -> None:
    class Quiet(authors.EmaTrend):
        name = "quiet-ema"

        def warmup(self, params: Params) -> int:
            return 3 * params.whole("period")

    assert examine(Quiet(), Params(period=10)).path_dependent


def test_an_update_that_disagrees_is_caught() -> None:
    assert check_strategy(authors.EmaTrend).ok
    report = check_strategy(authors.WrongUpdate)
    assert not report.ok
    assert "`update` and `signals` disagree" in report.faults[0]


def test_too_few_bars_are_noted() -> None:
    report = check_strategy(authors.EmaTrend, authors.made_bars([1.0] * 5))
    assert report.ok
    assert "do not reach beyond its warm-up of 9" in " ".join(report.notes)


def test_what_a_strategy_raises_is_reported() -> None:
    report = check_strategy(authors.Faulty, authors.made_bars([1.0, 2_000.0]))
    assert report.faults == ("it raised ZeroDivisionError: no divisor",)


def test_event_strategies_are_run_and_their_orders_counted() -> None:
    report = check_strategy(authors.Recorder, authors.made_bars([110.0, 111.0, 112.0]))
    assert (report.ok, report.form, report.orders) == (True, "event", 1)


def test_seeded_bars_are_plausible_and_repeat() -> None:
    bars = seeded_bars(5_000)
    assert bars.equals(seeded_bars(5_000))
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low > 1).all()
    assert not bars.close.flags.writeable
