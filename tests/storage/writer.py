"""A process that appends to a journal as fast as it can and says what has been committed; tests kill it.

Arguments: home, URL or "", number of batches (0 for endless).
"""

import sys
from itertools import count
from pathlib import Path

from evenkeel.domain.records import AlertRaised, encode
from evenkeel.storage.database import Database
from evenkeel.storage.ownership import Owner


def main(home: str, url: str, batches: int) -> None:
    with Owner(Database(Path(home), url or None)) as owner:
        journal = owner.journal("user-1")
        seq = journal.last_seq()
        for number in range(batches) if batches else count():
            first, seq = seq + 1, seq + 1 + number % 3
            records = tuple(
                AlertRaised(at=at, id=f"alert-{at}", level="info", kind="test", message="x" * 200)
                for at in range(first, seq + 1)
            )
            journal.append(encode(records), first, seq)
            print(seq, flush=True)
        journal.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
