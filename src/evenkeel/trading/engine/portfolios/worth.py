"""What books and portfolios are worth at the last prices: cash and positions, exact, adding up to their accounts.

The cash of a book is what was paid into it, what its positions have cost and brought, and what they have earned: each
line of the ledger in it, so that the books of an account add up to its cash and to its equity, digit for digit.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from evenkeel.domain.money import ZERO, add, sub, total

if TYPE_CHECKING:
    from evenkeel.trading.engine.portfolios.standing import BookKey, PortfolioState
    from evenkeel.trading.engine.state import AccountState, State


class Worth(NamedTuple):
    """Cash, the signed market value of positions, and how many there are."""

    cash: Decimal = ZERO
    positions_value: Decimal = ZERO
    positions: int = 0

    @property
    def value(self) -> Decimal:
        return add(self.cash, self.positions_value)

    def plus(self, other: "Worth") -> "Worth":
        return Worth(
            add(self.cash, other.cash),
            add(self.positions_value, other.positions_value),
            self.positions + other.positions,
        )


NOTHING = Worth()


def cash_of(account: "AccountState", book: str) -> Decimal:
    """The cash of a book; below zero where its positions were paid for out of another's."""
    cash = account.paid_in.get(book, ZERO)
    for position in account.positions.in_book(book):
        cash = sub(sub(add(cash, position.realised), position.total_cost), position.charges)
    for (owner, _), amount in account.earned.items():
        if owner == book:
            cash = add(cash, amount)
    return cash


def worth_of_book(state: "State", account: "AccountState", book: str) -> Worth:
    """A book of an account."""
    value, count = ZERO, 0
    for position in account.positions.in_book(book):
        if position.quantity:
            value, count = add(value, state.value_of(position)), count + 1
    return Worth(cash_of(account, book), value, count)


def books_of(account: "AccountState") -> list[str]:
    """Every book that has, or had, something in an account."""
    named = {*account.paid_in, *account.positions.books(), *(book for book, _ in account.earned)}
    return sorted(named)


def worth_of(state: "State", held: "PortfolioState", *, account_id: str | None = None) -> Worth:
    """A portfolio, all of its books together, or those in one account."""
    whole = NOTHING
    for name, book in held.books:
        if account_id in (None, name):
            whole = whole.plus(worth_of_book(state, state.accounts[name], book))
    return whole


def holdings_of(state: "State", books: Iterable["BookKey"]) -> dict[str, Decimal]:
    """The signed market value of what books hold, by instrument."""
    values: dict[str, Decimal] = {}
    for account_id, book in books:
        for position in state.accounts[account_id].positions.in_book(book):
            if position.quantity:
                name = position.key.instrument_id
                values[name] = add(values.get(name, ZERO), state.value_of(position))
    return values


def contributed_to(held: "PortfolioState") -> Decimal:
    """What was paid in, less what was taken out, books that joined and left included."""
    return total(tuple(held.contributed.values()))
