"""The terms of a backtest in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from evenkeel.domain.accounts import Limits
from evenkeel.domain.limits import RULES
from evenkeel.domain.sizing import Cash, Kelly, PercentOfEquity, Sizing, Units, VolatilityTarget
from evenkeel.research.backtest import mtm
from evenkeel.research.backtest.terms import FillAt, Terms
from evenkeel.research.report.words import counted, money, number, percent, plain

_TOLD = frozenset({"max_position_share", "daily_loss", "max_trades_per_day"})
_FILLS = {
    FillAt.NEXT_OPEN: "at the open of the next bar",
    FillAt.CLOSE: "at the close that decided it",
}


def size_in_words(sizing: Sizing, currency: str) -> str:
    """What a target of 1 stands for."""
    match sizing:
        case Units(quantity):
            return f"{plain(float(quantity))} units"
        case Cash(amount):
            return f"{money(float(amount), currency)} worth"
        case PercentOfEquity(share):
            return f"{percent(float(share), 0 if float(share) * 100 % 1 == 0 else 2)} of equity"
        case VolatilityTarget(annual, window, most):
            return f"{percent(annual)} volatility a year, over {window} bars, at most {percent(most, 0)} of equity"
        case Kelly(fraction, window, most):
            return f"{number(fraction)} of Kelly, over {window} bars, at most {percent(most, 0)} of equity"


def fills_in_words(terms: Terms) -> str:
    if terms.fill is not FillAt.LIMIT:
        return _FILLS[terms.fill]
    offset = f", {percent(terms.limit_offset, 2)} better" if terms.limit_offset else ""
    return f"by a limit at the close that decided it{offset}, through the next bar"


def slippage_in_words(terms: Terms) -> str:
    slip = terms.slippage
    said = []
    if slip.bps:
        said.append(f"{plain(slip.bps)} basis points")
    if slip.spread_share:
        said.append(f"{percent(slip.spread_share, 0)} of the spread")
    if slip.impact:
        said.append(f"impact {plain(slip.impact)} × √ of the share of volume")
    if terms.participation is not None:
        said.append(f"at most {percent(terms.participation)} of a bar's volume")
    return ", ".join(said) or "none"


def stops_in_words(terms: Terms) -> str:
    named = (
        ("stop-loss", terms.stop_loss),
        ("take-profit", terms.take_profit),
        ("trailing stop", terms.trailing_stop),
        ("maintenance margin", terms.maintenance),
    )
    said = [f"{name} {percent(value, 2)}" for name, value in named if value is not None]
    return ", ".join(said) or "none"


def carry_in_words(terms: Terms) -> str:
    """What is paid and earned for holding, by the year."""
    named = (
        ("on cash below zero", terms.financing),
        ("earned on cash", terms.credit),
        ("on what is sold short", terms.borrow),
    )
    said = [f"{percent(rate, 2)} {name}" for name, rate in named if rate]
    return ", ".join(said) or "none: borrowing is free"


def limits_in_words(limits: Limits | None) -> str:
    if limits is None:
        return "none: any size, any loss, long or short"
    return "; ".join(_limits(limits))


def _limits(limits: Limits) -> Iterator[str]:
    yield _share("a position", limits.max_position_share)
    yield _share("a day's loss", limits.daily_loss)
    most = limits.max_trades_per_day
    yield "any number of trades a day" if most is None else f"{counted(most, 'trade')} a day"
    yield "short allowed" if limits.allow_short else "no short"
    yield "cash must cover buys" if limits.cash_check else "borrowing allowed"
    for name in RULES:
        value = getattr(limits, name)
        if value not in (None, False) and name not in _TOLD:
            yield f"{name.replace('_', ' ')} {_rule(value)}"


def mtm_in_words(terms: Terms) -> str:
    """The rules of mark-to-market control, by level."""
    said = []
    for name, rules in mtm.plain(terms.mtm).items():
        asked = {one: value for one, value in rules.items() if one != "day"} | rules["day"]
        each = [f"{one.replace('_', ' ')} {_amount(value)}" for one, value in asked.items()]
        said.append(f"{name}: {', '.join(each)}")
    return "; ".join(said) or "none"


def _amount(value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(_amount(one) for one in value)
    if not isinstance(value, dict):
        return str(value)
    if "value" not in value:
        return ", ".join(f"{name.replace('_', ' ')} {_amount(one)}" for name, one in value.items())
    return percent(float(value["value"]), 2) if value.get("of_equity") else value["value"]


def _rule(value: Any) -> str:
    if isinstance(value, tuple):
        return " and ".join(f"{one.start:%H:%M}–{one.end:%H:%M} {one.time_zone}" for one in value)
    return "only" if value is True else str(value)


def _share(name: str, share: Decimal | None) -> str:
    return f"{name} of any size" if share is None else f"{name} to {percent(float(share))} of equity"


def actions_in_words(terms: Terms) -> str:
    said = [
        counted(len(rows), name) for rows, name in ((terms.splits, "split"), (terms.dividends, "dividend")) if len(rows)
    ]
    return " and ".join(said) or "none given"
