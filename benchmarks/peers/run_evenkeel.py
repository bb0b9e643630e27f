"""Our side: `python -m benchmarks.peers.run_evenkeel BARS REPEAT FORM`.

FORM is built_in or own (the compiled engine), or by_bar (the event-driven engine, with a strategy that places orders).
"""

import sys
import time

from benchmarks.peers.protocol import report


def main(file: str, repeat: str, form: str) -> None:
    begun = time.perf_counter()
    import evenkeel as ek
    from benchmarks.own import OwnByBar
    from benchmarks.workload import cross, load, terms

    imported = time.perf_counter() - begun
    bars, case = load(file), cross()

    def run() -> tuple[float, int]:
        if form == "by_bar":
            result = ek.backtest(OwnByBar, bars, **terms() | {"engine": "event"})
        else:
            result = case.run(bars, own=form == "own")
        return result.final_equity, len(result.fills)

    report(ek.__version__, run, imported=imported, repeat=int(repeat))


if __name__ == "__main__":
    main(*sys.argv[1:])
