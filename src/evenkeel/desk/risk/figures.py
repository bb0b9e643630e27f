"""The figures of one book: what it is exposed to, how its instruments have moved together, and what a bad day costs.

Past returns are those of today's positions, as if they had been held all along. What there is too little history for
has no figure, and `lacking` says of what there is how much, and how much is needed.
"""

from collections.abc import Sequence
from math import sqrt

import numpy as np
from msgspec import Struct

from evenkeel.desk.risk.books import Book
from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.market.days import bars_a_year
from evenkeel.quant.analytics.series import Floats, deviation
from evenkeel.quant.risk import (
    LEAST,
    Closes,
    Returns,
    Tail,
    TailRisk,
    align,
    betas,
    correlations,
    diversification_ratio,
    ewma_volatility,
    least_returns,
    value_at_risk,
    volatilities,
)

DAYS = 250


class Question(Struct, frozen=True):
    """What is asked of a book as of `at` (ns), over the last `days` returns; beta only against a `benchmark`."""

    at: int
    tails: tuple[Tail, ...]
    days: int = DAYS
    benchmark: Instrument | None = None
    benchmark_last: tuple[int, float] | None = None


class TailFigure(Struct, frozen=True):
    """The answer to one `tail`, or why there is none."""

    tail: Tail
    risk: TailRisk | None
    lacking: str | None


class Together(Struct, frozen=True):
    """How the holdings move, apart and together: the volatilities of the whole are None where there is no capital."""

    volatility: float | None
    ewma_volatility: float | None
    diversification_ratio: float
    volatilities: Floats
    correlations: Floats


class Against(Struct, frozen=True):
    """Betas against the benchmark: of the whole by its capital, of each holding by its value; or why there is none."""

    beta: float | None = None
    betas: Floats | None = None
    lacking: str | None = None


class Figures(Struct, frozen=True):
    """Columns have one value a holding, in their order; what a number would be NaN for is not defined.

    `returns` are those the figures were made of, and `closes` how many each holding has. Volatilities are by the year
    of `periods` days, as fractions: a holding's of its own value, the book's of its capital.
    """

    book: Book
    returns: Returns
    closes: tuple[int, ...]
    periods: float
    tails: tuple[TailFigure, ...]
    lacking: str | None = None
    together: Together | None = None
    against: Against | None = None


def figures(book: Book, daily: DailyCloses, *, question: Question) -> Figures:
    """Everything that is asked of a book. It reads the store: call it on a thread."""
    asked = {one.instrument.id: (one.instrument, one.last) for one in book.holdings}
    names, benchmark = tuple(asked), question.benchmark
    if benchmark is not None and benchmark.id not in asked:
        asked[benchmark.id] = (benchmark, question.benchmark_last)
    closes = {
        name: daily.closes(instrument, at=question.at, count=question.days + 1, last=last)
        for name, (instrument, last) in asked.items()
    }
    returns = align({name: closes[name] for name in names}, count=question.days)
    counts, periods = tuple(len(closes[name]) for name in names), a_year([one.instrument for one in book.holdings])
    lacking, values = _lacking(book, closes, returns=returns), book.values
    if lacking is not None or not names:
        tails = tuple(_unanswered(tail, lacking) for tail in question.tails)
        return Figures(book, returns, counts, periods, tails, lacking=lacking)
    tails = tuple(_answered(tail, returns.values, values=values) for tail in question.tails)
    together = _together(book, returns, periods=periods)
    against = None if benchmark is None else _against(book, align(closes, count=question.days), benchmark=benchmark)
    return Figures(book, returns, counts, periods, tails, together=together, against=against)


def a_year(instruments: Sequence[Instrument]) -> float:
    """How many days a year have a close of all of them: no more than the calendar with the fewest."""
    return min((bars_a_year("1d", name) for name in {one.calendar for one in instruments}), default=365.0)


def _lacking(book: Book, closes: dict[str, Closes], *, returns: Returns) -> str | None:
    short = [
        f"{one.instrument.symbol} has {len(closes[one.instrument.id])} daily closes"
        for one in book.holdings
        if len(closes[one.instrument.id]) <= LEAST
    ]
    if short:
        return f"{', '.join(short)}; at least {LEAST + 1} are needed"
    if book.holdings and len(returns.dates) < LEAST:
        return f"only {len(returns.dates)} daily returns are common to all; at least {LEAST} are needed"
    return None


def _unanswered(tail: Tail, lacking: str | None) -> TailFigure:
    """Of nothing held there is no risk, whatever is asked."""
    nothing = np.empty(0)
    return TailFigure(tail, None if lacking else TailRisk(0.0, 0.0, nothing, nothing), lacking)


def _answered(tail: Tail, returns: Floats, *, values: Floats) -> TailFigure:
    least = least_returns(tail)
    if len(returns) < least:
        return TailFigure(tail, None, f"{len(returns)} daily returns; this needs {least}")
    try:
        return TailFigure(tail, value_at_risk(returns, values, tail=tail), None)
    except InvalidInput as error:
        return TailFigure(tail, None, error.message)


def _together(book: Book, returns: Returns, *, periods: float) -> Together:
    values, capital = book.values, float(book.capital)
    whole = newest = None
    if capital > 0.0:
        gains = returns.values @ values / capital
        whole, newest = deviation(gains) * sqrt(periods), ewma_volatility(gains, periods=periods)
    return Together(
        volatility=whole,
        ewma_volatility=newest,
        diversification_ratio=diversification_ratio(returns.values, values),
        volatilities=volatilities(returns.values, periods=periods),
        correlations=correlations(returns.values),
    )


def _against(book: Book, returns: Returns, *, benchmark: Instrument) -> Against:
    """Beta of the whole is the sum of value x beta / capital."""
    count = len(returns.dates)
    if count < LEAST:
        return Against(lacking=f"{benchmark.symbol} has {count} daily returns in common with it; {LEAST} are needed")
    slopes = betas(returns.of(*(one.instrument.id for one in book.holdings)), returns.of(benchmark.id)[:, 0])
    capital = float(book.capital)
    return Against(float(book.values @ slopes) / capital if capital > 0.0 else None, slopes)
