"""Webhooks: an address at which a program's alert becomes one order in one account, however often it is sent.

What an alert is known by is its own id, else its timestamp with the hash of its body, else that hash within a window.
From that comes the `client_order_id` of the order, so that the journal itself refuses a second.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any

from msgspec import Struct, field

from evenkeel.domain.accounts import MANUAL
from evenkeel.domain.clock import SECOND, iso, to_ns
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.orders import OrderKind, Product, Side

TOKEN_PREFIX = "evw_"  # noqa: S105 - how a token begins, by which logs know one
TRADINGVIEW = ("52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7")
"""The addresses that TradingView says it sends from."""
MOST_WEBHOOKS, MOST_SYMBOLS, MOST_NETWORKS = 50, 500, 50
LONGEST_AGE, LONGEST_WINDOW, SHORTEST_WINDOW, MOST_A_MINUTE = 86_400, 600, 5, 6_000
KEPT_DAYS, MOST_UNTAKEN = 90, 10_000
SKEW = 10
"""Seconds by which a sender's clock may be ahead of ours."""
_EPOCH = re.compile(r"[0-9]{1,14}(\.[0-9]{1,9})?")
_SECONDS_UNTIL, _MILLIS_UNTIL = 10**11, 10**14
LAST = 2**63 - 1
"""The last moment (ns) that a row can hold, in the year 2262."""


