"""Panels: bars of several instruments on common moments, nothing filled in, nothing known too early."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.market.bars import Bars
from evenkeel.market.columns import COLUMNS, MEASURES
from evenkeel.market.panel import Panel
from tests.market.builders import HOUR, instrument, walk


def line(name: str, hours: list[int], *, seed: int = 1, starts: int = 0) -> Bars:
    """Hourly bars of these hours, the first `starts` minutes of which may be missing."""
    if not hours:
        return Bars.empty(name, "1h")
    closes = np.array(hours, dtype=np.int64) * HOUR + HOUR
    opens = closes - HOUR + starts * HOUR // 60
    return Bars.of(name, "1h", {"ts": opens, "close_ts": closes} | walk(len(hours), seed))


def panel_of(*lines: Bars) -> Panel:
    return Panel.of({one.instrument_id: one for one in lines})


def test_instruments_meet_at_the_moments_they_close() -> None:
    a, b = line("A", [0, 1, 3]), line("B", [1, 2, 3], seed=2)
    panel = panel_of(a, b)
    assert len(panel) == 4
    assert (panel.close_ts // HOUR).tolist() == [1, 2, 3, 4]
    assert panel.instrument_ids == ("A", "B")
    assert panel.close[:, 0].tolist() == pytest.approx([*a.close[:2], np.nan, a.close[2]], nan_ok=True)
    assert panel.volume[:, 1].tolist() == pytest.approx([np.nan, *b.volume], nan_ok=True)
    assert panel.shown.tolist() == [[True, False], [True, True], [False, True], [True, True]]
    assert repr(panel) == "Panel(A, B; 1h, 4 moments)"


def test_a_moment_opens_with_the_earliest_of_its_bars() -> None:
    panel = panel_of(line("A", [0, 1], starts=30), line("B", [1]))
    assert panel.ts.tolist() == [HOUR // 2, HOUR]
    assert panel.opened.tolist() == [[HOUR // 2, 0], [HOUR + HOUR // 2, HOUR]]


def test_what_was_known_last_is_carried_but_never_back() -> None:
    a, b = line("A", [0, 1, 3]), line("B", [1, 2, 3], seed=2)
    known = panel_of(a, b).last_close()
    assert known[:, 0].tolist() == [a.close[0], a.close[1], a.close[1], a.close[2]]
    assert known[:, 1].tolist() == pytest.approx([np.nan, *b.close], nan_ok=True)


def test_a_part_still_knows_the_close_before_it() -> None:
    a, b = line("A", [0, 2]), line("B", [0, 1, 2], seed=2)
    part = panel_of(a, b).rows(1)
    assert np.isnan(part.close[0, 0])
    assert part.last_close()[0].tolist() == [a.close[0], b.close[1]]
    assert part.rows(0, 0).rows(0).before.tolist() == [a.close[0], b.close[0]]


def test_an_instrument_can_be_looked_at_alone() -> None:
    of = instrument()
    a, b = line("A", [0, 1, 3], starts=10).of_instrument(of), line("B", [1, 2, 3], seed=2)
    panel = panel_of(a, b)
    assert panel.bars(of.id).equals(a)
    assert panel.bars(of.id).instrument is of
    assert panel.bars("B").equals(b)
    with pytest.raises(NotFound, match="C is not one of"):
        panel.bars("C")


@pytest.mark.parametrize(
    ("bars", "says"), [({}, "of no instrument"), ({"A": "1h", "B": "1d"}, "differ in timeframe: 1d, 1h")]
)
def test_what_is_no_panel_is_refused(bars: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        Panel.of({name: Bars.empty(name, frame) for name, frame in bars.items()})


def test_instruments_without_bars_are_empty_columns() -> None:
    panel = Panel.of({"A": line("A", [0, 1]), "B": Bars.empty("B", "1h")})
    assert np.isnan(panel.last_close()[:, 1]).all()
    empty = Panel.of({"B": Bars.empty("B", "1h")})
    assert (len(empty), empty.last_close().shape, len(empty.rows(0))) == (0, (0, 1), 0)


LINES = st.lists(st.lists(st.integers(0, 30), unique=True).map(sorted), min_size=1, max_size=4)


@given(hours=LINES, cut=st.integers(0, 31), seed=st.integers(0, 99))
def test_any_panel_is_what_plain_python_makes_of_it(hours: list[list[int]], cut: int, seed: int) -> None:
    lines = [line(f"I{n}", each, seed=seed + n) for n, each in enumerate(hours)]
    panel = panel_of(*lines)
    moments = sorted({hour + 1 for each in hours for hour in each})
    assert (panel.close_ts // HOUR).tolist() == moments
    by_close: list[dict[int, Any]] = [{bar.close_ts // HOUR: bar for bar in each} for each in lines]
    for place, known in enumerate(by_close):
        for name in MEASURES:
            wanted = [getattr(known[at], name) if at in known else np.nan for at in moments]
            assert getattr(panel, name)[:, place].tolist() == pytest.approx(wanted, nan_ok=True)
        last = [known[max(t for t in known if t <= at)].close if min(known, default=99) <= at else np.nan
                for at in moments]  # fmt: skip
        assert panel.last_close()[:, place].tolist() == pytest.approx(last, nan_ok=True)
        assert panel.bars(f"I{place}").equals(lines[place])
    prefix, suffix = panel.rows(0, cut), panel.rows(cut)
    np.testing.assert_array_equal(prefix.last_close(), panel.last_close()[:cut])
    np.testing.assert_array_equal(suffix.last_close(), panel.last_close()[cut:])
    np.testing.assert_array_equal(panel.tail(cut).close, panel.close[max(0, len(panel) - cut) :])


def test_a_changed_column_leaves_the_rest() -> None:
    panel = panel_of(line("A", [0, 1]), line("B", [1]))
    doubled = panel.replaced(close=panel.close * 2)
    assert doubled.close[0, 0] == 2 * panel.close[0, 0]
    assert all(getattr(doubled, name) is getattr(panel, name) for name in COLUMNS if name != "close")
