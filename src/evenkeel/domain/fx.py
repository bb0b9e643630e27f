"""Foreign exchange: rates as dated, recorded inputs, and amounts converted with them, the rate and its date beside.

A rate comes from a feed, an import or a person, never from a guess: where none is known, nothing is converted. Without
a rate of the very pair the inverse one is used, and without either two rates through one other currency.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from msgspec import Struct

from evenkeel.domain.errors import FieldError
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.money import CURRENCIES, ISO_4217, ONE, minor_unit, mul, portion, ratio

MOST_DAYS = 4
"""Days after which a rate is stale: it outlives a weekend and a holiday beside it."""
_BELOW = Decimal(10) ** 9
_FINEST = -12


class RateSource(StrEnum):
    """Where a rate came from: the last price of a pair as a feed showed it, a file, or a person."""

    FEED = "feed"
    IMPORT = "import"
    HAND = "hand"


class FxRate(Struct, frozen=True, gc=False):
    """On `day`, one unit of `base` was worth `rate` units of `quote`."""

    base: str
    quote: str
    day: date
    rate: Decimal
    source: RateSource


class Conversion(Struct, frozen=True):
    """How amounts of one currency become another's: times `numerator`, over `denominator`, both exact.

    `day` is that of the older of the rates used, `sources` where they came from, `via` the currency between them.
    """

    numerator: Decimal
    denominator: Decimal
    day: date | None = None
    sources: tuple[RateSource, ...] = ()
    via: str | None = None

    @property
    def rate(self) -> Decimal:
        """The rate to 28 digits, for display."""
        return ratio(self.numerator, self.denominator)

    def of(self, amount: Decimal, currency: str) -> Decimal:
        """The amount in `currency`, rounded half to even to its minor unit, once."""
        return portion(amount, self.numerator, of=self.denominator, step=minor_unit(currency))

    def age(self, today: date) -> int:
        """Days since the rate; 0 where none was needed."""
        return 0 if self.day is None else max(0, (today - self.day).days)


SAME = Conversion(ONE, ONE)
"""An amount that is in the wanted currency already."""


class Rates(dict[tuple[str, str], FxRate]):
    """The newest rate of each pair that has one, by (base, quote)."""

    def take(self, rate: FxRate) -> None:
        """Keeps a rate unless a newer one of its pair is known; of the same day, the later word counts."""
        known = self.get((rate.base, rate.quote))
        if known is None or rate.day >= known.day:
            self[rate.base, rate.quote] = rate

    def conversion(self, base: str, quote: str) -> Conversion | None:
        """From `base` to `quote`; None where no recorded rate leads there. The newest way wins, then the shortest."""
        if base == quote:
            return SAME
        ways = [way for way in (self._direct(base, quote), *self._through(base, quote)) if way is not None]
        return max(ways, key=lambda way: (way.day, way.via is None, way.via or ""), default=None)

    def _direct(self, base: str, quote: str) -> Conversion | None:
        known, turned = self.get((base, quote)), self.get((quote, base))
        if known is not None and (turned is None or known.day >= turned.day):
            return Conversion(known.rate, ONE, known.day, (known.source,))
        return None if turned is None else Conversion(ONE, turned.rate, turned.day, (turned.source,))

    def _through(self, base: str, quote: str) -> Iterable[Conversion]:
        currencies = sorted({name for pair in self for name in pair} - {base, quote})
        for via in currencies:
            first, second = self._direct(base, via), self._direct(via, quote)
            if first is not None and second is not None and first.day is not None and second.day is not None:
                yield Conversion(
                    mul(first.numerator, second.numerator),
                    mul(first.denominator, second.denominator),
                    min(first.day, second.day),
                    (*first.sources, *second.sources),
                    via,
                )


def rate_faults(rates: tuple[FxRate, ...], *, today: date) -> list[FieldError]:
    """What makes no sense of rates, by field."""
    faults = []
    for place, one in enumerate(rates):
        at = f"rates.{place}"
        faults += [
            FieldError(f"{at}.{name}", f"no currency is called {code}; USD, EUR, INR and BTC are some")
            for name, code in (("base", one.base), ("quote", one.quote))
            if code not in CURRENCIES
        ]
        if one.base == one.quote:
            faults.append(FieldError(f"{at}.quote", "another currency than base"))
        if not is_rate(one.rate):
            faults.append(FieldError(f"{at}.rate", "above 0, below 10^9, with at most 12 decimal places"))
        if (one.day - today).days > 1:
            faults.append(FieldError(f"{at}.date", f"not after today, {today}"))
    named = sorted((one.base, one.quote, one.day) for one in rates)
    if any(one == other for one, other in pairwise(named)):
        faults.append(FieldError("rates", "each pair once a day"))
    return faults


def is_rate(rate: Decimal) -> bool:
    """Whether the product of two such rates is exact."""
    return rate.is_finite() and 0 < rate < _BELOW and int(rate.as_tuple().exponent) >= _FINEST


def pair_of(instrument: Instrument) -> tuple[str, str] | None:
    """The currencies of a spot pair by its symbol, `EURUSD` or `EUR/USD` priced in USD; None for anything else."""
    if instrument.asset_class is not AssetClass.FX or instrument.expiry is not None:
        return None
    base = instrument.symbol.upper().removesuffix(instrument.currency).rstrip("/.-_")
    return (base, instrument.currency) if base in ISO_4217 and base != instrument.currency else None
