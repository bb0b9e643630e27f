"""backtesting.py's side: `python -m benchmarks.peers.run_backtesting BARS REPEAT`.

Positions still open at the end are valued, not closed; a closed trade is two fills, an open one is one.
"""

import sys
import time

from benchmarks.peers.protocol import Rule, report


def main(file: str, repeat: str) -> None:
    begun = time.perf_counter()
    import backtesting
    import numpy as np
    import pandas as pd

    imported = time.perf_counter() - begun
    rule = Rule()
    with np.load(file) as columns:
        prices = {name: columns[name.lower()] for name in ("Open", "High", "Low", "Close", "Volume")}
        frame = pd.DataFrame(prices, index=pd.to_datetime(columns["ts"], unit="ns"))

    def mean(values: np.ndarray, window: int) -> np.ndarray:
        sums = np.cumsum(np.concatenate(([0.0], values)))
        means = np.full(len(values), np.nan)
        means[window - 1 :] = (sums[window:] - sums[:-window]) / window
        return means

    class Cross(backtesting.Strategy):
        def init(self) -> None:
            closes = np.asarray(self.data.Close)
            self.fast = self.I(mean, closes, rule.fast)
            self.slow = self.I(mean, closes, rule.slow)

        def next(self) -> None:
            fast, slow = self.fast[-1], self.slow[-1]
            if fast > slow and not self.position:
                self.buy(size=rule.units)
            elif fast < slow and self.position:
                self.position.close()

    def run() -> tuple[float, int]:
        found = backtesting.Backtest(
            frame, Cross, cash=rule.cash, commission=rule.fee, trade_on_close=False, finalize_trades=False
        ).run()
        still_open = len(found._strategy.trades)
        return found["Equity Final [$]"], 2 * len(found._trades) + still_open

    report(backtesting.__version__, run, imported=imported, repeat=int(repeat))


if __name__ == "__main__":
    main(*sys.argv[1:])
