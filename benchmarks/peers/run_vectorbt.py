"""vectorbt's side: `python -m benchmarks.peers.run_vectorbt BARS REPEAT ENGINE`, ENGINE rust or numba.

An order decided at a close is a signal one bar later at that bar's open; a signal to go where one is does nothing.
"""

import sys
import time

from benchmarks.peers.protocol import Rule, report


def main(file: str, repeat: str, engine: str) -> None:
    begun = time.perf_counter()
    import numpy as np
    import vectorbt as vbt

    imported = time.perf_counter() - begun
    vbt.settings["engine"] = engine
    rule = Rule()
    with np.load(file) as columns:
        opens, closes = columns["open"], columns["close"]

    def run() -> tuple[float, int]:
        fast = vbt.MA.run(closes, rule.fast).ma.to_numpy()
        slow = vbt.MA.run(closes, rule.slow).ma.to_numpy()
        enters, leaves = np.zeros(len(closes), bool), np.zeros(len(closes), bool)
        enters[1:], leaves[1:] = fast[:-1] > slow[:-1], fast[:-1] < slow[:-1]
        book = vbt.Portfolio.from_signals(
            closes, enters, leaves, price=opens, size=rule.units, init_cash=rule.cash, fees=rule.fee, engine=engine
        )
        return book.final_value(), book.orders.count()

    report(vbt.__version__, run, imported=imported, repeat=int(repeat))


if __name__ == "__main__":
    main(*sys.argv[1:])
