"""Changes to a Parquet store, gathered and then put in force together.

New rows may extend a series or fill its gaps; what is stored is never contradicted or dropped unless the caller says
`replace`, and then the version before is kept and can be put back.
"""

from collections.abc import Callable, Iterator
from datetime import date
from enum import StrEnum
from io import BytesIO
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace as with_changes

from evenkeel.domain.clock import from_ns, iso
from evenkeel.domain.errors import DataRefused, FieldError, NotFound
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.market.bars import Bars, utc_midnight
from evenkeel.market.calendars import calendar
from evenkeel.market.checks import CheckReport, Source, report
from evenkeel.market.columns import COLUMNS
from evenkeel.market.stores import catalogue as cat
from evenkeel.market.stores.catalogue import Adjustments, Catalogue, DataFile, Entry, Manifest
from evenkeel.market.timeframes import timeframe as parse

ROW_GROUP = 32_768
SHOWN = 50


class Outcome(StrEnum):
    NEW = "new"
    UNCHANGED = "unchanged"
    EXTENDED = "extended"
    REPLACED = "replaced"


class Put(Struct, frozen=True):
    """What came of one series: `added` rows were not there before, `rows` is the whole now."""

    outcome: Outcome
    added: int
    rows: int
    report: CheckReport


class Edit:
    """Open changes; get it from `ParquetStore.editing`. Nothing is visible before the block ends."""

    def __init__(
        self,
        root: Path,
        known: Catalogue,
        *,
        cache: Path | None,
        read: Callable[[Entry, Manifest, int | None, int | None], Bars],
    ) -> None:
        self._root, self._cache, self._read = root, cache, read
        self._before = known
        self._instruments = {one.id: one for one in known.instruments}
        self._series = {(one.instrument_id, one.timeframe): one for one in known.series}
        self._adjustments = dict(known.adjustments)
        self._pending: dict[tuple[str, str], tuple[Bars, CheckReport]] = {}
        self._adjusted: dict[str, Adjustments] = {}
        self._abandoned = False

    def instrument(self, instrument_id: str) -> Instrument | None:
        return self._instruments.get(instrument_id)

    def find(self, symbol: str, venue: str | None = None) -> tuple[Instrument, ...]:
        """Instruments of that symbol (any case), of that venue if given, those listed in this edit included."""
        held = self._instruments.values()
        return tuple(one for one in held if one.symbol.upper() == symbol.upper() and venue in (None, one.venue))

    def list_instrument(self, instrument: Instrument) -> None:
        """Adds the instrument, or changes what is kept of it."""
        self._instruments[instrument.id] = instrument

    def put(self, bars: Bars, source: Source, *, replace: bool = False) -> Put:
        """Adds checked `bars` (at least one) of a listed instrument.

        Rows equal to stored ones change nothing. Raises DataRefused where stored rows inside the range of `bars` differ
        or are absent from it, unless `replace`.
        """
        key = (bars.instrument_id, bars.timeframe)
        stored = self._stored(key)
        if stored is None:
            return self._keep(key, bars, source, Outcome.NEW, added=len(bars))
        within = stored.between(int(bars.ts[0]), int(bars.ts[-1]) + 1)
        common = np.isin(bars.ts, within.ts)
        clash = _differences(within, bars.where(common))
        added = int((~common).sum())
        if clash and not replace:
            raise _clash(source.file, clash)
        if not clash and not added:
            return Put(Outcome.UNCHANGED, 0, len(stored), self._report(key))
        merged = Bars.concat((stored.between(None, int(bars.ts[0])), bars, stored.between(int(bars.ts[-1]) + 1)))
        outcome = Outcome.REPLACED if clash else Outcome.EXTENDED
        _refuse_overlap(merged, source.file)
        return self._keep(key, merged, source, outcome, added=added)

    def adjust(
        self, instrument_id: str, *, splits: tuple[Split, ...] = (), dividends: tuple[Dividend, ...] = ()
    ) -> bool:
        """Adds or, for the same ex-date, replaces splits and dividends; whether anything changed."""
        held = self._held(instrument_id)
        by_day = {one.ex_date: one for one in held.splits} | {one.ex_date: one for one in splits}
        paid = {one.ex_date: one for one in held.dividends} | {one.ex_date: one for one in dividends}
        merged = Adjustments(tuple(by_day[day] for day in sorted(by_day)), tuple(paid[day] for day in sorted(paid)))
        if merged == held:
            return False
        self._adjusted[instrument_id] = merged
        return True

    def restore(self, instrument_id: str, timeframe: str) -> None:
        """Exchanges the series with its version from before the last replacement. Raises NotFound."""
        key = (instrument_id, timeframe)
        entry = self._series.get(key)
        if entry is None or entry.previous is None:
            raise NotFound(f"there is no earlier version of the {timeframe} bars of instrument {instrument_id}")
        path = self._root / entry.folder / entry.previous
        manifest = cat.decode(path.read_bytes(), Manifest, path)
        self._series[key] = _entry_of(entry, entry.previous, manifest, previous=entry.manifest)

    def abandon(self) -> None:
        """Lets the block end without a change, as for a trial."""
        self._abandoned = True

    def commit(self) -> None:
        """Puts all of it in force; called when the block of `editing` ends."""
        if self._abandoned:
            return
        touched = set(self._pending)
        for instrument_id, held in self._adjusted.items():
            self._adjustments[instrument_id] = self._write_adjustments(instrument_id, held)
        for key, (bars, checked) in self._pending.items():
            self._series[key] = self._written(key, bars, checked)
        after = Catalogue(
            instruments=tuple(self._instruments.values()),
            series=tuple(self._series.values()),
            adjustments=self._adjustments,
        )
        if after != self._before:
            cat.save(self._root, after)
        for key in touched:
            self._sweep(self._series[key])
        kept = {Path(name).name for name in self._adjustments.values()}
        for path in (self._root / "adjustments").glob("*"):
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def _held(self, instrument_id: str) -> Adjustments:
        if instrument_id in self._adjusted:
            return self._adjusted[instrument_id]
        name = self._adjustments.get(instrument_id)
        path = self._root / (name or "")
        return Adjustments() if name is None else cat.decode(path.read_bytes(), Adjustments, path)

    def _write_adjustments(self, instrument_id: str, held: Adjustments) -> str:
        raw = msgspec.json.encode(held)
        path = self._root / "adjustments" / f"{instrument_id}-{cat.digest(raw)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        cat.write(path, raw)
        return path.relative_to(self._root).as_posix()

    def _stored(self, key: tuple[str, str]) -> Bars | None:
        if key in self._pending:
            return self._pending[key][0]
        entry = self._series.get(key)
        return None if entry is None else self._read(entry, self._manifest(entry), None, None)

    def _manifest(self, entry: Entry) -> Manifest:
        path = self._root / entry.folder / entry.manifest
        return cat.decode(path.read_bytes(), Manifest, path)

    def _report(self, key: tuple[str, str]) -> CheckReport:
        if key in self._pending:
            return self._pending[key][1]
        entry = self._series[key]
        path = self._root / entry.folder / self._manifest(entry).report
        return cat.decode(path.read_bytes(), CheckReport, path)

    def _keep(self, key: tuple[str, str], bars: Bars, source: Source, outcome: Outcome, *, added: int) -> Put:
        earlier = () if outcome is Outcome.NEW else self._report(key).sources
        sessions = calendar(self._instruments[key[0]].calendar, cache=self._cache)
        checked = report(bars, sessions, sources=(*earlier, source))
        self._pending[key] = (bars, checked)
        return Put(outcome, added, len(bars), checked)

    def _written(self, key: tuple[str, str], bars: Bars, checked: CheckReport) -> Entry:
        old = self._series.get(key)
        relative = old.folder if old else cat.folder_of(self._instruments[key[0]], key[1])
        folder = self._root / relative
        folder.mkdir(parents=True, exist_ok=True)
        files = tuple(_write_part(folder, label, part) for label, part in _parts(bars))
        raw = msgspec.json.encode(checked)
        report_name = f"check-{cat.digest(raw)}.json"
        cat.write(folder / report_name, raw)
        manifest = Manifest(files, report_name)
        raw = msgspec.json.encode(manifest)
        name = f"manifest-{cat.digest(raw)}.json"
        cat.write(folder / name, raw)
        blank = Entry(*key, folder=relative, manifest="", rows=0, first_ts=0, last_close_ts=0)
        return _entry_of(old or blank, name, manifest, previous=self._previous(key, bars, old))

    def _previous(self, key: tuple[str, str], bars: Bars, old: Entry | None) -> str | None:
        """The manifest to keep: the one being contradicted; an extension leaves the kept one as it was."""
        if old is None:
            return None
        stored = self._read(old, self._manifest(old), None, None)
        return old.manifest if _differences(stored, bars.where(np.isin(bars.ts, stored.ts))) else old.previous

    def _sweep(self, entry: Entry) -> None:
        """Removes what neither the version in force nor the kept one names, leftovers of killed imports included."""
        folder = self._root / entry.folder
        kept: set[str] = set()
        for name in filter(None, (entry.manifest, entry.previous)):
            manifest = cat.decode((folder / name).read_bytes(), Manifest, folder / name)
            kept |= {name, manifest.report, *(file.name for file in manifest.files)}
        for path in folder.iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)


