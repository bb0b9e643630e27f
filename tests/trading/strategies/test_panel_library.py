"""The library's strategies of several instruments and timeframes, each against a plain loop written from its words."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from math import log, nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.strategies import Scalar
from evenkeel.market.calendars import calendar
from evenkeel.market.panel import Panel
from evenkeel.market.resample import resample
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies import Registry, SignalStrategy, TemplateInfo
from evenkeel.trading.strategies.base import PanelStrategy
from evenkeel.trading.strategies.evaluate import confidence_of, evaluate, rebalances_of
from evenkeel.trading.strategies.registry import PANELS
from evenkeel.trading.strategies.seeded import seeded_bars, seeded_panel
from tests.market.builders import HOUR, daily, instrument, intraday
from tests.trading.strategies.panels import gappy

REGISTRY = Registry()
SEEDS = st.integers(0, 10_000)


def decided(name: str, panel: Panel, **values: Scalar) -> tuple[Floats, list[bool]]:
    strategy, params = REGISTRY.create(name), REGISTRY.resolve(name, values)
    assert isinstance(strategy, PanelStrategy)
    flags = rebalances_of(strategy, panel, params)
    return evaluate(strategy, panel, params), [False] * len(panel) if flags is None else flags.tolist()


def known_closes(panel: Panel) -> list[list[float]]:
    """The last close of each instrument at each moment, row by row."""
    rows, last = [], [nan] * len(panel.instrument_ids)
    for row in panel.close.tolist():
        last = [before if close != close else close for before, close in zip(last, row, strict=True)]
        rows.append(last)
    return rows


def regression(y: list[float], x: list[float]) -> tuple[float, float]:
    """(slope, last residual in deviations of the residuals) of y on x."""
    my, mx = sum(y) / len(y), sum(x) / len(x)
    slope = sum((a - my) * (b - mx) for a, b in zip(y, x, strict=True)) / sum((b - mx) ** 2 for b in x)
    left = [(a - my) - slope * (b - mx) for a, b in zip(y, x, strict=True)]
    return slope, left[-1] / sqrt(sum(one * one for one in left) / len(left))


@settings(max_examples=25, deadline=None)
@given(
    seed=SEEDS, window=st.integers(5, 30), entry=st.sampled_from([0.8, 1.3, 1.8]), stop=st.sampled_from([2.0, 2.4, 9.0])
)
def test_pairs(seed: int, window: int, entry: float, stop: float) -> None:
    panel = Panel.of(gappy(200, 2, seed, missing=0.1))
    targets, _ = decided("pairs", panel, window=window, entry=entry, exit=0.4, stop=stop)
    closes, shown = known_closes(panel), [all(row) for row in panel.shown]
    side, barred = 0, False
    for i in range(window - 1, len(panel)):
        part = closes[i - window + 1 : i + 1]
        if not shown[i] or any(price != price for row in part for price in row):
            assert np.isnan(targets[i]).all()
            continue
        hedge, z = regression([log(row[0]) for row in part], [log(row[1]) for row in part])
        wanted: tuple[float, float] | None = None
        if side and side * z <= -stop:
            side, barred, wanted = 0, True, (0.0, 0.0)
        elif side and side * z >= -0.4:
            side, wanted = 0, (0.0, 0.0)
        if barred and abs(z) <= 0.4:
            barred = False
        if not side and not barred and entry <= abs(z) < stop and hedge > 0:
            side = -1 if z > 0 else 1
            wanted = side / (1 + hedge), -side * hedge / (1 + hedge)
        if wanted is None:
            assert np.isnan(targets[i]).all(), i
        else:
            assert targets[i].tolist() == pytest.approx(wanted), i


def test_pairs_trade_parting_and_coming_back_with_the_whole_allocation() -> None:
    panel = seeded_panel(600, 2)
    targets, flags = decided("pairs", panel)
    asked = targets[~np.isnan(targets[:, 0])]
    assert len(asked) > 10
    entries = asked[asked[:, 0] != 0.0]
    np.testing.assert_allclose(np.abs(entries).sum(axis=1), 1.0)
    assert (entries[:, 0] * entries[:, 1] < 0).all()
    assert not any(flags)


@pytest.mark.parametrize("how", ["the second stands still", "they are one"])
def test_pairs_without_a_spread_do_nothing(how: str) -> None:
    one = seeded_bars(200)
    other = one if how == "they are one" else one.replaced(close=np.full(200, 50.0))
    targets, _ = decided("pairs", Panel.of({"a": one, "b": other}))
    assert np.isnan(targets).all()


@settings(max_examples=25, deadline=None)
@given(
    seed=SEEDS,
    lookback=st.integers(2, 25),
    skip=st.integers(0, 1),
    every=st.integers(1, 9),
    shares=st.tuples(st.floats(0.05, 1.0), st.floats(0.05, 1.0)),
    short=st.booleans(),
)
def test_cross_sectional_momentum(
    seed: int, lookback: int, skip: int, every: int, shares: tuple[float, float], short: bool
) -> None:
    panel = Panel.of(gappy(120, 5, seed, missing=0.4))
    values: dict[str, Scalar] = {"lookback": lookback, "skip": skip, "every": every, "allow_short": short}
    targets, flags = decided("cross-sectional-momentum", panel, top=shares[0], bottom=shares[1], **values)
    closes, shown = known_closes(panel), panel.shown
    for i in range(len(panel)):
        is_ranking = i >= lookback and (i - lookback) % every == 0
        assert flags[i] == is_ranking
        if not is_ranking:
            assert np.isnan(targets[i]).all()
            continue
        now, then = closes[i - skip], closes[i - lookback]
        seen = [bool(shown[i - lookback + 1 : i + 1, j].any()) for j in range(5)]
        risen = {j: now[j] / then[j] - 1 for j in range(5) if seen[j] and then[j] == then[j]}
        ranked = sorted(risen, key=lambda j: -risen[j])
        top = max(1, int(shares[0] * len(ranked) + 0.5))
        wanted = [0.0] * 5
        for j in ranked[:top]:
            wanted[j] = (0.5 if short else 1.0) / top
        bottom = min(max(1, int(shares[1] * len(ranked) + 0.5)), len(ranked) - top) if short and ranked else 0
        for j in ranked[len(ranked) - bottom :]:
            wanted[j] = -0.5 / bottom
        assert targets[i].tolist() == pytest.approx(wanted), i


def test_an_instrument_that_no_longer_trades_is_not_held() -> None:
    lines = {f"i{n}": seeded_bars(80, n) for n in range(3)}
    panel = Panel.of(lines | {"i1": lines["i1"].rows(0, 30)})
    targets, _ = decided("cross-sectional-momentum", panel, lookback=10, skip=0, every=1, top=1.0)
    assert (targets[10:39, 1] > 0).all()
    assert (targets[39:, 1] == 0).all()


NEW_YORK = instrument()


def per_day(frame: str) -> Panel:
    """Two instruments of New York, over the turn of a year."""
    start, end = date(2005, 11, 14), date(2006, 2, 10)
    lines = [
        (
            daily(one, start, end, seed=seed)
            if frame == "1d"
            else intraday(one, start, end, span=HOUR, name="1h", seed=seed)
        )
        for seed, one in enumerate((NEW_YORK, instrument("BETA")))
    ]
    return Panel.of({f"i{n}": line.of_instrument(NEW_YORK) for n, line in enumerate(lines)})


PERIODS: dict[str, Callable[[date], object]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": lambda day: (day.year, day.month),
    "quarter": lambda day: (day.year, (day.month - 1) // 3),
    "year": lambda day: day.year,
    "never": lambda day: 0,
}


@pytest.mark.parametrize("every", PERIODS)
@pytest.mark.parametrize("frame", ["1d", "1h"])
def test_weights_are_restored_at_the_first_bar_of_each_period(every: str, frame: str) -> None:
    panel = per_day(frame)
    targets, flags = decided("rebalanced-weights", panel, weights="0.7, -0.2", every=every)
    assert np.isnan(targets[0]).all()
    assert targets[1:].tolist() == [[0.7, -0.2]] * (len(panel) - 1)
    days = [datetime.fromtimestamp(at / 1e9, UTC).date() for at in panel.close_ts.tolist()]
    of = PERIODS[every]
    assert flags == [i > 0 and of(days[i]) != of(days[i - 1]) for i in range(len(days))]


def test_a_session_that_opens_the_evening_before_is_of_its_own_day() -> None:
    """Of FX, Monday's session opens on Sunday evening in New York: that is when the week begins."""
    of = NEW_YORK.__class__(**{n: getattr(NEW_YORK, n) for n in NEW_YORK.__struct_fields__} | {"calendar": "FX"})
    line = intraday(of, date(2024, 3, 11), date(2024, 3, 22), span=HOUR, name="1h").of_instrument(of)
    _, flags = decided("rebalanced-weights", Panel.of({"a": line}), every="week")
    (first,) = np.flatnonzero(flags)
    assert datetime.fromtimestamp(line.ts[first] / 1e9, UTC) == datetime(2024, 3, 17, 21, tzinfo=UTC)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, band=st.floats(0.001, 0.08), every=st.sampled_from(["never", "week", "month"]), short=st.booleans())
