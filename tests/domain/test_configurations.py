"""Configurations: names, references, and what differs between two of them."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.configurations import (
    Change,
    Configuration,
    ConfiguredMember,
    Range,
    check_name,
    difference,
    parsed,
)
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.sizing import Cash

SCALARS = st.one_of(st.booleans(), st.integers(-5, 5), st.sampled_from([0.5, 1.25]), st.sampled_from(["a", "b"]))
CONFIGURATIONS = st.builds(
    Configuration,
    template=st.sampled_from(["rsi", "ensemble"]),
    parameters=st.dictionaries(st.sampled_from(["fast", "slow"]), SCALARS),
    ranges=st.dictionaries(st.sampled_from(["fast"]), st.builds(Range, st.integers(1, 3), st.integers(4, 6))),
    members=st.lists(st.builds(ConfiguredMember, st.sampled_from(["rsi", "macd"])), max_size=2).map(tuple),
    size=st.sampled_from([None, Cash(Decimal("1.50"))]),
    description=st.sampled_from(["", "words"]),
)


@pytest.mark.parametrize("name", ["a", "my-trend", "t20_x", "0", "a" * 48])
def test_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "A", "my trend", "-a", "a-", "a--b", "a.py", "a@1", "é", "a" * 49, "a\n"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_name(name)
    assert [fault.field for fault in refused.value.errors] == ["name"]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("trend", ("trend", None)),
        ("trend@12", ("trend", 12)),
        ("trend@0", ("trend@0", None)),
        ("trend@", ("trend@", None)),
        ("a@1@2", ("a@1@2", None)),
        ("@3", ("@3", None)),
        ("trend@9999999999", ("trend@9999999999", None)),
    ],
)
def test_references(reference: str, expected: tuple[str, int | None]) -> None:
    assert parsed(reference) == expected


def test_what_differs_is_told_value_by_value() -> None:
    before = Configuration("rsi", {"period": 14, "oversold": 30.0}, {"period": Range(5, 20)})
    after = msgspec.structs.replace(before, parameters={"period": 10, "oversold": 30.0}, ranges={}, description="x")
    assert difference(before, after) == (
        Change("parameters.period", 14, 10),
        Change("ranges.period.minimum", 5, None),
        Change("ranges.period.maximum", 20, None),
        Change("description", None, "x"),
    )


@given(before=CONFIGURATIONS, after=CONFIGURATIONS)
def test_nothing_differs_where_they_are_the_same(before: Configuration, after: Configuration) -> None:
    found = difference(before, after)
    assert (found == ()) == (msgspec.to_builtins(before) == msgspec.to_builtins(after))
    assert [Change(one.field, one.after, one.before) for one in sorted(found, key=lambda one: one.field)] == sorted(
        difference(after, before), key=lambda one: one.field
    )


@given(configuration=CONFIGURATIONS)
def test_they_are_kept_as_json(configuration: Configuration) -> None:
    text = msgspec.json.encode(msgspec.to_builtins(configuration))
    assert msgspec.convert(msgspec.json.decode(text), Configuration) == configuration
