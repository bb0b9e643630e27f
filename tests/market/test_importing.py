"""Files as people have them: recognised, judged row by row, taken whole or refused whole."""

import gzip
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.clock import iso
from evenkeel.domain.errors import Conflict, DataRefused, InvalidInput
from evenkeel.domain.instruments import AssetClass
from evenkeel.market.bars import Bars
from evenkeel.market.cells import _on_grid
from evenkeel.market.columns import COLUMNS, DAY
from evenkeel.market.exporting import encode, select
from evenkeel.market.importing import Imported, ImportOptions, import_files
from evenkeel.market.reading import read_bars
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.market.stores.parquet import ParquetStore
from evenkeel.market.ticks import tick_for
from tests.market.builders import HOUR, MINUTE, daily, instrument, intraday, write

GOOD = (
    "date,open,high,low,close,volume",
    "2005-02-24,88.48,89.9,87.7,88.9,100",
    "2005-02-25,89.62,89.9,88.1,88.9,110",
    "2005-02-28,44.67,45.1,43.9,44.8,220",
)
OHLC = "1.10,1.20,1.00,1.15"
Import = Callable[..., tuple[Imported, ...]]


@pytest.fixture
def store(tmp_path: Path) -> ParquetStore:
    return ParquetStore(tmp_path / "data")


@pytest.fixture
def bring(store: ParquetStore) -> Import:
    def run(
        *paths: Path, adjustments: Path | None = None, dry_run: bool = False, **options: object
    ) -> tuple[Imported, ...]:
        said = ImportOptions(**options)  # type: ignore[arg-type]
        return import_files(store, paths, said, adjustments=adjustments, dry_run=dry_run)

    return run


def stored(store: ParquetStore, symbol: str, timeframe: str) -> Bars:
    return store.read(store.find(symbol)[0].id, timeframe)


def test_daily_dates_become_sessions(store: ParquetStore, bring: Import, tmp_path: Path) -> None:
    (done,) = bring(write(tmp_path / "aapl.csv", *GOOD))
    bars = stored(store, "AAPL", "1d")
    assert [iso(ts) for ts in bars.ts.tolist()] == [f"2005-02-{n}T14:30:00Z" for n in (24, 25, 28)]
    assert iso(int(bars.close_ts[0])) == "2005-02-24T21:00:00Z"
    assert (done.outcome, done.timeframe, done.gaps) == ("new", "1d", 0)
    assert any("EQUITY in USD" in note for note in done.notes)


@pytest.mark.parametrize(
    "stamps",
    [
        ("2005-02-24T05:00:00Z", "2005-02-25T05:00:00Z", "2005-02-28T05:00:00Z"),
        ("2005-02-24 00:00:00", "2005-02-25 00:00:00", "2005-02-28 00:00:00"),
        ("2005-02-24T14:30:00Z", "2005-02-25T14:30:00Z", "2005-02-28T14:30:00Z"),
        ("2005-02-24T21:00:00Z", "2005-02-25T21:00:00Z", "2005-02-28T21:00:00Z"),
        ("2005-02-24T00:00:00-05:00", "2005-02-25T00:00:00-05:00", "2005-02-28T00:00:00-05:00"),
        ("20050224", "20050225", "20050228"),
        ("24.02.2005", "25.02.2005", "28.02.2005"),
        ("1109203200", "1109289600", "1109548800"),
        ("1109203200000", "1109289600000", "1109548800000"),
        ("1109203200000000", "1109289600000000", "1109548800000000"),
        ("1109203200000000000", "1109289600000000000", "1109548800000000000"),
    ],
)
def test_any_way_to_write_a_day_means_the_session(
    store: ParquetStore, bring: Import, tmp_path: Path, stamps: tuple[str, ...]
) -> None:
    bring(write(tmp_path / "aapl.csv", "time,o,h,l,c", *(f"{stamp},{OHLC}" for stamp in stamps)))
    bars = stored(store, "AAPL", "1d")
    assert [iso(ts)[:16] for ts in bars.ts.tolist()] == [f"2005-02-{n}T14:30" for n in (24, 25, 28)]


