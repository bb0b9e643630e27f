"""What clients may send to have a strategy tested on history: the bars, the parameters, the terms."""

from typing import Annotated

from msgspec import Meta, Raw, Struct, field

from evenkeel.desk.backtests import Engine, FillAt
from evenkeel.domain.strategies import Scalar
from evenkeel.server.mtm import RulesIn
from evenkeel.server.requests import (
    MOMENT,
    TIMEFRAME,
    MaybeNotNegative,
    MaybePositive,
    MaybeShare,
    Reference,
    Size,
    Symbol,
)

_LEVELS = Meta(max_length=52, description="rules by level: account, strategy, or a symbol")


class NewBacktest(Struct, forbid_unknown_fields=True):
    """A registered strategy, or a configuration of one, on stored bars; what is left out has its default.

    `start` is inclusive, `end` exclusive; without them, all bars. `fees` names a cost schedule, `fees_bps` are basis
    points of value; give one of them. `size` is a number of units, or a rule such as
    `{"type": "percent-of-equity", "share": "0.5"}`. Stops, `limit_offset` and `maintenance` are fractions; `financing`,
    `credit` and `borrow` annual rates. `mtm` has rules of mark-to-market control by level: `account`, `strategy`, or a
    symbol.
    """

    strategy: Reference
    symbols: Annotated[list[Symbol], Meta(min_length=1, max_length=50, description="1 to 50 symbols")]
    timeframe: Annotated[str, TIMEFRAME] = "1d"
    start: Annotated[str, MOMENT] | None = None
    end: Annotated[str, MOMENT] | None = None
    parameters: dict[Reference, Scalar] = {}
    cash: MaybePositive = field(default_factory=Raw)
    fees: Reference | None = None
    fees_bps: MaybeNotNegative = field(default_factory=Raw)
    size: Size = field(default_factory=Raw)
    fill: FillAt = "next-open"
    slippage_bps: MaybeNotNegative = field(default_factory=Raw)
    stop_loss: MaybePositive = field(default_factory=Raw)
    take_profit: MaybePositive = field(default_factory=Raw)
    trailing_stop: MaybePositive = field(default_factory=Raw)
    maintenance: MaybePositive = field(default_factory=Raw)
    participation: MaybePositive = field(default_factory=Raw)
    spread_share: MaybeNotNegative = field(default_factory=Raw)
    limit_offset: MaybeNotNegative = field(default_factory=Raw)
    financing: MaybeNotNegative = field(default_factory=Raw)
    credit: MaybeNotNegative = field(default_factory=Raw)
    borrow: MaybeNotNegative = field(default_factory=Raw)
    mtm: Annotated[dict[Reference, RulesIn], _LEVELS] = {}
    engine: Engine = "auto"
    risk_free: MaybeShare = field(default_factory=Raw)
