"""What the rules of a layer read: an instrument, a strategy, a portfolio, an account, a user's accounts, or all.

Money of two currencies does not add up: figures in money read the accounts that hold the order's currency, counts of
orders and quantities read all.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import NamedTuple

from evenkeel.domain.limits import Layer, LimitScope
from evenkeel.domain.money import ZERO, add, neg, sub, total
from evenkeel.domain.orders import Order, OrderSpec, OrderState, Product
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.trading.engine.cells import Cell
from evenkeel.trading.engine.layers import Tally
from evenkeel.trading.engine.portfolios.worth import worth_of
from evenkeel.trading.engine.state import EXTERNAL, AccountState, State
from evenkeel.trading.engine.working import Reserve

_NARROW = (Layer.STRATEGY, Layer.INSTRUMENT, Layer.PORTFOLIO)


class Asked(NamedTuple):
    """An order for `quantity` more units, judged at `price` and at the moment `at` (ns); `without` are left out."""

    account: AccountState
    spec: OrderSpec
    quantity: Decimal
    price: Decimal | None
    at: int
    reserve: Reserve
    without: tuple[Order, ...] = ()


class Reach(NamedTuple):
    """`accounts` are all that are read, `money` those of one currency; `book`, `portfolio` and `instrument_id` narrow
    it down."""

    state: State
    kind: Layer
    accounts: Sequence[AccountState]
    money: Sequence[AccountState]
    book: str = ""
    instrument_id: str = ""
    portfolio: str = ""

    @property
    def is_part(self) -> bool:
        """Whether it reads a part of accounts only."""
        return bool(self.book or self.instrument_id or self.portfolio)

    def books(self, account: AccountState) -> list[str]:
        """The books of an account that it is narrowed down to; none: it reads them all."""
        if self.portfolio:
            named = self.state.portfolios[self.portfolio].books
            return [book for account_id, book in named if account_id == account.account.id]
        return [self.book] if self.book else []

    def reads(self, account: AccountState, book: str, instrument_id: str) -> bool:
        """Whether what is ordered or held so lies within it, in an account that it reads."""
        if self.portfolio:
            return self.state.owners.get((account.account.id, book)) == self.portfolio
        return self.book in ("", book) and self.instrument_id in ("", instrument_id)

    def positions(self, account: AccountState) -> Iterable[Position]:
        """The account's positions within it."""
        if self.instrument_id:
            return account.positions.of(self.instrument_id)
        books = self.books(account)
        return chain.from_iterable(map(account.positions.in_book, books)) if books else account.positions.values()

    def open_orders(self, account: AccountState) -> Iterator[Order]:
        """The account's orders within it that work or are held here."""
        for orders in (account.working, account.held):
            for order in orders.values():
                if self.reads(account, order.spec.book, order.spec.instrument_id):
                    yield order

    def is_priced(self) -> bool:
        """Whether all that is held within it has a last price: after a restart nothing has, before the market shows."""
        marks = self.state.marks
        return all(
            one.key.instrument_id in marks for account in self.money for one in self.positions(account) if one.quantity
        )

    def tallies(self, account: AccountState) -> Iterator[Tally]:
        """What the account has done within it in its open day."""
        return (one for key, one in account.standing.tallies.items() if self.reads(account, *key))

    def result(self, account: AccountState) -> Decimal:
        """All that an account has ever made in it: its profit, or that of the positions which are read."""
        state = self.state
        if not self.is_part:
            return sub(state.equity(account), account.contributed)
        if self.portfolio:
            held = state.portfolios[self.portfolio]
            paid = held.contributed.get(account.account.id, ZERO)
            return sub(worth_of(state, held, account_id=account.account.id).value, paid)
        return total([
            add(sub(one.realised, one.charges), state.unrealised(one)) for one in self.positions(account)
        ])  # fmt: skip


def reach_of(state: State, scope: LimitScope, *, currency: str = "") -> Reach:
    """What a layer reads; `money` is left empty without a currency."""
    accounts = [held for held in state.accounts.values() if scope.covers_account(held.account.id, held.account.user_id)]
    if scope.kind is Layer.STRATEGY:
        named = {one.account_id for one in state.deployment(scope.id).deployment.accounts}
        accounts = [held for held in accounts if held.account.id in named or _trades(held, scope.id)]
    if scope.kind is Layer.PORTFOLIO:
        accounts = [state.accounts[name] for name in state.portfolio(scope.id).portfolio.account_ids]
    money = [held for held in accounts if held.account.currency == currency]
    narrowed = {kind: scope.id if scope.kind is kind else "" for kind in _NARROW}
    return Reach(
        state,
        scope.kind,
        accounts,
        money,
        book=narrowed[Layer.STRATEGY],
        instrument_id=narrowed[Layer.INSTRUMENT],
        portfolio=narrowed[Layer.PORTFOLIO],
    )


def _trades(account: AccountState, book: str) -> bool:
    return any(key.book == book for key in account.positions) or any(
        order.spec.book == book for order in account.working.values()
    )


def of_account(state: State, account: AccountState) -> Reach:
    return Reach(state, Layer.ACCOUNT, (account,), (account,))


def is_new_day(account: AccountState, at: int) -> bool:
    """Whether the account's open day is over, and nothing has closed it yet."""
    return at >= account.day_end


def counted(account: AccountState, order: Order) -> int:
    """1 where an order is one of its account's trades of the open day, else 0."""
    if order.spec.is_exit or order.state is OrderState.HELD or order.source == EXTERNAL:
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
    books = reach.books(account)
    if books:
        return _cells_of_books(account, books, name=name, without=asked.without)
    working, reserve = account.working, asked.reserve
    if name:
        buys, sells = (working.quantity(name, reserve, is_buy=is_buy) for is_buy in (True, False))
        found = {name: Cell(account.net.get(name, ZERO), buys, sells)}
    else:
        found = dict(account.cells.at(account, reserve))
    for out in asked.without:
        if out.spec.instrument_id in found:
            found[out.spec.instrument_id] = less(found[out.spec.instrument_id], account, out)
    return found


def less(cell: Cell, account: AccountState, *without: Order) -> Cell:
    """A cell without some of the orders that work in its instrument."""
    for out in without:
        if out.id in account.working and not out.spec.is_exit:
            cell = cell.moved(neg(out.remaining), is_buy=out.spec.side.sign > 0)
    return cell


def _cells_of_books(
    account: AccountState, books: Sequence[str], *, name: str, without: tuple[Order, ...]
) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    positions = account.positions
    for book in books:
        keys = [PositionKey(account.account.id, book, name, product) for product in Product]
        held = map(positions.get, keys) if name else positions.in_book(book)
        for position in held:
            if position is not None and position.quantity:
                cell = found.get(position.key.instrument_id, Cell())
                found[position.key.instrument_id] = cell.plus(Cell(position.quantity))
    for order in account.working.values():
        spec = order.spec
        if spec.book in books and order not in without and not spec.is_exit and name in ("", spec.instrument_id):
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