def _entry_of(entry: Entry, name: str, manifest: Manifest, *, previous: str | None) -> Entry:
    return with_changes(
        entry,
        manifest=name,
        rows=sum(file.rows for file in manifest.files),
        first_ts=manifest.files[0].first_ts,
        last_close_ts=manifest.files[-1].last_close_ts,
        previous=previous,
    )


def _differences(stored: Bars, given: Bars) -> list[int]:
    """The opens (ns) of `stored` bars that `given` lacks or states otherwise."""
    lacking = ~np.isin(stored.ts, given.ts)
    here = stored.where(~lacking)
    unlike = np.zeros(len(here), dtype=np.bool_)
    for name in COLUMNS[1:]:
        unlike |= getattr(here, name) != getattr(given, name)
    return sorted([*stored.ts[lacking].tolist(), *here.ts[unlike].tolist()])


def _clash(source: str, clash: list[int]) -> DataRefused:
    listed = tuple(FieldError(iso(ts), "stored already, and different or missing in this file") for ts in clash[:SHOWN])
    return DataRefused(
        f"{source} was refused and nothing of it was kept: it contradicts {len(clash)} stored bars",
        errors=listed,
        hint="Import it with --replace to prefer this file; the stored bars are kept and can be put back.",
    )


def _refuse_overlap(bars: Bars, source: str) -> None:
    at = np.flatnonzero(bars.ts[1:] < bars.close_ts[:-1]) + 1
    if len(at):
        raise DataRefused(
            f"{source} was refused and nothing of it was kept: its bars overlap stored ones",
            errors=tuple(
                FieldError(iso(ts), "opens before the bar ahead of it has closed")
                for ts in bars.ts[at][:SHOWN].tolist()
            ),
        )


def _parts(bars: Bars) -> Iterator[tuple[str, Bars]]:
    """(label, bars) of each file: a year each for intraday bars, all in one for longer ones."""
    if not parse(bars.timeframe).intraday:
        yield "all", bars
        return
    for year in range(from_ns(int(bars.ts[0])).year, from_ns(int(bars.ts[-1])).year + 1):
        part = bars.between(utc_midnight(date(year, 1, 1)), utc_midnight(date(year + 1, 1, 1)))
        if len(part):
            yield str(year), part


def _write_part(folder: Path, label: str, bars: Bars) -> DataFile:
    import pyarrow.parquet as pq

    name = f"{label}-{cat.digest(b''.join(getattr(bars, column).tobytes() for column in COLUMNS))}.parquet"
    if not (folder / name).exists():
        buffer = BytesIO()
        pq.write_table(bars.to_arrow(), buffer, row_group_size=ROW_GROUP, compression="zstd")
        cat.write(folder / name, buffer.getvalue())
    return DataFile(name, len(bars), int(bars.ts[0]), int(bars.ts[-1]), int(bars.close_ts[-1]))
