"""A restart on a long journal: folding it, and being ready to trade again."""

import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.desk import Desk, doctor
from benchmarks.engine import BATCH, World, order_of
from benchmarks.machine import facts
from benchmarks.order_path import desk_of, fold
from evenkeel.domain.records import encode
from evenkeel.storage.database import database
from evenkeel.storage.journal import shards_of
from evenkeel.storage.ownership import Owner
from evenkeel.storage.projector import Projector
from evenkeel.trading.live.recovery import recover


def fill_journal(home: Path, account_id: str, orders: int) -> None:
    """Appends that many filled orders, in batches as the runner commits them, and projects them."""
    where = database(home)
    (shard,) = shards_of(where)
    with Owner(where) as owner:
        journal = owner.journal(shard)
        state = recover(journal)
        world = World(state, account_id, list(state.instruments))
        world.quote()
        for first in range(0, orders, BATCH):
            before, seq = len(world.records), state.seq
            numbers = range(first, min(first + BATCH, orders))
            placed = [(number, order_of(world.submit(number))) for number in numbers]
            for number, order_id in placed:
                world.fill(number, order_id)
            journal.append(encode(tuple(world.records[before:])), seq + 1, state.seq)
        journal.close()
        projector = Projector(where, shard)
        projector.catch_up()
        projector.close()


def _started(home: Path) -> Desk:
    with desk_of(home) as desk:
        return desk


def restart(*, orders: int = 100_000) -> dict[str, Any]:
    """From starting the process to /readyz on a journal of that many filled orders, and the fold by itself."""
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        home = Path(folder) / "home"
        with desk_of(home) as desk:
            account_id = desk.open_account()
        empty = _started(home)
        fill_journal(home, account_id, orders)
        begun, cpu = time.perf_counter(), time.process_time()
        state, durability = fold(home, None)
        folded = {"seconds": round(time.perf_counter() - begun, 2), "cpu_s": round(time.process_time() - cpu, 2)}
        with desk_of(home) as desk:
            page = desk.call("GET", "/trading/orders?limit=5")["items"]
            cpu_to_ready = sum(desk.cpu().values())
        report = doctor(home)
        states = Counter(str(order.state) for order in state.orders.values())
        if states != {"FILLED": orders} or report["orders"] != orders or page[0]["state"] != "FILLED":
            raise RuntimeError(f"the restarted desk has {dict(states)}, the doctor {report['orders']} orders")
        return {
            "benchmark": "restart",
            "result": {"orders": orders, "states": dict(states), "records": state.seq, "doctor_ok": report["ok"]},
            "fold": folded,
            "process_to_ready_s": round(desk.ready_seconds, 2),
            "process_cpu_to_ready_s": round(cpu_to_ready, 2),
            "same_on_an_empty_journal_s": round(empty.ready_seconds, 2),
            "durability": {name: value for name, value in durability.items() if name != "file"},
            "machine": facts(Path(folder)),
        }