class WebhookTerms(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a webhook's alerts may do. Times in seconds; `networks` empty: from anywhere; `allowed`: instruments, empty:
    all. `symbols` maps what the sender writes, in capitals, to our instruments."""

    book: str = MANUAL
    product: Product = Product.NONE
    networks: tuple[str, ...] = ()
    per_minute: int = 60
    max_age: int = 60
    window: int = 30
    in_order: bool = True
    quantity: Decimal | None = None
    symbols: dict[str, str] = field(default_factory=dict)
    allowed: tuple[str, ...] = ()


class Webhook(Struct, frozen=True, kw_only=True):
    """One person's webhook for one account, known by the hash of its token; times are wall-clock ns."""

    id: str
    user_id: str
    account_id: str
    name: str
    token_hash: str
    enabled: bool
    terms: WebhookTerms
    created_at: int
    updated_at: int
    rotated_at: int


class SignalType(StrEnum):
    ENTRY = "entry"
    EXIT = "exit"


class Decision(StrEnum):
    """What was made of a delivery. Only those of `FINAL` were taken for good: a sender that sends again gets the same
    answer, and anything else is looked at anew."""

    RECEIVED = "received"
    """Taken, and not decided: the process may have died just then."""
    ORDERED = "ordered"
    REFUSED = "refused"
    """An order that a risk limit refused; it is recorded with the rule."""
    CLOSING = "closing"
    """What works there is being cancelled first; the rest follows by itself."""
    NOTHING = "nothing"
    """An exit where there was nothing to close."""
    REPEATED = "repeated"
    DECLINED = "declined"
    """Not taken: what was sent is not valid, too old, or out of order."""
    FAILED = "failed"
    """Nothing could be written: the sender is asked to send again."""


FINAL = frozenset({Decision.ORDERED, Decision.REFUSED, Decision.CLOSING, Decision.NOTHING})
TAKEN = FINAL | {Decision.RECEIVED}


class Alert(Struct, frozen=True, kw_only=True):
    """What a payload asks for. `sent_at` in ns; an exit has a side only to say which one it closes by."""

    signal_type: SignalType
    symbol: str
    side: Side | None = None
    quantity: Decimal | None = None
    kind: OrderKind = OrderKind.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    account_id: str | None = None
    sent_at: int | None = None
    id: str | None = None


class Identity(Struct, frozen=True):
    """What an alert is known by: `kind` id, timestamp or body, and the value under it."""

    kind: str
    value: str

    @property
    def is_windowed(self) -> bool:
        """Whether the same may come again later as another alert."""
        return self.kind == "body"

    @property
    def key(self) -> str:
        return sha256(f"{self.kind}\0{self.value}".encode()).hexdigest()[:24]

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class Delivery(Struct, frozen=True, kw_only=True):
    """One request to a webhook, and what was made of it. `answer` is the JSON it was answered with, once decided."""

    id: str
    webhook_id: str
    user_id: str
    received_at: int
    address: str
    body: str
    body_hash: str
    identity: str = ""
    key: str = ""
    client_order_id: str = ""
    instrument_id: str = ""
    sent_at: int | None = None
    decision: Decision = Decision.DECLINED
    order_id: str = ""
    reason: str = ""
    answer: str = ""


def body_hash(body: bytes) -> str:
    """The hash of a body, without space around it."""
    return sha256(body.strip()).hexdigest()


def identity_of(alert: Alert, hashed: str) -> Identity:
    """What an alert is known by; `hashed` is the hash of its body."""
    if alert.id is not None:
        return Identity("id", alert.id)
    if alert.sent_at is not None:
        return Identity("timestamp", f"{alert.sent_at}:{hashed}")
    return Identity("body", hashed)


def order_name(webhook_id: str, identity: Identity, *, at: int, window: int, is_taken: Callable[[str], bool]) -> str:
    """The `client_order_id` of an alert's order; at most 50 characters.

    One that is known by its body alone has the second in which it came (`at`, ns) in its name; where a name of the last
    `window` seconds, or of as many to come should the clock have been set back, is taken, it is the same alert.
    """
    name = f"wh:{webhook_id[-12:]}:{identity.key}"
    if not identity.is_windowed:
        return name
    now = at // SECOND
    ticks = sorted(range(now - window, now + window + 1), key=lambda tick: abs(now - tick))
    return next((one for tick in ticks if is_taken(one := f"{name}.{tick:x}")), f"{name}.{now:x}")


def moment(text: str) -> int:
    """The ns of a timestamp: ISO 8601 with its time zone, or seconds or milliseconds since 1970.

    Raises InvalidInput.
    """
    plain_text = text.strip()
    try:
        if _EPOCH.fullmatch(plain_text):
            at = _since_1970(Decimal(plain_text))
        else:
            found = datetime.fromisoformat(plain_text)
            if found.tzinfo is None:
                raise _bad_moment(f"{plain_text[:60]} says no time zone: write {plain_text[:40]}Z")
            at = to_ns(found)
        if not 0 <= at <= LAST:
            raise _bad_moment(f"{plain_text[:60]} is no time of an alert")
        return at
    except (ValueError, OverflowError) as error:
        shapes = "ISO 8601 with its zone, such as 2005-09-01T20:00:00Z, or seconds or milliseconds since 1970"
        raise _bad_moment(f"{plain_text[:60]!r} is not {shapes}") from error


def _since_1970(number: Decimal) -> int:
    if number >= _MILLIS_UNTIL:
        raise _bad_moment(f"{number} is neither seconds nor milliseconds since 1970")
    return int(number.scaleb(9 if number < _SECONDS_UNTIL else 6))


def _bad_moment(message: str) -> InvalidInput:
    return InvalidInput("the timestamp is not valid", errors=(FieldError("timestamp", message),))


def age_fault(sent_at: int, *, now: int, max_age: int) -> str | None:
    """Why an alert of that time may not be taken now; None where it may."""
    age = now - sent_at
    if age > max_age * SECOND:
        return f"{iso(sent_at)} is {age / SECOND:.1f} s ago, and at most {max_age} s are allowed"
    if age < -SKEW * SECOND:
        return f"{iso(sent_at)} is {-age / SECOND:.1f} s ahead of this clock, and at most {SKEW} s are allowed"
    return None


def check_terms(terms: WebhookTerms) -> None:
    """Raises InvalidInput with every fault of the numbers and networks of the terms."""
    from ipaddress import ip_network

    bounds = (
        ("per_minute", terms.per_minute, 1, MOST_A_MINUTE),
        ("max_age", terms.max_age, 1, LONGEST_AGE),
        ("window", terms.window, SHORTEST_WINDOW, LONGEST_WINDOW),
    )
    faults = [FieldError(name, f"{low} to {high}") for name, value, low, high in bounds if not low <= value <= high]
    for place, network in enumerate(terms.networks):
        try:
            ip_network(network)
        except ValueError:
            message = "an address, a network such as 192.0.2.0/24, or tradingview"
            faults.append(FieldError(f"networks.{place}", message))
    if faults:
        raise InvalidInput("the webhook is not valid", errors=tuple(faults))


def template(
    *, name: str, account_id: str, quantity: str | None, signal_type: SignalType, action: Side | None = None
) -> dict[str, str]:
    """The payload to paste into an alert of TradingView, with its placeholders: of a strategy, or, with an `action`, of
    an indicator, whose alerts know no orders."""
    made = {"strategy_id": name, "signal_type": signal_type.value, "symbol": "{{ticker}}"}
    if action is None:
        made |= {"action": "{{strategy.order.action}}", "quantity": "{{strategy.order.contracts}}"}
    else:
        made["action"] = action.value.lower()
        if signal_type is SignalType.ENTRY:
            made["quantity"] = quantity or "1"
    return made | {"price": "market", "account_id": account_id, "timestamp": "{{timenow}}", "alert_name": name}


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What two pictures of a webhook differ in, as it was and as it is."""
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}
