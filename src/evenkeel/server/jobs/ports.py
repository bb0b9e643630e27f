"""What jobs need of the database."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from evenkeel.server.jobs.job import Backtest


class BacktestStore(Protocol):
    """Backtests as rows. What people ask is bound to their user; raises NotReady where nothing answers."""

    async def add(self, backtest: Backtest) -> None: ...

    async def replace(self, backtest: Backtest) -> None:
        """Over the one of the same id and user. Raises NotFound."""

    async def remove(self, user_id: str, backtest_id: str) -> bool: ...

    async def some(self, user_id: str, ids: Collection[str]) -> Mapping[str, Backtest]:
        """Those with these ids, by id."""

    async def page(
        self,
        user_id: str,
        *,
        strategy: str | None = None,
        state: str | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[Sequence[Backtest], str | None]:
        """Newest first, without summaries."""

    async def unfinished(self) -> Sequence[Backtest]:
        """What waits or runs, of all users, oldest first."""

    async def finished_ids(self) -> Collection[str]:
        """Those that are done, of all users."""
