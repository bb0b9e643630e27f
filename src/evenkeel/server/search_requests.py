"""What clients may send to search: sweeps and walk-forwards, and how their rows are to be shown."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from evenkeel.desk.backtests import Method, Stretch
from evenkeel.domain.strategies import Scalar
from evenkeel.server.backtest_requests import NewBacktest
from evenkeel.server.requests import END, TEXT, PageQuery, Reference

_AXIS = Meta(min_length=1, max_length=10_000, description="1 to 10,000 values")
_RULE = Meta(min_length=1, max_length=200, pattern=TEXT, description="such as `fast < slow` or `trades >= 30`")
_Bars = Annotated[int, Meta(ge=1, le=10_000_000, description="a number of bars")]
Space = Annotated[
    dict[Reference, Annotated[list[Scalar], _AXIS] | Stretch],
    Meta(min_length=1, max_length=12, description="1 to 12 parameters"),
]


class NewSearch(NewBacktest, forbid_unknown_fields=True, kw_only=True):
    """`space` has for each parameter its values, or `{"low": 30, "high": 230, "step": 4}`, both ends included;
    `parameters` holds others still. `method`: every combination (`grid`), or `trials` of them at random (`random`),
    near good ones (`tpe`), or by breeding good ones (`nsga2`). `constraints` of parameters keep a combination from
    being run, of figures from being chosen.
    """

    space: Space
    method: Method = "grid"
    trials: Annotated[int, Meta(ge=1, le=100_000, description="1 to 100,000")] = 100
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    constraints: Annotated[list[Annotated[str, _RULE]], Meta(max_length=20)] = field(default_factory=list)


class NewSweep(NewSearch, forbid_unknown_fields=True, kw_only=True):
    """Combinations of parameters, each a backtest on these terms; the best by the first of `objectives` is chosen."""

    objectives: Annotated[list[Reference], Meta(min_length=1, max_length=4, description="1 to 4 figures")] = field(
        default_factory=lambda: ["sharpe"]
    )


class NewWalkForward(NewSearch, forbid_unknown_fields=True, kw_only=True):
    """In each window the best by `objective` of `train` bars trades the next `test` bars. `anchored`: training begins
    with the history each time. `embargo` bars are left out between the two."""

    train: _Bars
    test: _Bars
    embargo: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    anchored: bool = False
    objective: Reference = "sharpe"


_Column = Annotated[str, Meta(min_length=1, max_length=64, pattern=rf"^[A-Za-z_][A-Za-z0-9_]*{END}")]


class CombinationsQuery(PageQuery, forbid_unknown_fields=True):
    """`sort` is a parameter or figure, with `-` in front for the highest first; without it, the best come first."""

    sort: Annotated[str, Meta(min_length=1, max_length=65, pattern=rf"^-?[A-Za-z_][A-Za-z0-9_]*{END}")] | None = None


class HeatMapQuery(Struct, forbid_unknown_fields=True):
    """Two parameters and a figure; without them, the first two that vary, and what was looked for. `others` is what a
    cell shows of the remaining parameters."""

    x: _Column | None = None
    y: _Column | None = None
    value: _Column | None = None
    others: Literal["median", "max", "min"] = "median"
