"""The demonstration flat out: eight years of real daily prices, four strategies, three accounts."""

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.desk import Desk, doctor, used
from benchmarks.machine import facts
from benchmarks.order_path import fold

LONGEST = 600.0


def replay(*, seconds: float = LONGEST) -> dict[str, Any]:
    """`evenkeel demo --speed 0` until its feed has ended, or for `seconds`."""
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        home = Path(folder) / "home"
        with Desk(home, "--speed", "0", "--no-open", mode="demo", log_level="warning") as desk:
            begun, before = time.perf_counter(), desk.cpu()
            feed = desk.status()["feed"]
            while feed["state"] == "running" and time.perf_counter() - begun < seconds:
                time.sleep(0.2)
                feed = desk.status()["feed"]
            taken = time.perf_counter() - begun
            main, projector = used(before, desk.cpu())
            desk.catch_up()
        report = doctor(home)
        state, _ = fold(home, None)
        days = {fill.session_date for fill in state.fills.values()}
        if not state.orders or not days:
            raise RuntimeError("the demonstration placed no order")
        sessions = _sessions(state.cursor or 0)
        return {
            "benchmark": "replay",
            "result": {
                "feed": feed["state"],
                "orders": len(state.orders),
                "fills": len(state.fills),
                "days": sessions,
                "doctor_ok": report["ok"],
            },
            "seconds": round(taken, 2),
            "slices_per_second": round(sessions / taken, 1),
            "cpu_ms_per_slice": round(main / sessions * 1000, 3),
            "projector_cpu_ms_per_slice": round(projector / sessions * 1000, 3),
            "machine": facts(Path(folder)),
        }


def _sessions(cursor: int) -> int:
    """How many slices of the sample lie up to the cursor."""
    from evenkeel.desk.demo import START
    from evenkeel.domain.clock import parse_iso
    from evenkeel.market.sample import sample_market

    _, bars, _ = sample_market()
    start = parse_iso(START)
    return len({int(at) for one in bars.values() for at in one.close_ts if start < at <= cursor})
