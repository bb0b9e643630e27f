"""Many strategies as one for several instruments together: those that rank, pair or weigh instruments among them.

All is counted in shares of the whole allocation. A member of one instrument looks at each by itself, and a target of
its own counts there as that part of an equal share.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from evenkeel.domain.errors import EvenkeelError, FieldError
from evenkeel.market.panel import Panel
from evenkeel.quant.indicators import Flags, Floats
from evenkeel.trading.strategies.base import PanelStrategy, SignalStrategy
from evenkeel.trading.strategies.evaluate import confidence_of, evaluate, fold, read_only, rebalances_of, warmup_of
from evenkeel.trading.strategies.members import PanelMember, panel_members_of
from evenkeel.trading.strategies.parameters import Parameter, ParameterType, Params, number


class _Said(NamedTuple):
    """What a member says (n, k): the shares it holds, and how sure of each it was when it last gave a target."""

    held: Floats
    sure: Floats


class PanelEnsemble(PanelStrategy):
    name = "panel-ensemble"
    version = "1"
    title = "Ensemble of several instruments"
    description = (
        "Several strategies decide together on several instruments, those that look at all of them at once among them."
        " By vote: an equal share long (short) of each instrument of which the weights of those that are long (short),"
        " less those of the other side, reach the threshold as a share of all weights; else flat. By weight: the mean"
        " of their shares, each counted by weight and confidence, rounded to a step of an equal share. Positions are"
        " restored whenever a member restores its own."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            "members",
            ParameterType.TEXT,
            "cross-sectional-momentum; sma-crossover",
            description="Templates with parameters and weights: cross-sectional-momentum(top=0.5)*2; rsi.",
        ),
        Parameter("rule", ParameterType.TEXT, "vote", description="vote or weighted.", choices=("vote", "weighted")),
        number("threshold", 0.5, 0.01, 1.0, description="By vote: the share of weights that decides."),
        number("step", 0.25, 0.01, 1.0, description="By weight: shares are multiples of so much of an equal one."),
    )

    def check(self, params: Params) -> tuple[FieldError, ...]:
        try:
            members = panel_members_of(params.text("members"))
        except EvenkeelError as error:
            return (FieldError("parameters.members", error.message),)
        except ValueError as error:
            return (FieldError("parameters.members", str(error)),)
        least, most = _extent(members)
        if most is not None and most < least:
            return (FieldError("parameters.members", "they take different numbers of instruments"),)
        return ()

    def instruments(self, params: Params) -> tuple[int, int | None]:
        return _extent(panel_members_of(params.text("members")))

    def warmup(self, params: Params) -> int:
        return max(warmup_of(one.strategy, one.params) for one in panel_members_of(params.text("members")))

    def timeframes(self, params: Params) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for one in panel_members_of(params.text("members")):
            for name, bars in one.strategy.timeframes(one.params).items():
                found[name] = max(bars, found.get(name, 0))
        return found

    def remembers(self, params: Params) -> bool:
        """A member that keeps its target keeps it from before the window, too."""
        return True

    def signals(self, bars: Panel, params: Params) -> Floats:
        members, equal = panel_members_of(params.text("members")), 1.0 / len(bars.instrument_ids)
        weights, said = _weights(members), [_said(one, bars) for one in members]
        if params.text("rule") == "vote":
            score = sum(weight * np.sign(one.held) for weight, one in zip(weights, said, strict=True))
            least = params.number("threshold") - 1e-9
            return equal * np.where(score >= least, 1.0, np.where(score <= -least, -1.0, 0.0))
        step = params.number("step") * equal
        mean = sum(weight * one.held * one.sure for weight, one in zip(weights, said, strict=True))
        return np.clip(np.round(np.round(mean / step, 9)) * step, -1.0, 1.0)

    def confidence(self, bars: Panel, params: Params, targets: Floats) -> Floats:
        """The weights of the members that hold what the ensemble does, long, short or flat, each by how sure it is."""
        members, found = panel_members_of(params.text("members")), np.zeros(targets.shape)
        for weight, one in zip(_weights(members), [_said(one, bars) for one in members], strict=True):
            agrees = np.sign(one.held) == np.sign(targets)
            found += weight * np.where(one.held == 0.0, 1.0, one.sure) * agrees
        return found

    def details(self, bars: Panel, params: Params) -> Mapping[str, Floats]:
        """By each member's place and name, the share it holds of each instrument."""
        members = panel_members_of(params.text("members"))
        return {f"{place}-{one.strategy.name}": _said(one, bars).held for place, one in enumerate(members, 1)}

    def rebalances(self, bars: Panel, params: Params) -> Flags | None:
        members = panel_members_of(params.text("members"))
        if not any(one.strategy.is_rebalancing() for one in members):
            return None
        found = np.zeros(len(bars), dtype=np.bool_)
        for one in members:
            found |= _restores(one, bars)
        return found


def _extent(members: Iterable[PanelMember]) -> tuple[int, int | None]:
    """How many instruments all of them take."""
    asked = [one.strategy.instruments(one.params) for one in members if isinstance(one.strategy, PanelStrategy)]
    bounds = [most for _, most in asked if most is not None]
    return max((least for least, _ in asked), default=1), min(bounds, default=None)


def _weights(members: Iterable[PanelMember]) -> list[float]:
    given = [one.weight for one in members]
    return [weight / sum(given) for weight in given]


def _said(one: PanelMember, panel: Panel) -> _Said:
    if isinstance(one.strategy, PanelStrategy):
        told = evaluate(one.strategy, panel, one.params)
        return _folded(told, confidence_of(one.strategy, panel, one.params, targets=told))
    told, sure = np.full(panel.close.shape, np.nan), np.full(panel.close.shape, np.nan)
    for line, name in enumerate(panel.instrument_ids):
        bars, rows = panel.bars(name), np.flatnonzero(panel.shown[:, line])
        if len(rows):
            bars = read_only(bars)
            mine = evaluate(one.strategy, bars, one.params)
            told[rows, line] = mine / len(panel.instrument_ids)
            sure[rows, line] = confidence_of(one.strategy, bars, one.params, targets=mine)
    return _folded(told, sure)


def _folded(told: Floats, sure: Floats) -> _Said:
    sure = np.where(np.isnan(told), np.nan, sure)
    return _Said(*(np.column_stack([fold(column) for column in table.T]) for table in (told, sure)))


def _restores(one: PanelMember, panel: Panel) -> Flags:
    """Where a member brings positions back: all of them, or of any instrument."""
    found = np.zeros(len(panel), dtype=np.bool_)
    if isinstance(one.strategy, SignalStrategy):
        for line, name in enumerate(panel.instrument_ids):
            rows = np.flatnonzero(panel.shown[:, line])
            flags = rebalances_of(one.strategy, read_only(panel.bars(name)), one.params) if len(rows) else None
            if flags is not None:
                found[rows] |= flags
        return found
    flags = rebalances_of(one.strategy, panel, one.params)
    return found if flags is None else flags
