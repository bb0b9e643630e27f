"""Portfolios as the API takes and shows them."""

from __future__ import annotations

from decimal import Decimal
from math import isfinite
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from evenkeel.desk.portfolios.together import Matrix, Totals
from evenkeel.desk.portfolios.trips import Trip
from evenkeel.domain import clock
from evenkeel.domain.limits import Layer, LimitScope, RuleSet
from evenkeel.domain.money import ratio, rounded, sub
from evenkeel.domain.portfolios import MOST_ACCOUNTS
from evenkeel.domain.rebalance_schedules import Cadence, Mode
from evenkeel.server import views
from evenkeel.server.portfolio_ports import PortfolioDayRow, TransactionRow
from evenkeel.server.requests import (
    MOMENT,
    TEXT,
    Cash,
    MaybeShare,
    Name,
    PageQuery,
    Positive,
    Reference,
    Symbol,
)
from evenkeel.server.risk_metrics import BookOut
from evenkeel.server.schemas import Amount, Day, Id, Moment
from evenkeel.trading.engine.portfolios.standing import PortfolioState
from evenkeel.trading.engine.portfolios.worth import contributed_to, worth_of
from evenkeel.trading.engine.state import State

_STEP = Decimal("0.00000001")
_Words = Annotated[str, Meta(max_length=500, pattern=TEXT, description="at most 500 printable characters")]
_Accounts = Annotated[list[Reference], Meta(min_length=1, max_length=MOST_ACCOUNTS)]
MOST_DAYS = 2_500


class PortfoliosQuery(Struct, forbid_unknown_fields=True):
    """Those that trade an account; archived ones only where they are asked for."""

    account_id: Reference | None = None
    archived: bool = False


class NewPortfolio(Struct, forbid_unknown_fields=True):
    """`cash` is moved to it from what the first account holds beside its portfolios. It spends what it is worth and no
    more (`max_gross_leverage` of its limits is 1), and `max_position` is the share of it that one instrument may be.
    `adopt` are strategies whose books in these accounts become part of it."""

    name: Name
    accounts: _Accounts
    cash: Cash = field(default_factory=lambda: Raw(b"0"))
    strategy: _Words = ""
    adopt: Annotated[list[Reference], Meta(max_length=100)] = []
    risk_tolerance: MaybeShare = field(default_factory=Raw)
    max_position: MaybeShare = field(default_factory=Raw)


class PortfolioChangeIn(Struct, forbid_unknown_fields=True):
    """What is left out stays as it is; with `max_position` null there is no such limit. `add_accounts` are traded from
    now on, too; none is taken away."""

    name: Name | UnsetType = UNSET
    strategy: _Words | UnsetType = UNSET
    risk_tolerance: MaybeShare = field(default_factory=Raw)
    max_position: MaybeShare = field(default_factory=Raw)
    add_accounts: Annotated[list[Reference], Meta(max_length=MOST_ACCOUNTS)] = []


class Adoption(Struct, forbid_unknown_fields=True):
    """A strategy's book: in one account, or in each of the portfolio's accounts that the strategy trades."""

    strategy: Reference
    account_id: Reference | None = None


class TransferIn(Struct, forbid_unknown_fields=True):
    """From one book to another; a book is a portfolio's id, a strategy's, or `manual`: what is nobody's else."""

    from_account: Reference
    to_account: Reference
    amount: Positive
    from_book: Reference = "manual"
    to_book: Reference = "manual"
    note: _Words = ""


class TransactionIn(Struct, forbid_unknown_fields=True):
    """Cash that comes into the portfolio or goes out of it; a withdrawal and a fee are taken. `account_id` is needed
    where it trades several."""

    kind: Literal["deposit", "withdrawal", "dividend", "interest", "fee"]
    amount: Positive
    account_id: Reference | None = None
    note: _Words = ""


Type = Literal[
    "buy", "sell", "split", "dividend", "fee", "tax", "interest", "funding", "borrow", "deposit", "withdrawal",
    "transfer", "fx", "correction",
]  # fmt: skip


class TransactionsQuery(PageQuery, forbid_unknown_fields=True):
    """`start` is inclusive, `end` exclusive."""

    type: Type | None = None
    symbol: Symbol | None = None
    account_id: Reference | None = None
    start: Annotated[str, MOMENT] | None = None
    end: Annotated[str, MOMENT] | None = None