def test_local_times_take_the_zone_named(store: ParquetStore, bring: Import, tmp_path: Path) -> None:
    rows = [f"2005.03.01,{clock},{OHLC},5" for clock in ("09:30", "09:31", "09:32")]
    (done,) = bring(
        write(tmp_path / "spy_1m.csv", "<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>", *rows),
        timezone="America/New_York",
    )
    bars = stored(store, "SPY", "1m")
    assert iso(int(bars.ts[0])) == "2005-03-01T14:30:00Z"
    assert (bars.close_ts - bars.ts).tolist() == [MINUTE] * 3
    assert not any("UTC" in note for note in done.notes)


def test_times_without_a_zone_are_said_to_be_utc(bring: Import, tmp_path: Path) -> None:
    rows = [f"2005-03-01 15:{minute}:00,{OHLC}" for minute in (30, 31, 32)]
    (done,) = bring(write(tmp_path / "spy.csv", "datetime,open,high,low,close", *rows))
    assert any("--timezone" in note for note in done.notes)


def test_bid_and_ask_become_middle_and_spread(store: ParquetStore, bring: Import, tmp_path: Path) -> None:
    header = ",".join(
        ["timestamp", *(f"{side}_{name}" for side in ("bid", "ask") for name in ("open", "high", "low", "close"))]
    )
    bid, ask = "1.10,1.20,1.00,1.15", "1.12,1.22,1.02,1.18"
    bring(write(tmp_path / "eurusd_1h.csv", header, *(f"2014-05-05T{n}:00:00Z,{bid},{ask}" for n in (10, 11))))
    bar = stored(store, "EURUSD", "1h").bar(0)
    assert [bar.open, bar.close] == pytest.approx([1.11, 1.165])
    assert bar.spread == pytest.approx(0.03)
    assert store.find("EURUSD")[0].asset_class is AssetClass.FX


def test_several_symbols_come_together(store: ParquetStore, bring: Import, tmp_path: Path) -> None:
    rows = [f"{symbol},2005-02-{n},{OHLC},1" for symbol in ("AAA", "BBB") for n in (24, 25)]
    done = bring(write(tmp_path / "many.csv", "ticker,date,open,high,low,close,volume", *rows))
    assert [(one.instrument.symbol, one.rows) for one in done] == [("AAA", 2), ("BBB", 2)]
    assert len(store.series()) == 2


def test_options_beat_guesses(store: ParquetStore, bring: Import, tmp_path: Path) -> None:
    (done,) = bring(
        write(tmp_path / "x.csv", *GOOD), symbol="INFY", venue="NSE", currency="inr", tick=Decimal("0.05"),
        lot=Decimal(25), asset_class=AssetClass.ETF, calendar="XNYS", timeframe="D",
    )  # fmt: skip
    made = done.instrument
    assert (made.symbol, made.venue, made.currency, made.calendar) == ("INFY", "NSE", "INR", "XNYS")
    assert (made.tick_size, made.lot_size, made.asset_class) == (Decimal("0.05"), Decimal(25), AssetClass.ETF)


@pytest.mark.parametrize(
    ("symbol", "kind", "days", "currency"),
    [
        ("EURUSD", "FX", "FX", "USD"), ("USD/JPY", "FX", "FX", "JPY"), ("XAUUSD", "METAL", "METALS", "USD"),
        ("BTCUSD", "CRYPTO", "24/7", "USD"), ("ETH-EUR", "CRYPTO", "24/7", "EUR"),
        ("BTCUSDT", "CRYPTO", "24/7", "USDT"),
        ("AAPL", "EQUITY", "XNYS", "USD"), ("^GSPC", "INDEX", "XNYS", "USD"), ("BRK.B", "EQUITY", "XNYS", "USD"),
    ],
)  # fmt: skip
def test_symbols_tell_what_they_are(
    bring: Import, tmp_path: Path, symbol: str, kind: str, days: str, currency: str
) -> None:
    (done,) = bring(write(tmp_path / "x.csv", *GOOD[:3]), symbol=symbol)
    made = done.instrument
    assert (made.asset_class, made.calendar, made.currency) == (kind, days, currency)


def refusal(bring: Import, path: Path, **options: object) -> DataRefused:
    with pytest.raises(DataRefused) as caught:
        bring(path, **options)
    return caught.value


