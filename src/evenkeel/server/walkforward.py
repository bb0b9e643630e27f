"""Walk-forward sessions at the doors: what may be asked, what is answered, and how the one becomes the other."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct, field

from evenkeel.desk.walkforward import Combined, Day, SessionRecord
from evenkeel.domain import clock
from evenkeel.domain.accounts import AccountType
from evenkeel.domain.errors import NotFound
from evenkeel.domain.money import exact, minor_unit
from evenkeel.domain.strategies import Scalar
from evenkeel.domain.walkforward import SessionStatus
from evenkeel.server import requests, views
from evenkeel.server.ports import EquityRow, History
from evenkeel.server.schemas import Amount, Id, Moment
from evenkeel.server.schemas import Day as DayText
from evenkeel.server.scope import Tenant
from evenkeel.server.terms import TermsIn, TermsOut, terms_out
from evenkeel.trading.engine.sessions import SessionState
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.walkforward import figures_of, margin_of

MOST_TOGETHER = 50
INVESTED = Decimal("0.95")
_PAGE = 5000


class SessionStrategyIn(Struct, forbid_unknown_fields=True):
    """A strategy of the session with a share of its account, 0.95 parted equally where none is given: the rest is for
    what fills above the last price. See NewDeployment. Without a name it has the session's."""

    template: requests.Reference
    symbols: Annotated[list[requests.Symbol], Meta(min_length=1, max_length=200)]
    name: requests.Name | None = None
    parameters: dict[requests.Reference, Scalar] = {}
    allocation: requests.MaybeShare = field(default_factory=Raw)
    size: requests.Size = field(default_factory=Raw)
    rules: requests.RulesIn | None = None
    entry: requests.EntryIn | None = None
    protection: requests.ProtectionIn | None = None


class NewSession(Struct, forbid_unknown_fields=True):
    """A walk-forward session with an account of its own. With `costs`, `brokerage_rate` (a fraction of value) is
    charged in the place of the brokerage of the schedule `fees`, whose taxes may be left out; without, nothing is. One
    instrument may be all of its equity unless `max_position_share` says less; other limits are those of new accounts.
    It begins stopped unless `start` is true."""

    name: requests.Name
    capital: requests.MaybePositive = field(default_factory=Raw)
    currency: requests.Currency = "USD"
    type: AccountType = AccountType.CASH
    costs: bool = False
    brokerage_rate: requests.MaybeShare = field(default_factory=Raw)
    fees: requests.Reference = "zero"
    taxes: bool = True
    terms: TermsIn | None = None
    max_position_share: requests.MaybeShare = field(default_factory=lambda: Raw(b"1"))
    strategies: Annotated[list[SessionStrategyIn], Meta(max_length=50)] = []
    start: bool = False


class StopIn(Struct, forbid_unknown_fields=True):
    """With `close`, what the session holds is closed; else it is kept, with the exits that guard it."""

    close: bool = False


class SessionsQuery(Struct, forbid_unknown_fields=True):
    status: SessionStatus | None = None


class TogetherQuery(Struct, forbid_unknown_fields=True):
    """Several sessions; without `ids`, all of them. `periods` a year make daily figures yearly ones."""

    ids: Annotated[str, Meta(max_length=3200, pattern=requests.TEXT, description="ids, separated by commas")] = ""
    periods: Annotated[float, Meta(gt=0, le=366, description="above 0, to 366")] = 252.0


class AnalyticsQuery(Struct, forbid_unknown_fields=True):
    """`periods` a year make daily figures yearly ones: 252 for most stock exchanges, 365 where every day is one."""

    periods: Annotated[float, Meta(gt=0, le=366, description="above 0, to 366")] = 252.0


class SessionOut(Struct):
    """A session as it stands; one that is completed, as it was then. `margin` is an estimate of what is tied up, null
    where the account has no terms."""

    id: Id
    name: str
    account_id: Id
    status: SessionStatus
    closing: bool
    reason: str
    currency: str
    capital: Amount
    costs: bool
    brokerage_rate: Amount
    fees: str
    terms: TermsOut | None
    equity: Amount
    cash: Amount
    total_return: Amount
    drawdown: Amount
    charges: Amount
    margin: Amount | None
    positions: int
    open_orders: int
    orders: int
    fills: int
    strategies: list[str]
    opened_at: Moment
    started_at: Moment | None
    stopped_at: Moment | None
    completed_at: Moment | None


class TradeOut(Struct):
    """A round trip, first in first out; money is net of `fees`. What is still open has no exit, is valued at the
    last price, and was entered when the oldest of it was. `id` counts the closed ones from the first on."""

    id: str
    symbol: str
    side: Literal["long", "short"]
    quantity: Amount
    entry_at: Moment
    entry_price: Amount
    exit_at: Moment | None
    exit_price: Amount | None
    fees: Amount
    net: Amount
    return_share: float | None


class SessionDayOut(Struct):
    """A closed day. `drawdown` is how far below its best the session lay, a positive fraction."""

    date: DayText
    equity: Amount
    daily_return: float
    total_return: float
    drawdown: float


Figures = dict[str, float | None]


class AnalyticsOut(Struct):
    """`metrics` by their names in docs/metrics.md; null is undefined, as most are in the first days."""

    id: Id
    name: str
    metrics: Figures
    days: list[SessionDayOut]


class ComparedOut(Struct):
    id: Id
    name: str
    status: SessionStatus
    currency: str
    capital: Amount
    equity: Amount
    metrics: Figures


class CorrelationOut(Struct):
    """`matrix` of daily returns over the `days` that all of the sessions have; null where there is too little."""

    ids: list[Id]
    names: list[str]
    days: int
    matrix: list[list[float | None]]