class TotalsQuery(Struct, forbid_unknown_fields=True):
    account_id: Reference | None = None


class TripsQuery(Struct, forbid_unknown_fields=True):
    status: Literal["open", "closed", "all"] = "all"
    limit: Annotated[int, Meta(ge=1, le=5000, description="1 to 5000")] = 500


class CorrelationsQuery(Struct, forbid_unknown_fields=True):
    days: Annotated[int, Meta(ge=2, le=MOST_DAYS, description=f"2 to {MOST_DAYS} days")] = 250


class MemberOut(Struct):
    """A book of a portfolio: its own, or a strategy's that it has adopted, since when."""

    account_id: Id
    book: str
    strategy: str | None
    since: Moment


class PortfolioOut(Struct):
    """A portfolio at the last prices. `total_return` and `drawdown` are time-weighted; `contributed` is what was paid
    in, less what was taken out. `max_position` is the largest share of it that one instrument may be; null: any.
    `rebalance_frequency` is that of its schedule, if any; `auto_rebalance`: what that finds is traded at once."""

    id: Id
    name: str
    currency: str
    accounts: list[Id]
    strategy: str
    risk_tolerance: Amount
    max_position: Amount | None
    is_active: bool
    value: Amount
    cash: Amount
    positions_value: Amount
    positions: int
    contributed: Amount
    result: Amount
    total_return: Amount
    drawdown: Amount
    trades: int
    win_rate: float | None
    books: list[MemberOut]
    created_at: Moment
    auto_rebalance: bool = False
    rebalance_frequency: Cadence | None = None


class PortfolioTotalsOut(Struct):
    """What portfolios of one currency come to; the id is the currency."""

    id: str
    currency: str
    total_value: Amount
    cash: Amount
    num_portfolios: int
    total_positions: int


class PortfolioDayOut(Struct):
    """The end of a day. Returns are time-weighted fractions; ratios are over all days so far, by the year; null where
    they are not defined, as before the second day."""

    id: Id
    date: Day
    total_value: Amount
    cash_value: Amount
    positions_value: Amount
    contributed: Amount
    daily_return: float
    cumulative_return: float
    volatility: float | None
    sharpe_ratio: float | None
    sortino: float | None
    drawdown: float
    max_drawdown: float
    trades: int
    win_rate: float | None
    num_positions: int


class TransactionOut(Struct):
    """A movement of cash with what was traded, or a split, which has no amount."""

    id: Id
    at: Moment
    value_date: Day
    type: str
    account_id: Id
    book: str
    symbol: str | None
    quantity: Amount | None
    price: Amount | None
    amount: Amount | None
    currency: str
    note: str
    order_id: str | None
    fill_id: str | None


class TripOut(Struct):
    """A round trip from flat to flat, in units of today; the id is that of the fill that opened it. `profit` is net of
    `charges`, and of an open one what it has realised so far; `return` is profit by what was put in."""

    id: Id
    account_id: Id
    book: str
    strategy: str | None
    symbol: str
    side: Literal["long", "short"]
    status: Literal["OPEN", "CLOSED"]
    quantity: Amount
    entry_price: Amount
    exit_price: Amount | None
    opened_at: Moment
    closed_at: Moment | None
    charges: Amount
    profit: Amount
    return_: Amount = field(name="return")
    currency: str


class PortfolioCorrelationsOut(Struct):
    """Of daily returns over the days that all have in common: a row and a column for each portfolio, null where one
    does not move."""

    portfolios: list[Id]
    names: list[str]
    days: int
    rows: list[list[float | None]]


class PortfolioRiskOut(Struct):
    """The risk of what a portfolio holds, with the correlations of its positions."""

    id: Id
    name: str
    at: Moment
    books: list[BookOut]


