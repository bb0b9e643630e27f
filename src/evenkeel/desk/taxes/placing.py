"""Weights of a whole portfolio, placed in its accounts so that the least tax is paid: which one sells, which one buys.

Weights are then shares of all accounts together, and each account gets those of its own that the programme of
`quant.portfolio.spreading` finds, to be planned in whole lots like any others. What cannot be traded now counts where
it is. Accounts that take no orders are left out, with what they hold.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from evenkeel.desk.portfolios.rebalancing import Part, Skipped, Terms
from evenkeel.desk.taxes.books import LotBooks, Settings
from evenkeel.domain.lots import Trade, in_order
from evenkeel.domain.money import ONE, ZERO, mul, neg, ratio, rounded
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.taxes import UNTOLD, in_force
from evenkeel.trading.engine.state import State
from evenkeel.trading.risk import MARKET_BUFFER

if TYPE_CHECKING:
    from evenkeel.quant.portfolio.spreading import Task, Tranche

_FINE = Decimal("0.000000000001")
_INSIDE = "its weight in all accounts is inside the band"


class Across(NamedTuple):
    """By which accounts are chosen: `books` that have followed the state, settings by account, and what instruments are
    expected to pay in a year, as shares of their price, which is taxed like short-term gains."""

    books: LotBooks
    taxes: Mapping[str, Settings]
    yields: Mapping[str, float]

    def terms_of(
        self, state: State, portfolio_id: str, parts: Sequence[Part], *, terms: Terms
    ) -> Callable[[], Terms] | None:
        """Implements `portfolios.planning.Across`. Raises NotFound."""
        this = gathered(state, portfolio_id, parts, terms=terms, across=self)
        return None if this is None else partial(placed, this, terms)


class Placing(Struct):
    """What is to be placed: open accounts in the rows of the task, instruments in its columns. `inside` are those
    whose weight is inside the band."""

    rows: list[Part]
    columns: list[str]
    task: "Task"
    inside: set[str]


def gathered(state: State, portfolio_id: str, parts: Sequence[Part], *, terms: Terms, across: Across) -> Placing | None:
    """The first step, out of the state; None where no account is open. Raises NotFound."""
    import numpy as np

    from evenkeel.quant.portfolio.spreading import Task, Tranche

    rows = [part for part in parts if not part.closed]
    if not rows:
        return None
    columns = list(dict.fromkeys(item.instrument_id for part in rows for item in part.items))
    shape, worth = (len(rows), len(columns)), sum(float(part.worth) for part in rows)
    held, may, drag = np.zeros(shape), np.zeros(shape, np.bool_), np.zeros(shape)
    wanted = np.array([float(terms.weights.get(name, ZERO)) for name in columns])
    wanted *= (1.0 - float(terms.buffer)) * worth
    free, lots = np.zeros(len(rows)), dict[tuple[int, int], Sequence[Tranche]]()
    for row, part in enumerate(rows):
        fixed, settings = _fixed(state, part, portfolio_id), across.taxes.get(part.account_id, ())
        wanted -= [fixed.get(name, 0.0) for name in columns]
        free[row] = float(part.free) + sum(min(0.0, float(mul(one.held, one.unit))) for one in part.items)
        now = in_force(settings, state.accounts[part.account_id].day) or UNTOLD
        for item in part.items:
            if item.held < 0:  # a short is bought back where it is
                continue
            place = row, columns.index(item.instrument_id)
            held[place], may[place] = float(mul(item.held, item.unit)), True
            drag[place] = across.yields.get(item.instrument_id, 0.0) * float(now.rate(long=False))
            if item.held:
                key = PositionKey(part.account_id, portfolio_id, item.instrument_id)
                lots[place] = _tranches(state, across.books, key, settings)
    off = np.abs(held.sum(axis=0) - wanted)
    inside = (off <= float(terms.band) * worth) & (wanted > 0.0) & bool(terms.band)
    cash = free - float(terms.buffer) * np.array([float(part.worth) for part in rows])
    slack = float(MARKET_BUFFER - ONE)
    task = Task(held, np.maximum(wanted, 0.0), may & ~inside, cash, free, lots, drag, slack)
    return Placing(rows, columns, task, {name for name, left in zip(columns, inside.tolist(), strict=True) if left})


def _fixed(state: State, part: Part, portfolio_id: str) -> dict[str, float]:
    """What an account holds and cannot trade now."""
    items, found = {item.instrument_id for item in part.items}, dict[str, float]()
    for position in state.accounts[part.account_id].positions.in_book(portfolio_id):
        name = position.key.instrument_id
        if position.quantity and name not in items:
            found[name] = found.get(name, 0.0) + float(state.value_of(position))
    return found


def _tranches(state: State, books: LotBooks, key: PositionKey, settings: Settings) -> list["Tranche"]:
    """The lots of a position in the order in which a sale at the last price takes them."""
    from evenkeel.quant.portfolio.spreading import Tranche

    day, mark = state.accounts[key.account_id].day, state.mark(key.instrument_id)
    lots, terms = books.lots(state, key, settings), in_force(settings, day) or UNTOLD
    assert mark is not None
    multiplier, found = state.instruments[key.instrument_id].multiplier, list[Tranche]()
    sale = Trade(neg(lots.quantity), mark, day=day)
    for lot in in_order(lots.held, sale, multiplier, terms=terms):
        value = mul(mul(lot.quantity, mark), multiplier)
        rate = terms.rate(long=lot.is_long_term(day, terms))
        found.append(Tranche(float(value), float(rate) * (1.0 - float(ratio(lot.basis, value)))))
    return found


def placed(this: Placing, terms: Terms) -> Terms:
    """The second step, which may take a while: call it on a thread. Gives each account's items weights of its own,
    takes out those that it leaves alone, and returns the terms that they are to be planned by."""
    from evenkeel.quant.portfolio.spreading import spread

    after = spread(this.task).after
    for row, part in enumerate(this.rows):
        moving = []
        whole = float(part.worth) * (1.0 - float(terms.buffer))
        for item in part.items:
            column = this.columns.index(item.instrument_id)
            if item.held < 0:
                item.weight = ZERO
            elif after[row, column] == this.task.held[row, column]:
                if item.instrument_id in this.inside:
                    part.skipped.append(Skipped(part.account_id, item.instrument_id, _INSIDE))
                continue
            else:
                item.weight = rounded(Decimal(repr(float(after[row, column]) / whole)), _FINE)
            moving.append(item)
        part.items = moving
    return replace(terms, band=ZERO)
