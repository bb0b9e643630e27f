"""The journal by itself: durable commits, one record at a time and in groups."""

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import facts, spread
from evenkeel.domain.records import AlertRaised, encode
from evenkeel.storage.database import database
from evenkeel.storage.journal import open_reader
from evenkeel.storage.ownership import Owner
from evenkeel.storage.schema import upgrade

SHARD = "benchmark"
GROUPS = (1, 10, 64, 1_000)


def journal(*, seconds: float = 3.0, database_url: str | None = None) -> dict[str, Any]:
    """Commits of records of about 200 bytes for `seconds` per group size; read back along the hash chain after."""
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        where = database(Path(folder), database_url)
        upgrade(where)
        found: dict[str, Any] = {}
        with Owner(where) as owner:
            log = owner.journal(SHARD)
            last = log.last_seq()
            for size in GROUPS:
                taken: list[float] = []
                end = time.perf_counter() + seconds
                cpu = time.process_time()
                while time.perf_counter() < end:
                    records = tuple(
                        AlertRaised(at=last + place, id=f"{last + place:036}", level="info", kind="x", message="m" * 96)
                        for place in range(1, size + 1)
                    )
                    begun = time.perf_counter()
                    log.append(encode(records), last + 1, last + size)
                    taken.append(time.perf_counter() - begun)
                    last += size
                found[f"groups_of_{size}"] = {
                    "commits_per_second": round(len(taken) / seconds),
                    "records_per_second": round(len(taken) * size / seconds),
                    "cpu_us_per_commit": round((time.process_time() - cpu) / len(taken) * 1e6, 1),
                    "commit_ms": spread(taken, scale=1000),
                }
            durability = log.durability()
            log.close()
        with open_reader(where, SHARD) as reader:
            read = sum(batch.last_seq - batch.first_seq + 1 for batch in reader.read())
        if read != last:
            raise RuntimeError(f"{last} records were committed, {read} read back")
        return {
            "benchmark": "journal",
            "result": {"records": read, "chain_verified": True},
            **found,
            "durability": {name: value for name, value in durability.items() if name != "file"},
            "machine": facts(Path(folder)),
        }
