"""`make chaos`: every kill test and the fuzz of the API, at length: `python -m tests.chaos --seed 7 --sqlite 10`.

Everything drawn comes from one seed, which is printed first and last; any other option goes on to pytest.
"""

import argparse
import random
import sys

import pytest


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description="Kill, cut and fuzz Evenkeel at length.")
    parser.add_argument("--seed", type=int, help="draw everything from this seed (one is made where none is given)")
    parser.add_argument("--sqlite", type=int, default=50, metavar="N", help="kills under load on SQLite (50)")
    parser.add_argument("--postgres", type=int, default=20, metavar="N", help="kills under load on PostgreSQL (20)")
    parser.add_argument("--fuzz-examples", type=int, default=200, metavar="N", help="examples an operation (200)")
    given, others = parser.parse_known_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(2**31)
    print(f"seed: {seed}", flush=True)
    options = ["--full-chaos", "--seed", str(seed), "--sqlite", str(given.sqlite), "--postgres", str(given.postgres)]
    options += ["--fuzz-examples", str(given.fuzz_examples), "-m", "chaos", "-p", "no:xdist", "-s"]
    return int(pytest.main([*options, *others]))


if __name__ == "__main__":
    sys.exit(main())
