"""Indicators of several lines: named, of whole series or, when streamed, of one bar's numbers."""

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Bands(NamedTuple, Generic[T]):
    """A channel around a middle line, in price."""

    upper: T
    middle: T
    lower: T


class Candles(NamedTuple, Generic[T]):
    """Open, high, low and close, in price."""

    open: T
    high: T
    low: T
    close: T


class Macd(NamedTuple, Generic[T]):
    """The difference of two averages, its own average, and the difference of these; all in price."""

    line: T
    signal: T
    histogram: T


class Stochastic(NamedTuple, Generic[T]):
    """%K and its average %D, 0 to 100."""

    k: T
    d: T


class Trend(NamedTuple, Generic[T]):
    """The trailing line in price, and 1 while the trend is up, −1 while it is down."""

    line: T
    direction: T


class Movement(NamedTuple, Generic[T]):
    """The average directional index and the two directional indicators, 0 to 100."""

    adx: T
    plus: T
    minus: T


class Range(NamedTuple, Generic[T]):
    """A highest and a lowest price."""

    high: T
    low: T
