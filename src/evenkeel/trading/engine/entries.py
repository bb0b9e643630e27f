"""The ledger lines of a fill: what it moves in cash, and for what."""

from decimal import Decimal

from evenkeel.domain.accounts import LedgerEntry, LedgerKind
from evenkeel.domain.fills import Charge, Fill
from evenkeel.domain.money import neg

_COSTS: dict[str, LedgerKind] = {
    kind: kind for kind in (LedgerKind.FEE, LedgerKind.TAX, LedgerKind.INTEREST, LedgerKind.FUNDING, LedgerKind.BORROW)
}


def ledger_entries(fill: Fill, value: Decimal) -> tuple[LedgerEntry, ...]:
    """The cash a fill of that value moves: the trade itself, then each charge (a reversed fill carries negative
    charges)."""
    amount = neg(value) if fill.side.sign > 0 else value
    trade = _entry(fill, LedgerKind.TRADE, amount=amount, component="")
    if not fill.charges:
        return (trade,)
    return trade, *[
        _entry(fill, _kind_of(charge), amount=neg(charge.amount), component=charge.component)
        for charge in fill.charges
        if charge.amount
    ]


def _entry(fill: Fill, kind: LedgerKind, *, amount: Decimal, component: str) -> LedgerEntry:
    day = fill.session_date
    return LedgerEntry(fill.account_id, fill.book, fill.currency, kind, amount, day, component, fill.order_id)


def _kind_of(charge: Charge) -> LedgerKind:
    return _COSTS.get(charge.kind, LedgerKind.FEE)
