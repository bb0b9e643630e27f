"""What the simulated venue's process and its client say to each other: length-prefixed MessagePack frames.

A frame is four bytes of length, big-endian, and one message. Requests carry an id that the answer repeats; events
come unasked, before the answer to the request that caused them. Only `Inject` is never subject to a fault.
"""

import asyncio
from decimal import Decimal

import msgspec
from msgspec import Raw, Struct

from evenkeel.domain.accounts import Account
from evenkeel.domain.errors import BrokerUnavailable
from evenkeel.domain.events import AnyVenueEvent
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.trading.brokers.ports import Amendment, Cancellation, Ticket

MAX_FRAME = 64 * 1024 * 1024


class Faults(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What goes wrong, drawn from one generator of `seed`. Chances are per request or event, from 0 to 1.

    `on` names the requests at risk. `delay` (seconds) is how late late things are, `slow` is waited before every
    answer. `silent`: the link stays open and nothing is taken or answered. `incomplete`: lists come back short and
    marked so. `reuse_ids`: that many next orders get the venue ids of the latest ones, once.
    """

    seed: int = 0
    on: tuple[str, ...] = ("place", "modify", "cancel")
    lost_request: float = 0.0
    lost_reply: float = 0.0
    late_reply: float = 0.0
    cut_reply: float = 0.0
    lost_events: float = 0.0
    late_events: float = 0.0
    duplicate_events: float = 0.0
    shuffled_events: float = 0.0
    delay: float = 0.5
    slow: float = 0.0
    silent: bool = False
    incomplete: bool = False
    reuse_ids: int = 0


class Request(Struct, frozen=True, kw_only=True, tag_field="m"):
    id: int


class Attach(Request, frozen=True, tag="attach"):
    """Lists instruments, opens accounts that are not open yet with their cash, and asks for events."""

    accounts: tuple[Account, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    cash: dict[str, dict[str, Decimal]] = {}
    events: bool = True


class MoveCash(Request, frozen=True, tag="cash"):
    account_id: str
    amount: Decimal
    currency: str
    reference: str


class Place(Request, frozen=True, tag="place"):
    ticket: Ticket


class Modify(Request, frozen=True, tag="modify"):
    amendment: Amendment


class Cancel(Request, frozen=True, tag="cancel"):
    cancellation: Cancellation


class Show(Request, frozen=True, tag="show"):
    """Shows a slice, or has linked orders meet the one that was shown."""

    market: MarketSlice
    finish: bool = False


class AskBalance(Request, frozen=True, tag="balance"):
    account_id: str


class AskPositions(Request, frozen=True, tag="positions"):
    account_id: str


class AskOrders(Request, frozen=True, tag="orders"):
    account_id: str


class AskExecutions(Request, frozen=True, tag="executions"):
    account_id: str
    since: int


class AskStatus(Request, frozen=True, tag="status"):
    account_id: str
    venue_client_id: str


class AskSummary(Request, frozen=True, tag="summary"):
    account_id: str


class AskQuotes(Request, frozen=True, tag="quotes"):
    instrument_ids: tuple[str, ...]


class AskHistory(Request, frozen=True, tag="history"):
    instrument_id: str
    timeframe: str
    start: int
    end: int


class Inject(Request, frozen=True, tag="inject"):
    """From now on these faults, and no others."""

    faults: Faults


AnyRequest = (
    Attach
    | MoveCash
    | Place
    | Modify
    | Cancel
    | Show
    | AskBalance
    | AskPositions
    | AskOrders
    | AskExecutions
    | AskStatus
    | AskSummary
    | AskQuotes
    | AskHistory
    | Inject
)


class Answer(Struct, frozen=True, kw_only=True, tag_field="m", tag="answer"):
    """The result, encoded by its own type. One that is not `complete` must not be read as the whole."""

    id: int
    result: Raw = Raw(b"\xc0")
    complete: bool = True


class Refusal(Struct, frozen=True, kw_only=True, tag_field="m", tag="refusal"):
    """Nothing was done; `code` is that of the error."""

    id: int
    code: str
    message: str


class Told(Struct, frozen=True, kw_only=True, tag_field="m", tag="event"):
    event: AnyVenueEvent


AnyReply = Answer | Refusal | Told

encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(AnyRequest).decode
decode_reply = msgspec.msgpack.Decoder(AnyReply).decode


def frame(message: Struct) -> bytes:
    body = encode(message)
    return len(body).to_bytes(4, "big") + body


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """One frame's body, or None when the link has ended, in the middle of one too. Raises BrokerUnavailable."""
    try:
        size = int.from_bytes(await reader.readexactly(4), "big")
        if size > MAX_FRAME:
            raise BrokerUnavailable(f"a frame of {size} bytes is more than the {MAX_FRAME} allowed")
        return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