class HeldOut(Struct):
    symbol: str
    value: Amount


class CombinedOut(Struct):
    """Several sessions as one. Tails are historical, of one day, in currency, null below two days; `apart` is the sum
    of the sessions' own values at risk. `drawdown` is now, `max_drawdown` ever, both positive fractions."""

    ids: list[Id]
    currency: str
    capital: Amount
    value: Amount
    total_return: float
    drawdown: float
    max_drawdown: float
    days: int
    var_95: Amount | None
    var_99: Amount | None
    cvar_95: Amount | None
    apart: Amount | None
    gross: Amount
    net: Amount
    leverage: float
    net_long: Amount
    net_short: Amount
    largest: list[HeldOut]


_MONEY = frozenset(
    ("capital", "value", "var_95", "var_99", "cvar_95", "apart", "gross", "net", "net_long", "net_short")
)


def amount(value: float) -> str:
    """What was worked out in floats as a decimal, to 8 places."""
    return views.measured(round(value, 8) + 0.0)


def combined(state: State, records: list[SessionRecord], found: Combined) -> CombinedOut:
    """Several sessions as one, with money in whole units of their currency's smallest."""
    currency = records[0].currency
    told = found._asdict() | found.exposure._asdict()
    del told["exposure"]

    def money(value: float | None) -> str | None:
        return None if value is None else views.text(exact(value, minor_unit(currency)))

    told |= {name: money(told[name]) for name in _MONEY}
    told["largest"] = [HeldOut(state.instruments[name].symbol, money(one) or "0") for name, one in told["largest"]]
    return CombinedOut(ids=[one.id for one in records], currency=currency, **told)


def given_or(default: Decimal, value: Decimal | None) -> Decimal:
    return default if value is None else value


def sessions(seen: Tenant) -> Iterator[SessionState]:
    """The user's sessions, in the order in which they were opened."""
    return (held for held in seen.state.walkforwards.values() if seen.owns(held.session.account_id))


def session_of(seen: Tenant, session_id: str) -> SessionState:
    """Raises NotFound."""
    held = seen.state.walkforwards.get(session_id)
    if held is None or not seen.owns(held.session.account_id):
        raise NotFound(f"there is no session {session_id!r}")
    return held


def chosen_of(seen: Tenant, ids: str) -> list[SessionState]:
    """The sessions that a query names, each once, or all. Raises NotFound."""
    named = [one.strip() for one in ids.split(",") if one.strip()]
    if not named:
        return list(sessions(seen))[-MOST_TOGETHER:]
    return [session_of(seen, one) for one in dict.fromkeys(named)]


def account_of(state: State, held: SessionState) -> AccountState:
    return state.accounts[held.session.account_id]


def session(state: State, held: SessionState) -> SessionOut:
    this, account = held.session, account_of(state, held)
    figures = figures_of(state, held)
    return SessionOut(
        id=this.id,
        name=this.name,
        account_id=this.account_id,
        status=held.status,
        closing=held.closing,
        reason=held.reason,
        currency=account.account.currency,
        capital=views.text(this.capital),
        costs=this.costs,
        brokerage_rate=views.text(this.brokerage_rate),
        fees=account.account.costs,
        terms=terms_out(account.account.terms),
        equity=views.text(figures.equity),
        cash=views.text(figures.cash),
        total_return=views.fraction(figures.growth - 1.0),
        drawdown=views.fraction(account.growth.drawdown(figures.equity)),
        charges=views.text(figures.charges),
        margin=views.maybe(margin_of(state, account)),
        positions=sum(1 for position in account.positions.values() if position.quantity),
        open_orders=len(account.working),
        orders=figures.orders,
        fills=figures.fills,
        strategies=_strategies(state, this.account_id),
        **{name: _moment(getattr(held, name)) for name in ("opened_at", "started_at", "stopped_at", "completed_at")},
    )


def _strategies(state: State, account_id: str) -> list[str]:
    """The deployments that trade an account, or did until its session was completed."""
    known = (held.deployment for held in state.deployments.values())
    return [one.id for one in known if any(allocation.account_id == account_id for allocation in one.accounts)]


def _moment(at: int) -> Any:
    return clock.iso(at) if at else None


async def record_of(state: State, held: SessionState, history: History) -> SessionRecord:
    """What a session leaves by now, from the history of its days."""
    account = account_of(state, held)
    began = clock.session_date(held.opened_at, account.account.time_zone, account.account.roll)
    return SessionRecord(
        id=held.session.id,
        name=held.session.name,
        currency=account.account.currency,
        capital=float(held.session.capital),
        began=began,
        days=[_day(row) for row in await _days(history, held.session.account_id)],
        positions={name: float(value) for name, value in _values(state, account)},
    )


def _values(state: State, account: AccountState) -> Iterator[tuple[str, Any]]:
    for name in {key.instrument_id for key in account.positions}:
        own = [position for key, position in account.positions.items() if key.instrument_id == name]
        multiplier = state.instruments[name].multiplier
        yield name, sum(position.market_value(state.price_of(position), multiplier) for position in own)


async def _days(history: History, account_id: str) -> list[EquityRow]:
    """Every closed day, oldest first; of two on one date, the later."""
    rows: list[EquityRow] = []
    cursor: str | None = None
    while True:
        page, cursor = await history.equity((account_id,), limit=_PAGE, cursor=cursor)
        rows += page
        if cursor is None:
            break
    by_date: dict[date, EquityRow] = {}
    for row in reversed(rows):
        by_date[row.session_date] = row
    return list(by_date.values())


def _day(row: EquityRow) -> Day:
    return Day(row.session_date, float(row.equity), 1.0 if row.growth is None else row.growth)
