"""Finished runs of a home that begins anew: their journals are moved aside, and nothing of them is lost."""

import time

from evenkeel.storage.database import Database
from evenkeel.storage.projector import Projector


def set_aside(database: Database, shard: str) -> None:
    """Empties a finished run's projections, then moves its journal into `runs`: neither is seen without the other."""
    projector = Projector(database, shard)
    projector.empty()
    projector.close()
    runs = database.home / "runs"
    runs.mkdir(mode=0o700, exist_ok=True)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for file in database.home.glob("journal.db*"):
        file.rename(runs / f"{stamp}-{file.name}")
