"""The head of a sheet: what was tested, the six figures people look for first, and on what terms."""

from __future__ import annotations

from evenkeel.research.report.asked import (
    actions_in_words,
    carry_in_words,
    fills_in_words,
    limits_in_words,
    mtm_in_words,
    size_in_words,
    slippage_in_words,
    stops_in_words,
)
from evenkeel.research.report.markup import facts, safe
from evenkeel.research.report.sheet import Sheet
from evenkeel.research.report.words import NOTHING, counted, money, number, percent

MARK = (
    '<svg class="mark" viewBox="0 0 20 20" width="22" height="22" fill="none" aria-hidden="true">'
    '<path class="level" d="M1 8h18"/><path d="M4 11.5c.8 3.2 3 5 6 5s5.2-1.8 6-5"/><path d="M10 8V3"/></svg>'
)
_NAMES = "Names this run: strategy, parameters, terms and every price"
_FEW_SYMBOLS = 6


def headline(sheet: Sheet) -> str:
    """The header with title, key figures, terms and warnings."""
    result = sheet.result
    about = f"{_symbols(sheet)} · bars of {result.bars[0].timeframe} · {sheet.period} · {sheet.trading()}"
    return (
        f'<header><p class="brand">{MARK}<span>Evenkeel · {safe(_kind(sheet))}</span>'
        f'<code title="{_NAMES}">{safe(result.fingerprint)}</code></p>'
        f'<h1>{safe(sheet.title)}</h1><p class="about">{safe(about)}</p>'
        f"{_figures(sheet)}{_terms(sheet)}{_warnings(sheet)}</header>"
    )


def _kind(sheet: Sheet) -> str:
    if sheet.search is None:
        return "backtest"
    return "walk-forward, out of sample" if sheet.search.walked else "the best of a search"


def _walked(sheet: Sheet) -> bool:
    return sheet.search is not None and sheet.search.walked


def _symbols(sheet: Sheet) -> str:
    names = sheet.symbols
    if len(names) <= _FEW_SYMBOLS:
        return ", ".join(names)
    return f"{', '.join(names[:_FEW_SYMBOLS])} and {len(names) - _FEW_SYMBOLS} more"


def _figures(sheet: Sheet) -> str:
    values = sheet.metrics
    trades, rate = len(sheet.result.trades), values["win_rate"]
    error, sharpe = values["sharpe_error"], values["sharpe"]
    off = f"± {number(error)} standard error" if error is not None and sharpe is not None else "not defined"
    rows = [
        ("Final equity", money(sheet.result.final_equity, sheet.currency), f"from {money(sheet.cash)}"),
        ("Return", percent(sheet.result.total_return, signed=True), _against(sheet)),
        ("A year", percent(values["cagr"], signed=True), _years(sheet)),
        ("Sharpe ratio", number(sharpe), off),
        ("Deepest drawdown", percent(values["max_drawdown"]), _under_water(sheet)),
        ("Trades", f"{trades:,}", f"{percent(rate, 0)} won" if rate is not None else "none closed"),
    ]
    cells = "".join(
        f"<div><dt>{safe(name)}</dt><dd>{safe(value)}<small>{safe(below)}</small></dd></div>"
        for name, value, below in rows
    )
    return f'<dl class="figures">{cells}</dl>'


def _against(sheet: Sheet) -> str:
    if not sheet.with_benchmark:
        return "of the initial cash"
    held = percent(sheet.metrics["benchmark_total_return"], signed=True)
    return f"{held} by holding {sheet.held}"


def _years(sheet: Sheet) -> str:
    if sheet.metrics["cagr"] is not None:
        return f"compounded over {number(sheet.result.daily.years, 1)} years"
    return "none after losing all" if sheet.result.final_equity <= 0 else "none below a year"


def _under_water(sheet: Sheet) -> str:
    days = sheet.metrics["longest_drawdown"]
    return f"longest {number(days, 0)} days" if days else "never below its top"


def _terms(sheet: Sheet) -> str:
    result, terms = sheet.result, sheet.result.terms
    parameters = "".join(
        f'<code class="chip">{safe(name)} = {safe(value)}</code>' for name, value in result.params.items()
    )
    return facts(
        {
            "Strategy": f"{safe(result.strategy)} <small>version {safe(result.version)}</small>",
            "Parameters": parameters or (safe("chosen anew in each window") if _walked(sheet) else NOTHING),
            "Engine": safe({"compiled": "compiled", "event": "event-driven"}.get(result.engine, result.engine)),
            "Cash": safe(money(sheet.cash, sheet.currency)),
            "A target of 1 is": safe(size_in_words(terms.sizing, sheet.currency)),
            "Orders fill": safe(fills_in_words(terms)),
            "Fees": f"{safe(terms.costs.title)} <small>{safe(terms.costs.name)}</small>",
            "Slippage": safe(slippage_in_words(terms)),
            "Stops": safe(stops_in_words(terms)),
            "Interest and borrow": safe(carry_in_words(terms)),
            "Risk limits": safe(limits_in_words(terms.limits)),
            "Mark-to-market rules": safe(mtm_in_words(terms)),
            "Splits and dividends": safe(actions_in_words(terms)),
            "Orders": safe(_orders(sheet)),
        }
    )


def _orders(sheet: Sheet) -> str:
    outcome = sheet.result.outcome
    refused = f", {outcome.refused:,} refused by risk" if outcome.refused else ""
    return f"{outcome.orders:,} decided, {counted(len(outcome.fills), 'fill')}{refused}"


def _warnings(sheet: Sheet) -> str:
    said = [*sheet.result.warnings, *sheet.result.outcome.notes]
    rows = "".join(f"<li>{safe(one)}</li>" for one in said)
    return f'<aside class="warn"><h2>Warnings</h2><ul>{rows}</ul></aside>' if said else ""
