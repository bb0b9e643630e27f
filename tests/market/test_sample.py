"""The demonstration's market is what it says: real raw prices, with the splits they show."""

import subprocess
import sys

import numpy as np
import pytest

from evenkeel.market.bars import utc_midnight
from evenkeel.market.calendars import calendar
from evenkeel.market.checks import report
from evenkeel.market.sample import SPLITS, SYMBOLS, sample_market

INSTRUMENTS, BARS, MARKET_SPLITS = sample_market()
BY_SYMBOL = {one.symbol: BARS[one.id] for one in INSTRUMENTS}


def test_holds_every_session_of_four_shares() -> None:
    assert [one.symbol for one in INSTRUMENTS] == list(SYMBOLS)
    for one in INSTRUMENTS:
        checked = report(BARS[one.id], calendar(one.calendar))
        assert (checked.missing, checked.outside_sessions) == (0, 0)
        assert BARS[one.id].volume.min() > 0
    assert len(BY_SYMBOL["AAPL"]) == 3270
    assert BY_SYMBOL["AAPL"].bar(0).close == 130.31


@pytest.mark.parametrize(("symbol", "ex_date", "new", "old"), SPLITS)
def test_each_split_shows_in_the_raw_prices(symbol: str, ex_date: object, new: int, old: int) -> None:
    bars = BY_SYMBOL[symbol]
    (split,) = (one for one in MARKET_SPLITS if (one.ex_date, one.instrument_id) == (ex_date, bars.instrument_id))
    at = int(np.searchsorted(bars.ts, utc_midnight(split.ex_date)))
    assert bars.close[at] / bars.close[at - 1] == pytest.approx(old / new, rel=0.12)


def test_adjusted_prices_fall_by_half_once_only_and_that_was_no_split() -> None:
    """All that is left is Apple's warning of September 2000."""
    falls = []
    for symbol, bars in BY_SYMBOL.items():
        seen = bars.adjusted(MARKET_SPLITS, as_of=int(bars.close_ts[-1]))
        change = seen.close[1:] / seen.close[:-1]
        falls += [(symbol, seen.bar(int(at) + 1).ts) for at in np.flatnonzero((change < 0.65) | (change > 1.6))]
    crash = calendar("XNYS").next_session(SPLITS[0][1].replace(month=9, day=28))
    assert falls == [("AAPL", crash.open)]


def test_loads_without_frames() -> None:
    code = (
        "import sys; from evenkeel.market.sample import sample_market; sample_market();"
        "print([name for name in ('pandas', 'polars', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
