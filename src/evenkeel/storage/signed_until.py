"""How far ahead of the clock a signed request was taken, in a private file of the home: `signed-until`, in seconds.

It is written before such a request is taken, and at most once for each second.
"""

import asyncio
from pathlib import Path

from evenkeel.domain.errors import InvalidInput, NotReady
from evenkeel.storage.secrets import write_private

_MOST_DIGITS = 12


class SignedUntil:
    """Implements the desk's `Horizon`."""

    def __init__(self, home: Path) -> None:
        self._path = home / "signed-until"

    def read(self) -> int | None:
        """0 where there is no file, None for one that says something else."""
        try:
            text = self._path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return 0
        except (OSError, UnicodeDecodeError):
            return None
        return int(text) if text.isdigit() and len(text) <= _MOST_DIGITS else None

    async def move(self, at: int) -> None:
        """Raises NotReady where it cannot be written."""
        try:
            await asyncio.to_thread(write_private, self._path, b"%d\n" % at, over=True)
        except InvalidInput as error:
            raise NotReady(error.message, hint=error.hint) from error
