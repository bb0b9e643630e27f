"""Bars in Parquet files under a folder, hive-style by venue, symbol and timeframe; intraday series in one file a year.

    bars/venue=XNAS/symbol=AAPL/timeframe=1h/2005-<hash>.parquet

DuckDB and Polars read the folders too, but only `catalogue.json` says which files count. A range read opens the files
the range touches, and of them only the row groups it needs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.market.bars import Bars
from evenkeel.market.checks import CheckReport
from evenkeel.market.columns import COLUMNS
from evenkeel.market.ports import Series
from evenkeel.market.stores.catalogue import Adjustments, Catalogue, DataFile, Entry, Manifest, decode, load, locked
from evenkeel.market.stores.edit import Edit

_T = TypeVar("_T")
_ATTEMPTS = 3


class ParquetStore:
    """A `BarStore` at `root`, which need not exist yet. `cache` is a folder for computed calendars."""

    def __init__(self, root: Path, *, cache: Path | None = None) -> None:
        self.root, self._cache = root, cache
        self._known: tuple[tuple[int, int], Catalogue] | None = None

    def instruments(self) -> tuple[Instrument, ...]:
        return self._catalogue().instruments

    def find(self, symbol: str, venue: str | None = None) -> tuple[Instrument, ...]:
        """Instruments of that symbol (any case), of that venue if given."""
        return tuple(
            one for one in self.instruments() if one.symbol.upper() == symbol.upper() and venue in (None, one.venue)
        )

    def series(self) -> tuple[Series, ...]:
        return tuple(
            Series(one.instrument_id, one.timeframe, one.rows, one.first_ts, one.last_close_ts)
            for one in self._catalogue().series
        )

    def read(self, instrument_id: str, timeframe: str, *, start: int | None = None, end: int | None = None) -> Bars:
        return self._retried(lambda: self._read(instrument_id, timeframe, start, end))

    def splits(self, instrument_id: str) -> tuple[Split, ...]:
        return self._adjustments(instrument_id).splits

    def dividends(self, instrument_id: str) -> tuple[Dividend, ...]:
        return self._adjustments(instrument_id).dividends

    def report(self, instrument_id: str, timeframe: str) -> CheckReport:
        """The check made when the series was last imported. Raises NotFound."""

        def fetch() -> CheckReport:
            entry = self._entry(instrument_id, timeframe)
            path = self.root / entry.folder / self._manifest(entry).report
            return decode(path.read_bytes(), CheckReport, path)

        return self._retried(fetch)

    def previous(self, instrument_id: str, timeframe: str) -> bool:
        """Whether a version from before a replacement is kept."""
        return self._entry(instrument_id, timeframe).previous is not None

    @contextmanager
    def editing(self) -> Iterator[Edit]:
        """An edit that takes effect as a whole when the block ends, and not at all when it raises.

        Raises Conflict where another process is editing.
        """
        with locked(self.root):
            edit = Edit(self.root, load(self.root), cache=self._cache, read=self._read_files)
            yield edit
            edit.commit()

    def _catalogue(self) -> Catalogue:
        try:
            stat = (self.root / "catalogue.json").stat()
        except FileNotFoundError:
            return Catalogue()
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if self._known is None or self._known[0] != stamp:
            self._known = (stamp, load(self.root))
        return self._known[1]

    def _entry(self, instrument_id: str, timeframe: str) -> Entry:
        for entry in self._catalogue().series:
            if (entry.instrument_id, entry.timeframe) == (instrument_id, timeframe):
                return entry
        raise NotFound(
            f"there are no {timeframe} bars of instrument {instrument_id}",
            hint="`evenkeel data list` shows what is stored, `evenkeel data import FILE` adds to it.",
        )

    def _manifest(self, entry: Entry) -> Manifest:
        path = self.root / entry.folder / entry.manifest
        return decode(path.read_bytes(), Manifest, path)

    def _read(self, instrument_id: str, timeframe: str, start: int | None, end: int | None) -> Bars:
        entry = self._entry(instrument_id, timeframe)
        return self._read_files(entry, self._manifest(entry), start, end)

    def _read_files(self, entry: Entry, manifest: Manifest, start: int | None, end: int | None) -> Bars:
        wanted = [file for file in manifest.files if _touches(file, start, end)]
        parts = [Bars.empty(entry.instrument_id, entry.timeframe)]
        for file in wanted:
            table = _row_groups(self.root / entry.folder / file.name, start, end)
            parts.append(Bars.from_arrow(entry.instrument_id, entry.timeframe, table).between(start, end))
        return Bars.concat(parts)

    def _adjustments(self, instrument_id: str) -> Adjustments:
        def fetch() -> Adjustments:
            name = self._catalogue().adjustments.get(instrument_id)
            if name is None:
                return Adjustments()
            return decode((self.root / name).read_bytes(), Adjustments, self.root / name)

        return self._retried(fetch)

    def _retried(self, fetch: Callable[[], _T]) -> _T:
        # A version two edits old is swept away; a reader that still held its name looks again.
        for attempt in range(_ATTEMPTS):
            try:
                return fetch()
            except FileNotFoundError:
                self._known = None
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")


def _touches(file: DataFile, start: int | None, end: int | None) -> bool:
    return (start is None or file.last_ts >= start) and (end is None or file.first_ts < end)


def _row_groups(path: Path, start: int | None, end: int | None) -> Any:
    """The rows of the groups that touch the range, as a table. Raises InvalidInput for a damaged file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            groups = []
            for number in range(file.metadata.num_row_groups):
                statistics = file.metadata.row_group(number).column(0).statistics
                first, last = statistics.min_raw, statistics.max_raw
                if (start is None or last >= start) and (end is None or first < end):
                    groups.append(number)
            return file.read_row_groups(groups, columns=list(COLUMNS))
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(
            f"{path} is damaged: {error}", hint="Restore it from a backup, or import the file it came from again."
        ) from error