def portfolio(state: State, held: PortfolioState) -> PortfolioOut:
    this, worth, paid = held.portfolio, worth_of(state, held), contributed_to(held)
    rules, set_ = rules_of(state, this.id), state.schedules.all.get(this.id)
    return PortfolioOut(
        id=this.id,
        name=this.name,
        currency=this.currency,
        accounts=list(this.account_ids),
        strategy=this.strategy,
        risk_tolerance=views.text(this.risk_tolerance),
        max_position=views.maybe(rules.max_position_share),
        is_active=not this.archived,
        value=views.text(worth.value),
        cash=views.text(worth.cash),
        positions_value=views.text(worth.positions_value),
        positions=worth.positions,
        contributed=views.text(paid),
        result=views.text(sub(worth.value, paid)),
        total_return=views.fraction(held.growth.at(worth.value) - 1.0),
        drawdown=views.fraction(held.growth.drawdown(worth.value)),
        trades=held.trades,
        win_rate=held.wins / held.trades if held.trades else None,
        books=[
            MemberOut(account_id, book, views.strategy_name(state, book), clock.iso(since))
            for (account_id, book), since in held.books.items()
        ],
        created_at=clock.iso(held.opened_at),
        auto_rebalance=set_ is not None and set_.schedule.mode is Mode.TRADE,
        rebalance_frequency=None if set_ is None else set_.schedule.timing.cadence,
    )


def rules_of(state: State, portfolio_id: str) -> RuleSet:
    """The limits of a portfolio's layer."""
    layer = state.layers.get(LimitScope(Layer.PORTFOLIO, portfolio_id).key)
    return RuleSet() if layer is None else layer.rules


def totals_out(one: Totals) -> PortfolioTotalsOut:
    value, cash = views.text(one.total_value), views.text(one.cash)
    return PortfolioTotalsOut(one.currency, one.currency, value, cash, one.num_portfolios, one.total_positions)


def day_out(row: PortfolioDayRow) -> PortfolioDayOut:
    return PortfolioDayOut(
        id=row.id,
        date=row.date.isoformat(),
        total_value=views.text(row.total_value),
        cash_value=views.text(row.cash_value),
        positions_value=views.text(row.positions_value),
        contributed=views.text(row.contributed),
        daily_return=row.daily_return,
        cumulative_return=row.cumulative_return,
        volatility=row.volatility,
        sharpe_ratio=row.sharpe_ratio,
        sortino=row.sortino,
        drawdown=row.drawdown,
        max_drawdown=row.max_drawdown,
        trades=row.trades,
        win_rate=row.win_rate,
        num_positions=row.num_positions,
    )


def transaction_out(state: State, row: TransactionRow) -> TransactionOut:
    instrument = state.instruments.get(row.instrument_id or "")
    return TransactionOut(
        id=row.id,
        at=clock.iso(row.at),
        value_date=row.value_date.isoformat(),
        type=row.type,
        account_id=row.account_id,
        book=row.book,
        symbol=None if instrument is None else instrument.symbol,
        quantity=views.maybe(row.quantity),
        price=views.maybe(row.price),
        amount=views.maybe(row.amount),
        currency=row.currency,
        note=row.component,
        order_id=row.order_id,
        fill_id=row.fill_id,
    )


def trip_out(state: State, trip: Trip) -> TripOut:
    instrument = state.instruments[trip.key.instrument_id]
    left = trip.exit_price(instrument.multiplier)
    return TripOut(
        id=trip.id,
        account_id=trip.key.account_id,
        book=trip.key.book,
        strategy=views.strategy_name(state, trip.key.book),
        symbol=instrument.symbol,
        side="long" if trip.side > 0 else "short",
        status="OPEN" if trip.closed_at is None else "CLOSED",
        quantity=views.text(trip.entered),
        entry_price=_price(trip.entry_price(instrument.multiplier)),
        exit_price=None if left is None else _price(left),
        opened_at=clock.iso(trip.opened_at),
        closed_at=None if trip.closed_at is None else clock.iso(trip.closed_at),
        charges=views.text(trip.charges),
        profit=views.text(trip.made),
        return_=views.text(rounded(ratio(trip.made, trip.entry_cost), _STEP)) if trip.entry_cost else "0",
        currency=instrument.currency,
    )


def _price(value: Decimal) -> str:
    return views.text(rounded(value, _STEP).normalize())


def correlations_out(state: State, found: Matrix) -> PortfolioCorrelationsOut:
    rows = [[float(f"{one:.9g}") if isfinite(one) else None for one in row] for row in found.rows.tolist()]
    names = [state.portfolios[one].portfolio.name for one in found.ids]
    return PortfolioCorrelationsOut(list(found.ids), names, found.days, rows)
