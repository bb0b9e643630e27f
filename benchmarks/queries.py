"""Views over many accounts: `python benchmarks/queries.py --json` prints a list, a row a view, moment and database.

One person's consolidated view of a thousand positions, and the platform's totals over a million.

A home with a thousand users of five accounts of two hundred positions each is made: the tables are written by the
projector's own functions, as trading would have left them, and the state of the one user who is asked about lies in
memory, as the running desk has it.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # and not this folder: it has a `copy`

from benchmarks.machine import facts, spread
from benchmarks.orders import DATABASES, opened
from evenkeel.desk.consolidated import by_currency, in_currency, merged, read, today_of
from evenkeel.desk.platform import platform
from evenkeel.domain import records as r
from evenkeel.domain.account_records import FxRatesSet
from evenkeel.domain.accounts import Account, AccountType, LedgerEntry, LedgerKind
from evenkeel.domain.clock import from_ns
from evenkeel.domain.fx import FxRate, RateSource
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.server import consolidated as shown
from evenkeel.server import wire
from evenkeel.storage import projections
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine, sync_engine
from evenkeel.storage.projections import Place, holdings
from evenkeel.storage.repositories.totals import StoredTotals
from evenkeel.storage.schema import upgrade
from evenkeel.trading.engine.fold import apply
from evenkeel.trading.engine.holdings import Mark
from evenkeel.trading.engine.state import State

SHARD = "benchmark"
AT = 1_750_000_000_000_000_000
BY = Provenance(actor="benchmark", source=Source.SYSTEM)
CURRENCIES = ("USD", "EUR", "GBP", "INR", "JPY")
RATES = {"EUR": "1.0832", "GBP": "1.2655", "INR": "0.01206", "JPY": "0.006431"}
WANTED = {"user": 20.0, "platform": 100.0}
Times = list[tuple[float, float]]


def queries(
    *,
    users: int = 1_000,
    accounts: int = 5,
    positions: int = 200,
    instruments: int = 2_000,
    calls: int = 200,
    database: str = "",
) -> dict[str, Any]:
    """p95 over `calls` of a user's consolidated view and of the platform's totals, up to the JSON that is answered."""
    size = Size(users, accounts, positions, instruments)
    rows = [row for one in ([database] if database else DATABASES) for row in table(one, size, calls=calls)]
    counted = {"rows": len(rows), "reached": all(row["reached"] for row in rows)}
    return {"benchmark": "queries", "result": counted, "table": rows, "machine": facts()}


class Size(NamedTuple):
    """How much there is: positions of each account, accounts of each user."""

    users: int
    accounts: int
    positions: int
    instruments: int


def table(name: str, size: Size, *, calls: int) -> Iterator[dict[str, Any]]:
    """The rows of one database: who looks, warm and just after a restart, on the clock and in processor time."""
    with opened(name) as url, tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        where = Database(Path(folder), url)
        upgrade(where)
        listed = [_instrument(place) for place in range(size.instruments)]
        state = _written(where, listed, users=size.users, accounts=size.accounts, positions=size.positions)
        mine = size.accounts * size.positions
        counts = {"user": mine, "platform": size.users * mine}
        for view, when, taken in asyncio.run(_measured(where, state, calls=calls)):
            wall, cpu = (spread([one[place] for one in taken], scale=1000) for place in (0, 1))
            yield {
                "view": view,
                "when": when,
                "database": name,
                "positions": counts[view],
                "calls": len(taken),
                "p50_ms": wall["p50"],
                "p95_ms": wall["p95"],
                "cpu_p50_ms": cpu["p50"],
                "cpu_p95_ms": cpu["p95"],
                "wanted_p95_ms": WANTED[view],
                "reached": wall["p95"] <= WANTED[view],
            }


def _instrument(place: int) -> Instrument:
    currency = CURRENCIES[place % len(CURRENCIES)]
    name = f"I{place:05}"
    return Instrument(name, name, "XBEN", AssetClass.EQUITY, currency, Decimal("0.01"), Decimal(1))


def _written(where: Database, listed: list[Instrument], *, users: int, accounts: int, positions: int) -> State:
    """Fills the tables, and returns the state of the first user as it lies in memory."""
    state, unit = State(), projections.unit_of(SHARD)
    engine, seq = sync_engine(where, "project"), 0
    opening = [r.InstrumentListed(at=AT, instrument=one) for one in listed]
    for user in range(users):
        records: list[r.AnyRecord] = [*(opening if not user else ()), *_opened(user, accounts)]
        with engine.begin() as connection:
            unit.connection = connection
            for record in records:
                seq += 1
                projections.project(unit, Place(seq, AT), record)
                apply(state, record)
            for position in _held(user, accounts, listed, positions=positions):
                seq += 1
                holdings.store(unit, Place(seq, AT), position, at=AT)
                if not user:
                    state.accounts[position.key.account_id].positions[position.key] = position
            unit.flush(projections.is_closed)
    engine.dispose()
    rates = tuple(
        FxRate(base, "USD", from_ns(AT).date(), Decimal(rate), RateSource.IMPORT) for base, rate in RATES.items()
    )
    apply(state, FxRatesSet(at=AT, rates=rates, provenance=BY))
    return state


def _opened(user: int, accounts: int) -> Iterator[r.AnyRecord]:
    for place in range(accounts):
        currency, name = CURRENCIES[place % len(CURRENCIES)], f"account-{user:04}-{place}"
        account = Account(name, f"user-{user:04}", name, "simulated", currency, type=AccountType.MARGIN)
        yield r.AccountOpened(at=AT, account=account, provenance=BY)
        entry = LedgerEntry(name, "manual", currency, LedgerKind.DEPOSIT, Decimal(1_000_000), from_ns(AT).date())
        yield r.CashBooked(at=AT, entries=(entry,), provenance=BY)


def _held(user: int, accounts: int, listed: list[Instrument], *, positions: int) -> Iterator[Position]:
    """Positions of a user: each account holds instruments of its currency, one in eight of them short."""
    for place in range(accounts):
        mine = [one for one in listed if one.currency == CURRENCIES[place % len(CURRENCIES)]]
        for number in range(positions):
            instrument = mine[(user * 7 + number) % len(mine)]
            quantity = Decimal(10 + number % 90) * (-1 if number % 8 == 0 else 1)
            key = PositionKey(f"account-{user:04}-{place}", "manual", instrument.id)
            cost = quantity * Decimal("99.5")
            yield Position(key=key, quantity=quantity, total_cost=cost, realised=Decimal("12.34"))


async def _measured(where: Database, state: State, *, calls: int) -> list[tuple[str, str, Times]]:
    """(view, when, times). After a restart the user's positions have no prices yet, and the platform's totals are asked
    for over a connection that has just been made."""
    accounts = [held for held in state.accounts.values() if held.account.user_id == "user-0000"]

    async def of_user() -> bytes:
        return _user_view(state, accounts)

    unpriced = await _timed(of_user, calls)
    _show_market(state)
    priced = await _timed(of_user, calls, before=lambda: _show_market(state))
    fresh = [one for _ in range(calls) for one in await _of_platform(where, state, calls=1)]
    warm = await _of_platform(where, state, calls=calls + 1)
    return [
        ("user", "after-restart", unpriced), ("user", "warm", priced),
        ("platform", "after-restart", fresh), ("platform", "warm", warm[1:]),
    ]  # fmt: skip


def _show_market(state: State) -> None:
    """Every instrument has a new price, so that nothing that was worked out before is of use."""
    for name in state.instruments:
        known = state.marks.get(name)
        state.marks[name] = Mark(100.0 if known is None else 100.0 + (known.price + 0.25) % 2, AT)


def _user_view(state: State, accounts: list[Any]) -> bytes:
    """What `GET /portfolio/consolidated` answers, without the way through HTTP."""
    rows, today = [read(state, held) for held in accounts], today_of(state)
    sums = by_currency((one.held.account.currency, one.figures) for one in rows)
    whole = in_currency(sums, "USD", rates=state.rates, today=today)
    answer = shown.ConsolidatedOut(
        as_of="2025-06-15T15:06:40Z",
        base_currency="USD",
        total=shown.total_out(whole),
        by_currency=[shown.figures_out(name, each) for name, each in sums.items()],
        rates=shown.rates_used(whole, today),
        cash=shown.cash_out(rows, whole),
        positions=shown.merged_out(state, merged(state, rows), whole=whole),
        accounts=[shown.account_line(one, whole, labels=(), groups=()) for one in rows],
    )
    if len(answer.positions) == 0 or answer.total.left_out:
        raise RuntimeError("the view is not whole")
    return wire.ENCODER.encode(answer)


async def _of_platform(where: Database, state: State, *, calls: int) -> Times:
    """The platform's totals over connections of their own."""
    engine = async_engine(where)
    stored = StoredTotals(engine, SHARD)

    async def view() -> bytes:
        totals, instruments = await stored.platform()
        found, today = platform(state, totals, instruments=instruments), today_of(state)
        whole = in_currency(found.by_currency, "USD", rates=state.rates, today=today)
        sums = [shown.figures_out(name, each) for name, each in sorted(found.by_currency.items())]
        return wire.ENCODER.encode([shown.total_out(whole), sums])

    try:
        return await _timed(view, calls)
    finally:
        await engine.dispose()


async def _timed(
    work: Callable[[], Awaitable[bytes]], calls: int, *, before: Callable[[], None] = lambda: None
) -> Times:
    """Seconds of each call, on the clock and of this process."""
    taken: Times = []
    for _ in range(calls):
        before()
        began, worked = time.perf_counter(), time.process_time()
        await work()
        taken.append((time.perf_counter() - began, time.process_time() - worked))
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the list as JSON, else a line for each row")
    parser.add_argument("--users", type=int, default=1_000, help="how many people there are (1000)")
    parser.add_argument("--calls", type=int, default=200, help="how often each view is asked for (200)")
    parser.add_argument("--database", choices=DATABASES, action="append", help="only this database")
    given = parser.parse_args()
    rows = []
    for name in given.database or DATABASES:
        for one in table(name, Size(given.users, 5, 200, 2_000), calls=given.calls):
            rows.append(one)
            if not given.json:
                print("  ".join(f"{key} {value}" for key, value in one.items()), flush=True)
    if given.json:
        print(json.dumps(rows, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
