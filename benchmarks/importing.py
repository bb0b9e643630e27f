"""A CSV file of one-minute bars into the store."""

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.desk import evenkeel
from benchmarks.machine import facts
from benchmarks.prices import write_csv
from evenkeel.market.stores.parquet import ParquetStore


def importing(*, rows: int = 1_000_000) -> dict[str, Any]:
    """`evenkeel data import` of `rows` bars of one symbol, checked row by row; read back and counted after."""
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        file, home = Path(folder) / "bars.csv", Path(folder) / "home"
        write_csv(file, "ALFA", rows=rows)
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        evenkeel("data", "import", str(file), "--home", str(home))
        taken = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        store = ParquetStore(home / "data", cache=home / "cache")
        (series,) = store.series()
        stored = len(store.read(series.instrument_id, series.timeframe))
        if stored != rows:
            raise RuntimeError(f"{rows} rows were imported, {stored} are stored")
        return {
            "benchmark": "import",
            "result": {"rows": stored, "timeframe": series.timeframe},
            "megabytes": round(file.stat().st_size / 1e6, 1),
            "seconds": round(taken, 2),
            "rows_per_second": round(rows / taken),
            "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
            "peak_mib": round(after.ru_maxrss / 1024),
            "machine": facts(Path(folder)),
        }
