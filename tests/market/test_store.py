"""The Parquet store: what is visible when, what an import may change, reading by range."""

import threading
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import Conflict, DataRefused, InvalidInput, NotFound
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.market.bars import Bars
from evenkeel.market.checks import Source
from evenkeel.market.stores import catalogue
from evenkeel.market.stores.edit import Outcome, Put
from evenkeel.market.stores.parquet import ParquetStore
from tests.market.builders import HOUR, daily, day, instrument, intraday

ACME = instrument()
YEARS = intraday(ACME, date(2004, 11, 1), date(2006, 2, 1), span=HOUR, name="1h")
DAYS = daily(ACME, date(2004, 1, 2), date(2006, 12, 29))
FILE = Source("acme.csv", 1)


def put(store: ParquetStore, bars: Bars, *, replaced: bool = False, of: Instrument = ACME) -> Put:
    with store.editing() as edit:
        edit.list_instrument(of)
        return edit.put(bars, FILE, replace=replaced)


@pytest.fixture
def store(tmp_path: Path) -> ParquetStore:
    return ParquetStore(tmp_path / "data")


def changed(bars: Bars, at: int, close: float) -> Bars:
    high, closes = bars.high.copy(), bars.close.copy()
    high[at], closes[at] = close, close
    return bars.replaced(high=high, close=closes)


def test_an_empty_store_answers_politely(store: ParquetStore) -> None:
    assert store.instruments() == ()
    assert store.series() == ()
    assert store.splits(ACME.id) == ()
    with pytest.raises(NotFound, match="no 1d bars") as caught:
        store.read(ACME.id, "1d")
    assert caught.value.hint is not None
    assert not store.root.exists()


def test_keeps_hours_in_a_file_a_year_and_days_in_one(store: ParquetStore) -> None:
    put(store, YEARS)
    put(store, DAYS)
    folder = store.root / "bars" / "venue=XNYS" / "symbol=ACME"
    years = sorted(path.name[:4] for path in (folder / "timeframe=1h").glob("*.parquet"))
    assert years == ["2004", "2005", "2006"]
    assert len(list((folder / "timeframe=1d").glob("*.parquet"))) == 1
    assert store.read(ACME.id, "1h").equals(YEARS)
    assert store.read(ACME.id, "1d").equals(DAYS)


def test_another_process_s_import_is_seen(store: ParquetStore) -> None:
    put(store, DAYS.rows(0, 100))
    reader = ParquetStore(store.root)
    assert reader.series()[0].rows == 100
    put(store, DAYS)
    assert reader.series()[0].rows == len(DAYS)
    assert reader.read(ACME.id, "1d").equals(DAYS)


@given(st.integers(0, len(YEARS)), st.integers(0, len(YEARS)))
def test_reads_any_range(tmp_path_factory: pytest.TempPathFactory, first: int, last: int) -> None:
    store = _shared(tmp_path_factory)
    moments = [*YEARS.ts.tolist(), int(YEARS.ts[-1]) + 1]
    start, end = moments[first], moments[last]
    assert store.read(ACME.id, "1h", start=start, end=end).equals(YEARS.between(start, end))
    assert store.read(ACME.id, "1h", end=end).equals(YEARS.between(None, end))


_STORES: list[ParquetStore] = []


def _shared(factory: pytest.TempPathFactory) -> ParquetStore:
    if not _STORES:
        _STORES.append(ParquetStore(factory.mktemp("shared")))
        put(_STORES[0], YEARS)
    return _STORES[0]


