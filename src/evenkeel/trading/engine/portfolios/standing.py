"""Portfolios as folded state: which books belong to each, what was paid in, and how it has done.

What a portfolio is worth is worked out when somebody asks: see `worth`. A payment into it, or a book that joins or
leaves, is kept out of its return, as a deposit is kept out of an account's.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct, field

from evenkeel.domain import portfolios as p
from evenkeel.domain.accounts import EXTERNAL_FLOWS, LedgerEntry
from evenkeel.domain.money import ZERO, add, neg, sub
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.trading.engine.growth import Growth

if TYPE_CHECKING:
    from evenkeel.trading.engine.state import State

BookKey = tuple[str, str]
"""(account, book)"""


class PortfolioState(Struct, kw_only=True):
    """One portfolio as it stands, made at `opened_at`. `books` are those it has, its own and adopted ones, with the
    moment since when; `contributed` is what was paid in, by account.

    `returns` are those of its `days`, `index` its growth and `worst` its deepest drawdown at the end of one. `trades`
    are the round trips closed, of which `wins` made something; `made` is what a position had made when it was last
    flat.
    """

    portfolio: p.Portfolio
    opened_at: int
    books: dict[BookKey, int] = field(default_factory=dict)
    contributed: dict[str, Decimal] = field(default_factory=dict)
    growth: Growth = field(default_factory=Growth)
    days: list[date] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    index: float = 1.0
    worst: float = 0.0
    trades: int = 0
    wins: int = 0
    made: dict[PositionKey, Decimal] = field(default_factory=dict)

    def paid(self, amount: Decimal, account_id: str) -> None:
        """Notes a payment, in (positive) or out, as contributed."""
        self.contributed[account_id] = add(self.contributed.get(account_id, ZERO), amount)


def changed(state: "State", record: p.PortfolioChanged) -> None:
    """A portfolio is new, or another than it was; it has its own book in each of its accounts."""
    now = record.portfolio
    held = state.portfolios.get(now.id)
    if held is None:
        held = state.portfolios[now.id] = PortfolioState(portfolio=now, opened_at=record.at)
    held.portfolio = now
    for account_id in now.account_ids:
        held.books.setdefault((account_id, now.id), record.at)
        state.owners[account_id, now.id] = now.id


def book_moved(state: "State", record: p.BookMoved) -> None:
    """A book joins or leaves, with what it is worth."""
    held, key = state.portfolios[record.portfolio_id], (record.account_id, record.book)
    if record.joins:
        held.books[key] = record.at
        state.owners[key] = record.portfolio_id
    else:
        del held.books[key], state.owners[key]
    for position in state.accounts[record.account_id].positions.in_book(record.book):
        if record.joins:
            held.made[position.key] = sub(position.realised, position.charges)
        else:
            held.made.pop(position.key, None)
    amount = record.worth if record.joins else neg(record.worth)
    held.growth.paid(amount, record.value)
    held.paid(amount, record.account_id)


def paid(state: "State", entries: Iterable[LedgerEntry], values: dict[str, Decimal]) -> None:
    """Takes payments into portfolios that were worth `values` just before; what stays within one is none."""
    flows: dict[str, Decimal] = {}
    for entry in entries:
        owner = state.owners.get((entry.account_id, entry.book))
        if owner is not None and entry.kind in EXTERNAL_FLOWS:
            flows[owner] = add(flows.get(owner, ZERO), entry.amount)
            state.portfolios[owner].paid(entry.amount, entry.account_id)
    for owner, amount in flows.items():
        if amount:
            state.portfolios[owner].growth.paid(amount, values[owner])


def round_trip(held: PortfolioState, position: Position) -> None:
    """A position has become flat, or turned round: what it made since it was last flat is a trade of its portfolio."""
    key, made = position.key, sub(position.realised, position.charges)
    held.trades += 1
    held.wins += made > held.made.get(key, ZERO)
    held.made[key] = made


def day_closed(state: "State", record: p.PortfolioDayClosed) -> None:
    held = state.portfolios[record.portfolio_id]
    held.days.append(record.session_date)
    held.returns.append(daily_return(held, record.growth))
    held.growth.see(record.value)
    held.worst = max(held.worst, record.drawdown)
    held.index = record.growth


def daily_return(held: PortfolioState, growth: float) -> float:
    """The return since the end of the day before, where the portfolio's growth is now so much."""
    return growth / held.index - 1.0 if held.index else 0.0
