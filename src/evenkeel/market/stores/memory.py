"""Bars held in memory, for the demonstration, tests and simulated markets."""

from collections.abc import Iterable

from evenkeel.domain.errors import NotFound
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.market.bars import Bars
from evenkeel.market.ports import Series


class MemoryStore:
    """A `BarStore` over the given columns; nothing is copied."""

    def __init__(
        self,
        instruments: Iterable[Instrument],
        bars: Iterable[Bars],
        *,
        splits: Iterable[Split] = (),
        dividends: Iterable[Dividend] = (),
    ) -> None:
        self._instruments = tuple(instruments)
        self._bars = {(one.instrument_id, one.timeframe): one for one in bars if len(one)}
        self._splits, self._dividends = tuple(splits), tuple(dividends)

    def instruments(self) -> tuple[Instrument, ...]:
        return self._instruments

    def series(self) -> tuple[Series, ...]:
        return tuple(
            Series(*key, rows=len(one), first_ts=int(one.ts[0]), last_close_ts=int(one.close_ts[-1]))
            for key, one in self._bars.items()
        )

    def read(self, instrument_id: str, timeframe: str, *, start: int | None = None, end: int | None = None) -> Bars:
        kept = self._bars.get((instrument_id, timeframe))
        if kept is None:
            raise NotFound(f"there are no {timeframe} bars of instrument {instrument_id}")
        return kept.between(start, end)

    def splits(self, instrument_id: str) -> tuple[Split, ...]:
        return tuple(split for split in self._splits if split.instrument_id == instrument_id)

    def dividends(self, instrument_id: str) -> tuple[Dividend, ...]:
        return tuple(dividend for dividend in self._dividends if dividend.instrument_id == instrument_id)
