"""The payload of an alert, read strictly: exact numbers, every fault with its field, and nothing ignored that could
mean something. The names are those that strategies on TradingView are used to.
"""

import json
import re
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw

from evenkeel.desk.audit import clean, hushed
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.orders import OrderKind, Side
from evenkeel.domain.webhooks import Alert, SignalType, moment
from evenkeel.server import wire
from evenkeel.server.problems import MalformedBody

MOST_BODY = 8 * 1024
OWN = frozenset({"account_id", "action", "id", "limit_price", "price", "quantity", "signal_type", "symbol", "timestamp",
                 "trigger_price"})  # fmt: skip
HARMLESS = frozenset({
    "alert_name", "basecurrency", "close", "comment", "currency", "description", "exchange", "high", "interval", "low",
    "market_position", "market_position_size", "message", "note", "open", "order_comment", "order_id", "plot_0",
    "plot_1", "position_size", "prev_market_position", "prev_market_position_size", "strategy_id", "ticker", "time",
    "timenow", "volume",
})  # fmt: skip
"""What only describes: kept in the log, and ignored. So is whatever begins with `x_`."""
_KINDS = {
    (False, False): OrderKind.MARKET,
    (True, False): OrderKind.LIMIT,
    (False, True): OrderKind.STOP,
    (True, True): OrderKind.STOP_LIMIT,
}
_EMPTY = (b"null", b'""')
_LONGEST = {"symbol": 64, "account_id": 64, "id": 128, "timestamp": 60, "action": 20, "signal_type": 20, "price": 60}
_PAIRS = json.JSONDecoder(object_pairs_hook=list, parse_int=str, parse_float=str)
_PLAIN = re.compile(rb"[0-9]+(\.[0-9]+)?")


def read(body: bytes) -> Alert:
    """What a body asks for. Raises MalformedBody, and InvalidInput with every fault."""
    fields = wire.Fields()
    given = _usable(_given(body, fields), fields)
    signal = _one_of(given, "signal_type", fields=fields, among=tuple(SignalType)) or SignalType.ENTRY.value
    action = _one_of(given, "action", fields=fields, among=("buy", "sell"))
    quantity, kind = _number(given, "quantity", fields), OrderKind.MARKET
    prices: dict[str, Any] = {}
    if signal == SignalType.EXIT:
        _exit_faults(given, fields)
    else:
        kind, prices = _kind(given, fields)
        if action is None and "action" not in given:
            fields.fault("action", "an entry needs one: buy or sell")
    symbol = _text(given, "symbol", fields)
    if symbol is None and "symbol" not in given:
        fields.fault("symbol", "is required")
    sent_at = _moment(given, fields)
    account_id, own_id = _text(given, "account_id", fields), _text(given, "id", fields)
    fields.check("the alert is not valid")
    return Alert(
        signal_type=SignalType(signal),
        symbol=symbol or "",
        side=None if action is None else Side(action.upper()),
        quantity=quantity,
        kind=kind,
        account_id=account_id,
        sent_at=sent_at,
        id=own_id,
        **prices,
    )


def shown(body: bytes) -> str:
    """A body as the log keeps it: without what is named or looks like a secret, and cut where it is long."""
    try:
        given = msgspec.json.Decoder(float_hook=str).decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return spoken(body.decode("utf-8", "replace"))[:500]
    if not isinstance(given, dict):
        return ""
    return clean({name: "…" if isinstance(one, dict | list) else one for name, one in given.items()})


def spoken(text: str) -> str:
    """What a log can hold of a text: printable, and without what looks like a secret."""
    return hushed("".join(one for one in text if one.isprintable()))


