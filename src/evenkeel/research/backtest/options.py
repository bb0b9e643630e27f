"""The options of a backtest as people write them: numbers, texts and one-line fees; read once into `Terms`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, TypedDict

from evenkeel.domain.accounts import Limits
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.domain.sizing import Sizing, Units
from evenkeel.quant.costs import CostSchedule, Slippage, find_schedule
from evenkeel.research.backtest.terms import FillAt, Terms

Amount = str | Decimal | int | float


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
    limits: Limits | None
    splits: Sequence[Split]
    dividends: Sequence[Dividend]


def terms_of(currency: str, options: Mapping[str, Any]) -> Terms:
    """The terms these options stand for. Raises InvalidInput naming the option at fault."""
    unknown = [name for name in options if name not in Options.__annotations__]
    if unknown:
        known = ", ".join(sorted(Options.__annotations__))
        raise InvalidInput(f"a backtest has no option {unknown[0]!r}", hint=f"Known are {known}.")
    given: dict[str, Any] = {"currency": currency} | dict(options)
    if "cash" in given:
        given["cash"] = amount("cash", given["cash"])
    if "fees" in given:
        fees = given.pop("fees")
        given["costs"] = find_schedule(fees) if isinstance(fees, str) else _is("fees", fees, CostSchedule)
    if "size" in given:
        given["sizing"] = _size(given.pop("size"))
    if "fill" in given:
        given["fill"] = _fill(given["fill"])
    slippage = given.get("slippage")
    if isinstance(slippage, int | float):
        given["slippage"] = Slippage(bps=float(slippage))
    for name in ("splits", "dividends"):
        if name in given:
            given[name] = tuple(given[name])
    return Terms(**given)


def amount(name: str, value: Amount) -> Decimal:
    """An amount given as a number or text. Raises InvalidInput."""
    try:
        text = repr(value) if isinstance(value, float | bool) else value
        return Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        message = f"expected a number, not {value!r}"
        raise InvalidInput(f"{name}: {message}", errors=(FieldError(name, message),)) from None


def _size(size: Any) -> Sizing:
    return size if isinstance(size, Sizing) else Units(amount("size", size))


def _fill(fill: str) -> FillAt:
    try:
        return FillAt(fill)
    except ValueError:
        message = f"expected {', '.join(FillAt)}, not {fill!r}"
        raise InvalidInput(f"fill: {message}", errors=(FieldError("fill", message),)) from None


def _is(name: str, value: Any, kind: type[CostSchedule]) -> CostSchedule:
    if not isinstance(value, kind):
        message = f"expected a fee such as PercentFee('0.0005') or the name of a schedule, not {value!r}"
        raise InvalidInput(f"{name}: {message}", errors=(FieldError(name, message),))
    return value
