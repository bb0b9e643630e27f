"""Walk-forward sessions: accounts with simulated fills on the live feed, from opening to frozen figures."""

import time
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING

from fastapi import Depends, Request, Response
from msgspec.structs import asdict, replace

from evenkeel.desk import walkforward as desk
from evenkeel.desk.permissions import Permission
from evenkeel.desk.walkforward import SessionRecord
from evenkeel.domain import clock
from evenkeel.domain.accounts import Account, AccountMode
from evenkeel.domain.commands import AnyCommand, CompleteSession, OpenSession, StartSession, StopSession
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.fills import Fill
from evenkeel.domain.ids import Random
from evenkeel.domain.money import ratio, rounded
from evenkeel.domain.strategies import Allocation, Deployment
from evenkeel.domain.walkforward import BROKERAGE_RATE, CAPITAL, WalkForwardSession
from evenkeel.quant.costs.schedules import SCHEDULES
from evenkeel.quant.costs.variants import Variant
from evenkeel.server import requests, wire
from evenkeel.server import schemas as s
from evenkeel.server import walkforward as w
from evenkeel.server.api.accounts import BROKER, check_currency, check_fees
from evenkeel.server.api.strategies import deployment_of
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.server.terms import fill_terms
from evenkeel.trading.engine.sessions import SessionState
from evenkeel.trading.engine.state import State

if TYPE_CHECKING:
    from evenkeel.quant.analytics import RoundTrips

_PATH = f"{PREFIX}/walkforward/sessions"
_ONE = f"{_PATH}/{{session_id}}"


