"""The figures a table of combinations may have: a backtest's own counts and amounts, and every metric by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.quant import analytics
from evenkeel.quant.analytics.metrics import BY_NAME
from evenkeel.research.backtest.notes import is_ruin
from evenkeel.research.backtest.result import BacktestResult

Figures = dict[str, float | int | None]

# Fees and trades of the whole run, as `BacktestResult.summary` has them.
OWN: dict[str, Callable[[BacktestResult], float | int]] = {
    "final_equity": lambda result: result.final_equity,
    "total_return": lambda result: result.total_return,
    "fills": lambda result: len(result.fills),
    "orders": lambda result: result.outcome.orders,
    "refused": lambda result: result.outcome.refused,
    "trades": lambda result: len(result.trades),
    "fees": lambda result: float(result.fills.fee.sum()),
}
COUNTS = ("fills", "orders", "refused", "trades")
RUINED = "ruined"
FEASIBLE = "feasible"
_HIGHER_IS_BETTER = {"final_equity": True, "total_return": True, "refused": False, "fees": False}

NAMES = (*OWN, *(name for name in BY_NAME if name not in OWN))
DEFAULT = ("final_equity", "total_return", "sharpe", "max_drawdown", "fills", "trades", "fees")


def checked_names(names: Iterable[str], *, field: str = "metrics") -> tuple[str, ...]:
    """The names, each once. Raises InvalidInput for one that is unknown or belongs to the search as a whole."""
    wanted = tuple(dict.fromkeys([names] if isinstance(names, str) else names))
    faults = [FieldError(field, f"there is no figure {name!r}") for name in wanted if name not in NAMES]
    faults += [
        FieldError(field, f"{name} belongs to the whole search; `overfitting` works it out")
        for name in wanted
        if name in BY_NAME and BY_NAME[name].needs == "trials"
    ]
    if faults:
        said = "; ".join(fault.message for fault in faults)
        raise InvalidInput(f"{field}: {said}", errors=tuple(faults), hint=f"Known are {', '.join(NAMES)}.")
    return wanted


def higher_is_better(name: str) -> bool | None:
    """Which way a figure is good; None where neither way is."""
    return _HIGHER_IS_BETTER[name] if name in _HIGHER_IS_BETTER else _of_metric(name)


def _of_metric(name: str) -> bool | None:
    return BY_NAME[name].higher_is_better if name in BY_NAME else None


def checked_objective(name: str) -> str:
    """The name, if it is of a figure that can be better or worse. Raises InvalidInput."""
    (found,) = checked_names([name], field="objective")
    if higher_is_better(found) is None:
        message = f"neither more nor less {found} is better"
        raise InvalidInput(f"objective: {message}", errors=(FieldError("objective", message),))
    return found


def score(figures: Figures, name: str) -> float:
    """A figure turned so that higher is better; minus infinity where it is undefined or of a ruined account."""
    value = figures[name]
    if value is None or is_ruined(figures):
        return float("-inf")
    return float(value) if higher_is_better(name) else -float(value)


def is_quick(name: str) -> bool:
    """Whether the daily equity and the simulator's report are enough to work it out."""
    return name in OWN or BY_NAME[name].needs == "returns"


def figures_of(result: BacktestResult, names: Iterable[str]) -> Figures:
    """These figures of a backtest, in their order; None where one is not defined. Only what they need is computed."""
    wanted = list(names)
    metrics = [name for name in wanted if name not in OWN]
    needs = {BY_NAME[name].needs for name in metrics}
    inputs: dict[str, Any] = {}
    if "benchmark" in needs:
        inputs["benchmark"] = result.benchmark
    if "trips" in needs:
        inputs["trips"] = result.trades
    if "holdings" in needs:
        inputs["holdings"] = result.holdings
    values = analytics.summary(
        result.daily, periods=result.days.per_year, names=metrics, risk_free=result.risk_free, **inputs
    )
    figures = {name: OWN[name](result) if name in OWN else values[name] for name in wanted}
    return marked(figures, ruined=is_ruin(result.equity))


def marked(figures: Figures, *, ruined: bool) -> Figures:
    """The figures, marked where the account was ruined: what came after could not have been traded."""
    return {**figures, RUINED: 1} if ruined else figures


def is_ruined(figures: Figures) -> bool:
    return RUINED in figures