@pytest.mark.parametrize(
    ("row", "place", "reason"),
    [
        ("2005-02-25,1,2,3,1,1", "row 3, high", "below the low"),
        ("2005-02-25,9,2,1,1.5,1", "row 3, open", "outside low to high"),
        ("2005-02-25,1,2,1,0.5,1", "row 3, close", "outside low to high"),
        ("2005-02-25,0,2,1,1,1", "row 3, open", "above zero"),
        ("2005-02-25,1,2,-1,1,1", "row 3, low", "above zero"),
        ("2005-02-25,1,NaN,1,1,1", "row 3, high", "above zero"),
        ("2005-02-25,1,inf,1,1,1", "row 3, high", "above zero"),
        ("2005-02-25,1,two,1,1,1", "row 3, high", "two: is not a number"),
        ("2005-02-25,1,,1,1,1", "row 3, high", "empty: is not a number"),
        ("2005-02-25,1,2,1,1,-5", "row 3, volume", "negative"),
        ("2005-02-25,1,2,1,1,", "row 3, volume", "not a number"),
        ("2005-02-24,1,2,1,1,1", "row 3, ts", "already in the file"),
        ("2005-02-23,1,2,1,1,1", "row 3, ts", "earlier than a row above"),
        ("soon,1,2,1,1,1", "row 3, date", "soon: is not a time"),
        ("02/25/2005,1,2,1,1,1", "row 3, date", "is not a time"),
        (",1,2,1,1,1", "row 3, date", "empty: is not a time"),
        ("2005-02-25,1,2,1,1", "row 3, cells", "5 cells: the header has 6"),
        ("2005-02-25,1,2,1,1,1,7", "row 3, cells", "7 cells"),
        ("2005-02-25;1;2;1;1;1", "row 3, cells", "1 cells"),
    ],
)
def test_an_impossible_row_refuses_the_file(
    store: ParquetStore, bring: Import, tmp_path: Path, row: str, place: str, reason: str
) -> None:
    error = refusal(bring, write(tmp_path / "aapl.csv", *GOOD[:2], row, GOOD[3]))
    faults = {one.field: one.message for one in error.errors}
    assert reason in faults[place]
    assert "1 of 3 rows are wrong" in error.message
    assert store.series() == ()
    (done,) = bring(write(tmp_path / "aapl.csv", *GOOD[:2], row, GOOD[3]), drop_bad_rows=True)
    assert (done.rows, done.dropped) == (2, 1)
    source = store.report(done.instrument.id, "1d").sources[0]
    assert source.dropped_total == 1
    assert source.dropped[0].row == 3


def test_rows_are_counted_as_lines_of_the_file(bring: Import, tmp_path: Path) -> None:
    error = refusal(bring, write(tmp_path / "aapl.csv", "", GOOD[0], "", GOOD[1], "", "2005-02-25,1,2,3,1,1"))
    assert [one.field for one in error.errors] == ["row 6, high"]


def test_the_first_fifty_faults_are_listed_and_all_counted(bring: Import, tmp_path: Path) -> None:
    sessions = daily(instrument(), date(2005, 1, 3), date(2005, 12, 30))
    rows = [f"{iso(ts)[:10]},1,2,3,1,1" for ts in sessions.ts.tolist()]
    error = refusal(bring, write(tmp_path / "aapl.csv", GOOD[0], *rows))
    assert len(error.errors) == 50
    assert error.errors[0].field == "row 2, high"
    assert f"{len(rows)} of {len(rows)} rows are wrong; the first 50 are listed" in error.message
    assert "nothing of it was kept" in refusal(bring, tmp_path / "aapl.csv", drop_bad_rows=True).message


def test_a_middle_lies_on_the_half_tick_without_a_tail(store: ParquetStore, bring: Import, tmp_path: Path) -> None:
    sides = [f"{side}_{name}" for side in ("bid", "ask") for name in ("open", "high", "low", "close")]
    prices = "101.00,101.02,100.98,101.00,101.01,101.03,100.99,101.01"
    row = f"2005-02-24T15:00:00Z,{prices}"
    (done,) = bring(write(tmp_path / "xauusd.csv", ",".join(["timestamp", *sides]), row), timeframe="1h")
    (bar,) = store.read(done.instrument.id, "1h")
    assert (bar.open, bar.high, bar.low, bar.close, bar.spread) == (101.005, 101.025, 100.985, 101.005, 0.01)


