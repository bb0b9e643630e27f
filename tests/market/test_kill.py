"""kill -9 in the middle of an import leaves the bars of before or the bars of after, never a mixture."""

import random
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from evenkeel.market.bars import Bars
from evenkeel.market.exporting import encode
from evenkeel.market.importing import ImportOptions, import_files
from evenkeel.market.stores.parquet import ParquetStore
from tests.market.builders import HOUR, instrument, intraday
from tests.plan import ChaosPlan

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
KILLS = 6
CHILD = """
import sys
from pathlib import Path
import polars, pyarrow.parquet
from evenkeel.market.importing import ImportOptions, import_files
from evenkeel.market.stores.parquet import ParquetStore
store = ParquetStore(Path(sys.argv[1]))
print("ready", flush=True)
import_files(store, [Path(name) for name in sys.argv[2:]], ImportOptions(replace=True))
print("done", flush=True)
"""


def version(folder: Path, seed: int) -> tuple[list[Path], dict[str, Bars]]:
    """One file a symbol, of six years of hourly bars."""
    paths, held = [], {}
    for number, symbol in enumerate(SYMBOLS):
        one = instrument(symbol)
        held[symbol] = intraday(
            one, date(2000, 1, 3), date(2005, 12, 30), span=HOUR, name="1h", seed=10 * seed + number
        )
        paths.append(folder / f"{symbol}-{seed}.parquet")
        paths[-1].write_bytes(encode(held[symbol], one, parquet=True))
    return paths, held


def run(store: ParquetStore, paths: list[Path], *, kill_after: float | None) -> float:
    """Imports in a process of its own, killed after so many seconds; how long it took."""
    command = [sys.executable, "-c", CHILD, str(store.root), *map(str, paths)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        begun = time.monotonic()
        if kill_after is not None:
            time.sleep(kill_after)
            child.kill()
        else:
            assert child.stdout.readline() == "done\n"
        return time.monotonic() - begun


@pytest.mark.chaos
def test_a_killed_import_leaves_the_old_bars_or_the_new(tmp_path: Path, chaos_plan: ChaosPlan) -> None:
    chance = random.Random(chaos_plan.seed)
    store = ParquetStore(tmp_path / "data")
    versions = [version(tmp_path, seed) for seed in (1, 2)]
    import_files(store, versions[0][0], ImportOptions())
    duration = run(store, versions[1][0], kill_after=None)
    current, seen = 1, set()
    for _ in range(KILLS):
        wanted = 1 - current
        run(store, versions[wanted][0], kill_after=chance.uniform(0.2, 1.1) * duration)
        held = [_which(ParquetStore(store.root), symbol, versions) for symbol in SYMBOLS]
        assert len(set(held)) == 1
        seen.add(held[0] == wanted)
        current = held[0]
    assert False in seen, "no kill came in time to interrupt an import"
    run(store, versions[1 - current][0], kill_after=None)
    _assert_tidy(store)


def test_a_killed_first_import_leaves_an_empty_store(tmp_path: Path, chaos_plan: ChaosPlan) -> None:
    store = ParquetStore(tmp_path / "data")
    paths, _ = version(tmp_path, 1)
    run(store, paths, kill_after=random.Random(chaos_plan.seed).uniform(0.0, 0.03))
    assert store.series() == ()
    import_files(store, paths, ImportOptions())
    assert len(store.series()) == len(SYMBOLS)
    _assert_tidy(store)


def _which(store: ParquetStore, symbol: str, versions: list[tuple[list[Path], dict[str, Bars]]]) -> int:
    (one,) = store.find(symbol)
    bars = store.read(one.id, "1h")
    return next(number for number, (_, held) in enumerate(versions) if held[symbol].equals(bars))


def _assert_tidy(store: ParquetStore) -> None:
    """Nothing lies about that neither the bars in force nor those kept for `restore` name."""
    assert not list(store.root.rglob("*.part"))
    for folder in store.root.glob("bars/*/*/*"):
        manifests = len(list(folder.glob("manifest-*.json")))
        assert manifests in (1, 2)
        assert len(list(folder.glob("*.parquet"))) == 6 * manifests
        assert len(list(folder.glob("check-*.json"))) == manifests
