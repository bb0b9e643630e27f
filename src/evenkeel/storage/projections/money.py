"""The cash side: ledger entries, and the balances that are their sums kept as rows."""

from collections.abc import Iterable
from decimal import Decimal
from hashlib import blake2b

from evenkeel.domain.accounts import EXTERNAL_FLOWS, LedgerEntry, LedgerKind
from evenkeel.domain.ids import layout
from evenkeel.domain.money import ZERO, add
from evenkeel.storage.projections import totals
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.projections.writing import Row
from evenkeel.storage.tables.accounts import accounts, balances, ledger_entries
from evenkeel.storage.tables.portfolios import book_balances


def book_entries(
    unit: Unit, place: Place, entries: Iterable[LedgerEntry], *, at: int, fill_id: str | None = None
) -> None:
    """Adds the entries of one record to the ledger and to the balances."""
    for line, entry in enumerate(entries):
        _add_line(unit, place, entry, line=line, at=at, fill_id=fill_id)
        outside = entry.amount if entry.kind in EXTERNAL_FLOWS else ZERO
        balance = _balance(unit, entry)
        balance["amount"] = add(balance["amount"], entry.amount)
        balance["contributed"] = add(balance["contributed"], outside)
        balance["entries"] += 1
        balance["updated_at"] = at
        _of_book(unit, entry, outside=outside, at=at)
        account = unit.get(accounts, entry.account_id)
        account["updated_at"] = at
        account["contributed"] = add(account["contributed"], outside)
        totals.paid(unit, account, currency=entry.currency, amount=entry.amount, outside=outside, at=at)
        if entry.currency == account["currency"]:
            account["current_balance"] = balance["amount"]
        if entry.kind is LedgerKind.DEPOSIT and not account["initial_balance"]:
            account["initial_balance"] = entry.amount


def _add_line(unit: Unit, place: Place, entry: LedgerEntry, *, line: int, at: int, fill_id: str | None) -> None:
    unit.add(
        ledger_entries,
        {
            "seq": place.seq,
            "line": line,
            "id": layout(at, blake2b(f"ledger|{unit.shard}|{place.seq}|{line}".encode(), digest_size=10).digest()),
            "account_id": entry.account_id,
            "book": entry.book,
            "currency": entry.currency,
            "kind": entry.kind.value,
            "component": entry.component,
            "amount": entry.amount,
            "value_date": entry.value_date,
            "order_id": entry.order_id,
            "fill_id": fill_id,
            "at": at,
        },
    )


def _balance(unit: Unit, entry: LedgerEntry) -> Row:
    return unit.find_or(
        balances,
        (entry.account_id, entry.currency),
        lambda: {
            "account_id": entry.account_id,
            "currency": entry.currency,
            "amount": ZERO,
            "contributed": ZERO,
            "entries": 0,
            "updated_at": 0,
        },
    )


def _of_book(unit: Unit, entry: LedgerEntry, *, outside: Decimal, at: int) -> None:
    """Moves the cash of a book."""
    key = entry.account_id, entry.book, entry.currency
    row = unit.find_or(
        book_balances,
        key,
        lambda: {
            "account_id": entry.account_id,
            "book": entry.book,
            "currency": entry.currency,
            "amount": ZERO,
            "contributed": ZERO,
            "entries": 0,
            "updated_at": 0,
        },
    )
    row["amount"], row["contributed"] = add(row["amount"], entry.amount), add(row["contributed"], outside)
    row["entries"] += 1
    row["updated_at"] = at
