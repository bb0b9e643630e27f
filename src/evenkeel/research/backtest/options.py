"""The options of a backtest as people write them: numbers, texts and one-line fees; read once into `Terms`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from numbers import Real
from typing import Any, TypedDict, TypeVar

from msgspec import structs

from evenkeel.domain.accounts import Limits
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.domain.mtm import MtmRules
from evenkeel.domain.sizing import Sizing, Units
from evenkeel.quant.costs import CostSchedule, Slippage, find_schedule
from evenkeel.research.backtest.mtm import levels_of, with_ids
from evenkeel.research.backtest.terms import FillAt, Terms

Amount = str | Decimal | int | float
Kind = TypeVar("Kind")
Row = TypeVar("Row", Split, Dividend)
_FEE = "a fee such as PercentFee('0.0005') or the name of a schedule"
_CURRENCY = re.compile(r"[A-Z][A-Z0-9]{2,9}")
_RATES = ("limit_offset", "financing", "credit", "borrow")
_OFF = ("participation", "stop_loss", "take_profit", "trailing_stop", "maintenance")  # where None


class Options(TypedDict, total=False):
    """What a backtest may be told. `fees` is a schedule or the name of one; `size` a rule, or a number of units.

    `slippage` is a `Slippage`, or basis points. The rest is as in `Terms`.
    """

    cash: Amount
    currency: str
    fees: CostSchedule | str
    size: Sizing | Amount
    fill: str
    limit_offset: float
    slippage: Slippage | float
    participation: float | None
    stop_loss: float | None
    take_profit: float | None
    trailing_stop: float | None
    maintenance: float | None
    financing: float
    credit: float
    borrow: float
    limits: Limits | None
    mtm: MtmRules | Mapping[str, MtmRules] | None
    splits: Sequence[Split]
    dividends: Sequence[Dividend]


def terms_of(currency: str, options: Mapping[str, Any]) -> Terms:
    """The terms these options stand for. Raises InvalidInput naming the option at fault."""
    unknown = [name for name in options if name not in Options.__annotations__]
    if unknown:
        known = ", ".join(sorted(Options.__annotations__))
        raise InvalidInput(f"a backtest has no option {unknown[0]!r}", hint=f"Known are {known}.")
    given: dict[str, Any] = {"currency": currency} | dict(options)
    _check_currency(given["currency"])
    if "cash" in given:
        given["cash"] = amount("cash", given["cash"])
    if "fees" in given:
        fees = given.pop("fees")
        given["costs"] = find_schedule(fees) if isinstance(fees, str) else _is("fees", fees, CostSchedule, _FEE)
    if "size" in given:
        given["sizing"] = _size(given.pop("size"))
    if "fill" in given:
        given["fill"] = _fill(given["fill"])
    if "slippage" in given:
        given["slippage"] = _slippage(given["slippage"])
    for name in (*_RATES, *_OFF):
        if name in given and not (name in _OFF and given[name] is None):
            _number(name, given[name])
    if given.get("limits") is not None:
        _is("limits", given["limits"], Limits, "ek.Limits(…)")
    given["mtm"] = levels_of(given.get("mtm"))
    if "splits" in given:
        given["splits"] = tuple(map(_split, _rows("splits", given["splits"], Split)))
    if "dividends" in given:
        given["dividends"] = tuple(map(_dividend, _rows("dividends", given["dividends"], Dividend)))
    return Terms(**given)


def terms_for(instruments: Sequence[Instrument], options: Mapping[str, Any]) -> Terms:
    """The terms on which these are tested: splits and dividends by their ids, where they may be named by symbol.

    Rows of instruments that are not tested are left out. Raises InvalidInput as `terms_of` does, and where they are not
    all in the currency of the account.
    """
    terms = terms_of(instruments[0].currency, options)
    others = {one.symbol: one.currency for one in instruments if one.currency != terms.currency}
    if others:
        said = ", ".join(f"{symbol} in {currency}" for symbol, currency in others.items())
        message = f"one account trades one currency, {terms.currency} here, and there is {said}"
        hint = "Test instruments of different currencies apart: nothing is converted."
        raise InvalidInput(message, hint=hint, errors=(FieldError("currency", message),))
    symbols = Counter(one.symbol for one in instruments)
    ids = {one.symbol: one.id for one in instruments if symbols[one.symbol] == 1}
    ids |= {one.id: one.id for one in instruments}
    split, paid = _by_id(terms.splits, ids), _by_id(terms.dividends, ids)
    return replace(terms, splits=split, dividends=paid, mtm=with_ids(terms.mtm, ids, currency=terms.currency))


def _by_id(rows: Iterable[Row], ids: Mapping[str, str]) -> tuple[Row, ...]:
    return tuple(structs.replace(row, instrument_id=ids[row.instrument_id]) for row in rows if row.instrument_id in ids)


def amount(name: str, value: Amount) -> Decimal:
    """An amount given as a number or text. Raises InvalidInput."""
    try:
        text = repr(value) if isinstance(value, float | bool) else value
        return Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        raise _refusal(name, value, "a number") from None


def _check_currency(code: Any) -> None:
    if not (isinstance(code, str) and _CURRENCY.fullmatch(code)):
        raise _refusal("currency", code, "a code such as USD")


def _size(size: Any) -> Sizing:
    return size if isinstance(size, Sizing) else Units(amount("size", size))


def _fill(fill: str) -> FillAt:
    try:
        return FillAt(fill)
    except ValueError:
        raise _refusal("fill", fill, ", ".join(FillAt)) from None


def _slippage(slippage: Any) -> Slippage:
    if isinstance(slippage, Slippage):
        return slippage
    return Slippage(bps=_number("slippage", slippage, "basis points or a Slippage"))


def _rows(name: str, rows: Any, kind: type[Kind]) -> tuple[Kind, ...]:
    expected = f"a list of ek.{kind.__name__}"
    if not isinstance(rows, Iterable):
        raise _refusal(name, rows, expected)
    return tuple(_is(name, row, kind, expected) for row in rows)


def _split(row: Split) -> Split:
    parts = amount("splits", row.numerator), amount("splits", row.denominator)
    if not all(part.is_finite() and part > 0 for part in parts):
        raise _refusal("splits", row, "numerators and denominators above zero")
    return Split(row.instrument_id, _day("splits", row.ex_date), *parts)


def _dividend(row: Dividend) -> Dividend:
    paid = amount("dividends", row.amount)
    if not (paid.is_finite() and paid >= 0):
        raise _refusal("dividends", row, "amounts from zero")
    return Dividend(row.instrument_id, _day("dividends", row.ex_date), paid)


def _day(name: str, value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _refusal(name, value, "an ex_date such as date(2014, 6, 9)")
    return value


def _number(name: str, value: Any, expected: str = "a number") -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _refusal(name, value, expected)
    return float(value)


def _is(name: str, value: Any, kind: type[Kind], expected: str) -> Kind:
    if not isinstance(value, kind):
        raise _refusal(name, value, expected)
    return value


def _refusal(name: str, value: Any, expected: str) -> InvalidInput:
    message = f"expected {expected}, not {value!r}"
    return InvalidInput(f"{name}: {message}", errors=(FieldError(name, message),))
