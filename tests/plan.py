"""How hard the chaos tests shake: the same tests run briefly in `make test` and at length in `make chaos`."""

import random
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class ChaosPlan:
    """Kills per database and API examples per operation, all drawn from one seed."""

    seed: int
    sqlite_kills: int
    postgres_kills: int
    api_examples: int

    @classmethod
    def short(cls, seed: int) -> Self:
        return cls(seed=seed, sqlite_kills=6, postgres_kills=3, api_examples=30)

    @classmethod
    def full(cls, seed: int) -> Self:
        return cls(seed=seed, sqlite_kills=50, postgres_kills=20, api_examples=200)

    def random(self, purpose: str) -> random.Random:
        """A generator of its own for each purpose, so that one test's draws do not move another's."""
        return random.Random(f"{self.seed}:{purpose}")
