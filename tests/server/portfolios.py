"""The history of portfolios straight from a journal in memory, and watchlists in a dictionary."""

from collections.abc import Iterator, Sequence

from evenkeel.domain import records as r
from evenkeel.domain.errors import Conflict
from evenkeel.domain.portfolios import (
    BookMoved,
    CashTransferred,
    PortfolioChanged,
    PortfolioDayClosed,
    Span,
    Wanted,
)
from evenkeel.domain.watchlists import Watchlist
from evenkeel.storage.repositories.portfolios import PortfolioDay, Transaction
from tests.desk.paging import page
from tests.trading.live.desk import MemoryJournal

_BOOKED = (r.CashBooked, CashTransferred, r.FillBooked, r.SplitApplied, r.DividendPaid, r.NightsCharged)


class JournalPortfolios:
    """Implements `server.portfolio_ports.PortfolioPast`."""

    def __init__(self, journal: MemoryJournal) -> None:
        self.journal = journal

    async def days(
        self, portfolio_id: str, *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[PortfolioDay], str | None]:
        days: list[PortfolioDay] = []
        for one in self.journal.records():
            if isinstance(one, PortfolioDayClosed) and one.portfolio_id == portfolio_id:
                days.append(_day(one, days[-1] if days else None))
        return page(days[::-1], limit, cursor)

    async def spans(self, portfolio_id: str) -> Sequence[Span]:
        found: list[Span] = []
        for seq, record in enumerate(self.journal.records(), 1):
            match record:
                case PortfolioChanged(portfolio=this) if this.id == portfolio_id:
                    known = {span.account_id for span in found if span.book == this.id}
                    found += [Span(name, this.id, seq) for name in this.account_ids if name not in known]
                case BookMoved(joins=True) if record.portfolio_id == portfolio_id:
                    found.append(Span(record.account_id, record.book, seq))
                case BookMoved() if record.portfolio_id == portfolio_id:
                    key = record.account_id, record.book
                    open_ = next(one for one in found if (one.account_id, one.book) == key and one.until is None)
                    found[found.index(open_)] = Span(*key, open_.since, seq)
        return found

    async def transactions(
        self, spans: Sequence[Span], wanted: Wanted, *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[Transaction], str | None]:
        rows = [one for one in self._lines() if _within(one, spans) and _fits(one, wanted)]
        return page(rows[::-1], limit, cursor)

    def _lines(self) -> Iterator[Transaction]:
        for seq, record in enumerate(self.journal.records(), 1):
            if not isinstance(record, _BOOKED):
                continue
            fill = record.fill if isinstance(record, r.FillBooked) else None
            for line, entry in enumerate(record.entries):
                traded = entry.kind == "trade"
                side = None if fill is None else str(fill.side).lower()
                yield Transaction(
                    id=f"{seq}-{line}",
                    seq=seq,
                    line=line,
                    at=record.at,
                    value_date=entry.value_date,
                    type=(side or "split") if traded else str(entry.kind),
                    component=entry.component,
                    account_id=entry.account_id,
                    book=entry.book,
                    instrument_id=None if fill is None else fill.instrument_id,
                    quantity=fill.quantity if fill is not None and traded else None,
                    price=fill.price if fill is not None and traded else None,
                    amount=entry.amount,
                    currency=entry.currency,
                    order_id=entry.order_id,
                    fill_id=None if fill is None else fill.id,
                )


def _day(one: PortfolioDayClosed, before: PortfolioDay | None) -> PortfolioDay:
    return PortfolioDay(
        id=one.id,
        portfolio_id=one.portfolio_id,
        date=one.session_date,
        at=one.at,
        total_value=one.value,
        cash_value=one.cash,
        positions_value=one.value - one.cash,
        contributed=one.contributed,
        daily_return=one.growth / (1.0 + (before.cumulative_return if before else 0.0)) - 1.0,
        cumulative_return=one.growth - 1.0,
        volatility=one.volatility,
        sharpe_ratio=one.sharpe,
        sortino=one.sortino,
        drawdown=one.drawdown,
        max_drawdown=max(one.drawdown, before.max_drawdown if before else 0.0),
        trades=one.trades,
        wins=one.wins,
        win_rate=one.wins / one.trades if one.trades else None,
        num_positions=len(one.holdings),
    )


def _within(one: Transaction, spans: Sequence[Span]) -> bool:
    return any(
        span.account_id == one.account_id
        and span.book in (None, one.book)
        and span.since <= one.seq
        and (span.until is None or one.seq < span.until)
        for span in spans
    )


def _fits(one: Transaction, wanted: Wanted) -> bool:
    return (
        wanted.type in (None, one.type)
        and wanted.instrument_id in (None, one.instrument_id)
        and (wanted.start is None or one.at >= wanted.start)
        and (wanted.end is None or one.at < wanted.end)
    )


class MemoryWatchlists:
    """Implements `server.portfolio_ports.Watchlists`."""

    def __init__(self) -> None:
        self.lists: dict[str, Watchlist] = {}

    async def all(self, user_id: str) -> Sequence[Watchlist]:
        mine = [one for one in self.lists.values() if one.user_id == user_id]
        return sorted(mine, key=lambda one: one.name.casefold())

    async def find(self, user_id: str, list_id: str) -> Watchlist | None:
        found = self.lists.get(list_id)
        return found if found is not None and found.user_id == user_id else None

    async def add(self, one: Watchlist) -> None:
        self._check(one)
        self.lists[one.id] = one

    def _check(self, one: Watchlist) -> None:
        for other in self.lists.values():
            same = other.user_id == one.user_id and other.name.casefold() == one.name.casefold()
            if same and other.id != one.id:
                raise Conflict(f"there is already a watchlist {one.name!r}")

    async def replace(self, one: Watchlist, *, known: Watchlist) -> None:
        self._check(one)
        if self.lists.get(one.id) != known:
            raise Conflict(f"{one.name} was changed by another request at this moment")
        self.lists[one.id] = one

    async def remove(self, user_id: str, list_id: str) -> bool:
        found = await self.find(user_id, list_id)
        if found is not None:
            del self.lists[list_id]
        return found is not None
