"""Real files import, check, list, replay and come out again as they went in."""

from datetime import date
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from evenkeel.domain.errors import DataRefused
from evenkeel.market.calendars import calendar
from evenkeel.market.columns import COLUMNS
from evenkeel.market.feeds.replay import ReplayFeed
from evenkeel.market.importing import ImportOptions, import_files
from evenkeel.market.resample import resample
from evenkeel.market.stores.parquet import ParquetStore
from evenkeel.market.validation import refuse_bad_rows

FILES = ("xauusd_1h", "xauusd_1m", "eurusd_1h", "equities_1d", "equities_1h", "spy_1m", "btcusd_1m")


@pytest.fixture(scope="module")
def store(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> ParquetStore:
    store = ParquetStore(tmp_path_factory.mktemp("real"))
    paths = [shared_data / f"{name}.parquet" for name in FILES]
    import_files(store, paths, ImportOptions(), adjustments=shared_data / "equity_adjustments.parquet")
    return store


def test_every_row_arrives(store: ParquetStore, shared_data: Path) -> None:
    rows = sum(pl.scan_parquet(shared_data / f"{name}.parquet").select(pl.len()).collect().item() for name in FILES)
    assert sum(one.rows for one in store.series()) == rows
    for one in store.series():
        bars = store.read(one.instrument_id, one.timeframe)
        refuse_bad_rows({name: getattr(bars, name) for name in COLUMNS}, one.instrument_id)
    again = import_files(store, [shared_data / f"{name}.parquet" for name in FILES], ImportOptions())
    assert {one.outcome for one in again} == {"unchanged"}


@pytest.mark.parametrize(
    ("symbol", "timeframe", "missing", "days"),
    [("EURUSD", "1h", 317, "FX"), ("AAPL", "1d", 0, "XNYS"), ("SPY", "1m", 0, "XNYS"), ("QQQ", "1d", 1588, "XNYS")],
)
def test_gaps_are_those_of_the_archive(
    store: ParquetStore, symbol: str, timeframe: str, missing: int, days: str
) -> None:
    (one,) = store.find(symbol)
    assert one.calendar == days
    assert store.report(one.id, timeframe).missing == missing


def test_bid_and_ask_lie_a_spread_apart(store: ParquetStore, shared_data: Path) -> None:
    (gold,) = store.find("XAUUSD")
    bars, raw = store.read(gold.id, "1h"), pl.read_parquet(shared_data / "xauusd_1h.parquet")
    assert np.allclose(bars.close - bars.spread / 2, raw["bid_close"].to_numpy())
    assert np.allclose(bars.close + bars.spread / 2, raw["ask_close"].to_numpy())


def test_factors_give_the_splits_that_happened(store: ParquetStore) -> None:
    happened = {
        "AAPL": [("2000-06-21", 2), ("2005-02-28", 2), ("2014-06-09", 7), ("2020-08-31", 4)],
        "AIG": [("1998-08-03", 1.5), ("1999-08-02", 1.25), ("2000-07-31", 1.5), ("2009-07-01", 0.05)],
        "IBM": [("1999-05-27", 2)],
        "SPY": [],
    }
    for symbol, expected in happened.items():
        splits = store.splits(store.find(symbol)[0].id)
        assert [(str(one.ex_date), float(one.numerator / one.denominator)) for one in splits] == expected


def test_adjusted_prices_are_the_vendor_s(store: ParquetStore, shared_data: Path) -> None:
    """Our dated events, applied backwards, against the vendor's own factors."""
    factors = pl.read_parquet(shared_data / "equity_adjustments.parquet").sort("date")
    for symbol in ("AAPL", "IBM", "BAC"):
        (one,) = store.find(symbol)
        raw = store.read(one.id, "1d")
        seen = raw.adjusted(store.splits(one.id), store.dividends(one.id), as_of=int(raw.close_ts[-1]))
        dated = raw.to_polars().select(pl.col("ts").dt.date().alias("date")).sort("date")
        factor = dated.join_asof(factors.filter(pl.col("symbol") == symbol), on="date", strategy="forward")
        expected = raw.close * (factor["price_factor"] * factor["split_factor"]).to_numpy()
        assert np.allclose(seen.close, expected, rtol=2e-3)


def test_days_made_of_hours_are_the_days_of_the_file(store: ParquetStore) -> None:
    (spy,) = store.find("SPY")
    made = resample(store.read(spy.id, "1h"), "1d", calendar("XNYS"))
    days = store.read(spy.id, "1d")
    assert np.array_equal(made.ts, days.ts)
    assert np.mean(made.close == days.close) > 0.99


def test_everything_replays_in_order(store: ParquetStore) -> None:
    feed = ReplayFeed(store, timeframes=("1h", "1d"))
    count = last = 0
    for one in feed.slices():
        assert one.at > last
        count, last = count + len(one.bars), one.at
    assert count == sum(one.rows for one in store.series() if one.timeframe in ("1h", "1d"))
    resumed = ReplayFeed(store, timeframes=("1h", "1d")).slices(last - 10**15)
    assert all(earlier.at < later.at for earlier, later in pairwise(islice(resumed, 100)))


def test_a_split_reaches_the_replay_on_its_day(store: ParquetStore) -> None:
    feed = ReplayFeed(store, instruments=store.find("AAPL"), timeframes=("1h",))
    days = [calendar("XNYS").local_date(one.bars[0].close_ts - 1) for one in feed.slices() if one.splits]
    assert days == [date(2000, 6, 21), date(2005, 2, 28), date(2014, 6, 9), date(2020, 8, 31)]


def test_an_option_chain_is_refused_with_a_reason(store: ParquetStore, shared_data: Path) -> None:
    with pytest.raises(DataRefused, match="option chain"):
        import_files(store, [shared_data / "aapl_option_chain_1d.parquet"], ImportOptions())
