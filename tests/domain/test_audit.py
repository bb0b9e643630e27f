"""The chain of the audit log: whatever is changed, taken out, put elsewhere or cut off is found."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evenkeel.domain.audit import Entry, Head, Row, chained, check

TEXT = st.text(max_size=20)
ENTRIES = st.lists(
    st.builds(
        Entry,
        at=st.integers(0, 2**62),
        actor=TEXT,
        action=TEXT,
        door=TEXT,
        key_id=TEXT,
        address=TEXT,
        agent=TEXT,
        request_id=TEXT,
        subject=TEXT,
        outcome=TEXT,
        before=TEXT,
        after=TEXT,
    ),
    min_size=1,
    max_size=8,
)


def chain(entries: list[Entry], head: Head | None = None) -> list[Row]:
    head, rows = head or Head(), []
    for entry in entries:
        rows.append(chained(entry, head))
        head = Head(rows[-1].seq, rows[-1].hash)
    return rows


def end_of(rows: list[Row]) -> Head:
    return Head(rows[-1].seq, rows[-1].hash) if rows else Head()


def faults(rows: list[Row], anchor: Head | None) -> list[str]:
    *found, end = check(rows, anchor)
    assert end == end_of(rows)
    return [str(one) for one in found]


@given(ENTRIES)
def test_a_log_as_it_was_written_has_no_fault(entries: list[Entry]) -> None:
    rows = chain(entries)
    assert faults(rows, end_of(rows)) == []
    assert faults(rows, None) == []
    assert faults(rows, end_of(rows[:-1])) == [], "the end that was kept may lag behind"


def test_an_empty_log_has_no_fault_but_a_missing_one_has() -> None:
    assert faults([], None) == faults([], Head()) == []
    assert faults([], Head(3, "a" * 64)) == ["the log ends with row 0, and had 3 rows: its end was cut off"]


@given(ENTRIES, st.data())
def test_any_change_of_any_field_is_found(entries: list[Entry], data: st.DataObject) -> None:
    rows = chain(entries)
    place = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from([one for one in Row.__struct_fields__ if one != "seq"]))
    value = getattr(rows[place], name)
    changed = value + 1 if isinstance(value, int) else value + "x"
    rows[place] = replace(rows[place], **{name: changed})
    assert faults(rows, None)


@given(ENTRIES, st.data())
def test_a_row_made_anew_is_found_by_those_after_it_or_by_the_end_that_was_kept(
    entries: list[Entry], data: st.DataObject
) -> None:
    rows = chain(entries)
    anchor = end_of(rows)
    place = data.draw(st.integers(0, len(rows) - 1))
    forged = chain([replace(entries[place], subject="forged" + entries[place].subject)], end_of(rows[:place]))
    assert faults([*rows[:place], *forged, *rows[place + 1 :]], anchor)
    rebuilt = chain([replace(entries[place], subject="forged" + entries[place].subject), *entries[place + 1 :]],
                    end_of(rows[:place]))  # fmt: skip
    assert faults([*rows[:place], *rebuilt], anchor), "a whole tail made anew hashes well, and is not the one kept"


@given(ENTRIES.filter(lambda found: len(found) > 1), st.data())
def test_a_row_taken_out_or_put_elsewhere_is_found(entries: list[Entry], data: st.DataObject) -> None:
    rows = chain(entries)
    anchor = end_of(rows)
    place = data.draw(st.integers(0, len(rows) - 1))
    assert faults([*rows[:place], *rows[place + 1 :]], anchor)
    other = data.draw(st.integers(0, len(rows) - 1).filter(lambda found: found != place))
    moved = list(rows)
    moved[place], moved[other] = replace(rows[other], seq=rows[place].seq), replace(rows[place], seq=rows[other].seq)
    assert faults(moved, anchor)


@dataclass(frozen=True)
class Case:
    rows: list[int]
    said: str


@pytest.mark.parametrize(
    "case",
    [
        Case([1, 2, 4], "row 3 is missing"),
        Case([1, 2, 5], "rows 3 to 4 are missing"),
        Case([1, 2, 2, 3, 4, 5], "row 2 is there twice"),
        Case([2, 3, 4, 5], "row 1 is missing"),
        Case([1, 2, 3], "the log ends with row 3, and had 5 rows: its end was cut off"),
    ],
)
def test_faults_say_what_is_wrong(case: Case) -> None:
    rows = chain([Entry(at=place, actor="a", action="b") for place in range(5)])
    assert case.said in faults([rows[seq - 1] for seq in case.rows], end_of(rows))
