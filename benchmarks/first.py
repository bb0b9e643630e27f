"""A new process's first backtest, timed from before the import to the result: `python -m benchmarks.first BARS FORM`.

BARS is a file that `numpy.savez` wrote; FORM is built_in or own. Prints seconds and what was found as JSON.
"""

import json
import sys
import time


def main(file: str, form: str) -> None:
    begun = time.perf_counter()
    import evenkeel as ek

    imported = time.perf_counter()

    from benchmarks.workload import cross, load

    bars = load(file)
    result: ek.BacktestResult = cross().run(bars, own=form == "own")
    found = [result.final_equity, len(result.fills)]
    done = time.perf_counter()
    print(json.dumps({"import_s": imported - begun, "run_s": done - imported, "found": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
