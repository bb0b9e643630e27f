"""Made-up bars from a seed, on which every strategy is examined: trends, quiet and turns, prices in cents.

They stand for no market; they only make a strategy's rules fire, ties included.
"""

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.market.columns import DAY
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies.evaluate import read_only

_REGIME = 25
_SEED = 20050901


def seeded_bars(count: int, seed: int = _SEED) -> Bars:
    """`count` daily bars, read-only, the same for the same arguments."""
    rng = np.random.default_rng(seed)
    regimes = count // _REGIME + 1
    drift = np.repeat(rng.choice([-0.012, -0.004, 0.0, 0.004, 0.012], regimes), _REGIME)[:count]
    noise = np.repeat(rng.choice([0.002, 0.01, 0.02], regimes), _REGIME)[:count]
    steps = drift + noise * rng.standard_normal(count)
    close = np.round(100.0 * np.exp(_held(np.cumsum(steps))), 2)
    open_ = np.round(np.concatenate(([100.0], close[:-1])) * (1 + 0.3 * noise * rng.standard_normal(count)), 2)
    high = np.round(np.maximum(open_, close) * (1 + noise * rng.random(count)), 2)
    low = np.round(np.minimum(open_, close) * (1 - noise * rng.random(count)), 2)
    ts = np.arange(count, dtype=np.int64) * DAY + 9 * DAY // 24
    columns = {"ts": ts, "close_ts": ts + 7 * DAY // 24, "open": open_, "high": high, "low": low, "close": close}
    volume = np.round(1e6 * np.exp(0.4 * rng.standard_normal(count)))
    return read_only(Bars.of("seeded", "1d", columns | {"volume": volume}))


def _held(path: Floats) -> Floats:
    """A log path folded into one unit around zero, so that prices stay in a plausible range however long it
    is.
    """
    return np.abs((path + 0.5) % 2.0 - 1.0) - 0.5
