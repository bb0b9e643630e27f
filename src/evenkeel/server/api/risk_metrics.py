"""The risk of a strategy, an account, a user or the platform: what is held, and what a bad day would cost."""

import asyncio
from collections import defaultdict
from datetime import date

from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.desk.risk.books import Book, books_of, books_of_strategy
from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.desk.risk.falls import Fall, Standing, fall_of
from evenkeel.desk.risk.figures import Question, figures
from evenkeel.domain import clock
from evenkeel.domain.panics import ScopeKind
from evenkeel.quant.risk import METHODS, Tail
from evenkeel.server import status, wire
from evenkeel.server.api.trading import find_instrument
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.parts import AppParts
from evenkeel.server.risk_metrics import RiskMetricsOut, RiskQuery, book_of
from evenkeel.server.scope import Tenant, parts_of, tenant

_PAGES, _ROWS = 20, 500


async def get_risk_metrics(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """VaR and CVaR with each position's part, volatility, correlations, drawdown, beta, exposure and concentration of
    what a scope holds now, over the past of its instruments. Currencies are apart. What there is too little history
    for is null, and `lacking` says why."""
    query = wire.query(request, RiskQuery)
    question = _question(parts, seen, query=query)
    name, books = _books(seen, query)
    daily = request.app.state.closes
    assert isinstance(daily, DailyCloses)
    falls = [
        None if query.scope is ScopeKind.STRATEGY else await _fall(parts, seen, book=book, days=query.days)
        for book in books
    ]
    found = await asyncio.to_thread(lambda: [figures(book, daily, question=question) for book in books])
    shown = [book_of(one, fall=fall, benchmark=query.benchmark) for one, fall in zip(found, falls, strict=True)]
    return wire.Json(RiskMetricsOut(query.scope.value, query.id, name, clock.iso(question.at), shown))


def _question(parts: AppParts, seen: Tenant, *, query: RiskQuery) -> Question:
    fields, state = wire.Fields(), seen.state
    shares = [float(text) for text in query.confidence.split(",")]
    if any(not 0.5 < share <= 0.999 for share in shares):
        fields.fault("confidence", "shares above 0.5 and up to 0.999")
    wanted = (
        ""
        if query.benchmark is None
        else find_instrument(state, query.benchmark, None, fields=fields, field="benchmark")
    )
    fields.check("the query is not valid")
    mark = state.marks.get(wanted)
    return Question(
        at=status.now(parts),
        tails=tuple(
            Tail(confidence=share, horizon=query.horizon, method=method)
            for method in ((query.method,) if query.method else METHODS)
            for share in shares
        ),
        days=query.days,
        benchmark=state.instruments.get(wanted),
        benchmark_last=None if mark is None else (mark.at, mark.price),
    )


def _books(seen: Tenant, query: RiskQuery) -> tuple[str, list[Book]]:
    """The scope's name and what it holds. Raises NotFound for what is not the user's, Forbidden for the platform."""
    names = query.scope in (ScopeKind.STRATEGY, ScopeKind.ACCOUNT)
    if names is not (query.id is not None):
        fields = wire.Fields()
        fields.fault("id", f"name the {query.scope}" if names else f"has none for {query.scope}")
        fields.check("the scope is not valid")
    match query.scope:
        case ScopeKind.STRATEGY:
            held = seen.deployment(query.id or "").deployment
            return held.name, books_of_strategy(seen.state, held.id)
        case ScopeKind.ACCOUNT:
            account = seen.account(query.id or "")
            return account.account.name, books_of(seen.state, [account])
        case ScopeKind.USER:
            return seen.user.username, books_of(seen.state, seen.accounts())
    seen.require_admin()
    return "platform", books_of(seen.state, seen.state.accounts.values())


async def _fall(parts: AppParts, seen: Tenant, *, book: Book, days: int) -> Fall:
    """The drawdown of the book's accounts over the ends of their last days, and now."""
    accounts = [seen.state.accounts[name] for name in book.accounts]
    now = {}
    for held in accounts:
        equity = seen.state.equity(held)
        now[held.account.id] = Standing(float(equity), held.growth.at(equity))
    ends: defaultdict[date, list[tuple[str, Standing]]] = defaultdict(list)
    cursor: str | None = None
    for _ in range(_PAGES):
        rows, cursor = await parts.history.equity(book.accounts, limit=_ROWS, cursor=cursor)
        for row in rows:
            if row.growth is not None:
                ends[row.session_date].append((row.account_id, Standing(float(row.equity), row.growth)))
        if cursor is None or len(ends) > days:
            break
    newest = sorted(ends)[-days:]
    fall = fall_of({day: ends[day] for day in newest}, now)
    if len(accounts) > 1:
        return fall
    # An account knows its highest from its first day on, and between the ends of days.
    known = accounts[0].growth.drawdown(seen.state.equity(accounts[0]))
    return Fall(known, max(known, fall.worst))


ENDPOINTS = (
    Endpoint(method="GET", path=f"{PREFIX}/risk/metrics", handler=get_risk_metrics, needs=Permission.READ, cost=1,
             summary="Risk metrics", tag="risk", query=RiskQuery, answers={200: RiskMetricsOut}, errors=(403, 404),
             projected=True),
)  # fmt: skip
