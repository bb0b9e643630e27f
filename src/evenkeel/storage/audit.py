"""An audit of the journal by its own arithmetic: what records say one by one must add up to what their fold holds.

It keeps plain sums of fills, corrections, splits and ledger entries, and checks every transition against the table.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from evenkeel.domain import records as r
from evenkeel.domain.account_records import FxRatesSet
from evenkeel.domain.accounts import LedgerEntry
from evenkeel.domain.held_records import OrderReleased
from evenkeel.domain.money import ZERO, add, sub
from evenkeel.domain.orders import TRANSITIONS, OrderState, Product
from evenkeel.domain.portfolios import CashTransferred
from evenkeel.domain.positions import PositionKey
from evenkeel.trading.engine.portfolios.worth import cash_of
from evenkeel.trading.engine.state import State


class Audit:
    """Call `see` with each record before it is folded, then `differences` with the state after."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.cash: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
        self.entries: Counter[tuple[str, str]] = Counter()
        self.books: dict[Any, dict[str, Any]] = {}
        self.rates: dict[Any, dict[str, Any]] = {}
        self._held: dict[PositionKey, Decimal] = defaultdict(lambda: ZERO)
        self._filled: dict[str, Decimal] = {}
        self._products: dict[str, Product] = {}
        self._clients: set[tuple[str, str]] = set()
        self._executions: set[tuple[str, str]] = set()
        self._seen: dict[type, Callable[[Any, State], None]] = {
            r.OrderDecided: self._introduced,
            r.OrderAdopted: self._introduced,
            r.OrderMoved: self._moved,
            OrderReleased: self._released,
            r.FillBooked: self._booked,
            r.PositionCorrected: self._corrected,
            r.SplitApplied: self._split,
            FxRatesSet: self._rated,
            **dict.fromkeys(
                (r.CashBooked, CashTransferred, r.DividendPaid, r.NightsCharged),
                lambda record, _: self._cash(record.entries),
            ),
        }

    def see(self, record: r.AnyRecord, state: State) -> None:
        """Takes one record in, `state` being the fold of those before it."""
        self.counts[type(record).__name__] += 1
        handler = self._seen.get(type(record))
        if handler is not None:
            handler(record, state)

    def differences(self, state: State) -> Iterable[str]:
        """What the fold holds otherwise than the records add up to, in words."""
        yield from self.faults
        yield from self._cash_differences(state)
        yield from self._book_differences(state)
        yield from self._position_differences(state)
        for order in state.orders.values():
            booked = self._filled.get(order.id, ZERO)
            if booked != order.filled:
                yield f"order {order.id}: its fills add up to {booked}, but it counts {order.filled} as filled"
        for account in state.accounts.values():
            working = {order.id for order in account.open_orders()}
            due = {o.id for o in state.orders.values() if o.spec.account_id == account.account.id and o.is_open}
            for order_id in sorted(working ^ due):
                yield f"order {order_id}: the account's open orders do not agree with its state"

    def _rated(self, record: FxRatesSet, state: State) -> None:
        for one in record.rates:
            self.rates[one.base, one.quote, one.day] = {"rate": one.rate, "source": one.source}

    def _cash_differences(self, state: State) -> Iterable[str]:
        held = {(account.account.id, currency): amount for account in state.accounts.values()
                for currency, amount in account.cash.items()}  # fmt: skip
        for key in sorted(held.keys() | self.cash.keys()):
            booked, balance = self.cash.get(key, ZERO), held.get(key, ZERO)
            if booked != balance:
                yield f"account {key[0]}: its ledger adds up to {booked} {key[1]}, its balance is {balance}"

    def _book_differences(self, state: State) -> Iterable[str]:
        for (account_id, book, currency), due in self.books.items():
            cash = cash_of(state.accounts[account_id], book)
            if cash != due["amount"]:
                yield f"account {account_id}: book {book} has {cash} {currency}, its ledger adds up to {due['amount']}"

    def _position_differences(self, state: State) -> Iterable[str]:
        for account in state.accounts.values():
            sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
            for key, position in account.positions.items():
                sums[key.instrument_id] = add(sums[key.instrument_id], position.quantity)
                booked = self._held.get(key, ZERO)
                if booked != position.quantity:
                    yield f"position {_named(key)}: its fills add up to {booked}, it holds {position.quantity}"
            for instrument_id in sorted(sums.keys() | account.net.keys()):
                total, net = sums.get(instrument_id, ZERO), account.net.get(instrument_id, ZERO)
                if total != net:
                    yield f"account {account.account.id}: its books hold {total} of {instrument_id}, its total is {net}"
        known = {key for account in state.accounts.values() for key in account.positions}
        for key, quantity in self._held.items():
            if quantity and key not in known:
                yield f"position {_named(key)}: its fills add up to {quantity}, but there is none"

    def _introduced(self, record: r.OrderDecided | r.OrderAdopted, state: State) -> None:
        client = (record.spec.account_id, record.spec.client_order_id)
        if record.order_id in self._products:
            self.faults.append(f"order {record.order_id} is in the journal twice")
        if client in self._clients:
            self.faults.append(f"account {client[0]}: client order id {client[1]!r} names two orders")
        if record.venue_client_id in state.venue_client_ids:
            self.faults.append(f"order {record.order_id}: its venue client id {record.venue_client_id} is not its own")
        self._products[record.order_id] = record.spec.product
        self._clients.add(client)

    def _moved(self, record: r.OrderMoved, state: State) -> None:
        before = state.orders[record.order_id].state
        expected = TRANSITIONS.get((before, record.event), OrderState.ANOMALY)
        if record.state not in (expected, OrderState.ANOMALY):
            self.faults.append(
                f"order {record.order_id} went from {before} by {record.event} to {record.state}, not to {expected}"
            )

    def _released(self, record: OrderReleased, state: State) -> None:
        before = state.orders[record.order_id].state
        if before is not OrderState.HELD:
            self.faults.append(f"order {record.order_id} was let out, and it was {before} and not held")

    def _booked(self, record: r.FillBooked, state: State) -> None:
        fill = record.fill
        execution = (fill.account_id, fill.venue_execution_id)
        if execution in self._executions:
            self.faults.append(f"account {execution[0]}: execution {execution[1]} is booked twice")
        self._executions.add(execution)
        key = PositionKey(
            fill.account_id, fill.book, fill.instrument_id, self._products.get(fill.order_id, Product.NONE)
        )
        change = add if fill.side.sign > 0 else sub
        self._held[key] = change(self._held[key], fill.quantity)
        change = sub if fill.reverses is not None else add
        self._filled[fill.order_id] = change(self._filled.get(fill.order_id, ZERO), fill.quantity)
        self._cash(record.entries)

    def _corrected(self, record: r.PositionCorrected, state: State) -> None:
        self._held[record.key] = add(self._held[record.key], record.quantity)

    def _split(self, record: r.SplitApplied, state: State) -> None:
        for part in record.positions:
            self._held[part.key] = part.quantity
        for order in record.orders:
            self._filled[order.order_id] = order.filled
        self._cash(record.entries)

    def _cash(self, entries: Iterable[LedgerEntry]) -> None:
        for entry in entries:
            key = (entry.account_id, entry.currency)
            self.cash[key] = add(self.cash[key], entry.amount)
            self.entries[key] += 1
            book = self.books.setdefault((entry.account_id, entry.book, entry.currency), {"amount": ZERO})
            book["amount"] = add(book["amount"], entry.amount)


def _named(key: PositionKey) -> str:
    parts = (key.account_id, key.book, key.instrument_id, key.product, *([key.side] if key.side else []))
    return "/".join(parts)
