"""Many strategies as one: their targets are combined by vote, by weight or by what they have made so far.

Every member has a track: what its targets would have made, bar by bar, whether it counts or not. By it a member that
loses may be left out until it has recovered, and by it the rule `performance` weighs those that count.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from evenkeel.domain.errors import EvenkeelError, FieldError
from evenkeel.market.bars import Bars
from evenkeel.quant import allocation
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.evaluate import confidence_of, evaluate, fold, warmup_of
from evenkeel.trading.strategies.members import Member, members_of
from evenkeel.trading.strategies.parameters import Parameter, ParameterType, Params, number, whole


class _Joined(NamedTuple):
    """What the members say (n, k): targets held, how sure of them, weights; and where each counts, if rules say."""

    members: tuple[Member, ...]
    held: Floats
    sure: Floats
    weights: Floats
    switching: tuple[allocation.Switching, ...]


class Ensemble(SignalStrategy):
    name = "ensemble"
    version = "2"
    title = "Ensemble"
    description = (
        "Several strategies decide together. By vote: long (short) when the weights of those that are long (short),"
        " less those of the other side, reach the threshold as a share of all weights; else flat. By weight: the mean"
        " of their targets, each counted by weight and confidence, rounded to a step. By performance: the same, with"
        " weights that follow what each would have made lately over the square of its risk. A member that has fallen"
        " too far may be left out until it has recovered."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            "members",
            ParameterType.TEXT,
            "sma-crossover; donchian-breakout; momentum",
            description="Templates with parameters and weights: sma-crossover(fast=10, slow=50)*2; rsi.",
        ),
        Parameter(
            "rule",
            ParameterType.TEXT,
            "vote",
            description="vote, weighted or performance.",
            choices=("vote", "weighted", "performance"),
        ),
        number("threshold", 0.5, 0.01, 1.0, description="By vote: the share of weights that decides."),
        number("step", 0.25, 0.01, 1.0, description="By weight: targets are multiples of it, so that it trades less."),
        whole("lookback", 120, 10, 5000, description="By performance: the bars of the track that count."),
        number("tilt", 1.0, 0.0, 1.0, description="By performance: how far weights follow it; 0 leaves those given."),
        number("cost", 0.0005, 0.0, 0.05, description="In tracks: the cost of a trade, as a fraction of its value."),
        number("fall", 0.0, 0.0, 0.9, description="A member that has fallen further than this is left out; 0: never."),
        whole("fall_bars", 250, 2, 10_000, description="The fall is from the highest of so many bars."),
        number("recovery", 0.05, 0.001, 0.9, description="It counts again once it has risen so far from its lowest."),
        whole("least_bars", 20, 1, 5000, description="Bars between two switches of a member, at least."),
    )

    def check(self, params: Params) -> tuple[FieldError, ...]:
        try:
            members_of(params.text("members"))
        except EvenkeelError as error:
            return (FieldError("parameters.members", error.message),)
        except ValueError as error:
            return (FieldError("parameters.members", str(error)),)
        return ()

    def warmup(self, params: Params) -> int:
        """By performance, the bars of the first track come before the first decision."""
        track = params.whole("lookback") if params.text("rule") == "performance" else 0
        return track + max(warmup_of(one.strategy, one.params) for one in members_of(params.text("members")))

    def timeframes(self, params: Params) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for one in members_of(params.text("members")):
            for name, bars in one.strategy.timeframes(one.params).items():
                found[name] = max(bars, found.get(name, 0))
        return found

    def remembers(self, params: Params) -> bool:
        """A member that keeps its target keeps it from before the window, too."""
        return True

    def signals(self, bars: Bars, params: Params) -> Floats:
        joined = _joined(bars, params)
        if params.text("rule") == "vote":
            score = _sum(joined.weights * np.sign(joined.held))
            least = params.number("threshold") - 1e-9
            return np.where(score >= least, 1.0, np.where(score <= -least, -1.0, 0.0))
        step = params.number("step")
        mean = _sum(joined.weights * joined.held * joined.sure)
        return np.clip(np.round(np.round(mean / step, 9)) * step, -1.0, 1.0)

    def confidence(self, bars: Bars, params: Params, targets: Floats) -> Floats:
        """The weights of the members that hold what the ensemble does, long, short or flat, each by how sure it is."""
        joined = _joined(bars, params)
        sure = np.where(joined.held == 0.0, 1.0, joined.sure)
        return _sum(joined.weights * sure * (np.sign(joined.held) == np.sign(targets)[:, None]))

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        """By each member's place and name: what it holds, and its weight where weights move.

        With a rule that leaves members out: whether it counts (`on`), how far it has fallen, or risen while it is out,
        and at the bar of a switch only `switch`, 1 for in and −1 for out.
        """
        joined = _joined(bars, params)
        found: dict[str, Floats] = {}
        for place, one in enumerate(joined.members):
            name = f"{place + 1}-{one.strategy.name}"
            found[name] = joined.held[:, place]
            if joined.switching or params.text("rule") == "performance":
                found[f"{name}.weight"] = joined.weights[:, place]
            for on, distance in joined.switching[place : place + 1]:
                moved = np.diff(on.astype(np.float64), prepend=1.0)
                found[f"{name}.on"] = on.astype(np.float64)
                found[f"{name}.fall"] = np.where(on, distance, np.nan)
                found[f"{name}.rise"] = np.where(on, np.nan, distance)
                found[f"{name}.switch"] = np.where(moved == 0.0, np.nan, moved)
        return found


def _joined(bars: Bars, params: Params) -> _Joined:
    members = members_of(params.text("members"))
    targets = [evaluate(one.strategy, bars, one.params) for one in members]
    held = np.column_stack([fold(one) for one in targets])
    sure = np.column_stack([_sureness(one, bars, told) for one, told in zip(members, targets, strict=True)])
    weights = np.tile([one.weight for one in members], (len(bars), 1))
    is_scored, is_judged = params.text("rule") == "performance", params.number("fall") > 0.0
    if not (is_scored or is_judged):
        return _Joined(members, held, sure, allocation.shares(weights), ())
    cost = params.number("cost")
    tracks = [allocation.made(bars.close, column, cost=cost) for column in np.ascontiguousarray(held.T)]
    switching = tuple(_switching(one, params) for one in tracks) if is_judged else ()
    for place, one in enumerate(switching):
        weights[:, place] *= one.on
    shares = _scored(weights, np.column_stack(tracks), params) if is_scored else allocation.shares(weights)
    return _Joined(members, held, sure, shares, switching)


def _scored(weights: Floats, tracks: Floats, params: Params) -> Floats:
    """Shares between those given and those of the scores; where no member has made anything, nothing is given."""
    scores = np.nan_to_num(allocation.scores(tracks, params.whole("lookback")))
    tilt = params.number("tilt")
    return (1.0 - tilt) * allocation.shares(weights) + tilt * allocation.shares(weights * scores)


def _switching(track: Floats, params: Params) -> allocation.Switching:
    return allocation.switching(
        track,
        fall=params.number("fall"),
        window=params.whole("fall_bars"),
        rise=params.number("recovery"),
        least=params.whole("least_bars"),
    )


def _sureness(one: Member, bars: Bars, told: Floats) -> Floats:
    """How sure a member was when it last gave a target."""
    sure = confidence_of(one.strategy, bars, one.params, targets=told)
    return fold(np.where(np.isnan(told), np.nan, sure))


def _sum(table: Floats) -> Floats:
    result: Floats = table.sum(axis=1)
    return result
