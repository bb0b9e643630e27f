"""The risk of what is held now: positions by value, and how the returns of their instruments went together.

A matrix of returns has n periods as rows and k instruments as columns, aligned so that a row is one period of all of
them; `values` (k,) are what is held of each, signed, in one currency. Nothing here knows accounts or instruments: what
is undefined is NaN, as in `quant.analytics`, and every figure is the same in whatever order the columns come.
"""

from evenkeel.quant.risk.aligned import Closes, Returns, align
from evenkeel.quant.risk.concentration import Exposure, effective_number, exposure, herfindahl
from evenkeel.quant.risk.together import (
    DECAY,
    betas,
    correlations,
    diversification_ratio,
    ewma_volatility,
    volatilities,
)
from evenkeel.quant.risk.value_at_risk import (
    LEAST,
    LONGEST,
    METHODS,
    Method,
    Tail,
    TailRisk,
    least_returns,
    value_at_risk,
)

__all__ = [
    "DECAY",
    "LEAST",
    "LONGEST",
    "METHODS",
    "Closes",
    "Exposure",
    "Method",
    "Returns",
    "Tail",
    "TailRisk",
    "align",
    "betas",
    "correlations",
    "diversification_ratio",
    "effective_number",
    "ewma_volatility",
    "exposure",
    "herfindahl",
    "least_returns",
    "value_at_risk",
    "volatilities",
]
