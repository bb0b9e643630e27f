"""Why a backtest did not trade, as far as its data tell, and what to try."""

from __future__ import annotations

from decimal import Decimal

from evenkeel.domain.sizing import Cash, PercentOfEquity, Sizing, Units
from evenkeel.research.backtest.terms import FillAt
from evenkeel.research.report.markup import safe, section
from evenkeel.research.report.sheet import Sheet
from evenkeel.research.report.words import counted, money, plain


def silence(sheet: Sheet) -> str:
    """The diagnosis; empty where there are fills."""
    if len(sheet.result.fills):
        return ""
    causes = "".join(f"<li>{safe(said)}</li>" for said in causes_of(sheet))
    tries = "".join(f"<li>{safe(said)}</li>" for said in remedies_of(sheet))
    told = f"<div><h3>What the data tell</h3><ul>{causes}</ul></div>"
    hints = f"<div><h3>What to try</h3><ul>{tries}</ul></div>"
    return section("silence", "Why nothing was traded", f'<div class="pair">{told}{hints}</div>')


def causes_of(sheet: Sheet) -> list[str]:
    """What kept it from trading, one sentence each."""
    outcome, terms = sheet.result.outcome, sheet.result.terms
    if outcome.orders:
        said = [f"{counted(outcome.orders, 'order')} decided."]
        said += [f"{note}." for note in outcome.notes]
        if outcome.refused >= outcome.orders:
            said.append("Every one was refused by risk.")
        elif terms.fill is FillAt.LIMIT:
            said.append("No limit was touched in the bar it was good for.")
        else:
            said.append("None could fill: the only ones came at the last bar, or no bar had volume to fill them.")
        return said
    small = [why for place in range(len(sheet.symbols)) if (why := _too_small(sheet, place))]
    if len(small) == len(sheet.symbols):
        return [*small, "Every quantity was cut to zero lots, so no order was decided."]
    count = counted(len(sheet.result.at), "bar")
    return [
        f"No order was decided on {count}: no target ever asked for a position.",
        "Either the rule was never met, or its warm-up is as long as the record.",
        *small,
    ]


def _too_small(sheet: Sheet, place: int) -> str:
    """That a full target is less than a lot even at the lowest price; empty where it is not."""
    instrument, bars = sheet.instrument(place), sheet.result.bars[place]
    lowest = float(bars.close[bars.close > 0].min(initial=float("inf")))
    most = _most_units(sheet, lowest * float(instrument.multiplier))
    if most is None or most >= float(instrument.lot_size):
        return ""
    lot = plain(float(instrument.lot_size))
    price = money(lowest, instrument.currency)
    return (
        f"{sheet.symbols[place]}: a target of 1 is {plain(most)} units at the lowest close ({price}), less than one "
        f"lot of {lot}."
    )


def _most_units(sheet: Sheet, value: float) -> float | None:
    """Units that a target of 1 stands for, with the initial cash, at the value of one; None where that varies."""
    sizing: Sizing = sheet.result.terms.sizing
    match sizing:
        case Units(quantity):
            return float(quantity)
        case Cash(amount):
            return float(amount) / value
        case PercentOfEquity(share):
            return float(share / Decimal(len(sheet.symbols))) * sheet.cash / value
        case _:
            return None


def remedies_of(sheet: Sheet) -> list[str]:
    """What to do about it, the likeliest first."""
    outcome, terms = sheet.result.outcome, sheet.result.terms
    if outcome.refused:
        return ["Widen the limits that refused, or trade smaller.", "Run once without limits to see what they cost."]
    if outcome.orders and terms.fill is FillAt.LIMIT:
        return ["Lower limit_offset, or fill at the next open.", "Look whether the bars have lows and highs at all."]
    if outcome.orders:
        return ["Give more bars after the last signal.", "Look at the volume of the bars, or drop participation."]
    if all(_too_small(sheet, place) for place in range(len(sheet.symbols))):
        return ["Give more cash or a larger size.", "Trade an instrument with a smaller lot."]
    return [
        "Give more bars than the longest look-back among the parameters: "
        + (", ".join(f"{name} = {value}" for name, value in sheet.result.params.items()) or "there are none")
        + ".",
        f"Look at its signals: evenkeel strategy check {sheet.result.strategy}",
        "Loosen the rule until it trades, then see which part of it was never met.",
    ]
