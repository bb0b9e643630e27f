"""Risk figures as the API shows them: amounts as exact strings in the book's currency, measurements as numbers."""

from datetime import date
from math import isfinite
from typing import Annotated, Literal

from msgspec import Meta, Struct

from evenkeel.desk.risk.falls import Fall
from evenkeel.desk.risk.figures import DAYS, Figures, TailFigure
from evenkeel.domain.money import exact, minor_unit
from evenkeel.domain.panics import ScopeKind
from evenkeel.quant.risk import LEAST, LONGEST, Method, effective_number, herfindahl
from evenkeel.server import views
from evenkeel.server.requests import END, Reference, Symbol
from evenkeel.server.schemas import Amount, Day, Id, Moment

MOST_DAYS = 1_000
_SHARES = Meta(
    pattern=rf"^0\.[0-9]{{1,6}}(,0\.[0-9]{{1,6}}){{0,3}}{END}",
    description="1 to 4 shares above 0.5 and up to 0.999, separated by commas",
)


class RiskQuery(Struct, forbid_unknown_fields=True):
    """`id` names the strategy or account. Without `method` every one is answered; beta needs a `benchmark`."""

    scope: ScopeKind = ScopeKind.USER
    id: Reference | None = None
    confidence: Annotated[str, _SHARES] = "0.95,0.99"
    horizon: Annotated[int, Meta(ge=1, le=LONGEST, description=f"1 to {LONGEST} days")] = 1
    method: Method | None = None
    benchmark: Symbol | None = None
    days: Annotated[int, Meta(ge=LEAST, le=MOST_DAYS, description=f"{LEAST} to {MOST_DAYS} days")] = DAYS


class ExposureOut(Struct):
    """Market values by side; leverage is by capital, null where there is none."""

    long: Amount
    short: Amount
    gross: Amount
    net: Amount
    gross_leverage: float | None
    net_leverage: float | None


class HistoryOut(Struct):
    """What the figures were made of: `returns` days that all holdings have in common, of `start` to `end`. `lacking`
    says what there is too little of."""

    returns: int
    start: Day | None
    end: Day | None
    periods_per_year: float
    lacking: str | None


class PartOut(Struct):
    """A holding's part in VaR and CVaR; a hedge has a negative one."""

    symbol: str
    var: Amount
    cvar: Amount


class TailOut(Struct):
    """What is lost over `horizon` days with probability 1 − `confidence` at least (VaR), and on average then (CVaR).
    Shares are of capital. Null where there is too little to go by, which `lacking` says."""

    method: Method
    confidence: float
    horizon: int
    var: Amount | None
    cvar: Amount | None
    var_share: float | None
    cvar_share: float | None
    lacking: str | None
    parts: list[PartOut]


class HoldingOut(Struct):
    """One instrument; `share` is of the gross value, `closes` how many days of it are known."""

    id: Id
    symbol: str
    venue: str
    quantity: Amount
    value: Amount
    share: float
    volatility: float | None
    beta: float | None
    closes: int


class CorrelationsOut(Struct):
    """Of daily returns; a row and a column for each symbol, null where one does not move."""

    symbols: list[str]
    rows: list[list[float | None]]


class BookOut(Struct):
    """What the scope holds in one currency. Volatilities are by the year, as fractions of capital; drawdowns positive
    fractions, and null for a strategy, which has no equity of its own."""

    currency: str
    capital: Amount
    accounts: list[Id]
    exposure: ExposureOut
    herfindahl: float | None
    effective_number: float | None
    drawdown: float | None
    max_drawdown: float | None
    history: HistoryOut
    volatility: float | None
    ewma_volatility: float | None
    diversification_ratio: float | None
    benchmark: str | None
    beta: float | None
    beta_lacking: str | None
    tails: list[TailOut]
    holdings: list[HoldingOut]
    correlations: CorrelationsOut | None


class RiskMetricsOut(Struct):
    """The risk of one scope at a moment, by currency: amounts of two are never added."""

    scope: Literal["strategy", "account", "user", "platform"]
    id: str | None
    name: str
    at: Moment
    books: list[BookOut]


