"""What the doors need of the history of portfolios and of watchlists; bootstrap plugs in what `storage` keeps."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol

from evenkeel.domain.portfolios import Span, Wanted
from evenkeel.domain.watchlists import Watchlist


class PortfolioDayRow(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def date(self) -> date: ...

    @property
    def total_value(self) -> Decimal: ...

    @property
    def cash_value(self) -> Decimal: ...

    @property
    def positions_value(self) -> Decimal: ...

    @property
    def contributed(self) -> Decimal: ...

    @property
    def daily_return(self) -> float: ...

    @property
    def cumulative_return(self) -> float: ...

    @property
    def volatility(self) -> float | None: ...

    @property
    def sharpe_ratio(self) -> float | None: ...

    @property
    def sortino(self) -> float | None: ...

    @property
    def drawdown(self) -> float: ...

    @property
    def max_drawdown(self) -> float: ...

    @property
    def trades(self) -> int: ...

    @property
    def win_rate(self) -> float | None: ...

    @property
    def num_positions(self) -> int: ...


class TransactionRow(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def at(self) -> int: ...

    @property
    def value_date(self) -> date: ...

    @property
    def type(self) -> str: ...

    @property
    def component(self) -> str: ...

    @property
    def account_id(self) -> str: ...

    @property
    def book(self) -> str: ...

    @property
    def instrument_id(self) -> str | None: ...

    @property
    def quantity(self) -> Decimal | None: ...

    @property
    def price(self) -> Decimal | None: ...

    @property
    def amount(self) -> Decimal | None: ...

    @property
    def currency(self) -> str: ...

    @property
    def order_id(self) -> str | None: ...

    @property
    def fill_id(self) -> str | None: ...


class PortfolioPast(Protocol):
    """Projections, newest first. A cursor is the store's own text; one it did not make raises InvalidInput."""

    async def days(
        self, portfolio_id: str, *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[PortfolioDayRow], str | None]: ...

    async def spans(self, portfolio_id: str) -> Sequence[Span]:
        """The books that a portfolio has, or had, each while it was its own."""

    async def transactions(
        self, spans: Sequence[Span], wanted: Wanted, *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[TransactionRow], str | None]: ...


class Watchlists(Protocol):
    """People's watchlists."""

    async def all(self, user_id: str) -> Sequence[Watchlist]:
        """A person's lists, by name."""

    async def find(self, user_id: str, list_id: str) -> Watchlist | None: ...

    async def add(self, one: Watchlist) -> None:
        """Raises Conflict for a name that is taken."""

    async def replace(self, one: Watchlist, *, known: Watchlist) -> None:
        """Writes a list over what was read of it. Raises Conflict where it was changed meanwhile."""

    async def remove(self, user_id: str, list_id: str) -> bool:
        """Whether there was one."""
