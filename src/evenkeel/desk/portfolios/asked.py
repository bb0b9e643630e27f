"""A rebalance as it was asked for, and the digest of its meaning: the same for every way to spell the same thing."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct, field

from evenkeel.domain.execution import Execution
from evenkeel.domain.money import ZERO, plain
from evenkeel.domain.rebalance_schedules import OPTIONS, Aim


class Asked(Struct, frozen=True):
    """`aim` without a settled objective is by the portfolio's own tolerance; `buffer` and `band` are shares, `least` is
    the least value of a trade, `execution` None a basket. `yields` are a year's, by instrument id, with `across`."""

    aim: Aim
    buffer: Decimal = ZERO
    band: Decimal = ZERO
    least: Decimal = ZERO
    execution: Execution | None = None
    across: bool = False
    yields: Mapping[str, float] = field(default_factory=dict)


def digest(asked: Asked, symbols: Sequence[str]) -> str:
    """Of what is meant: defaults may be left out, numbers, names and constraints written otherwise, and what has no
    order put in another. `symbols` are those of the aim's instruments, in its order. Raises InvalidInput for an aim
    that cannot be read."""
    aim, pace = asked.aim, asked.execution
    meant = {
        "weights": {name: plain(weight) for name, weight in aim.weights.items() if weight},
        "objective": _objective(aim, symbols) if aim.instrument_ids else None,
        "numbers": [plain(one) for one in (asked.buffer, asked.band, asked.least)],
        "pace": None if pace is None else [pace.kind, pace.count, pace.every],
        "across": asked.across,
        "yields": {name: share for name, share in asked.yields.items() if share},
    }
    return blake2b(msgspec.json.encode(meant, order="deterministic"), digest_size=16).hexdigest()


def _objective(aim: Aim, symbols: Sequence[str]) -> dict[str, Any]:
    """What the optimiser is told, by instrument and in plain numbers; without a name, a portfolio's own tolerance."""
    from evenkeel.quant.portfolio.constraints import Names, parse_all
    from evenkeel.quant.portfolio.objectives import objective

    name = aim.objective or ("" if aim.tolerance is None else "risk-tolerance")
    one = objective(name) if name else None
    options = {**({} if one is None else one.options), **aim.options}
    order = sorted(range(len(symbols)), key=lambda place: aim.instrument_ids[place])
    rows = [
        _row([float(row.coefficients[place]) for place in order], row.low, row.high)
        for row in parse_all(aim.constraints, Names(list(symbols), {}, {}))
    ]
    return {
        "name": "" if one is None else one.name,
        "instruments": sorted(aim.instrument_ids),
        "constraints": sorted(rows),
        "options": [options.get(option) for option in OPTIONS],
        "benchmark": {instrument: weight for instrument, weight in aim.benchmark.items() if weight},
        "estimates": [aim.days, aim.covariance, aim.mean, aim.risk_free + 0.0],
        "bounds": [aim.least + 0.0, aim.most + 0.0],
    }


def _row(coefficients: list[float], low: float, high: float) -> str:
    """A constraint whichever side it was written on: its first coefficient is above zero."""
    sign = 1.0 if next(one for one in coefficients if one) > 0.0 else -1.0
    bounds = (low, high) if sign > 0.0 else (-high, -low)
    return repr([one + 0.0 for one in (*(sign * one for one in coefficients), *bounds)])
