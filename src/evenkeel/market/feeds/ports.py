"""What the live runner and the backtester need of a feed."""

from collections.abc import Iterator
from typing import Protocol

from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import MarketSlice, Split
from evenkeel.market.bars import Bars


class Feed(Protocol):
    """A run of market slices, the same each time it is asked for.

    `start` is exclusive: history closes at or before it, slices come after it. `end` is the last moment at which a
    slice can come, None where the feed never ends.
    """

    @property
    def instruments(self) -> tuple[Instrument, ...]: ...

    @property
    def timeframes(self) -> tuple[str, ...]: ...

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int | None: ...

    def slices(self, after: int | None = None) -> Iterator[MarketSlice]:
        """Slices with `at` > `after` in time order, one a moment; within one, short timeframes come first.

        A split or dividend comes once, with the slice of its instrument's first bar that opens on or after the ex-date.
        """
        ...

    def history(self, instrument_id: str, timeframe: str, *, before: int, count: int) -> Bars:
        """The last `count` raw bars closed at or before `before` (ns), fewer where there are no more."""
        ...

    def splits(self, instrument_id: str) -> tuple[Split, ...]:
        """All splits known of the instrument, those of the future too: apply them with `Bars.adjusted(as_of=)`."""
        ...