def book_of(found: Figures, *, fall: Fall | None, benchmark: str | None) -> BookOut:
    """One book with its figures."""
    book, together, against = found.book, found.together, found.against
    capital, values = float(book.capital), book.values
    return BookOut(
        currency=book.currency,
        capital=views.text(book.capital),
        accounts=list(book.accounts),
        exposure=_exposure(found, capital),
        herfindahl=_measured(herfindahl(values)),
        effective_number=_measured(effective_number(values)),
        drawdown=None if fall is None else _measured(fall.now),
        max_drawdown=None if fall is None else _measured(fall.worst),
        history=_history(found),
        volatility=None if together is None else _measured(together.volatility),
        ewma_volatility=None if together is None else _measured(together.ewma_volatility),
        diversification_ratio=None if together is None else _measured(together.diversification_ratio),
        benchmark=benchmark,
        beta=None if against is None else _measured(against.beta),
        beta_lacking=None if benchmark is None else found.lacking or (against.lacking if against is not None else None),
        tails=[_tail(found, one, capital=capital) for one in found.tails],
        holdings=_holdings(found),
        correlations=_correlations(found),
    )


def _measured(value: float | None) -> float | None:
    """To nine digits, which is more than any of it is sure of; null for what is not defined."""
    return float(f"{value:.9g}") if value is not None and isfinite(value) else None


def _money(value: float, currency: str) -> str:
    return views.text(exact(value, minor_unit(currency)))


def _exposure(found: Figures, capital: float) -> ExposureOut:
    sides, currency = found.book.exposure, found.book.currency
    return ExposureOut(
        long=_money(sides.long, currency),
        short=_money(sides.short, currency),
        gross=_money(sides.gross, currency),
        net=_money(sides.net, currency),
        gross_leverage=_measured(sides.gross / capital) if capital > 0.0 else None,
        net_leverage=_measured(sides.net / capital) if capital > 0.0 else None,
    )


def _history(found: Figures) -> HistoryOut:
    days = found.returns.dates
    start, end = [date.fromordinal(int(days[place])).isoformat() for place in (0, -1)] if len(days) else (None, None)
    return HistoryOut(len(days), start, end, round(found.periods, 1), found.lacking)


def _tail(found: Figures, one: TailFigure, *, capital: float) -> TailOut:
    tail, risk, currency = one.tail, one.risk, found.book.currency
    asked = (tail.method, tail.confidence, tail.horizon)
    if risk is None:
        return TailOut(*asked, None, None, None, None, one.lacking, [])
    parts = [
        PartOut(holding.instrument.symbol, _money(float(var), currency), _money(float(cvar), currency))
        for holding, var, cvar in zip(found.book.holdings, risk.var_parts, risk.cvar_parts, strict=True)
    ]
    return TailOut(
        *asked,
        var=_money(risk.var, currency),
        cvar=_money(risk.cvar, currency),
        var_share=_measured(risk.var / capital) if capital > 0.0 else None,
        cvar_share=_measured(risk.cvar / capital) if capital > 0.0 else None,
        lacking=None,
        parts=parts,
    )


def _holdings(found: Figures) -> list[HoldingOut]:
    book, together, against = found.book, found.together, found.against
    gross = float(abs(book.values).sum())
    slopes = against.betas if against is not None else None
    return [
        HoldingOut(
            id=one.instrument.id,
            symbol=one.instrument.symbol,
            venue=one.instrument.venue,
            quantity=views.text(one.quantity),
            value=views.text(one.value),
            share=_measured(abs(float(one.value)) / gross if gross else 0.0) or 0.0,
            volatility=None if together is None else _measured(float(together.volatilities[place])),
            beta=None if slopes is None else _measured(float(slopes[place])),
            closes=found.closes[place],
        )
        for place, one in enumerate(book.holdings)
    ]


def _correlations(found: Figures) -> CorrelationsOut | None:
    if found.together is None:
        return None
    rows = [[_measured(value) for value in row] for row in found.together.correlations.tolist()]
    return CorrelationsOut([one.instrument.symbol for one in found.book.holdings], rows)