def test_weights_that_have_strayed_are_restored(seed: int, band: float, every: str, short: bool) -> None:
    panel = Panel.of(gappy(700, 3, seed, missing=0.1))
    weights = [0.5, 0.2, -0.2] if short else [0.5, 0.3, 0.2]
    values: dict[str, Scalar] = {"weights": ", ".join(map(str, weights)), "every": every}
    _, flags = decided("rebalanced-weights", panel, band=band, **values)
    _, due = decided("rebalanced-weights", panel, **values)
    closes, base = known_closes(panel), 1
    for i in range(2, len(panel)):
        held = [w if a != a else w * b / a for w, a, b in zip(weights, closes[base], closes[i], strict=True)]
        total = 1.0 - sum(weights) + sum(held)
        off = max(abs(one / total - w) for one, w in zip(held, weights, strict=True)) - band
        if abs(off) > 1e-12:
            assert flags[i] == (due[i] or off > 0), i
        base = i if flags[i] else base


def test_equal_weights_are_the_default_whatever_the_number() -> None:
    for count in (1, 3, 4):
        targets, _ = decided("rebalanced-weights", seeded_panel(10, count))
        assert targets[5].tolist() == [1.0 / count] * count


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("pairs", {"exit": 2.5}, "exit: expected less than entry (2)"),
        ("pairs", {"stop": 1.5}, "stop: expected more than entry (2)"),
        ("cross-sectional-momentum", {"skip": 120}, "skip: expected less than lookback (120)"),
        ("rebalanced-weights", {"weights": "0.5, x"}, "weights: expected numbers such as 0.6, 0.4; 'x' is none"),
        ("rebalanced-weights", {"weights": "0.9, -0.4"}, "weights: expected weights that are at most 1 in sum"),
        ("rebalanced-weights", {"weights": ""}, "weights: expected numbers such as 0.6, 0.4; '' is none"),
        ("rebalanced-weights", {"weights": "nan"}, "weights: expected weights that are at most 1 in sum"),
        ("rebalanced-weights", {"every": "hour"}, "every: expected one of day, week, month, quarter, year, never"),
        ("trend-filter", {"fast": 50}, "fast: expected less than slow (50)"),
        ("trend-filter", {"timeframe": "2h"}, "timeframe: expected one of 5m"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(name: str, values: dict[str, Scalar], says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        REGISTRY.resolve(name, values)
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("pairs-trading", "pairs"),
        ("statistical-arbitrage", "pairs"),
        ("relative-strength", "cross-sectional-momentum"),
        ("fixed-weights", "rebalanced-weights"),
        ("equal-weight", "rebalanced-weights"),
        ("multi-timeframe", "trend-filter"),
    ],
)
def test_they_are_found_by_other_names(alias: str, name: str) -> None:
    assert REGISTRY.create(alias).name == name


