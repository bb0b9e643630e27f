"""Identity: UUIDv7 layout, order by time, names narrow enough for venues, and replays that mint the same ids."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.ids import Hashed, IdSource, Random, derived, layout, venue_text
from evenkeel.domain.instruments import instrument_id

MS = 1_000_000
sources = st.sampled_from([Random(), Hashed("run")])
times = st.integers(0, (2**48 - 1) * MS)


@given(sources, times, st.integers(0, 10**12))
def test_public_ids_have_the_layout_of_uuid7(ids: IdSource, at: int, sequence: int) -> None:
    text = ids.public(at, sequence, "order")
    parsed = uuid.UUID(text)
    assert str(parsed) == text
    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122
    assert parsed.int >> 80 == at // MS


@given(sources, times, times)
def test_ids_sort_by_time(ids: IdSource, a: int, b: int) -> None:
    if a // MS < b // MS:
        assert ids.public(a, 2, "order") < ids.public(b, 1, "order")


@given(sources, times, st.integers(0, 10**12))
def test_venue_ids_fit_the_narrowest_venue(ids: IdSource, at: int, sequence: int) -> None:
    assert re.fullmatch(r"[A-Z0-9]{20}", ids.venue(at, sequence, "order"))


@given(st.binary(min_size=13, max_size=13), st.binary(min_size=13, max_size=13))
def test_venue_text_keeps_a_hundred_bits(a: bytes, b: bytes) -> None:
    mask = (1 << 100) - 1
    same = int.from_bytes(a, "big") & mask == int.from_bytes(b, "big") & mask
    assert (venue_text(a) == venue_text(b)) is same


def test_hashed_ids_repeat_with_the_run_and_differ_in_all_else() -> None:
    ids = Hashed("run")
    assert ids.public(5, 1, "order") == Hashed("run").public(5, 1, "order")
    assert ids.venue(5, 1, "order") == Hashed("run").venue(5, 1, "order")
    one = ids.public(5, 1, "order")
    others = [Hashed("other").public(5, 1, "order"), ids.public(5, 2, "order"), ids.public(5, 1, "fill")]
    assert one not in others
    assert len(set(others)) == 3


@pytest.mark.parametrize("ids", [Random(), Hashed("run")])
def test_no_id_comes_twice(ids: IdSource) -> None:
    minted = {ids.public(0, n, "order") for n in range(5_000)} | {ids.venue(0, n, "order") for n in range(5_000)}
    assert len(minted) == 10_000


def test_two_random_sources_never_agree() -> None:
    assert Random().public(0, 1, "order") != Random().public(0, 1, "order")


def test_derived_ids_are_stable() -> None:
    assert derived("instrument:NYSE:IBM:") == instrument_id("NYSE", "IBM")
    assert instrument_id("NYSE", "IBM") != instrument_id("NYSE", "IBM", "2026-12")
    assert uuid.UUID(derived("x")).version == 7


def test_the_bits_beside_the_time_are_kept() -> None:
    assert layout(0, bytes(10)) == "00000000-0000-7000-8000-000000000000"
    assert layout(MS, b"\xff" * 10) == "00000000-0001-7fff-bfff-ffffffffffff"
