"""Watchlists: an order of one's own, each instrument once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import Conflict, InvalidInput, NotFound
from evenkeel.domain.watchlists import MOST_ENTRIES, Watched, Watchlist

EMPTY = Watchlist("lis", "usr", "Mine", (), 1, 1)


def of(*names: str) -> Watchlist:
    return EMPTY.adding([Watched(name) for name in names], at=2)


def names(one: Watchlist) -> list[str]:
    return [entry.instrument_id for entry in one.entries]


def test_what_is_added_comes_last_and_only_once() -> None:
    one = of("a", "b").adding([Watched("c", "cheap")], at=3)
    assert (names(one), one.updated_at, one.entries[-1].note) == (["a", "b", "c"], 3, "cheap")
    with pytest.raises(Conflict, match="has this instrument already"):
        one.adding([Watched("b")], at=4)
    with pytest.raises(InvalidInput):
        EMPTY.adding([Watched(str(number)) for number in range(MOST_ENTRIES + 1)], at=2)


def test_what_is_not_there_is_neither_moved_nor_noted_nor_removed() -> None:
    with pytest.raises(NotFound):
        of("a").without("b", at=3)
    with pytest.raises(NotFound):
        of("a").moved("b", 0, at=3)
    with pytest.raises(NotFound):
        of("a").with_note("b", "x", at=3)


def test_a_note_is_written_over() -> None:
    noted = of("a", "b").with_note("a", "dear", at=3)
    assert noted.entries == (Watched("a", "dear"), Watched("b"))
    assert noted.without("a", at=4).entries == (Watched("b"),)


@given(st.lists(st.sampled_from("abcdef"), unique=True, min_size=1), st.data())
def test_a_move_keeps_the_others_in_order(given_: list[str], data: st.DataObject) -> None:
    one, to = data.draw(st.sampled_from(given_)), data.draw(st.integers(0, 10))
    moved = of(*given_).moved(one, to, at=3)
    assert names(moved).index(one) == min(to, len(given_) - 1)
    assert [name for name in names(moved) if name != one] == [name for name in given_ if name != one]
