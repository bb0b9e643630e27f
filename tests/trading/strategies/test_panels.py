"""Strategies of several instruments: checked like others, told apart where faulty, and dealt out at each one's bars."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.market.panel import Panel
from evenkeel.quant.indicators import Flags, Floats
from evenkeel.trading.strategies import PanelStrategy, Params, Registry, check_strategy
from evenkeel.trading.strategies.base import TargetStrategy
from evenkeel.trading.strategies.checks import examine
from evenkeel.trading.strategies.evaluate import confidence_of, dealt, evaluate, lookback_of, rebalances_of, undecided
from evenkeel.trading.strategies.fitting import check_fit, misfits
from evenkeel.trading.strategies.registry import PANELS, checked
from evenkeel.trading.strategies.seeded import frame_for, seeded_bars, seeded_panel
from evenkeel.trading.strategies.sma_crossover import SmaCrossover
from evenkeel.trading.strategies.trend_filter import TrendFilter
from tests.trading.strategies import panels
from tests.trading.strategies.panels import gappy, lines_of


@pytest.mark.parametrize(
    "sneaky", [panels.TomorrowOfTheOther, panels.BestOfAll, panels.RebalancesBeforeFalls, panels.DayBegun]
)
def test_looking_ahead_is_caught(sneaky: type[PanelStrategy]) -> None:
    report = check_strategy(sneaky)
    assert (report.ok, report.looks_ahead, report.form) == (False, True, "panel")
    registry = Registry()
    with pytest.raises(InvalidInput, match="may not run: it looks ahead"):
        registry.register(sneaky, "test")
    assert sneaky.name not in registry.names()


def test_the_first_moment_that_peeks_is_named() -> None:
    """Prices stand still until the second jumps at moment 30: only moment 29 can know too much."""
    lines = lines_of(seeded_panel(60, 2))
    still = {name: line.replaced(close=np.full(len(line), 100.0)) for name, line in lines.items()}
    second = still["seeded-2"]
    at = int(lines["seeded-1"].close_ts[30])
    still["seeded-2"] = second.replaced(close=np.where(second.close_ts >= at, 110.0, 100.0))
    report = check_strategy(panels.TomorrowOfTheOther, still)
    assert (report.first_peeking_bar, report.bars) == (29, 60)
    assert report.peeking_at == lines["seeded-1"].ts[29]


@pytest.mark.parametrize(
    ("template", "path_dependent"),
    [
        (panels.Strongest, False),
        (panels.Restored, False),
        (panels.DaysFinished, False),
        (panels.Counting, True),
        (panels.RebalancesByCount, True),
    ],
)
def test_how_much_it_remembers_is_found(template: type[PanelStrategy], path_dependent: bool) -> None:
    report = check_strategy(template)
    assert report.ok, report.faults
    assert report.path_dependent == path_dependent
    assert report.targets > 50
    assert Registry().register(template, "test").form == "panel"


def test_a_report_counts_moments_targets_changes_and_rebalancing() -> None:
    lines = gappy(200)
    report = check_strategy(panels.Restored, lines, parameters={"back": 3})
    strategy, params = panels.Restored(), Params(back=3)
    panel = Panel.of(lines)
    targets = evaluate(strategy, panel, params)
    flags = rebalances_of(strategy, panel, params)
    assert flags is not None
    assert (report.bars, report.warmup) == (200, 3)
    assert report.targets == np.sum(~np.isnan(targets))
    assert report.rebalances == flags.sum() > 10
    held = np.zeros(3)
    changes = 0
    for row in targets:
        wanted = np.where(np.isnan(row), held, row)
        changes += int((wanted != held).sum())
        held = wanted
    assert report.changes == changes > 10


class Answers(PanelStrategy):
    """Answers what it is made with."""

    name = "answers"

    def __init__(self, targets: Floats | None = None, flags: Flags | None = None, sure: Floats | None = None) -> None:
        self.targets, self.flags, self.sure = targets, flags, sure

    def warmup(self, params: Params) -> int:
        return 1

    def signals(self, bars: Panel, params: Params) -> Floats:
        return np.zeros(bars.close.shape) if self.targets is None else self.targets

    def rebalances(self, bars: Panel, params: Params) -> Flags | None:
        return self.flags

    def confidence(self, bars: Panel, params: Params, targets: Floats) -> Floats | None:
        return self.sure


FOUR = seeded_panel(4, 2)


@pytest.mark.parametrize(
    ("targets", "says"),
    [
        (np.zeros(4), r"answered shape \(4,\) for 4 moments of 2 instruments; expected an array of shape \(4, 2\)"),
        (np.zeros((3, 2)), r"answered shape \(3, 2\)"),
        (np.full((4, 2), 1.5), "answered 1.5 at bar 0; targets lie in -1 to 1"),
        (np.full((4, 2), "buy"), "expected numbers or NaN"),
    ],
)
def test_a_malformed_answer_is_refused(targets: Floats, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        evaluate(Answers(targets), FOUR, Params())


@pytest.mark.parametrize("flags", [np.zeros(4), np.zeros((4, 2), dtype=bool), np.zeros(3, dtype=bool)])
def test_malformed_rebalancing_is_refused(flags: Flags) -> None:
    with pytest.raises(InvalidInput, match="expected True or False a moment"):
        rebalances_of(Answers(flags=flags), FOUR, Params())


def test_nothing_is_decided_within_the_warm_up() -> None:
    told = Answers(flags=np.ones(4, dtype=bool))
    assert np.isnan(evaluate(told, FOUR, Params())[:1]).all()
    flags = rebalances_of(told, FOUR, Params())
    assert flags is not None
    assert flags.tolist() == [False, True, True, True]
    assert rebalances_of(Answers(), FOUR, Params()) is None


def test_confidence_is_one_a_target() -> None:
    targets = np.array([[np.nan, 0.5]] * 4)
    assert confidence_of(Answers(), FOUR, Params(), targets=targets).tolist() == [[0.0, 1.0]] * 4
    sure = confidence_of(Answers(sure=np.full((4, 2), 3.0)), FOUR, Params(), targets=targets)
    assert sure.tolist() == [[1.0, 1.0]] * 4
    with pytest.raises(InvalidInput, match="confidence answered shape"):
        confidence_of(Answers(sure=np.ones(4)), FOUR, Params(), targets=targets)


TARGETS = st.sampled_from([None, None, -0.5, 0.0, 0.25, 1.0])


@given(rows=st.lists(st.tuples(TARGETS, TARGETS, st.booleans(), st.booleans(), st.booleans()), max_size=30))
def test_decisions_are_taken_at_each_ones_own_bars(
    rows: list[tuple[float | None, float | None, bool, bool, bool]],
) -> None:
    targets = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
    flags = np.array([row[2] for row in rows], dtype=np.bool_)
    shown = np.array([row[3:] for row in rows], dtype=np.bool_).reshape(-1, 2)
    for line, found in enumerate(dealt(targets, flags, shown)):
        expected: list[tuple[float, bool]] = []
        owed, is_due = np.nan, False
        for i in range(len(rows)):
            owed = owed if np.isnan(targets[i, line]) else targets[i, line]
            is_due = is_due or bool(flags[i])
            if shown[i, line]:
                expected.append((owed, is_due))
                owed, is_due = np.nan, False
        assert found.rebalances is not None
        np.testing.assert_array_equal(found.targets, [one for one, _ in expected])
        assert found.rebalances.tolist() == [due for _, due in expected]
    assert all(found.rebalances is None for found in dealt(targets, None, shown))


class Exactly(PanelStrategy):
    name = "exactly"
    wanted: tuple[int, int | None] = (2, 2)

    def warmup(self, params: Params) -> int:
        return 0

    def instruments(self, params: Params) -> tuple[int, int | None]:
        return self.wanted

    def timeframes(self, params: Params) -> Mapping[str, int]:
        return {"4h": 3}

    def signals(self, bars: Panel, params: Params) -> Floats:
        return np.zeros(bars.close.shape)


@pytest.mark.parametrize(
    ("wanted", "count", "says"),
    [
        ((2, 2), 3, "instruments: with these parameters it trades 2, not 3"),
        ((2, 4), 5, "it trades 2 to 4, not 5"),
        ((3, None), 2, "it trades 3 or more, not 2"),
    ],
)
def test_another_number_of_instruments_is_refused(wanted: tuple[int, int | None], count: int, says: str) -> None:
    strategy = Exactly()
    strategy.wanted = wanted
    with pytest.raises(InvalidInput, match=says):
        check_fit(strategy, Params(), instruments=count, timeframe="1h")
    check_fit(strategy, Params(), instruments=wanted[0], timeframe="1h")


@pytest.mark.parametrize("frame", ["4h", "1d"])
def test_bars_that_are_not_of_a_lower_timeframe_are_refused(frame: str) -> None:
    (fault,) = misfits(Exactly(), Params(), instruments=2, timeframe=frame)
    assert fault.field == "timeframe"
    assert "4h is no higher timeframe than" in fault.message


def test_it_is_checked_on_as_many_instruments_as_it_takes() -> None:
    assert check_strategy(Exactly).ok
    with pytest.raises(InvalidInput, match="trades 2, not 3"):
        check_strategy(Exactly, gappy(50))
    with pytest.raises(InvalidInput, match="one instrument at a time, not on 3"):
        check_strategy(SmaCrossover, gappy(50))


def test_a_warm_up_in_several_timeframes() -> None:
    """Six bars of four hours a day: the third whole day has closed with bar 17, and ten bars of its own come sooner."""
    strategy, params = TrendFilter(), checked(TrendFilter(), {"timeframe": "1d", "trend": 3, "slow": 11, "fast": 2})
    bars = seeded_bars(60, frame="4h")
    assert undecided(strategy, bars, params) == 17
    assert undecided(strategy, bars.rows(1), params) == 17 + 6 - 1, "the first day lacks its beginning"
    assert np.flatnonzero(~np.isnan(evaluate(strategy, bars, params)))[0] == 17
    assert lookback_of(strategy, params, "4h") == 5 * 6
    assert undecided(strategy, bars.rows(0, 10), params) == 10


@pytest.mark.parametrize(
    ("timeframe", "frame"), [("1mo", "1d"), ("1w", "1d"), ("1d", "4h"), ("1h", "15m"), ("5m", "1m")]
)
def test_it_is_checked_on_bars_of_a_lower_timeframe(timeframe: str, frame: str) -> None:
    strategy, params = TrendFilter(), checked(TrendFilter(), {"timeframe": timeframe, "trend": 2})
    assert frame_for(strategy, params) == frame
    assert examine(strategy, params).faults == ()
    assert not examine(strategy, params).path_dependent


def test_a_timeframe_that_is_not_declared_is_found_out() -> None:
    """Its window would not hold enough: it is refused where it cannot be made, else evaluated from the anchor."""

    class Undeclared(TrendFilter):
        name = "undeclared"

        def timeframes(self, params: Params) -> Mapping[str, int]:
            return {}

    assert check_strategy(Undeclared).path_dependent
    report = check_strategy(Undeclared, parameters={"timeframe": "1d"})
    assert not report.ok
    assert "1d is no higher timeframe than 1d" in report.faults[0]


@pytest.mark.parametrize("template", PANELS, ids=lambda template: template.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_library_passes_on_other_bars(template: type[PanelStrategy], seed: int) -> None:
    count = template().instruments(checked(template(), {}))[1] or 4
    report = check_strategy(template, lines_of(seeded_panel(500, count, seed)))
    assert report.ok, report.faults
    assert report.changes > 1


def test_only_those_that_say_so_rebalance() -> None:
    assert [one().is_rebalancing() for one in (panels.Strongest, panels.Restored, SmaCrossover)] == [False, True, False]
    assert issubclass(PanelStrategy, TargetStrategy)
