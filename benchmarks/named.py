"""`evenkeel` as it is, its threads named for the kernel as they are in Python, so that /proc tells their CPU apart.

With BENCHMARK_PROFILE set to a file, the main thread runs under cProfile by its CPU time, and the
statistics end there.
"""

import cProfile
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any


def _tell_kernel(frame: Any, event: str, argument: Any) -> None:
    """Runs once at the start of each new thread."""
    sys.setprofile(None)
    name = threading.current_thread().name.removeprefix("evenkeel-")
    Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(name[:15], encoding="utf-8")


def run() -> None:
    from evenkeel.bootstrap import main

    threading.setprofile(_tell_kernel)
    target = os.environ.get("BENCHMARK_PROFILE")
    if target is None:
        main()
        return
    profile = cProfile.Profile(time.thread_time)
    try:
        profile.runcall(main)
    finally:
        if sys.argv[1:2] == ["up"]:
            profile.dump_stats(target)


if __name__ == "__main__":
    run()
