"""The venue process's durable book: one SQLite table of (kind, key, body), committed before anything is answered.

This is the memory of a simulated counterparty, not storage of ours: nothing else reads it.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from evenkeel.domain.accounts import Account
from evenkeel.domain.errors import HomeInUse, InvalidInput
from evenkeel.domain.events import AnyVenueEvent, VenueFilled
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.positions import Position
from evenkeel.trading.brokers.simulated.orders import BookState, VenueOrder

Row = tuple[str, str, object]


_TYPES: dict[str, Any] = {
    "account": Account,
    "instrument": Instrument,
    "cash": dict[str, Decimal],
    "reference": str,
    "order": VenueOrder,
    "execution": VenueFilled,
    "position": Position,
    "seen": tuple[int, float | None],
    "split": tuple[str, date],
}


class Store:
    """One file, held exclusively. Raises HomeInUse when another process has it, InvalidInput when it is no book."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=0.5)
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("CREATE TABLE IF NOT EXISTS book (kind TEXT, key TEXT, body BLOB, UNIQUE (kind, key))")
        except sqlite3.OperationalError as error:
            self._db.close()
            raise HomeInUse(f"the book {path} is held by another process ({error})") from error
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise InvalidInput(f"{path} is not a book of a simulated venue ({error})") from error

    def durability(self) -> dict[str, str]:
        """The settings as read back from the connection."""
        names = ("journal_mode", "synchronous", "locking_mode")
        return {name: str(self._db.execute(f"PRAGMA {name}").fetchone()[0]) for name in names}

    def load(self) -> BookState:
        state = BookState()
        for kind, key, body in self._rows():
            _take(state, kind, key=key, body=body)
        return state

    def _rows(self) -> Iterator[tuple[str, str, Any]]:
        for kind, key, body in self._db.execute("SELECT kind, key, body FROM book ORDER BY rowid"):
            yield kind, key, msgspec.msgpack.decode(body, type=_TYPES[kind])

    def save(self, rows: Iterable[Row]) -> None:
        """Commits all rows in one transaction, or raises and has committed none."""
        encoded = [(kind, key, msgspec.msgpack.encode(body)) for kind, key, body in rows]
        if not encoded:
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(
            "INSERT INTO book VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body", encoded
        )
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


def _take(state: BookState, kind: str, *, key: str, body: Any) -> None:
    match kind:
        case "account":
            state.accounts[key] = body
        case "instrument":
            state.instruments[key] = body
        case "cash":
            state.cash[key] = body
        case "reference":
            state.references.add(body)
        case "order":
            state.orders[body.key] = body
        case "execution":
            state.executions.setdefault(body.account_id, []).append(body)
        case "position":
            state.positions[body.key.account_id, body.key.instrument_id, body.key.product] = body
        case "seen":
            state.seen[key] = body[0]
            if body[1] is not None:
                state.prices[key] = body[1]
        case _:
            state.splits.add(body)


def opened(state: BookState) -> Iterator[Row]:
    """Accounts, instruments, references and cash: what an attach or a movement of cash can change."""
    yield from (("account", name, account) for name, account in state.accounts.items())
    yield from (("instrument", name, instrument) for name, instrument in state.instruments.items())
    yield from (("reference", name, name) for name in state.references)
    yield from _cash(state, state.cash)


def ordered(state: BookState, *, account_id: str, venue_client_id: str | None) -> Iterator[Row]:
    """One order: what a place, modify or cancel can change."""
    order = state.orders.get((account_id, venue_client_id or ""))
    if order is not None:
        yield "order", f"{account_id}|{venue_client_id}", order


def moved(state: BookState, market: MarketSlice, *, events: Iterable[AnyVenueEvent]) -> Iterator[Row]:
    """What a slice changed: told orders, executions, holdings and cash, and how far the market has been seen."""
    names = {bar.instrument_id for bar in market.bars} | {quote.instrument_id for quote in market.quotes}
    split = {part.instrument_id for part in market.splits}
    accounts = {event.account_id for event in events if isinstance(event, VenueFilled)}
    keys = {(event.account_id, event.venue_client_id) for event in events}
    if split or market.dividends:
        accounts |= state.accounts.keys()
    if split:
        keys |= {key for key, order in state.orders.items() if order.spec.instrument_id in split}
    for account_id, venue_client_id in sorted(keys, key=str):
        yield from ordered(state, account_id=account_id, venue_client_id=venue_client_id)
    for event in events:
        if isinstance(event, VenueFilled):
            yield "execution", f"{event.account_id}|{event.execution_id}", event
    for key, position in state.positions.items():
        if key[0] in accounts:
            yield "position", "|".join(key), position
    yield from _cash(state, accounts)
    yield from (("split", f"{name}|{day}", (name, day)) for name, day in state.splits if name in split)
    for name in names & state.seen.keys():
        yield "seen", name, (state.seen[name], state.prices.get(name))


def _cash(state: BookState, accounts: Iterable[str]) -> Iterator[Row]:
    yield from (("cash", name, state.cash[name]) for name in accounts)
