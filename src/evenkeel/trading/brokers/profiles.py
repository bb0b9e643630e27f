"""A broker as data: what it can do and how it behaves when an answer is lost. Adapters differ by profile first."""

from enum import StrEnum

from msgspec import Struct

from evenkeel.domain.accounts import SendRate
from evenkeel.domain.clock import SECOND
from evenkeel.domain.limits import Window
from evenkeel.domain.orders import OrderKind, TimeInForce
from evenkeel.trading.brokers.credentials import CredentialField

PLAIN_KINDS = frozenset({OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP, OrderKind.STOP_LIMIT})
PLAIN_TIMES = frozenset(TimeInForce) - {TimeInForce.GTD}
"""What a broker takes unless its profile says otherwise; of the rest the engine makes what it can."""


class LookupKind(StrEnum):
    """How an unknown outcome is looked up: exactly by our id, by a free tag, or not at all."""

    EXACT = "exact"
    TAG = "tag"
    NONE = "none"


class BrokerProfile(Struct, frozen=True, kw_only=True):
    """Times in nanoseconds. `settle_time`: how long after a send an order may still be invisible to a lookup.

    `rate` is how fast one account may send; None: nothing is known to be too fast. `most_at_once` orders go out in one
    request. `credentials` is what it asks of an account; a broker that simulates asks for nothing. `restarts` are the
    hours in which it restarts as planned. `reconcile_every` so often, and `reconcile_after` it has been busy and quiet
    for that long, an account is compared with it; 0: not by schedule.
    """

    name: str
    title: str
    is_simulated: bool
    order_kinds: frozenset[OrderKind]
    times_in_force: frozenset[TimeInForce]
    dedupes_client_id: bool
    lookup: LookupKind
    settle_time: int = 5 * SECOND
    history_window: int = 24 * 3600 * SECOND
    cancel_on_disconnect: bool = False
    amend_is_atomic: bool = True
    rate: SendRate | None = None
    most_at_once: int = 1
    credentials: tuple[CredentialField, ...] = ()
    place_timeout: int = 5 * SECOND
    query_timeout: int = 10 * SECOND
    restarts: tuple[Window, ...] = ()
    reconcile_every: int = 300 * SECOND
    reconcile_after: int = 10 * SECOND