@given(st.integers(1, 10**9), st.integers(0, 10**4), st.integers(0, 6))
def test_halves_and_differences_of_decimals_are_the_decimals_meant(bid: int, wide: int, places: int) -> None:
    unit = Decimal(1).scaleb(-places)
    low, high = float(bid * unit), float((bid + wide) * unit)
    middle, spread = _on_grid(np.array([(low + high) / 2]), places + 1), _on_grid(np.array([high - low]), places)
    assert Decimal(repr(float(middle[0]))) == (2 * bid + wide) * unit / 2
    assert Decimal(repr(float(spread[0]))) == wide * unit


def test_a_bid_above_its_ask_is_refused(bring: Import, tmp_path: Path) -> None:
    header = ",".join(
        ["timestamp", *(f"{side}_{name}" for side in ("bid", "ask") for name in ("open", "high", "low", "close"))]
    )
    rows = [f"2014-05-05T{n}:00:00Z,1.1,1.2,1,{close},1.1,1.2,1,1.15" for n, close in ((10, 1.15), (11, 1.16))]
    error = refusal(bring, write(tmp_path / "eurusd.csv", header, *rows))
    assert [(one.field, one.message) for one in error.errors] == [
        ("row 3, bid_close", "1.16: the bid is above the ask_close")
    ]


def test_newest_first_is_named_as_such(bring: Import, tmp_path: Path) -> None:
    error = refusal(bring, write(tmp_path / "aapl.csv", GOOD[0], *reversed(GOOD[1:])))
    assert "newest row" in (error.hint or "")


def test_bars_closer_than_the_timeframe_are_refused(bring: Import, tmp_path: Path) -> None:
    rows = [f"2005-03-01T15:{minute}:00Z,{OHLC}" for minute in (30, 31, 32)]
    with pytest.raises(InvalidInput, match="the rows are 1m apart: they are no 1h bars"):
        bring(write(tmp_path / "spy.csv", "time,o,h,l,c", *rows), timeframe="1h")


@pytest.mark.parametrize("timeframe", ["1w", "1h"])
def test_days_that_are_said_to_be_weeks_or_hours_are_refused(bring: Import, tmp_path: Path, timeframe: str) -> None:
    days = [
        f"2005-03-{day:02}T14:30:00Z,2005-03-{day:02}T21:00:00Z,{OHLC}"
        for day in (*range(1, 5), *range(7, 12), *range(14, 19))
    ]
    path = write(tmp_path / "spy.csv", "timestamp,close_timestamp,o,h,l,c", *days)
    with pytest.raises(InvalidInput, match=f"the rows are 1d apart: they are no {timeframe} bars"):
        bring(path, timeframe=timeframe)


def test_rows_that_fill_gaps_may_lie_far_apart(bring: Import, tmp_path: Path) -> None:
    rows = [f"2005-03-01T15:{minute}:00Z,{OHLC}" for minute in (30, 35, 45)]
    assert bring(write(tmp_path / "spy.csv", "time,o,h,l,c", *rows), timeframe="1m")[0].timeframe == "1m"