@pytest.mark.parametrize("info", [one for one in REGISTRY.infos() if one.form == "panel"], ids=lambda info: info.name)
def test_they_are_documented_and_keep_their_confidence_in_bounds(info: TemplateInfo) -> None:
    assert info.title
    assert info.description
    assert all(parameter.description for parameter in info.parameters)
    strategy, params = REGISTRY.create(info.name), REGISTRY.resolve(info.name, {})
    assert isinstance(strategy, PanelStrategy)
    panel = seeded_panel(400, strategy.instruments(params)[1] or 4)
    sure = confidence_of(strategy, panel, params, targets=evaluate(strategy, panel, params))
    assert ((sure >= 0) & (sure <= 1)).all()
    for series in strategy.details(panel, params).values():
        assert series.shape in ((400,), panel.close.shape)


@pytest.mark.parametrize("template", PANELS, ids=lambda template: template.name)
@pytest.mark.parametrize("count", [0, 1])
def test_few_moments_decide_nothing(template: type[PanelStrategy], count: int) -> None:
    panel = seeded_panel(20, template().instruments(REGISTRY.resolve(template.name, {}))[1] or 3).rows(0, count)
    targets, flags = decided(template.name, panel)
    assert np.isnan(targets).all()
    assert not any(flags)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, trend=st.integers(1, 6), slow=st.integers(3, 20), short=st.booleans())
def test_trend_filter(seed: int, trend: int, slow: int, short: bool) -> None:
    """On hours of New York with its days: what has closed by then is asked of the resampler, bar by bar."""
    start, end = date(2005, 11, 14), date(2005, 12, 9)
    bars = intraday(NEW_YORK, start, end, span=HOUR, name="1h", seed=seed).of_instrument(NEW_YORK)
    values: dict[str, Scalar] = {"timeframe": "1d", "trend": trend, "slow": slow, "fast": 2, "allow_short": short}
    strategy, params = REGISTRY.create("trend-filter"), REGISTRY.resolve("trend-filter", values)
    assert isinstance(strategy, SignalStrategy)
    targets = evaluate(strategy, bars, params)
    close = bars.close.tolist()
    for i in range(len(bars)):
        days = resample(bars.rows(0, i + 1), "1d", calendar("XNYS")).close.tolist()
        if i < slow - 1 or len(days) < trend:
            assert np.isnan(targets[i])
            continue
        fast, average = sum(close[i - 1 : i + 1]) / 2, sum(close[i - slow + 1 : i + 1]) / slow
        higher = days[-1] - sum(days[-trend:]) / trend
        if abs(fast / average - 1) < 1e-9 or (abs(higher) < 1e-9 and trend > 1):
            continue
        up, down = fast > average and higher > 1e-9, fast < average and higher < -1e-9
        assert targets[i] == (1.0 if up else -1.0 if down and short else 0.0), i