def _given(body: bytes, fields: wire.Fields) -> dict[str, Raw]:
    """The fields that say something: null and empty texts do not. One that is there twice is at fault."""
    if not body.strip():
        raise MalformedBody("the body is empty", hint="Send the JSON that `evenkeel webhook payload` prints.")
    try:
        text = body.decode()
        given = msgspec.json.decode(text, type=dict[str, Raw])
        names = [name for name, _ in _PAIRS.decode(text)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        hint = "Send the JSON that `evenkeel webhook payload` prints."
        raise MalformedBody(f"the body is not a JSON object: {reason}", hint=hint) from None
    for name in given if len(names) > len(given) else ():
        if names.count(name) > 1:
            fields.fault(name[:80], "is there more than once")
    return {name: raw for name, raw in given.items() if bytes(raw) not in _EMPTY}


def _usable(given: dict[str, Raw], fields: wire.Fields) -> dict[str, Raw]:
    """The fields that can be read on; what is at fault is there still, and says nothing."""
    found = dict[str, Raw]()
    for name, raw in given.items():
        before, text = len(fields.faults), bytes(raw)
        if text.startswith((b"{", b"[")):
            fields.fault(name[:80], "must be one text or number")
        elif b"{{" in text:
            fields.fault(name[:80], f"{text.decode()[:60]} is a placeholder that was not filled in")
        elif name not in OWN and name not in HARMLESS and not name.startswith("x_"):
            fields.fault(name[:80], "is not known, and may mean something: leave it out, or let its name begin with x_")
        found[name] = raw if len(fields.faults) == before else Raw()
    return found


def _text(given: dict[str, Raw], name: str, fields: wire.Fields) -> str | None:
    """A text, or the digits of a number; None where it is absent or at fault."""
    raw = bytes(given.get(name, Raw()))
    if not raw:
        return None
    try:
        text = raw.decode() if _PLAIN.fullmatch(raw) else msgspec.json.decode(raw, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        fields.fault(name, "is not valid text")
        return None
    text = text.strip()
    if not (1 <= len(text) <= _LONGEST[name] and text.isprintable()):
        fields.fault(name, f"must be 1 to {_LONGEST[name]} printable characters")
        return None
    return text


def _one_of(given: dict[str, Raw], name: str, *, fields: wire.Fields, among: tuple[str, ...]) -> str | None:
    text = _text(given, name, fields)
    if text is None:
        return None
    if text.lower() not in among:
        fields.fault(name, f"{text[:40]!r} is not one of {', '.join(among)}")
        return None
    return text.lower()


def _number(given: dict[str, Raw], name: str, fields: wire.Fields) -> Decimal | None:
    return fields.number(name, given.get(name, Raw()))


def _kind(given: dict[str, Raw], fields: wire.Fields) -> tuple[OrderKind, dict[str, Any]]:
    """The kind of an entry's order with its prices. Without `price`, a limit price says that it is a limit order."""
    limit, trigger = _number(given, "limit_price", fields), _number(given, "trigger_price", fields)
    price = _text(given, "price", fields)
    if price is not None and price.lower() not in ("market", "limit"):
        fields.fault("price", f"{price!r} is neither market nor limit; the price of a limit order is its limit_price")
    is_limit = price.lower() == "limit" if price is not None else limit is not None
    if is_limit and "limit_price" not in given:
        fields.fault("limit_price", "a limit order needs one")
    if not is_limit and limit is not None:
        fields.fault("limit_price", "an order at the market has none")
    return _KINDS[is_limit, trigger is not None], {"limit_price": limit, "stop_price": trigger}


def _exit_faults(given: dict[str, Raw], fields: wire.Fields) -> None:
    price = _text(given, "price", fields)
    if price is not None and price.lower() != "market":
        fields.fault("price", "an exit closes at the market")
    for name in ("limit_price", "trigger_price"):
        if name in given:
            fields.fault(name, "an exit closes at the market, and has none")


def _moment(given: dict[str, Raw], fields: wire.Fields) -> int | None:
    text = _text(given, "timestamp", fields)
    try:
        return None if text is None else moment(text)
    except InvalidInput as error:
        fields.faults.extend(error.errors)
        return None
