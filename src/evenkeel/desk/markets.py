"""Which market a desk looks at: the sample, files, the home's own bars, a made-up one, or none."""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from evenkeel.desk.demo import HISTORY_DAYS, START
from evenkeel.domain.clock import parse_iso
from evenkeel.domain.errors import FieldError, InvalidInput, NotFound
from evenkeel.domain.instruments import Instrument
from evenkeel.market.feeds.ports import Feed
from evenkeel.market.feeds.replay import ReplayFeed
from evenkeel.market.feeds.simulated import SimulatedFeed
from evenkeel.market.ports import BarStore
from evenkeel.market.stores.memory import MemoryStore

SIMULATED_START = "2024-01-02"
DEFAULT_SEED = 7


class Market(Struct, frozen=True):
    """Where bars are kept, and the feed made of them; None without one."""

    bars: BarStore
    feed: Feed | None

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """What has bars, and what the feed makes up."""
        made_up = self.feed.instruments if self.feed is not None else ()
        return tuple({one.id: one for one in (*made_up, *self.bars.instruments())}.values())


def sample(cache: Path) -> Market:
    """The demonstration's market: real daily bars, from its first day with the year before as history."""
    from evenkeel.market.sample import sample_market

    instruments, bars, splits = sample_market()
    store = MemoryStore(instruments, bars.values(), splits=splits)
    return Market(store, ReplayFeed(store, start=parse_iso(START), cache=cache))


def of_files(files: Sequence[Path], folder: Path, cache: Path) -> Market:
    """Files imported into `folder` and replayed from their 251st bar. Raises DataRefused, InvalidInput."""
    from evenkeel.market.importing import ImportOptions, import_files
    from evenkeel.market.stores.parquet import ParquetStore

    store = ParquetStore(folder, cache=cache)
    import_files(store, files, ImportOptions(), cache=cache)
    return Market(store, _from_files(store, cache))


def again_of_files(folder: Path, cache: Path) -> Market | None:
    """What an earlier start imported into `folder`; None when there is nothing."""
    from evenkeel.market.stores.parquet import ParquetStore

    store = ParquetStore(folder, cache=cache)
    return Market(store, _from_files(store, cache)) if store.series() else None


def _from_files(store: BarStore, cache: Path) -> Feed:
    series = store.series()
    timeframes = {one.timeframe for one in series}
    if len(timeframes) > 1:
        names = ", ".join(sorted(timeframes))
        raise InvalidInput("the files mix timeframes", errors=(FieldError("data", f"one of {names}, not several"),))
    first = min(one.first_ts for one in series)
    last = max(one.last_close_ts for one in series)
    warm = store.read(series[0].instrument_id, series[0].timeframe, start=first, end=last)
    start = int(warm.close_ts[HISTORY_DAYS - 1]) if len(warm) > 2 * HISTORY_DAYS else first
    return ReplayFeed(store, timeframes=sorted(timeframes), start=start, cache=cache)


def own(
    folder: Path,
    cache: Path,
    *,
    kind: str,
    symbols: Sequence[str] = (),
    timeframe: str = "1d",
    start: str | None = None,
    seed: int | None = None,
) -> Market:
    """The home's own bars under `folder`; `kind` is none, replay or simulated."""
    from evenkeel.market.stores.parquet import ParquetStore

    store = ParquetStore(folder, cache=cache)
    chosen = _chosen(store, symbols)
    if kind == "none":
        return Market(store, None)
    if not store.series() and not (kind == "simulated" and not symbols):
        hint = "Import some first: evenkeel data import FILE"
        raise NotFound("there are no bars in this home to replay", hint=hint)
    if kind == "replay":
        since = parse_iso(start) if start is not None else None
        return Market(store, ReplayFeed(store, instruments=chosen, timeframes=(timeframe,), start=since, cache=cache))
    instruments = chosen or store.instruments() or _sample_instruments()
    begin = parse_iso(start or SIMULATED_START)
    made_up = SimulatedFeed(
        DEFAULT_SEED if seed is None else seed, instruments, start=begin, timeframe=timeframe, cache=cache
    )
    return Market(store, made_up)


def _chosen(store: BarStore, symbols: Sequence[str]) -> tuple[Instrument, ...] | None:
    if not symbols:
        return None
    by_symbol = {one.symbol: one for one in store.instruments()}
    unknown = [symbol for symbol in symbols if symbol not in by_symbol]
    if unknown:
        names = ", ".join(sorted(by_symbol)) or "none yet"
        raise NotFound(f"there are no bars of {', '.join(unknown)}", hint=f"There are: {names}.")
    return tuple(by_symbol[symbol] for symbol in symbols)


def _sample_instruments() -> tuple[Instrument, ...]:
    from evenkeel.market.sample import sample_market

    return sample_market()[0]
