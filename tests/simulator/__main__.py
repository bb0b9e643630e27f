"""`python -m tests.simulator --seed N` tells one seed's story; `--seeds N` runs many and prints what they came to."""

import argparse
import json
import sys

from tests.simulator.faults import Fault
from tests.simulator.running import many, quietly
from tests.simulator.world import Failed, World


def main(arguments: list[str]) -> int:
    """Exit code 1 where a seed breaks something."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the seed, or the first of several")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from that one on")
    parser.add_argument("--copies", action="store_true", default=None, help="with copy links in every world")
    parser.add_argument("--without", action="append", default=[], choices=[str(fault) for fault in Fault])
    given = parser.parse_args(arguments)
    without = [Fault(name) for name in given.without]
    if given.seeds > 1:
        done = many(range(given.seed, given.seed + given.seeds), without=without, copies=given.copies)
        print(json.dumps(done, indent=2))
        return 1 if done["failures"] else 0
    with quietly():
        try:
            print(World(given.seed, without=without, copies=given.copies, aloud=True).run())
        except Failed as failed:
            print(str(failed).splitlines()[-2])
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
