"""What a file leaves unsaid about its instrument and bars, guessed from symbol, venue and spacing, and said aloud."""

import re
from decimal import Decimal

import numpy as np
from msgspec import Struct

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.instruments import AssetClass, Instrument, instrument_id
from evenkeel.market.calendars import calendar
from evenkeel.market.columns import DAY, Ints
from evenkeel.market.schedules import ALIASES, canonical
from evenkeel.market.timeframes import timeframe

_METALS = {"XAU", "XAG", "XPT", "XPD"}
_CURRENCIES = {
    "USD", "EUR", "GBP", "JPY", "CHF", "AUD", "NZD", "CAD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "TRY", "ZAR",
    "MXN", "SGD", "HKD", "CNH", "CNY", "INR", "KRW", "BRL", "ILS", "THB",
}  # fmt: skip
_COINS = {"BTC", "XBT", "ETH", "LTC", "XRP", "SOL", "ADA", "DOGE", "BCH", "DOT", "BNB", "AVAX", "LINK", "XLM", "TRX"}
_COIN_QUOTES = _CURRENCIES | {"USDT", "USDC", "BTC", "ETH"}
_VENUES = {AssetClass.FX: "OTC", AssetClass.METAL: "OTC", AssetClass.CRYPTO: "CRYPTO"}
_CALENDARS = {AssetClass.FX: "FX", AssetClass.METAL: "METALS", AssetClass.CRYPTO: "24/7"}
_BY_CURRENCY = {"USD": "XNYS", "INR": "XNSE"}
_INDIAN = {"XNSE", "XBOM"}
_FILE_NAME = re.compile(
    r"(?P<symbol>.+?)[_\-. ]+(?P<timeframe>\d+(?:s|m|min|h|d|w|mo)|daily|hourly|weekly|monthly)", re.I
)
_NEARLY = 0.7  # of a week or month, whose rows need not be a whole one apart
_ENOUGH = 10  # distances: fewer may be rows that fill gaps
_SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9 ._=^/&-]{0,31}")


class Wanted(Struct, frozen=True):
    """What the user said of an instrument; None where nothing was said."""

    symbol: str | None = None
    venue: str | None = None
    currency: str | None = None
    tick: Decimal | None = None
    lot: Decimal | None = None
    asset_class: AssetClass | None = None
    calendar: str | None = None


def symbol_of(stem: str) -> tuple[str | None, str | None]:
    """(symbol, timeframe) that a file's name states, such as eurusd_1h; None for what it does not."""
    match = _FILE_NAME.fullmatch(stem)
    symbol = match["symbol"] if match else stem
    named = timeframe(match["timeframe"]).name if match else None
    return (symbol.upper() if _SYMBOL.fullmatch(symbol) else None), named


def checked_symbol(symbol: str) -> str:
    """The symbol without blanks around it. Raises InvalidInput for one that cannot be a symbol."""
    if not _SYMBOL.fullmatch(symbol.strip()):
        raise InvalidInput(
            f"{symbol!r} is not a symbol",
            errors=(
                FieldError("symbol", "1 to 32 letters, digits and . _ = ^ / & -, beginning with a letter or digit"),
            ),
        )
    return symbol.strip()


def spacing(ts: Ints) -> str | None:
    """The timeframe of bars that open at `ts` (ns, rising): the commonest distance; None for fewer than two bars."""
    distances = _distances(ts)
    return _frame_of(commonest(distances)) if len(distances) else None


def refuse_other_spacing(ts: Ints, named: str, *, longest: int = 0) -> None:
    """Raises InvalidInput where bars that open at `ts` (ns) cannot be of the timeframe `named`: most are closer, or all
    of many lie further apart, and the longest lasts longer than it by its own close (`longest`, ns; 0: not known).
    """
    distances, said = _distances(ts), timeframe(named)
    if not len(distances):
        return
    common, least = commonest(distances), said.ns if said.intraday else int(_NEARLY * said.ns)
    longer = len(distances) >= _ENOUGH and min(int(distances.min()), longest or common) > said.ns
    if common >= least and not longer:
        return
    apart = f"the rows are {_frame_of(common)} apart: they are no {said.name} bars"
    raise InvalidInput(
        apart,
        errors=(FieldError("timeframe", apart),),
        hint="Shorter bars cannot be made of longer ones."
        if longer
        else f'Leave the timeframe out, and make longer bars of them: `ek.higher(bars, "{said.name}").bars`, or '
        f"`--timeframe {said.name}` of `evenkeel backtest` and `evenkeel data export`.",
    )


def commonest(distances: Ints) -> int:
    values, counts = np.unique(distances, return_counts=True)
    return int(values[counts.argmax()])


def _distances(ts: Ints) -> Ints:
    distances = np.diff(np.sort(ts))
    return np.asarray(distances[distances > 0])


def _frame_of(common: int) -> str:
    if common >= 27 * DAY:
        return "1mo"
    if common >= 5 * DAY:
        return "1w"
    if common >= 20 * DAY // 24:
        return "1d"
    return timeframe(f"{max(1, common // 1_000_000_000)}s").name


def instrument_for(wanted: Wanted) -> Instrument:
    """A new instrument from what was said and what follows from it. Raises InvalidInput for an unknown calendar."""
    symbol = checked_symbol(wanted.symbol or "")
    base, quote = _pair(symbol)
    kind = wanted.asset_class or _kind(base, quote, symbol)
    named = canonical(wanted.venue) if wanted.venue and wanted.venue.upper() in ALIASES else None
    currency = (wanted.currency or quote or ("INR" if named in _INDIAN else "USD")).upper()
    days = wanted.calendar or _CALENDARS.get(kind) or named or _BY_CURRENCY.get(currency)
    if days is None:
        raise InvalidInput(
            f"the trading days of {symbol} are not known",
            errors=(FieldError("calendar", "missing, and neither venue nor currency tell it"),),
            hint="Name it with --calendar, such as XLON, XTKS, FX or 24/7.",
        )
    venue = wanted.venue or _VENUES.get(kind) or ("XNSE" if currency == "INR" else "US")
    return Instrument(
        id=instrument_id(venue, symbol),
        symbol=symbol,
        venue=venue,
        asset_class=kind,
        currency=currency,
        tick_size=wanted.tick or _tick(kind, currency),
        lot_size=wanted.lot or (Decimal("0.00000001") if kind is AssetClass.CRYPTO else Decimal(1)),
        calendar=calendar(days).name,
    )


def _pair(symbol: str) -> tuple[str, str | None]:
    plain = re.sub(r"[/_=.-]|=X$", "", symbol.upper())
    for quote in sorted(_COIN_QUOTES, key=len, reverse=True):
        base = plain.removesuffix(quote)
        if base != plain and (base in _COINS or (quote in _CURRENCIES and base in _CURRENCIES | _METALS)):
            return base, quote
    return plain, None


def _kind(base: str, quote: str | None, symbol: str) -> AssetClass:
    if quote is None:
        return AssetClass.INDEX if symbol.startswith("^") else AssetClass.EQUITY
    if base in _METALS:
        return AssetClass.METAL
    return AssetClass.CRYPTO if base in _COINS else AssetClass.FX


def _tick(kind: AssetClass, currency: str) -> Decimal:
    if kind is AssetClass.FX:
        return Decimal("0.001") if currency == "JPY" else Decimal("0.00001")
    if kind is AssetClass.METAL:
        return Decimal("0.001")
    return Decimal("0.05") if currency == "INR" else Decimal("0.01")
