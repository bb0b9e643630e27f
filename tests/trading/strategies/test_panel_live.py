"""Several instruments live: bar by bar, with gaps, late bars, restarts and splits, as in one evaluation over all."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from math import isnan

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.marketdata import Bar, MarketSlice, Split
from evenkeel.domain.sizing import VolatilityTarget
from evenkeel.domain.strategies import Allocation, Deployment, Scalar, Signal
from evenkeel.market.bars import Bars
from evenkeel.market.higher import higher
from evenkeel.market.panel import Panel
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies import (
    Context,
    DeployRequest,
    HostFault,
    Output,
    PanelStrategy,
    Params,
    Registry,
    SignalStrategy,
    Strategy,
    StrategyHost,
)
from evenkeel.trading.strategies.evaluate import confidence_of, dealt, evaluate, rebalances_of
from evenkeel.trading.strategies.registry import BUILT_IN, PANELS
from evenkeel.trading.strategies.sizes import last_scale
from tests.market.builders import HOUR, instrument, intraday
from tests.trading.strategies import panels
from tests.trading.strategies.panels import gappy
from tests.trading.strategies.test_windows import split_on


class Looks(Strategy):
    """Notes the last finished days that its context knows."""

    name = "looks"

    def __init__(self) -> None:
        self.seen: list[tuple[int, list[float]]] = []

    def warmup(self, params: Params) -> int:
        return 0

    def timeframes(self, params: Params) -> Mapping[str, int]:
        return {"1d": 3}

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.seen.append((bar.close_ts, ctx.bars(3, timeframe="1d").close.tolist()))


OWN = (panels.Strongest, panels.Restored, panels.Counting, panels.RebalancesByCount, panels.DaysFinished)
REGISTRY = Registry((*BUILT_IN, *PANELS, *OWN, Looks))
BACK: dict[str, Scalar] = {"back": 4}
CASES: list[tuple[str, int, dict[str, Scalar]]] = [
    *[(one.name, 3, BACK) for one in OWN[:4]],
    ("pairs", 2, {"window": 20, "entry": 1.2, "exit": 0.3, "stop": 2.5}),
    ("cross-sectional-momentum", 4, {"lookback": 15, "skip": 3, "every": 7, "allow_short": True}),
    ("cross-sectional-momentum", 4, {"lookback": 15, "skip": 0, "every": 1}),
    ("rebalanced-weights", 3, {"every": "week"}),
    ("rebalanced-weights", 3, {"every": "never", "band": 0.01, "weights": "0.5, 0.3, -0.1"}),
]


def deployment(template: str, ids: Iterable[str], values: dict[str, Scalar], timeframe: str = "1d") -> Deployment:
    return Deployment("d", "d", template, "1", values, tuple(ids), (Allocation("a", Decimal(1)),), timeframe)


def started(made: Deployment, **more: object) -> StrategyHost:
    host = StrategyHost(REGISTRY)
    assert host.deploy(DeployRequest(made, **more)) == []  # type: ignore[arg-type]
    return host


def slices_of(lines: Mapping[str, Bars]) -> list[MarketSlice]:
    """One slice a moment, with all bars that close then."""
    by_moment: dict[int, list[Bar]] = {}
    for line in lines.values():
        for bar in line:
            by_moment.setdefault(bar.close_ts, []).append(bar)
    return [MarketSlice(at, tuple(bars)) for at, bars in sorted(by_moment.items())]


def signals_of(outputs: Iterable[Output]) -> list[Signal]:
    found = list(outputs)
    assert all(isinstance(one, Signal) for one in found), found
    return [one for one in found if isinstance(one, Signal)]


Expected = dict[tuple[str, int], tuple[float, bool]]


def expected(template: str, values: dict[str, Scalar], lines: Mapping[str, Bars]) -> Expected:
    """(target, whether it rebalances) of each bar, from one evaluation of the whole panel."""
    strategy, params, panel = REGISTRY.create(template), REGISTRY.resolve(template, values), Panel.of(lines)
    assert isinstance(strategy, PanelStrategy)
    parts = dealt(evaluate(strategy, panel, params), rebalances_of(strategy, panel, params), panel.shown)
    return {
        (name, at): (target, bool(flag))
        for (name, line), told in zip(lines.items(), parts, strict=True)
        for at, target, flag in zip(
            line.close_ts.tolist(),
            told.targets.tolist(),
            [False] * len(line) if told.rebalances is None else told.rebalances.tolist(),
            strict=True,
        )
    }


def told(signals: Iterable[Signal]) -> Expected:
    return {
        (one.instrument_id, one.at): (np.nan if one.target is None else one.target, one.rebalance) for one in signals
    }


def assert_same(found: Expected, wanted: Expected) -> None:
    assert found.keys() == wanted.keys()
    for place, (target, flag) in wanted.items():
        assert found[place] == (pytest.approx(target, nan_ok=True, abs=1e-12), flag), place


@pytest.mark.parametrize(("template", "count", "values"), CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_live_signals_are_those_of_one_evaluation(
    template: str, count: int, values: dict[str, Scalar], seed: int
) -> None:
    lines = gappy(150, count, seed)
    host = started(deployment(template, lines, values))
    found = signals_of(output for one in slices_of(lines) for output in host.on_slice(one))
    wanted = expected(template, values, lines)
    assert_same(told(found), wanted)
    assert len(found) == sum(map(len, lines.values())), "one for every bar, HOLD included"
    assert all(one.whole for one in found)
    assert any(not isnan(target) and target for target, _ in wanted.values())


def test_confidence_and_details_are_kept_with_each() -> None:
    lines = gappy(60)
    host = started(deployment("strongest", lines, {"back": 4}))
    found = signals_of(output for one in slices_of(lines) for output in host.on_slice(one))
    panel, params, strategy = Panel.of(lines), Params(back=4), panels.Strongest()
    targets = evaluate(strategy, panel, params)
    sure = confidence_of(strategy, panel, params, targets=targets)
    details = strategy.details(panel, params)
    for one in found:
        row = int(np.searchsorted(panel.close_ts, one.at))
        line = panel.instrument_ids.index(one.instrument_id)
        assert one.confidence == pytest.approx(sure[row, line])
        assert one.details["best"] == pytest.approx(details["best"][row])
        assert one.details.get("rise", np.nan) == pytest.approx(details["rise"][row, line], nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(1, 79), again=st.integers(0, 5), case=st.integers(0, len(CASES) - 1))
def test_a_restart_goes_on_where_it_was(cut: int, again: int, case: int) -> None:
    """Warmed with what had closed by then, and handed some slices again that it has answered already."""
    template, count, values = CASES[case]
    lines = gappy(80, count, 3)
    slices, made = slices_of(lines), deployment(template, lines, values)
    first = next(iter(lines.values())).ts[0]
    host = started(made, anchor_ts=int(first))
    found = signals_of(output for one in slices[:cut] for output in host.on_slice(one))
    state = host.state("d")
    request = DeployRequest(made, anchor_ts=int(first), state=state)
    other = StrategyHost(REGISTRY)
    other.deploy(msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=DeployRequest))
    for line in lines.values():
        assert other.warm("d", line.as_of(slices[cut - 1].at)) == []
    found += signals_of(output for one in slices[max(0, cut - again) :] for output in other.on_slice(one))
    assert len(found) == sum(map(len, lines.values()))
    assert_same(told(found), expected(template, values, lines))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), case=st.integers(0, len(CASES) - 1))
def test_bars_that_come_late_one_by_one_are_waited_for(seed: int, case: int) -> None:
    """No slice is of the moment itself: what is missing is known to be missing once a later moment begins."""
    template, count, values = CASES[case]
    lines, draw = gappy(60, count, 4), np.random.default_rng(seed)
    late = []
    for one in slices_of(lines):
        bars = [one.bars[i] for i in draw.permutation(len(one.bars))]
        late += [MarketSlice(one.at + 1 + place, (bar,)) for place, bar in enumerate(bars)]
    host = started(deployment(template, lines, values))
    found = signals_of(output for one in late for output in host.on_slice(one))
    wanted = expected(template, values, lines)
    open_ = {place for place in wanted if place[1] == late[-1].bars[0].close_ts and place not in told(found)}
    assert_same(told(found), {place: value for place, value in wanted.items() if place not in open_})
    assert open_ in (set(), {place for place in wanted if place[1] == late[-1].bars[0].close_ts})


def test_a_moment_left_open_is_decided_on_after_a_restart() -> None:
    lines = gappy(40, 3, missing=0.0)
    slices = slices_of(lines)
    host = started(deployment("strongest", lines, {"back": 4}))
    for one in slices[:29]:
        host.on_slice(one)
    bars = slices[29].bars
    assert host.on_slice(MarketSlice(slices[29].at + 1, bars[:2])) == []
    other = started(deployment("strongest", lines, {"back": 4}), state=host.state("d"))
    for bar, line in zip(bars[:2], list(lines.values())[:2], strict=True):
        other.warm("d", line.as_of(bar.close_ts))
    other.warm("d", lines["seeded-3"].as_of(slices[28].at))
    found = signals_of(other.on_slice(MarketSlice(slices[29].at + 2, bars[2:])))
    assert {(one.instrument_id, one.at) for one in found} == {(name, slices[29].at) for name in lines}


def test_a_bar_after_its_moment_counts_from_the_next() -> None:
    lines = gappy(40, 2, missing=0.0)
    slices = slices_of(lines)
    host = started(deployment("strongest", lines, {"back": 4}))
    for one in slices[:20]:
        host.on_slice(one)
    (found,) = signals_of(host.on_slice(MarketSlice(slices[20].at, slices[20].bars[:1])))
    assert found.instrument_id == "seeded-1"
    assert host.on_slice(MarketSlice(slices[20].at + 5, slices[20].bars[1:])) == []
    assert len(signals_of(host.on_slice(slices[21]))) == 2


@pytest.mark.parametrize(("template", "count", "values"), CASES)
def test_a_split_changes_nothing(template: str, count: int, values: dict[str, Scalar]) -> None:
    """The second instrument is halved at bar 70; halving is exact, so that targets are equal."""
    lines = gappy(120, count, 5, missing=0.0)
    second = lines["seeded-2"]
    after = np.arange(len(second)) >= 70
    prices = ("open", "high", "low", "close")
    raw = lines | {
        "seeded-2": second.replaced(**{n: np.where(after, getattr(second, n) / 2, getattr(second, n)) for n in prices})
    }
    due: Split = split_on(70, instrument_id="seeded-2")
    host = started(deployment(template, lines, values))
    outputs: list[Output] = []
    for one in slices_of(raw):
        splits = (due,) if one.at == second.close_ts[70] else ()
        outputs += host.on_slice(MarketSlice(one.at, one.bars, splits=splits))
        outputs += host.on_slice(MarketSlice(one.at, one.bars, splits=splits))
    assert_same(told(signals_of(outputs)), expected(template, values, lines))


def test_a_size_that_follows_the_market_is_told_of_each() -> None:
    lines = gappy(60, 2, missing=0.1)
    sizing = VolatilityTarget(0.1, window=10)
    host = started(msgspec.structs.replace(deployment("strongest", lines, {"back": 4}), sizing=sizing))
    found = signals_of(output for one in slices_of(lines) for output in host.on_slice(one))
    for one in found:
        assert one.scale == last_scale(sizing, lines[one.instrument_id].as_of(one.at))
    assert found[-1].scale > 0.0


@pytest.mark.parametrize(
    ("template", "values", "ids", "says"),
    [
        ("pairs", {}, ("a",), "it trades 2, not 1"),
        ("rebalanced-weights", {"weights": "0.5, 0.5"}, ("a", "b", "c"), "it trades 2, not 3"),
        ("trend-filter", {"timeframe": "1d"}, ("a",), "1d is no higher timeframe than 1d"),
    ],
)
def test_what_does_not_fit_is_a_fault(
    template: str, values: dict[str, Scalar], ids: tuple[str, ...], says: str
) -> None:
    (fault,) = StrategyHost(REGISTRY).deploy(DeployRequest(deployment(template, ids, values)))
    assert isinstance(fault, HostFault)
    assert says in fault.reason


ACME = instrument()
HOURS = intraday(ACME, date(2005, 10, 3), date(2005, 11, 30), span=HOUR, name="1h").of_instrument(ACME)


def test_a_higher_timeframe_is_the_same_live_by_the_instruments_calendar() -> None:
    values: dict[str, Scalar] = {"timeframe": "1d", "trend": 4, "fast": 3, "slow": 8, "allow_short": True}
    host = started(deployment("trend-filter", [ACME.id], values, "1h"), instruments=(ACME,))
    found = signals_of(o for bar in HOURS for o in host.on_slice(MarketSlice(bar.close_ts, (bar,))))
    strategy = REGISTRY.create("trend-filter")
    assert isinstance(strategy, SignalStrategy)
    wanted: Floats = evaluate(strategy, HOURS, REGISTRY.resolve("trend-filter", values))
    targets = [np.nan if one.target is None else one.target for one in found]
    np.testing.assert_array_equal(targets, wanted)
    assert {-1.0, 0.0, 1.0} <= set(targets)
    assert not found[-1].whole


def test_how_many_bars_a_deployment_needs_is_known() -> None:
    host = StrategyHost(REGISTRY)
    values: dict[str, Scalar] = {"timeframe": "1d", "trend": 20}
    assert host.lookback(deployment("trend-filter", ["a"], values, "1h")) == 22 * 24
    assert host.lookback(deployment("strongest", ["a"], {"back": 9})) == 9
    assert host.lookback(deployment("no-such", ["a"], {})) == 0


def test_handlers_see_finished_bars_of_a_higher_timeframe() -> None:
    host = started(deployment("looks", [ACME.id], {}, "1h"), instruments=(ACME,))
    host.warm("d", HOURS.rows(0, 30))
    for bar in HOURS.rows(30, 60):
        assert host.on_slice(MarketSlice(bar.close_ts, (bar,))) == []
    strategy = host._runners["d"]._strategy  # type: ignore[attr-defined]
    assert isinstance(strategy, Looks)
    day = higher(HOURS, "1d")
    assert strategy.seen == [
        (int(HOURS.close_ts[row]), day.bars.close[: day.row[row] + 1][-3:].tolist()) for row in range(30, 60)
    ]
