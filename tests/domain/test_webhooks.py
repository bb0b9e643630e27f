"""What an alert is known by, the name of its order, its time, and the terms of a webhook."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.clock import SECOND, iso
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.orders import Side
from evenkeel.domain.webhooks import (
    LAST,
    SKEW,
    Alert,
    Identity,
    SignalType,
    WebhookTerms,
    age_fault,
    body_hash,
    check_terms,
    identity_of,
    moment,
    order_name,
    template,
)

HOOK = "0190b000-0000-7000-8000-0000000000f1"
NOW = 1_760_000_000 * SECOND
BODY = Identity("body", body_hash(b"{}"))


def named(identity: Identity, *, at: int = NOW, window: int = 30, taken: frozenset[str] = frozenset()) -> str:
    return order_name(HOOK, identity, at=at, window=window, is_taken=taken.__contains__)


def test_an_id_goes_before_a_timestamp_and_that_before_the_body() -> None:
    def alert(**more: object) -> Alert:
        return Alert(signal_type=SignalType.ENTRY, symbol="STK", **more)  # type: ignore[arg-type]

    hashed = body_hash(b' {"a":1}\n')
    assert hashed == body_hash(b'{"a":1}')
    assert str(identity_of(alert(id="x", sent_at=5), hashed)) == "id:x"
    assert str(identity_of(alert(sent_at=5), hashed)) == f"timestamp:5:{hashed}"
    found = identity_of(alert(), hashed)
    assert (found.kind, found.is_windowed) == ("body", True)


@given(st.text(min_size=1, max_size=200), st.sampled_from(["id", "timestamp"]), st.integers(0, 2**62))
def test_a_name_is_short_and_the_same_at_all_times(value: str, kind: str, at: int) -> None:
    identity = Identity(kind, value)
    assert named(identity, at=at) == named(identity)
    assert len(named(identity)) <= 50


@given(st.integers(0, 2**62), st.integers(5, 600), st.integers(0, 1_500))
def test_the_same_body_is_the_same_alert_within_the_window_only(at: int, window: int, later: int) -> None:
    first = named(BODY, at=at, window=window)
    again = named(BODY, at=at + later * SECOND, window=window, taken=frozenset({first}))
    assert (again == first) is (later <= window)
    assert len(first) <= 60


@given(st.integers(NOW, NOW * 2), st.lists(st.integers(0, 40), min_size=1, max_size=8))
def test_however_often_it_is_sent_the_first_names_it(at: int, pauses: list[int]) -> None:
    """Each send is within the window of the first or begins anew; never are there two within one window."""
    taken: dict[str, int] = {}
    for pause in pauses:
        at += pause * SECOND
        name = named(BODY, at=at, taken=frozenset(taken))
        taken.setdefault(name, at)
    times = sorted(taken.values())
    assert all(second // SECOND - first // SECOND > 30 for first, second in pairwise(times))


def test_a_clock_that_was_set_back_makes_no_second_order() -> None:
    first = named(BODY)
    assert named(BODY, at=NOW - 20 * SECOND, taken=frozenset({first})) == first


def test_webhooks_do_not_share_names() -> None:
    other = order_name(HOOK[:-1] + "2", BODY, at=NOW, window=30, is_taken=lambda name: False)
    assert other != named(BODY)


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2_262, 1, 1)),  # noqa: DTZ001 - the zones are drawn apart
    st.integers(-14 * 60, 14 * 60),
)
def test_iso_moments_are_read_to_the_microsecond(naive: datetime, minutes: int) -> None:
    at = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    if at.astimezone(UTC).year >= 1970:
        assert iso(moment(at.isoformat())) == at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@given(st.integers(10**9, LAST // SECOND - 1))
def test_seconds_and_milliseconds_are_told_apart(seconds: int) -> None:
    assert moment(str(seconds)) == seconds * SECOND
    assert moment(f"{seconds}.25") == seconds * SECOND + SECOND // 4
    assert moment(str(seconds * 1000)) == seconds * SECOND


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "now",
        "2005-09-01T20:00:00",
        "-5",
        "1e9",
        "NaN",
        "9" * 15,
        "9" * 40,
        "0001-01-01T00:00Z",
        "9" * 14,
        "9" * 13,
        "2263-01-01T00:00:00Z",
        "8999-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
    ],
)
def test_what_is_no_moment_is_told_by_the_fields_name(wrong: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        moment(wrong)
    assert [fault.field for fault in refused.value.errors] == ["timestamp"]


@given(st.text())
def test_no_text_is_anything_but_a_moment_or_a_fault(text: str) -> None:
    assert found_in(text)


def found_in(text: str) -> bool:
    """Whether it is a moment, or a fault of the timestamp."""
    try:
        return moment(text) >= 0
    except InvalidInput as error:
        return [fault.field for fault in error.errors] == ["timestamp"]


def test_too_old_and_ahead_by_one_unit_and_exactly() -> None:
    def fault(age: int) -> str | None:
        return age_fault(NOW - age, now=NOW, max_age=60)

    assert fault(60 * SECOND) is None
    assert "at most 60 s" in str(fault(60 * SECOND + 1))
    assert fault(-SKEW * SECOND) is None
    assert "ahead of this clock" in str(fault(-SKEW * SECOND - 1))


def test_every_fault_of_the_terms_is_told() -> None:
    check_terms(WebhookTerms(networks=("192.0.2.0/24", "2001:db8::1"), window=5, max_age=1, per_minute=6000))
    wrong = WebhookTerms(networks=("192.0.2.1/24", "x"), window=4, max_age=0, per_minute=6001, quantity=Decimal(1))
    with pytest.raises(InvalidInput) as refused:
        check_terms(wrong)
    fields = [fault.field for fault in refused.value.errors]
    assert fields == ["per_minute", "max_age", "window", "networks.0", "networks.1"]


def test_what_to_paste() -> None:
    terms = {"name": "Crossing", "account_id": "A", "quantity": None}
    entry = template(**terms, signal_type=SignalType.ENTRY)  # type: ignore[arg-type]
    assert (entry["action"], entry["quantity"]) == ("{{strategy.order.action}}", "{{strategy.order.contracts}}")
    indicator = template(**terms, signal_type=SignalType.ENTRY, action=Side.BUY)  # type: ignore[arg-type]
    assert (indicator["action"], indicator["quantity"], indicator["timestamp"]) == ("buy", "1", "{{timenow}}")
    out = template(**terms, signal_type=SignalType.EXIT, action=Side.SELL)  # type: ignore[arg-type]
    assert "quantity" not in out
