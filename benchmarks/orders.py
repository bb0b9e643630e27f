"""The table of the order path: `python benchmarks/orders.py --json` prints a list, a row a case and database.

The cases: single posts on 64 connections, baskets of 100, and single posts one after the other, whose latency counts.
PostgreSQL is one of its own, in a temporary folder; its processor time is not Evenkeel's. A row is printed only after
its result was checked: every order that was answered is in the journal, filled once.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # and not this folder: it has a `copy`

from benchmarks.machine import facts
from benchmarks.order_path import latency, throughput

CASES = ("single", "basket", "latency")
DATABASES = ("sqlite", "postgresql")
BASKET = 100
AIMS: dict[tuple[str, str], dict[str, float]] = {
    ("single", "sqlite"): {"cpu_ms_per_order": 0.5, "orders_per_minute": 100_000},
    ("single", "postgresql"): {"cpu_ms_per_order": 0.5, "orders_per_minute": 100_000},
    ("basket", "sqlite"): {"cpu_ms_per_order": 0.05, "orders_per_minute": 1_000_000},
    ("basket", "postgresql"): {"cpu_ms_per_order": 0.05, "orders_per_minute": 300_000},
    ("latency", "sqlite"): {"p95_ms": 10},
    ("latency", "postgresql"): {"p95_ms": 10},
}
"""What is to be reached: at most so many milliseconds, at least so many orders."""


@contextmanager
def opened(database: str) -> Iterator[str | None]:
    """The URL of a fresh database; None where the desk's own files are it. Raises RuntimeError without PostgreSQL."""
    if database == "sqlite":
        yield None
        return
    from tests.postgres import PostgresCluster, find_binaries

    binaries = find_binaries()
    if binaries is None:
        raise RuntimeError("PostgreSQL 15 or newer is not installed; leave it out with --database sqlite")
    cluster = PostgresCluster.start(binaries)
    try:
        with cluster.database() as url:
            yield url
    finally:
        cluster.stop()


def measured(case: str, url: str | None, *, seconds: float) -> dict[str, Any]:
    """One case on one database, with all that its benchmark tells."""
    if case == "latency":
        return latency(seconds=seconds, database_url=url)
    if case == "basket":
        return throughput(seconds=seconds, orders=10_000_000, basket=BASKET, connections=8, database_url=url)
    return throughput(seconds=seconds, database_url=url)


def row(case: str, database: str, found: dict[str, Any]) -> dict[str, Any]:
    """What the table says of a case."""
    durability = found["result"]["durability"]
    said = {
        "case": case,
        "database": database,
        "orders_per_minute": found["orders_per_minute"],
        "cpu_ms_per_order": found["cpu_ms_per_order"],
        "p50_ms": found["post_to_201_ms"]["p50"],
        "p95_ms": found["post_to_201_ms"]["p95"],
        "lost": found["result"]["lost"],
        "doubled": found["result"]["doubled"],
        "synchronous": durability.get("synchronous", durability.get("synchronous_commit")),
        "fdatasync_ms": {name: found["machine"]["fdatasync_ms"][name] for name in ("p50", "p99")},
    }
    if "projection_lag_records" in found:
        said |= {name: found[name] for name in ("projection_lag_records", "caught_up_after_s")}
    if "post_to_fill_on_stream_ms" in found:
        said["post_to_fill_p95_ms"] = found["post_to_fill_on_stream_ms"]["p95"]
    aims = AIMS[case, database]
    reached = {
        name: said[name] >= aim if name == "orders_per_minute" else said[name] <= aim for name, aim in aims.items()
    }
    return said | {"wanted": aims, "reached": reached}


def table(cases: list[str], databases: list[str], *, seconds: float) -> Iterator[dict[str, Any]]:
    for database in databases:
        for case in cases:
            with opened(database) as url:
                yield row(case, database, measured(case, url, seconds=seconds))


def orders(*, seconds: float = 60.0, case: str = "", database: str = "") -> dict[str, Any]:
    """The table, or the rows of one case or database."""
    cases, databases = [case] if case else list(CASES), [database] if database else list(DATABASES)
    rows = list(table(cases, databases, seconds=seconds))
    counted = {name: sum(one[name] for one in rows) for name in ("lost", "doubled")}
    return {"benchmark": "orders", "result": {"rows": len(rows), **counted}, "table": rows, "machine": facts()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the list as JSON, else a line for each row")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each case posts (60)")
    parser.add_argument("--case", choices=CASES, action="append", help="only this case; may be given again")
    parser.add_argument("--database", choices=DATABASES, action="append", help="only this database")
    given = parser.parse_args()
    rows = []
    for one in table(given.case or list(CASES), given.database or list(DATABASES), seconds=given.seconds):
        rows.append(one)
        if not given.json:
            print("  ".join(f"{name} {value}" for name, value in one.items()), flush=True)
    if given.json:
        print(json.dumps(rows, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
