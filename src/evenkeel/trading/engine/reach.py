"""What the rules of a layer read: an instrument, a strategy, an account, a user's accounts, or all there are.

Money of two currencies does not add up: figures in money read the accounts that hold the order's currency, counts of
orders and quantities read all.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from evenkeel.domain.limits import Layer, LimitScope
from evenkeel.domain.money import ZERO, add, neg, sub, total
from evenkeel.domain.orders import Order, OrderSpec, OrderState, Product
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.trading.engine.layers import Tally
from evenkeel.trading.engine.state import EXTERNAL, AccountState, State


class Asked(NamedTuple):
    """An order for `quantity` more units, judged at `price` and at the moment `at` (ns); `without` is left out."""

    account: AccountState
    spec: OrderSpec
    quantity: Decimal
    price: Decimal | None
    at: int
    reserve: Callable[[Order], Decimal]
    without: Order | None = None


class Reach(NamedTuple):
    """`accounts` are all that are read, `money` those of one currency; `book` and `instrument_id` narrow it down."""

    state: State
    kind: Layer
    accounts: Sequence[AccountState]
    money: Sequence[AccountState]
    book: str = ""
    instrument_id: str = ""

    @property
    def is_part(self) -> bool:
        """Whether it reads a part of accounts only."""
        return bool(self.book or self.instrument_id)

    def reads(self, book: str, instrument_id: str) -> bool:
        """Whether what is ordered or held so lies within it, in an account that it reads."""
        return self.book in ("", book) and self.instrument_id in ("", instrument_id)

    def positions(self, account: AccountState) -> Iterator[Position]:
        """The account's positions within it."""
        held = account.positions.of(self.instrument_id) if self.instrument_id else account.positions.values()
        return (one for one in held if self.book in ("", one.key.book))

    def open_orders(self, account: AccountState) -> Iterator[Order]:
        """The account's orders within it that work or are held here."""
        for orders in (account.working, account.held):
            for order in orders.values():
                if self.reads(order.spec.book, order.spec.instrument_id):
                    yield order

    def is_priced(self) -> bool:
        """Whether all that is held within it has a last price: after a restart nothing has, before the market shows."""
        marks = self.state.marks
        return all(
            one.key.instrument_id in marks for account in self.money for one in self.positions(account) if one.quantity
        )

    def tallies(self, account: AccountState) -> Iterator[Tally]:
        """What the account has done within it in its open day."""
        return (one for key, one in account.standing.tallies.items() if self.reads(*key))

    def result(self, account: AccountState) -> Decimal:
        """All that an account has ever made in it: its profit, or that of the positions which are read."""
        state = self.state
        if not self.is_part:
            return sub(state.equity(account), account.contributed)
        return total([
            add(sub(one.realised, one.charges), state.unrealised(one)) for one in self.positions(account)
        ])  # fmt: skip


class Cell(NamedTuple):
    """What is held of an instrument, signed, and what is on its way."""

    held: Decimal = ZERO
    buys: Decimal = ZERO
    sells: Decimal = ZERO

    def plus(self, other: "Cell") -> "Cell":
        return Cell(add(self.held, other.held), add(self.buys, other.buys), add(self.sells, other.sells))

    def moved(self, quantity: Decimal, *, is_buy: bool) -> "Cell":
        """With so much more on its way."""
        if is_buy:
            return self._replace(buys=add(self.buys, quantity))
        return self._replace(sells=add(self.sells, quantity))

    @property
    def worst(self) -> Decimal:
        """The largest position without sign that may come of it."""
        return max(add(self.held, self.buys).copy_abs(), sub(self.held, self.sells).copy_abs())


def reach_of(state: State, scope: LimitScope, *, currency: str = "") -> Reach:
    """What a layer reads; `money` is left empty without a currency."""
    accounts = [held for held in state.accounts.values() if scope.covers_account(held.account.id, held.account.user_id)]
    if scope.kind is Layer.STRATEGY:
        named = {one.account_id for one in state.deployment(scope.id).deployment.accounts}
        accounts = [held for held in accounts if held.account.id in named or _trades(held, scope.id)]
    money = [held for held in accounts if held.account.currency == currency]
    book = scope.id if scope.kind is Layer.STRATEGY else ""
    return Reach(state, scope.kind, accounts, money, book, scope.id if scope.kind is Layer.INSTRUMENT else "")


