"""Why a backtest did not trade, as far as its data tell, and what to try."""

from __future__ import annotations

from evenkeel.research.backtest.terms import FillAt
from evenkeel.research.report.markup import safe, section
from evenkeel.research.report.sheet import Sheet
from evenkeel.research.report.words import counted


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
    """What kept it from trading: the notes of the run, and what became of its orders."""
    outcome, terms = sheet.result.outcome, sheet.result.terms
    notes = [f"{note[0].upper()}{note[1:]}." for note in outcome.notes]
    if not outcome.orders:
        return notes
    if outcome.refused >= outcome.orders:
        fate = "Every one was refused by risk."
    elif terms.fill is FillAt.LIMIT:
        fate = "No limit was touched in the bar it was good for."
    else:
        fate = "None could fill: the only ones came at the last bar, or no bar had volume to fill them."
    return [f"{counted(outcome.orders, 'order')} decided.", *notes, fate]


def remedies_of(sheet: Sheet) -> list[str]:
    """What to do about it, the likeliest first."""
    outcome, terms = sheet.result.outcome, sheet.result.terms
    if outcome.refused:
        return ["Widen the limits that refused, or trade smaller.", "Run once without limits to see what they cost."]
    if outcome.orders and terms.fill is FillAt.LIMIT:
        return ["Lower limit_offset, or fill at the next open.", "Look whether the bars have lows and highs at all."]
    if outcome.orders:
        return ["Give more bars after the last signal.", "Look at the volume of the bars, or drop participation."]
    return [
        f"Look at its signals: evenkeel strategy check {sheet.result.strategy}",
        "Loosen the rule until it trades, then see which part of it was never met.",
    ]
