"""Payloads of alerts: exact numbers, a fault for every field that is wrong, and nothing passed over that means more."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.orders import OrderKind, Side
from evenkeel.domain.webhooks import Alert, SignalType, template
from evenkeel.server.payloads import HARMLESS, OWN, read, shown

ENTRY = {"signal_type": "entry", "symbol": "STK", "action": "buy", "quantity": "10"}
TEXTS = st.text(max_size=30)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=8)


def body(**changes: Any) -> bytes:
    return json.dumps({name: value for name, value in (ENTRY | changes).items() if value is not ...}).encode()


def faults(data: bytes) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        read(data)
    return {fault.field: fault.message for fault in refused.value.errors}


def test_the_names_that_people_bring() -> None:
    found = read(body(strategy_id="sma", alert_name="Crossed", account_id="A", timestamp=1_760_000_000, id=7))
    assert (found.signal_type, found.symbol, found.side) == (SignalType.ENTRY, "STK", Side.BUY)
    assert (found.quantity, found.kind, found.account_id, found.id) == (Decimal(10), OrderKind.MARKET, "A", "7")
    assert found.sent_at == 1_760_000_000 * 10**9
    assert read(body(signal_type="EXIT", action="Sell", quantity=...)).side is Side.SELL
    assert read(body(limit_price="", trigger_price=None, id="")).id is None, "what is empty says nothing"


def outcome(data: bytes) -> Alert | InvalidInput:
    try:
        return read(data)
    except InvalidInput as error:
        return error


@pytest.mark.parametrize(
    ("prices", "kind"),
    [
        ({}, OrderKind.MARKET),
        ({"price": "market"}, OrderKind.MARKET),
        ({"price": "limit", "limit_price": "9.5"}, OrderKind.LIMIT),
        ({"limit_price": 9.5}, OrderKind.LIMIT),
        ({"trigger_price": "11"}, OrderKind.STOP),
        ({"price": "market", "trigger_price": "11"}, OrderKind.STOP),
        ({"price": "LIMIT", "limit_price": "12", "trigger_price": "11"}, OrderKind.STOP_LIMIT),
    ],
)
def test_the_kind_follows_from_the_prices(prices: dict[str, Any], kind: OrderKind) -> None:
    assert read(body(**prices)).kind is kind


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"action": ...}, {"action"}),
        ({"symbol": ...}, {"symbol"}),
        ({"signal_type": "enter"}, {"signal_type"}),
        ({"action": "short"}, {"action"}),
        ({"quantity": "NaN"}, {"quantity"}),
        ({"quantity": "Infinity"}, {"quantity"}),
        ({"quantity": "-1"}, {"quantity"}),
        ({"quantity": 0}, {"quantity"}),
        ({"quantity": "1e400"}, {"quantity"}),
        ({"quantity": 1e300}, {"quantity"}),
        ({"quantity": "9" * 18}, {"quantity"}),
        ({"quantity": [1]}, {"quantity"}),
        ({"quantity": True}, {"quantity"}),
        ({"quantity": "{{strategy.order.contracts}}"}, {"quantity"}),
        ({"price": "9.5"}, {"price"}),
        ({"price": "limit"}, {"limit_price"}),
        ({"price": "market", "limit_price": "9"}, {"limit_price"}),
        ({"signal_type": "exit", "price": "limit", "limit_price": "9"}, {"price", "limit_price"}),
        ({"signal_type": "exit", "trigger_price": "9"}, {"trigger_price"}),
        ({"timestamp": "yesterday"}, {"timestamp"}),
        ({"timestamp": "{{timenow}}"}, {"timestamp"}),
        ({"stop_loss": "9"}, {"stop_loss"}),
        ({"leverage": 5, "order_type": "limit"}, {"leverage", "order_type"}),
        ({"comment": {"a": 1}}, {"comment"}),
        ({"symbol": "S\nK"}, {"symbol"}),
        ({"id": "x" * 129}, {"id"}),
        ({"id": True, "symbol": False, "account_id": -1}, {"id", "symbol", "account_id"}),
        ({"id": 1e30}, {"id"}),
        ({"timestamp": 99_999_999_999_999}, {"timestamp"}),
    ],
)
def test_each_fault_is_told_by_its_field(changes: dict[str, Any], fields: set[str]) -> None:
    assert set(faults(body(**changes))) == fields


def test_a_field_that_is_there_twice_is_at_fault() -> None:
    twice = b'{"symbol": "STK", "action": "buy", "quantity": 1, "x_a": 1, "quantity": 100, "x_a": "", "x_b": 1e400}'
    assert set(faults(twice)) == {"quantity", "x_a"}
    escaped = rb'{"symbol": "STK", "action": "buy", "\u0061ction": "sell", "quantity": 1}'
    assert set(faults(escaped)) == {"action"}


def test_what_only_describes_is_passed_over() -> None:
    harmless = dict.fromkeys(HARMLESS, "anything") | {"x_stop_loss": "9", "close": 10.5}
    assert read(body(**harmless)) == read(body())
    assert "may mean something" in faults(body(side="buy"))["side"]


@pytest.mark.parametrize(
    "wrong", [b"", b"  ", b"STK crossing 10", b"[1]", b"{", b"\xff\xfe", b'{"quantity": NaN}', b"null"]
)
def test_what_is_no_object_is_no_alert(wrong: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(wrong)
    assert refused.value.code == "malformed-body"


@given(st.decimals(min_value=Decimal("1e-18"), max_value=Decimal(10**17) - 1, allow_nan=False, places=None))
def test_quantities_are_exact(quantity: Decimal) -> None:
    written = f"{quantity:f}"
    digits = written.partition(".")[2]
    if len(digits) <= 18 and quantity > 0:
        assert read(body(quantity=written)).quantity == quantity


@given(st.binary(max_size=300))
def test_bytes_are_an_alert_or_a_fault(data: bytes) -> None:
    shown(data)
    with pytest.raises(InvalidInput):
        read(data)


@given(st.dictionaries(st.sampled_from(sorted(OWN | HARMLESS | {"x_y", "other"})), ANYTHING))
def test_objects_are_an_alert_or_faults_with_their_fields(given_: dict[str, Any]) -> None:
    data = json.dumps(given_).encode()
    shown(data)
    found = outcome(data)
    if isinstance(found, InvalidInput):
        assert found.code == "malformed-body" or found.errors
    else:
        assert found.symbol
        assert found.quantity is None or (found.quantity.is_finite() and found.quantity > 0)
        assert found.signal_type is SignalType.EXIT or found.side is not None
        assert "other" not in given_ or given_["other"] in (None, "")


@pytest.mark.parametrize("signal", SignalType)
@pytest.mark.parametrize("action", [None, Side.BUY])
def test_what_is_to_be_pasted_can_be_read_once_it_is_filled_in(signal: SignalType, action: Side | None) -> None:
    text = json.dumps(template(name="Crossing", account_id="A", quantity=None, signal_type=signal, action=action))
    filled = {
        "{{ticker}}": "STK",
        "{{strategy.order.action}}": "buy",
        "{{strategy.order.contracts}}": "12.5",
        "{{timenow}}": "2026-01-02T15:30:00Z",
    }
    for placeholder, value in filled.items():
        text = text.replace(placeholder, value)
    assert read(text.encode()).signal_type is signal


def test_the_log_has_no_secrets_and_no_end() -> None:
    assert json.loads(shown(body(api_key="hunter2", passphrase="hunter2", note="evw_hunter2hunter2")))["note"] == "…"
    assert "hunter2" not in shown(b"crossed evw_hunter2hunter2 \x00\n")
    assert json.loads(shown(b'{"quantity": 0.10}')) == {"quantity": "0.10"}
    assert len(shown(b"x" * 8000)) <= 500
    assert json.loads(shown(b'{"a": {"token": "hunter2"}, "b": "evk_hunter2hunter2"}')) == {"a": "…", "b": "…"}
    assert shown(b'["hunter2"]') == ""
