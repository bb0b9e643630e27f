"""How hard the chaos tests shake: the same tests run briefly in `make test` and at length in `make chaos`."""

import random
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True)
class ChaosPlan:
    """Kills per database and API examples per operation, all drawn from one seed."""

    seed: int
    sqlite_kills: int
    postgres_kills: int
    api_examples: int
    is_full: bool = False

    @classmethod
    def short(cls, seed: int) -> Self:
        return cls(seed=seed, sqlite_kills=6, postgres_kills=3, api_examples=30)

    @classmethod
    def full(cls, seed: int) -> Self:
        return cls(seed=seed, sqlite_kills=50, postgres_kills=20, api_examples=200, is_full=True)

    def altered(self, *, sqlite: int | None, postgres: int | None, examples: int | None) -> Self:
        """The same plan with other counts where some are given."""
        return replace(
            self,
            sqlite_kills=self.sqlite_kills if sqlite is None else sqlite,
            postgres_kills=self.postgres_kills if postgres is None else postgres,
            api_examples=self.api_examples if examples is None else examples,
        )

    def random(self, purpose: str) -> random.Random:
        """A generator of its own for each purpose, so that one test's draws do not move another's."""
        return random.Random(f"{self.seed}:{purpose}")
