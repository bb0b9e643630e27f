"""Watchlists as the API takes and shows them: instruments in a person's order, with notes, and quotes beside them."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from evenkeel.domain import clock
from evenkeel.domain.watchlists import LONGEST_NOTE, MOST_ENTRIES, Watchlist
from evenkeel.server import views
from evenkeel.server.requests import TEXT, Name, Symbol
from evenkeel.server.schemas import Amount, Id, Moment
from evenkeel.trading.engine.state import State

_Note = Annotated[
    str, Meta(max_length=LONGEST_NOTE, pattern=TEXT, description=f"at most {LONGEST_NOTE} printable characters")
]
_Symbols = Annotated[list[Symbol], Meta(max_length=MOST_ENTRIES)]


class NewWatchlist(Struct, forbid_unknown_fields=True):
    name: Name
    symbols: _Symbols = []


class WatchlistChange(Struct, forbid_unknown_fields=True):
    name: Name


class WatchIn(Struct, forbid_unknown_fields=True):
    """An instrument for the end of a list; `venue` is for symbols listed twice."""

    symbol: Symbol
    note: _Note = ""
    venue: Symbol | None = None


class WatchChange(Struct, forbid_unknown_fields=True):
    """What is left out stays as it is; `place` 0 is the first."""

    note: _Note | UnsetType = UNSET
    place: Annotated[int, Meta(ge=0, le=MOST_ENTRIES, description=f"0 to {MOST_ENTRIES}")] | UnsetType = UNSET


class WatchedOut(Struct):
    """One instrument with its last price, null before there was one, and how old that is in seconds."""

    instrument_id: Id
    symbol: str
    venue: str
    note: str
    bid: Amount | None
    ask: Amount | None
    last: Amount | None
    at: Moment | None
    age: float | None


class WatchlistOut(Struct):
    id: Id
    name: str
    entries: list[WatchedOut]
    created_at: Moment
    updated_at: Moment


def watchlist(state: State, this: Watchlist, *, now: int) -> WatchlistOut:
    """A list with the quotes of now (ns)."""
    entries = []
    for one in this.entries:
        instrument = state.instruments.get(one.instrument_id)
        if instrument is not None:
            quote = views.quote(state, instrument, now=now)
            entries.append(
                WatchedOut(
                    instrument_id=instrument.id,
                    symbol=instrument.symbol,
                    venue=instrument.venue,
                    note=one.note,
                    bid=quote.bid,
                    ask=quote.ask,
                    last=quote.last,
                    at=quote.at,
                    age=quote.age,
                )
            )
    return WatchlistOut(this.id, this.name, entries, clock.iso(this.created_at), clock.iso(this.updated_at))