def test_a_clock_hour_that_comes_twice_is_refused(bring: Import, tmp_path: Path) -> None:
    rows = [f"2024-11-03 {hour:02}:30,{OHLC}" for hour in (0, 1, 2, 3)]
    error = refusal(bring, write(tmp_path / "eurusd.csv", "time,o,h,l,c", *rows), timezone="America/New_York")
    assert [one.field for one in error.errors] == ["row 3, time"]
    assert "passes twice" in error.errors[0].message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "is empty"),
        ("blank.csv", b"\n\n  \n", "is empty"),
        ("header.csv", b"date,open,high,low,close\n", "no rows"),
        ("other.csv", b"name,colour\nrose,red\n", "no columns that can be read as bars"),
        ("timeless.csv", b"open,high,low,close\n1,1,1,1\n", "no columns that can be read as bars"),
        ("bare.csv", b"2005-02-24,1,2,1,1,5\n2005-02-25,1,2,1,1,5\n", "no columns that can be read"),
        ("latin.csv", "date,open,high,low,close,né\n".encode("latin-1"), "UTF-8"),
        ("half.parquet", b"PAR1junk", "Parquet"),
        ("half.csv.gz", gzip.compress(b"date,open,high,low,close\n" * 90, mtime=0)[:40], "gzip"),
        ("twice.csv", b"date,open,o,high,low,close\n2005-02-24,1,1,1,1,1\n", "two columns that mean open"),
        ("same.csv", b"date,open,high,open,low,close\n2005-02-24,1,1,9,1,1\n", "more than one column named open"),
        ("spaced.csv", b'date,open, high,low,"high",close\n2005-02-24,1,1,1,1,1\n', "two columns that mean high"),
        ("long.csv", b"date,open,high,low,close," + b"x" * 140_000 + b"\n1,1,1,1,1,1\n", "cannot be read as CSV"),
        ("chain.csv", b"date,strike,expiry,right,open,high,low,close\n", "option chain"),
        ("quotes.csv", b'date,open,high,low,close\n"2005-02-\n24",1,1,1,1\n', "several lines"),
    ],
)
def test_files_that_are_no_bars_are_refused(
    bring: Import, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert message in refusal(bring, path).message


@given(st.binary(max_size=300))
@settings(max_examples=60)
def test_no_content_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("junk")
    for name, start in (("a.csv", b"date,open,high,low,close\n"), ("b.parquet", b"PAR1"), ("c.csv", b"")):
        (folder / name).write_bytes(start + content)
        try:
            import_files(ParquetStore(folder / "data"), [folder / name], ImportOptions())
        except InvalidInput:
            continue


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"timeframe": "soon"}, None),
        ({"calendar": "XXXX"}, None),
        ({"symbol": "no\nsymbol"}, "symbol"),
        ({"symbol": "  "}, "symbol"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_options_that_do_not_fit_are_named(
    bring: Import, tmp_path: Path, options: dict[str, str], field: str | None
) -> None:
    with pytest.raises(InvalidInput) as caught:
        bring(write(tmp_path / "aapl.csv", *GOOD), **options)
    assert [one.field for one in caught.value.errors] == ([field] if field else [])


def test_prices_below_one_tick_are_refused(bring: Import, tmp_path: Path) -> None:
    file = write(
        tmp_path / "dust.csv", GOOD[0], "2005-02-24,2e-7,3e-7,1e-7,2e-7,100", "2005-02-25,2e-7,3e-7,1e-7,2e-7,1"
    )
    with pytest.raises(InvalidInput, match="prices as low as 1e-07, below its tick") as caught:
        bring(file)
    assert "--tick" in (caught.value.hint or "")
    assert bring(file, tick=Decimal("0.0000001"))[0].outcome == "new"


ADJUSTED = ("2005-02-24,0.115913,0.12001,0.1134,0.117952,100", "2005-02-25,0.117952,0.1189,0.1177,0.118853,1")


def test_prices_between_ticks_are_read_on_a_finer_one_and_noted_by_an_import(bring: Import, tmp_path: Path) -> None:
    file = write(tmp_path / "aapl.csv", GOOD[0], *ADJUSTED)
    assert read_bars(file).instrument.tick_size == Decimal("0.00000001")  # type: ignore[union-attr]
    assert read_bars(file, tick=Decimal("0.01")).instrument.tick_size == Decimal("0.01")  # type: ignore[union-attr]
    (done,) = bring(file)
    assert done.instrument.tick_size == Decimal("0.01")
    assert any("most prices lie between ticks of 0.01, as adjusted ones do" in note for note in done.notes)
    assert not any("between ticks" in note for note in bring(write(tmp_path / "ibm.csv", *GOOD))[0].notes)


@given(
    st.sampled_from(["0.01", "0.05", "0.001", "0.5", "1"]),
    st.lists(st.integers(1, 10**6), min_size=1, max_size=50),
    st.booleans(),
)
def test_the_tick_is_the_one_prices_lie_on(tick: str, steps: list[int], guessed: bool) -> None:
    prices = np.array([float(step * Decimal(tick)) for step in steps])
    bars = Bars(np.arange(len(steps)) * DAY, prices, prices, prices, prices)
    found = tick_for(bars, Decimal(tick) if guessed else None)
    assert found == Decimal(tick) if guessed else found >= Decimal(tick)
    counted = prices / float(found)
    assert np.abs(counted - np.rint(counted)).max() < 1e-3


def test_prices_that_money_cannot_hold_are_refused(bring: Import, tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="1 of 4 rows") as caught:
        bring(write(tmp_path / "acme.csv", *GOOD, "2005-03-01,44.0,1e300,43.9,44.8,1"))
    assert caught.value.errors[0].field == "row 5, high"


def test_a_first_line_without_end_is_not_shown_whole(bring: Import, tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="no columns") as caught:
        bring(write(tmp_path / "acme.csv", "0" * 100_000))
    assert len(str(caught.value)) < 1000


def test_one_row_needs_a_timeframe(bring: Import, tmp_path: Path) -> None:
    path = write(tmp_path / "aapl.csv", *GOOD[:2])
    with pytest.raises(InvalidInput, match="single row"):
        bring(path)
    assert bring(path, timeframe="1d")[0].rows == 1


def test_a_refused_file_takes_the_others_with_it(store: ParquetStore, bring: Import, tmp_path: Path) -> None:
    good, bad = write(tmp_path / "aapl.csv", *GOOD), write(tmp_path / "bad.csv", GOOD[0], "x,1,1,1,1,1")
    with pytest.raises(DataRefused, match=r"bad\.csv"):
        bring(good, bad)
    assert store.series() == ()


def test_files_of_one_series_join(store: ParquetStore, bring: Import, tmp_path: Path) -> None:
    done = bring(
        write(tmp_path / "a.csv", *GOOD[:3]), write(tmp_path / "b.csv", GOOD[0], GOOD[3]), symbol="AAPL", timeframe="1d"
    )
    assert [one.outcome for one in done] == ["new", "extended"]
    assert len(stored(store, "AAPL", "1d")) == 3


def test_what_is_known_of_an_instrument_stays(store: ParquetStore, bring: Import, tmp_path: Path) -> None:
    path = write(tmp_path / "aapl.csv", *GOOD)
    bring(path, tick=Decimal("0.05"))
    assert bring(path)[0].instrument.tick_size == Decimal("0.05")
    with pytest.raises(Conflict, match="other properties"):
        bring(path, tick=Decimal("0.01"))
    bring(path, tick=Decimal("0.01"), replace=True)
    assert store.find("AAPL")[0].tick_size == Decimal("0.01")


def test_a_symbol_at_two_venues_must_be_told_apart(bring: Import, tmp_path: Path) -> None:
    path = write(tmp_path / "aapl.csv", *GOOD)
    bring(path, venue="XNAS")
    bring(path, venue="XFRA", calendar="XNYS")
    with pytest.raises(InvalidInput, match="several venues"):
        bring(path)


def test_adjusted_closes_are_left_out_and_said_so(bring: Import, tmp_path: Path) -> None:
    (done,) = bring(write(tmp_path / "aapl.csv", f"{GOOD[0]},Adj Close", *(f"{row},1.5" for row in GOOD[1:])))
    assert any("Adj Close was left out" in note for note in done.notes)


def test_a_day_off_the_calendar_is_kept_and_noted(store: ParquetStore, bring: Import, tmp_path: Path) -> None:
    (done,) = bring(write(tmp_path / "aapl.csv", *GOOD[:3], f"2005-02-26,{OHLC},1", GOOD[3]))
    assert done.rows == 4
    assert store.report(done.instrument.id, "1d").outside_sessions == 1


class TestAdjustments:
    def test_events(self, store: ParquetStore, bring: Import, tmp_path: Path) -> None:
        events = write(
            tmp_path / "events.csv", "symbol,ex_date,numerator,denominator,amount",
            "AAPL,2005-02-28,2,1,", "AAPL,2005-02-25,,,0.25", "NONE,2005-02-25,,,9",
        )  # fmt: skip
        bring(write(tmp_path / "aapl.csv", *GOOD), adjustments=events)
        one = store.find("AAPL")[0]
        assert [(split.ex_date, split.numerator) for split in store.splits(one.id)] == [(date(2005, 2, 28), Decimal(2))]
        assert [paid.amount for paid in store.dividends(one.id)] == [Decimal("0.25")]

    def test_factors_go_ex_at_the_next_session(self, store: ParquetStore, bring: Import, tmp_path: Path) -> None:
        factors = write(
            tmp_path / "factors.csv", "symbol,date,price_factor,split_factor,reference_price",
            "AAPL,2005-02-24,0.98,0.5,88.9", "AAPL,2005-02-25,1,0.5,88.9", "AAPL,2050-12-31,1,1,0",
        )  # fmt: skip
        bring(write(tmp_path / "aapl.csv", *GOOD), adjustments=factors)
        one = store.find("AAPL")[0]
        assert [(split.ex_date, split.numerator) for split in store.splits(one.id)] == [(date(2005, 2, 28), Decimal(2))]
        assert [(paid.ex_date, paid.amount) for paid in store.dividends(one.id)] == [
            (date(2005, 2, 25), Decimal("1.7780"))
        ]

    @pytest.mark.parametrize(
        ("lines", "place"),
        [
            (("symbol,ex_date,numerator,denominator,amount", "AAPL,soon,2,1,"), "row 1, ex_date"),
            (("symbol,ex_date,numerator,denominator,amount", "AAPL,2005-02-28,-2,1,"), "row 1, numerator"),
            (("symbol,ex_date,numerator,denominator,amount", "AAPL,2005-02-28,,,"), "row 1, numerator"),
            (("symbol,what", "AAPL,2"), None),
            (("symbol,ex_date,amount, Amount", "AAPL,2005-02-28,1,2"), "amount"),
        ],
    )
    def test_wrong_rows_are_named(
        self, store: ParquetStore, bring: Import, tmp_path: Path, lines: tuple[str, ...], place: str | None
    ) -> None:
        with pytest.raises(DataRefused) as caught:
            bring(write(tmp_path / "aapl.csv", *GOOD), adjustments=write(tmp_path / "events.csv", *lines))
        assert [one.field for one in caught.value.errors] == ([place] if place else [])
        assert store.series() == ()


prices = st.floats(0.01, 1e7, allow_nan=False, allow_infinity=False)


@st.composite
def markets(draw: st.DrawFn) -> Bars:
    """Bars of any shape that import accepts."""
    base = draw(
        st.sampled_from([
            daily(instrument(), date(2005, 10, 20), date(2005, 12, 1)),
            intraday(instrument(), date(2005, 11, 23), date(2005, 11, 28), span=HOUR, name="1h"),
            intraday(instrument(days="24/7"), date(2005, 3, 1), date(2005, 3, 1), span=15 * MINUTE, name="15m"),
        ])
    )  # fmt: skip
    rows = draw(st.lists(st.integers(0, len(base) - 1), min_size=2, max_size=12, unique=True))
    kept = base.where(np.isin(np.arange(len(base)), rows))
    four = [sorted(draw(st.tuples(prices, prices, prices, prices))) for _ in range(len(kept))]
    low, one, two, high = (np.array(column) for column in zip(*four, strict=True))
    volume = np.array([draw(st.floats(0, 1e12)) for _ in range(len(kept))])
    return kept.replaced(open=one, high=high, low=low, close=two, volume=volume, spread=volume / 1e13)


@given(markets(), st.booleans())
@settings(max_examples=40)
def test_an_export_imports_to_the_same_bars(
    tmp_path_factory: pytest.TempPathFactory, bars: Bars, parquet: bool
) -> None:
    folder = tmp_path_factory.mktemp("round")
    made = instrument(days="24/7" if bars.timeframe == "15m" else "XNYS")
    chosen, source = select(MemoryStore([made], [bars]), made, None)
    assert source == bars.timeframe
    assert chosen.equals(bars)
    path = folder / ("out.parquet" if parquet else "out.csv")
    path.write_bytes(encode(chosen, made, parquet=parquet))
    store = ParquetStore(folder / "data")
    for outcome in ("new", "unchanged"):
        assert [one.outcome for one in import_files(store, [path], ImportOptions(calendar=made.calendar))] == [outcome]
    again = store.read(made.id, bars.timeframe)
    for name in COLUMNS:
        assert np.array_equal(getattr(again, name), getattr(bars, name)), name


def test_parquet_is_read_with_its_types(store: ParquetStore, bring: Import, tmp_path: Path) -> None:
    frame = pl.DataFrame({
        "Date": [date(2005, 2, 24), date(2005, 2, 25)],
        "Open": [1, 1], "High": [2, 2], "Low": [1, 1], "Close": [1.5, None],
    })  # fmt: skip
    frame.write_parquet(tmp_path / "aapl.parquet")
    error = refusal(bring, tmp_path / "aapl.parquet")
    assert [one.field for one in error.errors] == ["row 2, close"]
    assert store.series() == ()
