"""Records of portfolios: what each is, which books it had when, what it was worth, and what splits did to positions."""

from decimal import Decimal
from hashlib import blake2b

from msgspec import to_builtins

from evenkeel.domain import records as r
from evenkeel.domain.ids import layout
from evenkeel.domain.money import sub
from evenkeel.domain.portfolios import BookMoved, CashTransferred, Portfolio, PortfolioChanged, PortfolioDayClosed
from evenkeel.storage.projections.money import book_entries
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.projections.writing import Row
from evenkeel.storage.tables.accounts import accounts
from evenkeel.storage.tables.portfolios import (
    portfolio_books,
    portfolio_performance,
    portfolios,
    position_splits,
)


def changed(unit: Unit, place: Place, record: PortfolioChanged) -> None:
    this = record.portfolio
    row = unit.find_or(
        portfolios,
        (this.id,),
        lambda: {
            "id": this.id,
            "account_ids": [],
            "max_position_size": None,
            "actor": record.provenance.actor,
            "created_at": record.at,
        },
    )
    for account_id in this.account_ids:
        if account_id not in row["account_ids"]:
            _join(unit, place, this.id, key=(account_id, this.id), at=record.at)
    row |= _said(this) | {"updated_at": record.at}


def _said(this: Portfolio) -> Row:
    return {
        "user_id": this.user_id,
        "portfolio_name": this.name,
        "currency": this.currency,
        "account_ids": list(this.account_ids),
        "strategy": this.strategy,
        "risk_tolerance": this.risk_tolerance,
        "is_active": not this.archived,
    }


def limited(unit: Unit, portfolio_id: str, max_position: Decimal | None, *, at: int) -> None:
    """Notes the largest position that a portfolio may have, a share of its worth."""
    row = unit.get(portfolios, portfolio_id)
    row["max_position_size"], row["updated_at"] = max_position, at


def book_moved(unit: Unit, place: Place, record: BookMoved) -> None:
    key = record.account_id, record.book
    if record.joins:
        _join(unit, place, record.portfolio_id, key=key, at=record.at)
        return
    for row in unit.each(portfolio_books):
        if (row["account_id"], row["book"], row["until_seq"]) == (*key, None):
            row["until_seq"], row["until"] = place.seq, record.at


def _join(unit: Unit, place: Place, portfolio_id: str, *, key: tuple[str, str], at: int) -> None:
    account_id, book = key
    row = {
        "account_id": account_id,
        "book": book,
        "since_seq": place.seq,
        "portfolio_id": portfolio_id,
        "since": at,
        "until_seq": None,
        "until": None,
    }
    unit.put(portfolio_books, (account_id, book, place.seq), row)


def transferred(unit: Unit, place: Place, record: CashTransferred) -> None:
    book_entries(unit, place, record.entries, at=record.at)


def day_closed(unit: Unit, place: Place, record: PortfolioDayClosed) -> None:
    before = unit.newest(portfolio_performance, "portfolio_id", record.portfolio_id)
    until = 1.0 + (before["cumulative_return"] if before else 0.0)
    unit.add(
        portfolio_performance,
        {
            "id": record.id,
            "portfolio_id": record.portfolio_id,
            "date": record.session_date,
            "at": record.at,
            "total_value": record.value,
            "cash_value": record.cash,
            "positions_value": sub(record.value, record.cash),
            "contributed": record.contributed,
            "daily_return": record.growth / until - 1.0 if until else 0.0,
            "cumulative_return": record.growth - 1.0,
            "volatility": record.volatility,
            "sharpe_ratio": record.sharpe,
            "sortino": record.sortino,
            "drawdown": record.drawdown,
            "max_drawdown": max(record.drawdown, before["max_drawdown"] if before else 0.0),
            "trades": record.trades,
            "wins": record.wins,
            "win_rate": record.wins / record.trades if record.trades else None,
            "num_positions": len(record.holdings),
            "holdings": to_builtins(record.holdings),
        },
    )


def split(unit: Unit, place: Place, record: r.SplitApplied) -> None:
    """What a split made of each position. Lines count down, apart from those of the ledger, which has the cash."""
    change = record.split
    for line, part in enumerate(record.positions, 1):
        key, account = part.key, unit.find(accounts, part.key.account_id)
        name = f"split|{unit.shard}|{place.seq}|{line}".encode()
        unit.add(
            position_splits,
            {
                "seq": place.seq,
                "line": -line,
                "id": layout(record.at, blake2b(name, digest_size=10).digest()),
                "account_id": key.account_id,
                "book": key.book,
                "instrument_id": key.instrument_id,
                "product": key.product.value,
                "numerator": change.numerator,
                "denominator": change.denominator,
                "quantity": part.quantity,
                "cash_in_lieu": part.cash_in_lieu,
                "currency": "" if account is None else account["currency"],
                "value_date": change.ex_date,
                "at": record.at,
            },
        )