class TestImportingAgain:
    def test_the_same_rows_change_nothing(self, store: ParquetStore) -> None:
        put(store, YEARS)
        before = (store.root / "catalogue.json").stat().st_mtime_ns
        again = put(store, YEARS)
        assert (again.outcome, again.added) == (Outcome.UNCHANGED, 0)
        assert put(store, YEARS.rows(10, 20)).outcome is Outcome.UNCHANGED
        assert (store.root / "catalogue.json").stat().st_mtime_ns == before

    def test_newer_older_and_missing_rows_are_added(self, store: ParquetStore) -> None:
        put(store, YEARS.rows(100, 200))
        put(store, YEARS.rows(300, 400))
        assert put(store, YEARS.rows(0, 150)).added == 100
        last = put(store, YEARS)
        assert (last.outcome, last.rows) == (Outcome.EXTENDED, len(YEARS))
        assert store.read(ACME.id, "1h").equals(YEARS)
        assert not store.previous(ACME.id, "1h")
        assert len(store.report(ACME.id, "1h").sources) == 4

    def test_other_values_are_refused(self, store: ParquetStore) -> None:
        put(store, DAYS)
        with pytest.raises(DataRefused, match="contradicts 1 stored bars") as caught:
            put(store, changed(DAYS, 7, 999.0))
        assert caught.value.errors[0].field.startswith("2004-01-13")
        assert "--replace" in (caught.value.hint or "")
        assert store.read(ACME.id, "1d").equals(DAYS)

    def test_a_file_that_lacks_stored_rows_is_refused(self, store: ParquetStore) -> None:
        put(store, DAYS)
        with pytest.raises(DataRefused, match="contradicts 1 stored"):
            put(store, DAYS.where(np.arange(len(DAYS)) != 5))

    def test_bars_between_stored_ones_are_refused(self, store: ParquetStore) -> None:
        put(store, YEARS.where(np.arange(len(YEARS)) % 2 == 0))
        shifted = YEARS.rows(1, 2)
        with pytest.raises(DataRefused, match="overlap"):
            put(store, shifted.replaced(ts=shifted.ts - HOUR // 2, close_ts=shifted.close_ts - HOUR // 2))

    def test_replacing_keeps_what_was_and_gives_it_back(self, store: ParquetStore) -> None:
        put(store, DAYS)
        new = changed(DAYS, 7, 999.0).rows(0, 100)
        assert put(store, new, replaced=True).outcome is Outcome.REPLACED
        assert store.read(ACME.id, "1d").close[7] == 999.0
        assert len(store.read(ACME.id, "1d")) == len(DAYS)
        assert store.previous(ACME.id, "1d")
        with store.editing() as edit:
            edit.restore(ACME.id, "1d")
        assert store.read(ACME.id, "1d").equals(DAYS)
        with store.editing() as edit:
            edit.restore(ACME.id, "1d")
        assert store.read(ACME.id, "1d").close[7] == 999.0

    def test_there_is_nothing_to_give_back_without_a_replacement(self, store: ParquetStore) -> None:
        put(store, DAYS)
        with store.editing() as edit, pytest.raises(NotFound, match="no earlier version"):
            edit.restore(ACME.id, "1d")


def test_an_edit_that_fails_leaves_nothing(store: ParquetStore) -> None:
    other = instrument("OTHER")

    def half() -> None:
        with store.editing() as edit:
            edit.list_instrument(ACME)
            edit.put(DAYS, FILE)
            edit.list_instrument(other)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        half()
    assert store.series() == ()
    assert not list(store.root.rglob("*.parquet"))


def test_a_trial_leaves_nothing(store: ParquetStore) -> None:
    with store.editing() as edit:
        edit.list_instrument(ACME)
        assert edit.put(DAYS, FILE).outcome is Outcome.NEW
        edit.abandon()
    assert store.series() == ()


def test_several_puts_of_one_edit_come_together(store: ParquetStore) -> None:
    with store.editing() as edit:
        edit.list_instrument(ACME)
        edit.put(DAYS.rows(0, 100), FILE)
        assert edit.put(DAYS.rows(50, 300), FILE).added == 200
        assert edit.put(DAYS.rows(0, 10), FILE).outcome is Outcome.UNCHANGED
    assert store.read(ACME.id, "1d").equals(DAYS.rows(0, 300))


def test_adjustments_are_kept_by_ex_date(store: ParquetStore) -> None:
    put(store, DAYS)
    wrong, right = (Split(ACME.id, date(2005, 2, 28), Decimal(n), Decimal(1)) for n in (3, 2))
    paid = Dividend(ACME.id, date(2005, 5, 2), Decimal("0.1"))
    for splits, dividends, news in (((wrong,), (), True), ((right,), (paid,), True), ((right,), (paid,), False)):
        with store.editing() as edit:
            assert edit.adjust(ACME.id, splits=splits, dividends=dividends) is news
    assert store.splits(ACME.id) == (right,)
    assert store.dividends(ACME.id) == (paid,)
    assert len(list((store.root / "adjustments").iterdir())) == 1


@pytest.mark.parametrize("symbol", ["BTC/USD", "^GSPC", "BRK.B", "..", "a b", "RELIANCE-EQ", "日経"])
def test_any_symbol_makes_a_safe_folder(store: ParquetStore, symbol: str) -> None:
    odd = instrument(symbol)
    bars = daily(odd, date(2005, 1, 3), date(2005, 1, 31))
    put(store, bars, of=odd)
    assert store.read(odd.id, "1d").equals(bars)
    folder = (store.root / store._entry(odd.id, "1d").folder).resolve()
    assert folder.is_relative_to((store.root / "bars" / "venue=XNYS").resolve())


def test_a_second_writer_waits_and_then_gives_up(store: ParquetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_PATIENCE", 0.2)
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with store.editing() as edit:
            edit.abandon()
            entered.set()
            leave.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait(20)
    with pytest.raises(Conflict, match="another process"), ParquetStore(store.root).editing():
        pass
    leave.set()
    holder.join()


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 99}', b'{"series": 7}'])
def test_a_damaged_catalogue_is_named(store: ParquetStore, content: bytes) -> None:
    put(store, DAYS)
    (store.root / "catalogue.json").write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        ParquetStore(store.root).series()
    assert str(store.root) in caught.value.message


def test_a_damaged_file_is_named(store: ParquetStore) -> None:
    put(store, DAYS)
    path = next(store.root.rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InvalidInput, match="damaged"):
        store.read(ACME.id, "1d")


def test_the_report_counts_gaps_against_the_calendar(store: ParquetStore) -> None:
    holed = DAYS.where(~((DAYS.ts > day(2005, 3, 1)) & (DAYS.ts < day(2005, 3, 8))))
    report = put(store, holed).report
    assert (report.missing, report.gap_count) == (5, 1)
    assert report.gaps[0].missing == 5
    hours = YEARS.where(np.arange(len(YEARS)) % 50 != 7)
    report = put(store, hours).report
    assert report.missing == len(YEARS) - len(hours)
    assert (
        put(
            store, daily(instrument("FULL"), date(2005, 1, 3), date(2005, 12, 30)), of=instrument("FULL")
        ).report.missing
        == 0
    )