async def list_sessions(request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """Every session of the user, or those of one status, in the order in which they were opened."""
    query = wire.query(request, w.SessionsQuery)
    held = [one for one in w.sessions(seen) if query.status in (None, one.status)]
    return wire.Json(s.Page([w.session(seen.state, one) for one in held]))


async def get_session(session_id: str, seen: Tenant = Depends(tenant)) -> Response:
    """One session as it stands, or as it was when it was completed."""
    return wire.Json(w.session(seen.state, w.session_of(seen, session_id)))


async def open_session(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Opens a session with a walk-forward account of its own, its capital and its strategies: all of it or nothing."""
    seen.require_everything()
    given = await wire.body(request, w.NewSession)
    received = time.time_ns()
    account, session = _opened(seen, parts, given, received=received)
    deployments = await _deployments(seen, parts, given, account=account, received=received)
    provenance = seen.provenance(received)
    await parts.runner.submit(
        OpenSession(session=session, account=account, deployments=deployments, provenance=provenance)
    )
    if given.start:
        await parts.runner.submit(StartSession(session_id=session.id, provenance=provenance))
    state = parts.runner.state
    return wire.Json(w.session(state, state.walkforwards[session.id]), 201, {"location": f"{_PATH}/{session.id}"})


def _opened(seen: Tenant, parts: AppParts, given: w.NewSession, *, received: int) -> tuple[Account, WalkForwardSession]:
    fields, ids = wire.Fields(), Random()
    capital = fields.number("capital", given.capital)
    rate = w.given_or(BROKERAGE_RATE, fields.number("brokerage_rate", given.brokerage_rate, "share"))
    most = fields.number("max_position_share", given.max_position_share, "share")
    costs = _costs(given, rate, fields)
    check_currency(given.currency, fields)
    fields.check("the session cannot be opened")
    account = Account(
        id=ids.public(received, 0, "account"),
        user_id=seen.user.id,
        name=given.name,
        broker=BROKER,
        currency=given.currency,
        mode=AccountMode.WALKFORWARD,
        type=given.type,
        costs=costs,
        limits=replace(parts.limits, max_position_share=most),
        terms=fill_terms(given.terms),
    )
    session = WalkForwardSession(
        id=ids.public(received, 0, "session"),
        name=given.name,
        user_id=seen.user.id,
        account_id=account.id,
        capital=w.given_or(CAPITAL, capital),
        costs=given.costs,
        brokerage_rate=rate,
    )
    return account, session


def _costs(given: w.NewSession, rate: Decimal, fields: wire.Fields) -> str:
    """The schedule by which the session's account pays: none at all without costs."""
    check_fees(given.fees, fields)
    if given.costs and given.fees not in SCHEDULES:
        fields.fault("fees", "the plain name of a schedule: the session says itself what is otherwise")
    if rate >= 1:
        fields.fault("brokerage_rate", "a fraction of value from 0, below 1")
    return Variant(rate, given.taxes).name_of(given.fees) if given.costs else "zero"


async def _deployments(
    seen: Tenant, parts: AppParts, given: w.NewSession, *, account: Account, received: int
) -> tuple[Deployment, ...]:
    """The session's strategies, each with a share of its account and none of another."""
    found, faults = [], list[FieldError]()
    each = ratio(w.INVESTED, Decimal(max(1, len(given.strategies))))
    equal = rounded(each, Decimal("0.0001"), "ROUND_DOWN").normalize()
    for place, one in enumerate(given.strategies):
        fields = wire.Fields()
        share = w.given_or(equal, fields.number("allocation", one.allocation, "share"))
        faults += [FieldError(f"strategies.{place}.{fault.field}", fault.message) for fault in fields.faults]
        default = f"{given.name} {place + 1}" if len(given.strategies) > 1 else given.name
        asked = asdict(one) | {"name": one.name or default[:64]}
        del asked["allocation"]
        try:
            made = await deployment_of(seen, parts, requests.NewDeployment(**asked), received=received, is_alone=False)
        except InvalidInput as error:
            faults += [FieldError(f"strategies.{place}.{fault.field}", fault.message) for fault in error.errors]
        else:
            found.append(replace(made, accounts=(Allocation(account.id, share),)))
    if faults:
        raise InvalidInput("the session's strategies cannot be deployed", errors=tuple(faults))
    return tuple(found)


async def start_session(
    session_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Lets a stopped session trade. Its strategies go by the next change of their targets."""
    held = w.session_of(seen, session_id)
    command = StartSession(session_id=held.session.id, provenance=seen.provenance(time.time_ns()))
    return await _done(parts, command, held)


async def stop_session(
    session_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Has a session trade no more: its orders are cancelled, and what it holds is kept or, with `close`, closed."""
    given = await wire.body(request, w.StopIn)
    held = w.session_of(seen, session_id)
    provenance = seen.provenance(time.time_ns())
    return await _done(parts, StopSession(session_id=held.session.id, close=given.close, provenance=provenance), held)


async def complete_session(
    session_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Ends a session for good: what it holds is closed, its strategies are removed, and then its figures are frozen.

    It is `closing` until the market has filled the orders that close.
    """
    held = w.session_of(seen, session_id)
    command = CompleteSession(session_id=held.session.id, provenance=seen.provenance(time.time_ns()))
    return await _done(parts, command, held)


async def _done(parts: AppParts, command: AnyCommand, held: SessionState) -> Response:
    await parts.runner.submit(command)
    state = parts.runner.state
    return wire.Json(w.session(state, state.walkforwards[held.session.id]))


async def list_session_trades(session_id: str, request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """The session's round trips, first in first out: what is still open, then the closed ones, newest first."""
    wire.query(request, requests.NoQuery)
    held = w.session_of(seen, session_id)
    [trips] = _trips(seen.state, held)
    return wire.Json(s.Page([*_open(seen.state, trips), *reversed(_closed(seen.state, trips))]))


def _trips(state: State, *chosen: SessionState) -> "list[RoundTrips]":
    """The round trips of each session, which no two share, by one walk over the fills."""
    fills: dict[str, list[Fill]] = {held.session.account_id: [] for held in chosen}
    for (owner, _), fill in state.fills.items():
        if owner in fills:
            fills[owner].append(fill)
    return [desk.trips_of(own, state.instruments) for own in fills.values()]


def _open(state: State, trips: "RoundTrips") -> list[w.TradeOut]:
    found = []
    for place, one in enumerate(trips.open, 1):
        instrument = state.instruments[one.symbol]
        mark = state.mark(one.symbol)
        gross = 0.0 if mark is None else one.quantity * (float(mark) - one.price) * float(instrument.multiplier)
        found.append(
            w.TradeOut(
                id=f"open-{place}",
                symbol=instrument.symbol,
                side="long" if one.quantity > 0 else "short",
                quantity=w.amount(abs(one.quantity)),
                entry_at=clock.iso(one.entry_ts),
                entry_price=w.amount(one.price),
                exit_at=None,
                exit_price=None,
                fees=w.amount(one.fees),
                net=w.amount(gross - one.fees),
                return_share=None,
            )
        )
    return found


def _closed(state: State, trips: "RoundTrips") -> list[w.TradeOut]:
    return [
        w.TradeOut(
            id=str(at + 1),
            symbol=state.instruments[trips.symbol[at]].symbol,
            side="long" if trips.side[at] > 0 else "short",
            quantity=w.amount(float(trips.quantity[at])),
            entry_at=clock.iso(int(trips.entry_ts[at])),
            entry_price=w.amount(float(trips.entry_price[at])),
            exit_at=clock.iso(int(trips.exit_ts[at])),
            exit_price=w.amount(float(trips.exit_price[at])),
            fees=w.amount(float(trips.fees[at])),
            net=w.amount(float(trips.net[at])),
            return_share=float(trips.returns[at]) if isfinite(trips.returns[at]) else None,
        )
        for at in range(len(trips))
    ]


async def get_session_analytics(
    session_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The session's figures and its days, from the mark of every closed day."""
    query = wire.query(request, w.AnalyticsQuery)
    held = w.session_of(seen, session_id)
    record = await w.record_of(seen.state, held, parts.history)
    [trips] = _trips(seen.state, held)
    metrics = desk.figures(record, trips, periods=query.periods)
    rows = zip(record.days, record.returns, desk.drawdowns(record), strict=True)
    days = [
        w.SessionDayOut(
            date=day.date.isoformat(),
            equity=w.amount(day.equity),
            daily_return=gained,
            total_return=day.growth - 1.0,
            drawdown=drawdown,
        )
        for day, gained, drawdown in rows
    ]
    return wire.Json(w.AnalyticsOut(held.session.id, held.session.name, metrics, days))


async def compare_sessions(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Sessions side by side: the same figures of each, from the days that have closed; `equity` is now."""
    query = wire.query(request, w.TogetherQuery)
    state, found = seen.state, []
    chosen = w.chosen_of(seen, query.ids)
    for held, trips in zip(chosen, _trips(state, *chosen), strict=True):
        record, told = await w.record_of(state, held, parts.history), w.session(state, held)
        metrics = desk.figures(record, trips, periods=query.periods)
        found.append(w.ComparedOut(told.id, told.name, told.status, told.currency, told.capital, told.equity, metrics))
    return wire.Json(s.Page(found))


async def _records(seen: Tenant, parts: AppParts, ids: str) -> list[SessionRecord]:
    return [await w.record_of(seen.state, held, parts.history) for held in w.chosen_of(seen, ids)]


async def correlate_sessions(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """How the daily returns of sessions go together, over the days that all of them have."""
    query = wire.query(request, w.TogetherQuery)
    records = await _records(seen, parts, query.ids)
    matrix, days = desk.correlations(records)
    return wire.Json(w.CorrelationOut([one.id for one in records], [one.name for one in records], days, matrix))


async def combine_sessions(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The risk of sessions taken as one: drawdown, value at risk of the sum, and exposure. In one currency only."""
    query = wire.query(request, w.TogetherQuery)
    records = await _records(seen, parts, query.ids)
    return wire.Json(w.combined(seen.state, records, desk.combined(records)))


_NAMES = (
    "get_session", "start_session", "stop_session", "complete_session", "list_session_trades", "get_session_analytics",
)  # fmt: skip
_LINKS = tuple(Link(name, "session_id") for name in _NAMES)
ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=list_sessions, needs=Permission.READ, summary="Walk-forward sessions",
             tag="walkforward", query=w.SessionsQuery, answers={200: s.Page[w.SessionOut]}),
    Endpoint(method="POST", path=_PATH, handler=open_session, needs=Permission.TRADE, summary="Open a session",
             tag="walkforward", body=w.NewSession, answers={201: w.SessionOut}, errors=(409,), links=_LINKS),
    Endpoint(method="GET", path=f"{_PATH}/compare", handler=compare_sessions, needs=Permission.READ, cost=1,
             summary="Compare sessions", tag="walkforward", query=w.TogetherQuery,
             answers={200: s.Page[w.ComparedOut]}, errors=(404,), projected=True),
    Endpoint(method="GET", path=f"{_PATH}/correlation", handler=correlate_sessions, needs=Permission.READ, cost=1,
             summary="Correlation of sessions", tag="walkforward", query=w.TogetherQuery,
             answers={200: w.CorrelationOut}, errors=(404,), projected=True),
    Endpoint(method="GET", path=f"{_PATH}/risk", handler=combine_sessions, needs=Permission.READ, cost=1,
             summary="Combined risk of sessions", tag="walkforward", query=w.TogetherQuery,
             answers={200: w.CombinedOut}, errors=(404,), projected=True),
    Endpoint(method="GET", path=_ONE, handler=get_session, needs=Permission.READ, summary="A session",
             tag="walkforward", answers={200: w.SessionOut}),
    Endpoint(method="POST", path=f"{_ONE}/start", handler=start_session, needs=Permission.TRADE,
             summary="Start a session", tag="walkforward", answers={200: w.SessionOut}, errors=(409,)),
    Endpoint(method="POST", path=f"{_ONE}/stop", handler=stop_session, needs=Permission.REDUCE,
             summary="Stop a session", tag="walkforward", body=w.StopIn, answers={200: w.SessionOut}, errors=(409,)),
    Endpoint(method="POST", path=f"{_ONE}/complete", handler=complete_session, needs=Permission.TRADE,
             summary="Complete a session", tag="walkforward", answers={200: w.SessionOut}, errors=(409,)),
    Endpoint(method="GET", path=f"{_ONE}/trades", handler=list_session_trades, needs=Permission.READ,
             summary="A session's trades", tag="walkforward", query=requests.NoQuery,
             answers={200: s.Page[w.TradeOut]}),
    Endpoint(method="GET", path=f"{_ONE}/analytics", handler=get_session_analytics, needs=Permission.READ, cost=1,
             summary="A session's analytics", tag="walkforward", query=w.AnalyticsQuery,
             answers={200: w.AnalyticsOut}, projected=True),
)  # fmt: skip
