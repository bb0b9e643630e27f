"""What happened, in order, with the seed: told when a chaos test fails, so that it can be understood and repeated."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

SHOWN = 40


class Timeline:
    """The latest events of one test. `telling` adds them to whatever error ends it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._begun = time.monotonic()
        self._lines: deque[str] = deque(maxlen=SHOWN)

    def note(self, text: str) -> None:
        self._lines.append(f"{time.monotonic() - self._begun:8.3f}s  {text}")

    @contextmanager
    def telling(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            lines = "\n".join(self._lines)
            error.add_note(f'seed {self._seed} (repeat with: make chaos ARGS="--seed {self._seed}")\n{lines}')
            raise
