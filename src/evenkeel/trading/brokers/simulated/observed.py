"""What a simulated venue has been shown: it answers quotes and history from that, and from nothing else."""

from collections import deque
from collections.abc import Iterable

from evenkeel.domain.clock import iso
from evenkeel.domain.errors import BrokerUnavailable
from evenkeel.domain.marketdata import Bar, MarketSlice, Quote


class Observed:
    """The last quote and the last `keep` bars of each instrument. `timeframe` names the bars shown."""

    def __init__(self, *, timeframe: str = "1d", keep: int = 2000) -> None:
        self.timeframe = timeframe
        self._keep = keep
        self._bars: dict[str, deque[Bar]] = {}
        self._quotes: dict[str, Quote] = {}

    def see(self, market: MarketSlice) -> None:
        for bar in market.bars:
            bars = self._bars.get(bar.instrument_id)
            if bars is None:
                bars = self._bars[bar.instrument_id] = deque(maxlen=self._keep)
            if not bars or bar.close_ts > bars[-1].close_ts:
                bars.append(bar)
        for quote in market.quotes:
            known = self._quotes.get(quote.instrument_id)
            if known is None or quote.ts > known.ts:
                self._quotes[quote.instrument_id] = quote

    def quotes(self, instrument_ids: Iterable[str]) -> tuple[Quote, ...]:
        """The newest quote of each, made of the last bar where that is newer. Raises BrokerUnavailable."""
        return tuple(self._quote(name) for name in instrument_ids)

    def _quote(self, name: str) -> Quote:
        quote = self._quotes.get(name)
        bars = self._bars.get(name)
        if bars and (quote is None or bars[-1].close_ts > quote.ts):
            bar = bars[-1]
            half = bar.spread / 2
            return Quote(name, bar.close_ts, bar.close - half, bar.close + half, bar.close)
        if quote is None:
            raise BrokerUnavailable(f"the simulated venue has seen no price of {name} yet")
        return quote

    def history(self, instrument_id: str, *, timeframe: str, start: int, end: int) -> tuple[Bar, ...]:
        """Bars with start <= ts < end. Raises BrokerUnavailable where any of that range was not shown here."""
        if timeframe != self.timeframe:
            raise BrokerUnavailable(
                f"the simulated venue is shown {self.timeframe} bars, so it has no {timeframe} history"
            )
        bars = self._bars.get(instrument_id)
        if not bars or start < bars[0].ts:
            since = f"only since {iso(bars[0].ts)}" if bars else "not yet"
            raise BrokerUnavailable(f"the simulated venue has seen {instrument_id} {since}")
        found = tuple(bar for bar in bars if start <= bar.ts < end)
        if not found and end > bars[-1].close_ts:
            raise BrokerUnavailable(f"the simulated venue has seen {instrument_id} until {iso(bars[-1].close_ts)}")
        return found
