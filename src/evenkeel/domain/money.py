"""Exact money: decimals of 38 digits in which a result that would have to be rounded raises.

Booked amounts, prices and quantities are `Decimal` and meet only through the functions here, so that the
ambient decimal context never takes part. `exact` is the one door from a measured float to a booked number,
`rounded` the one place where a booked number is rounded.
"""

from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from math import isfinite

from msgspec import Struct

from evenkeel.domain.errors import CurrencyMismatch, InexactMoney, InvalidInput

ZERO = Decimal(0)
ONE = Decimal(1)
ROUNDINGS = frozenset({ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, ROUND_DOWN, ROUND_FLOOR, ROUND_CEILING})

_EXACT = Context(prec=38, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
_ROUNDING = Context(prec=76, traps=[InvalidOperation, DivisionByZero, Overflow])
_RATIO = Context(prec=28, traps=[InvalidOperation, DivisionByZero, Overflow])

_add, _subtract, _multiply = _EXACT.add, _EXACT.subtract, _EXACT.multiply
_NOT_EXACT = (Inexact, InvalidOperation, Overflow)

# What an account may be opened in: money in use by ISO 4217 (no funds, metals or codes for tests), and coins.
ISO_4217 = frozenset({
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BHD", "BIF",
    "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CLP", "CNY", "COP", "CRC",
    "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS",
    "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD",
    "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL",
    "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD",
    "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD",
    "RUB", "RWF", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP",
    "SZL", "THB", "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VED",
    "VES", "VND", "VUV", "WST", "XAF", "XCD", "XCG", "XOF", "XPF", "YER", "ZAR", "ZMW", "ZWG",
})  # fmt: skip
COINS = frozenset({
    "ADA", "BCH", "BNB", "BTC", "DOT", "ETC", "ETH", "LTC", "SOL", "TRX", "USDC", "USDT", "XLM", "XMR", "XRP",
})  # fmt: skip
CURRENCIES = ISO_4217 | COINS
# Decimal places by ISO 4217 where they are not two, and of coins as their networks count them, at most eight.
_PLACES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    6: "ADA TRX USDC USDT XRP",
    7: "XLM",
    8: "BCH BNB BTC DOT ETC ETH LTC SOL XMR",
}
MINOR_UNITS = {code: Decimal(1).scaleb(-places) for places, codes in _PLACES.items() for code in codes.split()}
COST_STEP = Decimal("0.00000001")
_CENT = Decimal("0.01")
_NEAREST = frozenset({ROUND_HALF_EVEN, ROUND_HALF_UP})
_MOST_STEPS = 1e12
_SHORT = 17


def add(a: Decimal, b: Decimal) -> Decimal:
    """a + b, exactly. Raises InexactMoney beyond 38 digits."""
    try:
        return _add(a, b)
    except _NOT_EXACT as error:
        raise InexactMoney(f"{a} + {b} needs more than 38 digits") from error


def sub(a: Decimal, b: Decimal) -> Decimal:
    """a - b, exactly. Raises InexactMoney beyond 38 digits."""
    try:
        return _subtract(a, b)
    except _NOT_EXACT as error:
        raise InexactMoney(f"{a} - {b} needs more than 38 digits") from error


def mul(a: Decimal, b: Decimal) -> Decimal:
    """a * b, exactly. Raises InexactMoney beyond 38 digits."""
    try:
        return _multiply(a, b)
    except _NOT_EXACT as error:
        raise InexactMoney(f"{a} * {b} needs more than 38 digits") from error


def ratio(a: Decimal, b: Decimal) -> Decimal:
    """a / b to 28 digits: for display, shares and limits, never booked. Raises ZeroDivisionError."""
    if not b:
        raise ZeroDivisionError(f"{a} / {b}")
    return _RATIO.divide(a, b)


def total(amounts: "list[Decimal] | tuple[Decimal, ...]") -> Decimal:
    """The exact sum of amounts of one currency."""
    result = ZERO
    for amount in amounts:
        result = add(result, amount)
    return result


def neg(a: Decimal) -> Decimal:
    return a.copy_negate() if a else ZERO


def rounded(value: Decimal, step: Decimal, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """`value` to the nearest multiple of `step` (> 0, any size: a tick of 0.05, a lot of 25).

    Raises InexactMoney where the result needs more than 38 digits.
    """
    try:
        steps = _ROUNDING.divide(value, step).quantize(ONE, rounding, _ROUNDING)
    except InvalidOperation as error:
        raise InexactMoney(f"{value} cannot be rounded to a multiple of {step}") from error
    return mul(steps, step)


def portion(whole: Decimal, part: Decimal, *, of: Decimal, step: Decimal) -> Decimal:
    """whole * part / of, rounded half to even to a multiple of `step`; what goes in may have 38 digits each."""
    return rounded(_ROUNDING.divide(_ROUNDING.multiply(whole, part), of), step)


def exact(measured: float, step: Decimal, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """Crosses from a measurement (float64) to a booked number: the multiple of `step` at `measured`.

    Raises InvalidInput for NaN and infinities.
    """
    if not isfinite(measured):
        raise InvalidInput(f"{measured} is not a number that can be booked")
    if rounding in _NEAREST:
        # So few steps are counted by floats to a thousandth: without doubt, unless two multiples are about as near.
        steps = measured / float(step)
        if -_MOST_STEPS < steps < _MOST_STEPS:
            whole = round(steps)
            if whole and abs(steps - whole) < 0.499:
                return mul(Decimal(whole), step)
    return rounded(Decimal(repr(float(measured))), step, rounding)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """False, too, for what is no number and for what is more than 76 digits of steps."""
    try:
        return value.is_finite() and not _ROUNDING.remainder(value, step)
    except InvalidOperation:
        return False


def is_bookable(value: Decimal) -> bool:
    """Whether sums of such numbers stay within 38 digits: finite, below 10^17, at most 18 decimal places."""
    text = str(value)
    if len(text) <= _SHORT and text.replace(".", "", 1).isdecimal():
        return True
    return value.is_finite() and value.adjusted() < 17 and int(value.as_tuple().exponent) >= -18


def plain(value: Decimal) -> str:
    """The shortest plain notation, e.g. 10 for 10.00 and for 1E+1; there is no minus zero."""
    return f"{_ROUNDING.normalize(value):f}" if value else "0"


def minor_unit(currency: str) -> Decimal:
    """The smallest booked amount of a currency, e.g. 0.01 for USD."""
    return MINOR_UNITS.get(currency, _CENT)


class Money(Struct, frozen=True):
    """An amount of one currency; adding two currencies is a type error."""

    amount: Decimal
    currency: str

    def __add__(self, other: "Money") -> "Money":
        return Money(add(self.amount, self._same(other)), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(sub(self.amount, self._same(other)), self.currency)

    def __neg__(self) -> "Money":
        return Money(neg(self.amount), self.currency)

    def _same(self, other: "Money") -> Decimal:
        if not isinstance(other, Money):
            raise TypeError(f"money meets only money, not {type(other).__name__}")
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not add up without a dated rate")
        return other.amount
