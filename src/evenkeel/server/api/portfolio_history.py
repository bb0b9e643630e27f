"""What portfolios hold and have done: positions, transactions, days, round trips, risk, and several together."""

import asyncio
from collections.abc import Callable

from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.desk.portfolios.together import correlation_matrix, totals
from evenkeel.desk.portfolios.trips import Trips
from evenkeel.desk.risk.books import books_of_portfolio
from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.desk.risk.falls import Fall
from evenkeel.desk.risk.figures import Question, figures
from evenkeel.domain import clock
from evenkeel.domain.portfolios import Span, Wanted
from evenkeel.quant.risk import METHODS, Tail
from evenkeel.server import portfolios as p
from evenkeel.server import schemas as s
from evenkeel.server import status, views, wire
from evenkeel.server.api.trading import find_instrument
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.parts import AppParts
from evenkeel.server.requests import NoQuery, PageQuery
from evenkeel.server.risk_metrics import book_of
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.portfolios.standing import PortfolioState
from evenkeel.trading.engine.portfolios.worth import worth_of

PATH = f"{PREFIX}/portfolio"
_ONE = f"{PATH}/{{portfolio_id}}"
_CONFIDENCE = (0.95, 0.99)
_OPEN = 2**63 - 1


async def list_portfolio_positions(portfolio_id: str, request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """The open positions of all its books, valued at the last prices."""
    wire.query(request, NoQuery)
    held, state = seen.portfolio(portfolio_id), seen.state
    found = [
        views.position(state, position)
        for account_id, book in held.books
        for position in state.accounts[account_id].positions.in_book(book)
        if position.quantity
    ]
    return wire.Json(s.Page(found))


async def list_portfolio_transactions(
    portfolio_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What has moved in its books while they were its own, newest first: the ledger with what was traded, and splits.
    Of a book that it has adopted, those from then on: so the amounts add up to its cash only with what such books had
    when they were adopted."""
    query = wire.query(request, p.TransactionsQuery)
    seen.portfolio(portfolio_id)
    spans = await parts.portfolios.spans(portfolio_id)
    return await _transactions(seen, parts, query, list(spans))


async def list_transactions(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What has moved in all your accounts, or in one, newest first."""
    query = wire.query(request, p.TransactionsQuery)
    if query.account_id is not None:
        seen.account(query.account_id)
    return await _transactions(seen, parts, query, [Span(account_id) for account_id in sorted(seen.account_ids())])


async def _transactions(seen: Tenant, parts: AppParts, query: p.TransactionsQuery, spans: list[Span]) -> Response:
    fields, state = wire.Fields(), seen.state
    wanted = Wanted(
        query.type,
        None if query.symbol is None else find_instrument(state, query.symbol, None, fields=fields),
        None if query.start is None else clock.parse_iso(query.start),
        None if query.end is None else clock.parse_iso(query.end),
    )
    fields.check("the query is not valid")
    asked = [span for span in spans if query.account_id in (None, span.account_id)]
    rows, after = await parts.portfolios.transactions(asked, wanted, limit=query.limit, cursor=query.cursor)
    return wire.Json(s.Page([p.transaction_out(state, row) for row in rows], after))


async def list_performance(
    portfolio_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The portfolio at the end of each of its days, newest first. Its day is that of its first account."""
    query = wire.query(request, PageQuery)
    seen.portfolio(portfolio_id)
    rows, after = await parts.portfolios.days(portfolio_id, limit=query.limit, cursor=query.cursor)
    return wire.Json(s.Page([p.day_out(row) for row in rows], after))


async def list_portfolio_trades(portfolio_id: str, request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """Round trips from flat to flat in the books it has, newest first: those that are open, and those closed since the
    book was its own."""
    query = wire.query(request, p.TripsQuery)
    held, trips = seen.portfolio(portfolio_id), request.app.state.trips
    assert isinstance(trips, Trips)
    await trips.follow(seen.state)
    wanted: dict[str, Callable[[int | None], bool]] = {
        "open": lambda closed: closed is None,
        "closed": lambda closed: closed is not None,
        "all": lambda closed: True,
    }
    found = [
        trip
        for key, since in held.books.items()
        for trip in trips.of_book.get(key, ())
        if (trip.closed_at is None or trip.closed_at >= since) and wanted[query.status](trip.closed_at)
    ]
    found.sort(key=lambda trip: (trip.closed_at or _OPEN, trip.opened_at), reverse=True)
    return wire.Json(s.Page([p.trip_out(seen.state, trip) for trip in found[: query.limit]]))


async def get_totals(request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """What your portfolios come to, or what they have in one account, by currency: amounts of two are never added."""
    query = wire.query(request, p.TotalsQuery)
    if query.account_id is not None:
        seen.account(query.account_id)
    found = totals(seen.state, seen.portfolios(), account_id=query.account_id)
    return wire.Json(s.Page([p.totals_out(one) for one in found]))


async def get_correlations(request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """How your portfolios have gone together, day by day."""
    query = wire.query(request, p.CorrelationsQuery)
    used = [held for held in seen.portfolios() if not held.portfolio.archived]
    return wire.Json(p.correlations_out(seen.state, correlation_matrix(used, days=query.days)))


async def get_portfolio_risk(
    portfolio_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """VaR and CVaR, volatility, exposure, concentration, and how its positions go together, over the past of what it
    holds now. What there is too little history for is null, and `lacking` says why."""
    wire.query(request, NoQuery)
    held, daily = seen.portfolio(portfolio_id), request.app.state.closes
    assert isinstance(daily, DailyCloses)
    books = books_of_portfolio(seen.state, portfolio_id)
    tails = tuple(Tail(confidence=share, horizon=1, method=method) for method in METHODS for share in _CONFIDENCE)
    question = Question(at=status.now(parts), tails=tails)
    found = await asyncio.to_thread(lambda: [figures(book, daily, question=question) for book in books])
    shown = [book_of(one, fall=_fall(seen, held), benchmark=None) for one in found]
    return wire.Json(p.PortfolioRiskOut(portfolio_id, held.portfolio.name, clock.iso(question.at), shown))


def _fall(seen: Tenant, held: PortfolioState) -> Fall:
    """How far it lies below its highest, and has lain at the end of a day."""
    now = held.growth.drawdown(worth_of(seen.state, held).value)
    return Fall(now, max(now, held.worst))


ENDPOINTS = (
    Endpoint(method="GET", path=f"{PATH}/totals", handler=get_totals, needs=Permission.READ,
             summary="What portfolios come to", tag="portfolio", query=p.TotalsQuery,
             answers={200: s.Page[p.PortfolioTotalsOut]}, errors=(404,)),
    Endpoint(method="GET", path=f"{PATH}/transactions", handler=list_transactions, needs=Permission.READ,
             summary="Transactions of accounts", tag="portfolio", query=p.TransactionsQuery,
             answers={200: s.Page[p.TransactionOut]}, errors=(404,), projected=True),
    Endpoint(method="GET", path=f"{PATH}/correlations", handler=get_correlations, needs=Permission.READ,
             summary="How portfolios go together", tag="portfolio", query=p.CorrelationsQuery,
             answers={200: p.PortfolioCorrelationsOut}),
    Endpoint(method="GET", path=f"{_ONE}/positions", handler=list_portfolio_positions, needs=Permission.READ,
             summary="Positions of a portfolio", tag="portfolio", query=NoQuery,
             answers={200: s.Page[s.PositionOut]}),
    Endpoint(method="GET", path=f"{_ONE}/transactions", handler=list_portfolio_transactions, needs=Permission.READ,
             summary="Transactions of a portfolio", tag="portfolio", query=p.TransactionsQuery,
             answers={200: s.Page[p.TransactionOut]}, projected=True),
    Endpoint(method="GET", path=f"{_ONE}/performance", handler=list_performance, needs=Permission.READ,
             summary="A portfolio day by day", tag="portfolio", query=PageQuery,
             answers={200: s.Page[p.PortfolioDayOut]}, projected=True),
    Endpoint(method="GET", path=f"{_ONE}/trades", handler=list_portfolio_trades, needs=Permission.READ,
             summary="Round trips of a portfolio", tag="portfolio", query=p.TripsQuery,
             answers={200: s.Page[p.TripOut]}),
    Endpoint(method="GET", path=f"{_ONE}/risk", handler=get_portfolio_risk, needs=Permission.READ,
             summary="The risk of a portfolio", tag="portfolio", query=NoQuery, answers={200: p.PortfolioRiskOut}),
)  # fmt: skip
