"""Places, ticks, thinning and words: small pure functions, whatever they are given."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evenkeel.research.report import words
from evenkeel.research.report.charts import Panel
from evenkeel.research.report.markup import safe
from evenkeel.research.report.scales import Scale, Timeline, evenly, extremes, from_zero, round_step, spanning

YEAR = 365 * words.DAY
values = st.floats(-1e9, 1e9, allow_subnormal=False)
several = st.lists(values, min_size=1, max_size=60)


@given(several)
@example([-1e-8])
def test_a_scale_holds_what_it_spans(numbers: list[float]) -> None:
    for scale in (spanning(numbers), from_zero(numbers)):
        places = scale.place(numbers)
        assert scale.low < scale.high
        assert (places >= -1e-9).all()
        assert (places <= 1 + 1e-9).all()


@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=60))
def test_so_does_a_logarithmic_one(numbers: list[float]) -> None:
    scale = spanning(numbers, log=True)
    places = scale.place(numbers)
    assert (places >= -1e-9).all()
    assert (places <= 1 + 1e-9).all()
    assert all(0.0 <= float(scale.place(tick)) <= 1.0 + 1e-9 for tick in scale.ticks())


@given(values, st.floats(1e-6, 1e9), st.integers(2, 9))
def test_ticks_are_few_round_and_within(low: float, wide: float, about: int) -> None:
    scale = Scale(low, low + max(wide, 1e-6 * abs(low)))
    ticks = scale.ticks(about)
    assert len(ticks) <= about + 1
    assert all(-1e-6 <= float(scale.place(tick)) <= 1 + 1e-6 for tick in ticks)


@given(st.floats(1e-9, 1e12))
def test_steps_are_round(least: float) -> None:
    step = round_step(least)
    assert least * (1 - 1e-8) <= step <= least * 2.51
    assert float(f"{step:e}"[:8]) in {1.0, 2.0, 2.5, 5.0}
    assert round_step(least, whole=True) == round(round_step(least, whole=True))


@given(several, st.integers(4, 40))
def test_thinning_keeps_the_ends_and_the_extremes(numbers: list[float], most: int) -> None:
    series = np.array(numbers)
    kept = extremes(series, most)
    assert len(kept) <= max(most, 4)
    assert (np.diff(kept) > 0).all()
    assert {0, len(series) - 1} <= set(kept.tolist())
    assert series[kept].max() == series.max()
    assert series[kept].min() == series.min()


@given(st.integers(1, 500), st.integers(2, 40))
def test_even_thinning_keeps_the_ends(count: int, most: int) -> None:
    kept = evenly(count, most)
    assert len(kept) <= most
    assert kept[0] == 0
    assert kept[-1] == count - 1


@given(st.integers(1, 40 * YEAR), st.integers(2, 400), st.integers(0, 50 * YEAR))
def test_times_are_labelled_apart_and_in_order(span: int, count: int, start: int) -> None:
    line = Timeline(np.unique(np.linspace(start, start + span, count).astype(np.int64)))
    places = [place for place, _ in line.ticks]
    assert len(places) <= 14
    assert all(0.0 <= place <= 1.0 for place in places)
    assert all(after - before >= 0.07 for before, after in pairwise(places))


def test_nights_take_no_room() -> None:
    line = Timeline(np.array([0, 1, 2, 1000, 1001]))
    assert line.place([0, 2, 1000, 1001]).tolist() == [0.0, 0.5, 0.75, 1.0]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=50))
def test_a_path_leads_through_its_points(points: list[tuple[float, float]]) -> None:
    """Coordinates are relative to the point before; read back, they are the points on the grid."""
    panel = Panel(Scale(0.0, 1.0), Scale(0.0, 1.0), "", "")
    xs, ys = zip(*points, strict=True)
    found = re.search(r' d="M(\d+) (\d+)(?:l([^"]*)|h0)"', panel.line(xs, ys, css="s1"))
    assert found is not None
    moves = [int(number) for number in re.findall(r"-?\d+", found[3] or "")]
    walked = [(int(found[1]), int(found[2]))]
    for dx, dy in zip(moves[::2], moves[1::2], strict=True):
        walked.append((walked[-1][0] + dx, walked[-1][1] + dy))
    wanted = [(round(x * 2000), round((1.0 - y) * 1000)) for x, y in points]
    assert walked == [point for before, point in pairwise([None, *wanted]) if point != before]


def test_a_line_breaks_where_a_value_is_missing() -> None:
    panel = Panel(Scale(0.0, 1.0), Scale(0.0, 1.0), "", "")
    assert panel.line([0.0, 0.5, 1.0], [0.0, np.nan, 1.0], css="s1").count("M") == 2
    assert panel.line([0.0], [np.nan], css="s1").count("M") == 0
    assert panel.band([0.0], low=[np.nan], high=[1.0], css="b1") == ""


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (words.number(-1234.5), "−1,234.50"),
        (words.number(-0.001), "0.00"),
        (words.number(float("nan")), "–"),
        (words.number(None), "–"),
        (words.number(3.0, 1, signed=True), "+3.0"),
        (words.percent(0.1234), "12.3\u202f%"),
        (words.money(1234567.8, "USD"), "1,234,568 USD"),
        (words.short(1_500_000.0, 500_000.0), "1.5M"),
        (words.short(2_500.0, 2_500.0), "2.5k"),
        (words.short(1_500.0, 500.0), "1,500"),
        (words.short(0.05, 0.05), "0.05"),
        (words.per_cent(0.0002, 0.0002), "0.02\u202f%"),
        (words.plain(0.5), "0.5"),
        (words.plain(-12.0), "−12"),
        (words.unit_of_time(words.DAY * 3)[1], "days"),
        (words.unit_of_time(words.HOUR * 5)[1], "hours"),
        (words.unit_of_time(words.MINUTE * 5)[1], "minutes"),
        (words.moment(951_921_000_000_000_000), "1 Mar 2000 14:30"),
        (words.counted(1, "trade"), "1 trade"),
        (words.counted(1200, "trade"), "1,200 trades"),
        (words.by_unit(0.00012, "fraction"), "0.0120"),
        (words.by_unit(0.5, "fraction"), "50.00"),
        (words.by_unit(12.5, "count"), "12.5"),
        (words.by_unit(None, "ratio"), "–"),
        (safe("<\"'&>"), "&lt;&quot;&#x27;&amp;&gt;"),
    ],
)
def test_words(said: str, wanted: str) -> None:
    assert said == wanted
