"""What it takes to put a deployment to work: its history from the feed, and what it holds from the state.

After a restart, of its host or of all, it is warmed from stored bars: from its anchor, the first bar it ever knew, so
that it folds to the same end.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

import numpy as np

from evenkeel.domain.money import add, sub
from evenkeel.domain.strategies import Deployment
from evenkeel.market.bars import Bars
from evenkeel.market.columns import COLUMNS
from evenkeel.market.feeds.ports import Feed
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.ports import StateOwner
from evenkeel.trading.strategies.messages import FillCame, Holding, LoadHistory, News, Origin
from evenkeel.trading.strategies.sizes import window_of

WARMUP_BARS = 250


class Stage:
    """The feed's past and the owner's present, for hosts that start a deployment."""

    def __init__(self, feed: Feed, owner: StateOwner, origin: Callable[[str], Origin | None]) -> None:
        self.feed = feed
        self.owner = owner
        self.origin = origin

    @property
    def state(self) -> State:
        return self.owner.state

    def anchor(self, deployment: Deployment, lookback: int) -> int | None:
        """The open of the first bar it may know: WARMUP_BARS before it was made, or as many as it needs."""
        count, since = max(WARMUP_BARS, window_of(deployment.sizing), lookback), self.state.deployments[deployment.id]
        histories = (
            self.feed.history(instrument_id, deployment.timeframe, before=since.since, count=count)
            for instrument_id in deployment.instrument_ids
        )
        return min((int(bars.ts[0]) for bars in histories if len(bars)), default=None)

    def history(self, deployment: Deployment, *, anchor: int | None, before: int) -> Iterator[LoadHistory]:
        """The bars of each instrument from the anchor that have closed by `before`, adjusted as of the last of them."""
        for instrument_id in deployment.instrument_ids:
            bars = self.feed.history(instrument_id, deployment.timeframe, before=before, count=1_000_000)
            seen = bars.between(anchor, before + 1) if anchor is not None else bars
            if len(seen):
                adjusted = seen.adjusted(self.feed.splits(instrument_id), as_of=int(seen.close_ts[-1]))
                yield LoadHistory(deployment.id, instrument_id, deployment.timeframe, _columns(adjusted))

    def holdings(self, deployment_id: str, untold: Iterable[News]) -> tuple[Holding, ...]:
        """What it held before the fills that it is still to be told of. Memory must not be ahead of the journal."""
        held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for account in self.state.accounts.values():
            for position in account.positions.values():
                if position.key.book == deployment_id:
                    place = account.account.id, position.key.instrument_id
                    held[place] = add(held[place], position.quantity)
        for news in untold:
            if isinstance(news, FillCame) and news.fill.book == deployment_id:
                place = news.fill.account_id, news.fill.instrument_id
                held[place] = sub(held[place], news.fill.signed)
        return tuple(Holding(*place, quantity) for place, quantity in held.items() if quantity)


def _columns(bars: Bars) -> tuple[bytes, ...]:
    return tuple(np.ascontiguousarray(getattr(bars, name)).tobytes() for name in COLUMNS)