def _trades(account: AccountState, book: str) -> bool:
    return any(key.book == book for key in account.positions) or any(
        order.spec.book == book for order in account.working.values()
    )


def of_account(state: State, account: AccountState) -> Reach:
    return Reach(state, Layer.ACCOUNT, (account,), (account,))


def is_new_day(account: AccountState, at: int) -> bool:
    """Whether the account's open day is over, and nothing has closed it yet."""
    return at >= account.day_end


def counted(account: AccountState, order: Order | None) -> int:
    """1 where an order is one of its account's trades of the open day, else 0."""
    if order is None or order.spec.is_exit or order.state is OrderState.HELD or order.source == EXTERNAL:
        return 0
    return 1 if order.session_date == account.day and account.trades_today else 0


def together(reach: Reach, accounts: Iterable[AccountState], *, asked: Asked, only: str = "") -> dict[str, Cell]:
    """The cells of several accounts added up."""
    whole: dict[str, Cell] = {}
    for account in accounts:
        found = cells(reach, account, asked=asked, only=only)
        for name in whole.keys() & found.keys():
            found[name] = whole[name].plus(found[name])
        whole |= found
    return whole


def cells(reach: Reach, account: AccountState, *, asked: Asked, only: str = "") -> dict[str, Cell]:
    """What the account holds and has on its way within the reach, by instrument; `only` one where it is named."""
    name = reach.instrument_id or only
    if reach.book:
        return _cells_of_book(account, reach.book, name=name, without=asked.without)
    working, reserve = account.working, asked.reserve
    if name:
        buys, sells = (working.quantity(name, reserve, is_buy=is_buy) for is_buy in (True, False))
        found = {name: Cell(account.net.get(name, ZERO), buys, sells)}
    else:
        found = {instrument_id: Cell(held) for instrument_id, held in account.net.items() if held}
        for (instrument_id, is_buy), quantity in working.quantities(reserve).items():
            if quantity:
                found[instrument_id] = found.get(instrument_id, Cell()).moved(quantity, is_buy=is_buy)
    out = asked.without
    if out is not None and out.id in working and out.spec.instrument_id in found and not out.spec.is_exit:
        cell = found[out.spec.instrument_id]
        found[out.spec.instrument_id] = cell.moved(neg(out.remaining), is_buy=out.spec.side.sign > 0)
    return found


def _cells_of_book(account: AccountState, book: str, *, name: str, without: Order | None) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    positions = account.positions
    keys = [PositionKey(account.account.id, book, name, product) for product in Product] if name else tuple(positions)
    for key in keys:
        position = positions.get(key)
        if position is not None and position.quantity and key.book == book:
            cell = found.get(key.instrument_id, Cell())
            found[key.instrument_id] = cell.plus(Cell(position.quantity))
    for order in account.working.values():
        spec = order.spec
        if spec.book == book and order is not without and not spec.is_exit and name in ("", spec.instrument_id):
            cell = found.get(spec.instrument_id, Cell())
            found[spec.instrument_id] = cell.moved(order.remaining, is_buy=spec.side.sign > 0)
    return found


def last_price(state: State, instrument_id: str, *, accounts: Iterable[AccountState]) -> Decimal:
    """The last price; where there was none, the highest that a working order names, or what was paid."""
    mark = state.mark(instrument_id)
    if mark is not None:
        return mark
    named = [ZERO]
    for account in accounts:
        mine = [order for order in account.working.values() if order.spec.instrument_id == instrument_id]
        named += [price for order in mine for price in (order.limit_price, order.stop_price) if price is not None]
        named += [state.price_of(one) for one in account.positions.of(instrument_id)]
    return max(named)
