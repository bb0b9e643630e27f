"""Weights by an objective over the desk's own bars; rebalances of portfolios, previewed and sent; and their history."""

import asyncio
import time
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING

import msgspec
from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.desk.portfolios.asked import Asked, digest
from evenkeel.desk.portfolios.planning import paced, planned
from evenkeel.desk.portfolios.rebalancing import Plan, Terms
from evenkeel.desk.portfolios.weighing import as_targets, returns_of, settled, volatility, weighed
from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.desk.risk.figures import a_year
from evenkeel.domain.commands import RebalancePortfolio
from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.ids import Random
from evenkeel.domain.rebalance_schedules import OPTIONS, Aim
from evenkeel.domain.rebalancing import Rebalance
from evenkeel.server import rebalancing as p
from evenkeel.server import schemas as s
from evenkeel.server import status, wire
from evenkeel.server.api.aims import SHORT_ACROSS, check, instruments_of, read_asked, read_wish
from evenkeel.server.api.taxes import across_of, tax_of_plan
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.executing import pace_warnings
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant

if TYPE_CHECKING:
    from evenkeel.research.portfolio.optimize import Optimized

_PATH = f"{PREFIX}/portfolio"
_ONE = f"{_PATH}/{{portfolio_id}}"
_MOST_BODY = wire.MAX_MANY
_RISK_DAYS = 250


async def optimize_weights(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The weights that an objective finds over the daily closes the desk has, up to now. Nothing is traded."""
    aim = await _wish(seen, await wire.body(request, p.WishIn))
    found = await _weighed(request, parts, seen, aim)
    metrics = {name: _finite(value) for name, value in found.metrics.items()}
    weights = [p.WeightOut(name, weight) for name, weight in found.weights.items()]
    return wire.Json(
        p.OptimizedOut(found.objective, found.figure, _finite(found.value), _days(found), weights, metrics)
    )


async def find_frontier(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Every corner of the efficient frontier within the bounds; objective and constraints are not read."""
    given = await wire.body(request, p.WishIn)
    plain = dict.fromkeys(OPTIONS) | {"objective": "min-variance", "constraints": [], "benchmark": []}
    aim = await _wish(seen, msgspec.structs.replace(given, **plain))
    found = await _weighed(request, parts, seen, aim)
    line, symbols = await asyncio.to_thread(found.frontier), found.weights.assets
    corners = [
        p.CornerOut(
            float(line.returns[place]),
            float(line.risks[place]),
            [p.WeightOut(name, float(weight)) for name, weight in zip(symbols, line.weights[place], strict=True)],
        )
        for place in range(len(line.weights))
    ]
    return wire.Json(p.FrontierOut(_days(found), corners))


def _days(found: "Optimized") -> int:
    return 0 if found.returns is None else len(found.returns)


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None


async def _wish(seen: Tenant, given: p.WishIn) -> Aim:
    fields = wire.Fields()
    aim = read_wish(seen, given, fields, at="")
    fields.check("the request is not valid")
    await check(seen, aim, tolerance=None, at="")
    return aim


async def _weighed(
    request: Request, parts: AppParts, seen: Tenant, aim: Aim, *, tolerance: Decimal | None = None
) -> "Optimized":
    """What an objective finds; without one, by a portfolio's `tolerance`, where there is a portfolio."""
    daily = request.app.state.closes
    assert isinstance(daily, DailyCloses)
    sure, started = settled(aim, tolerance=tolerance), time.perf_counter()
    found = await asyncio.to_thread(weighed, daily, instruments_of(seen, aim), sure, at=status.now(parts))
    parts.metrics.observe_optimization(found.objective, time.perf_counter() - started)
    return found


async def preview_rebalance(
    portfolio_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What a rebalance would trade now in each account, what that would cost, and what is left alone, and why. Nothing
    is placed, so whoever sees the portfolio may ask."""
    given = await wire.body(request, p.RebalanceIn, most=_MOST_BODY)
    tolerance = seen.portfolio(portfolio_id).portfolio.risk_tolerance
    asked = await read_asked(seen, given, tolerance=tolerance)
    plan = await _planned(portfolio_id, request, seen, parts, asked)
    risks = await _risks(request, seen, parts, plan)
    tax = await tax_of_plan(portfolio_id, request, seen, parts, plan, days=given.wash_days)
    warnings = pace_warnings(asked.execution, parts.feed)
    return wire.Json(p.plan_out(seen.state, plan, volatility=risks, tax=tax, warnings=warnings))


async def rebalance_portfolio(
    portfolio_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Plans and places a rebalance: in each account sales first, purchases once these have ended. Sent again by the
    same name it places nothing new, and answers 200 with how it stands. 409 while another is under way."""
    received, fields = time.time_ns(), wire.Fields()
    given = await wire.body(request, p.RebalanceIn, most=_MOST_BODY)
    held = seen.portfolio(portfolio_id)
    name = given.client_rebalance_id or wire.idempotency_key(request, fields)
    if given.retry and name is None:
        fields.fault("retry", "needs the client_rebalance_id of the one to go on with")
    fields.check("the request is not valid")
    asked = await read_asked(seen, given, tolerance=held.portfolio.risk_tolerance)
    meant = await asyncio.to_thread(digest, asked, [one.symbol for one in instruments_of(seen, asked.aim)])
    rebalance_id = Random().public(received, 0, "rebalance")
    name = name or rebalance_id
    known = seen.state.rebalances.find(held.portfolio.id, name)
    if known is None and given.retry:
        raise NotFound(f"there is no rebalance {name!r} of this portfolio to go on with")
    if known is None:
        plan = await _planned(portfolio_id, request, seen, parts, asked)
        traded = [seen.state.instruments[one] for one in dict.fromkeys(trade.instrument_id for trade in plan.trades)]
        execution = await paced(asked.execution, parts.bars, traded, at=status.now(parts))
        this = Rebalance(
            rebalance_id, portfolio_id, name, meant, plan.value, plan.cost, plan.before, plan.target, plan.trades,
            execution,
        )  # fmt: skip
    else:
        this = msgspec.structs.replace(known.rebalance, asked=meant)
    command = RebalancePortfolio(rebalance=this, retry=given.retry, provenance=seen.provenance(received))
    outcome = await parts.runner.submit(command)
    state = parts.runner.state
    answer = p.rebalance_out(state, state.rebalances.all[outcome.id])
    answer.warnings = pace_warnings(asked.execution, parts.feed)
    return wire.Json(answer, 201 if outcome.created else 200)


async def _planned(portfolio_id: str, request: Request, seen: Tenant, parts: AppParts, asked: Asked) -> Plan:
    weights = asked.aim.weights
    if asked.aim.instrument_ids:
        tolerance = seen.portfolio(portfolio_id).portfolio.risk_tolerance
        found = await _weighed(request, parts, seen, asked.aim, tolerance=tolerance)
        weights = as_targets(instruments_of(seen, asked.aim), found.weights)
    pieces = 1 if asked.execution is None else asked.execution.pieces
    terms = Terms(weights, asked.buffer, asked.band, asked.least, pieces=pieces)
    across = None
    if asked.across:
        if any(weight < 0 for weight in weights.values()):
            raise InvalidInput("the rebalance is not valid", errors=(SHORT_ACROSS,))
        across = await across_of(request, seen, parts, asked.yields)
    return await planned(lambda: parts.runner.state, portfolio_id, terms, across=across)


async def _risks(request: Request, seen: Tenant, parts: AppParts, plan: Plan) -> tuple[float | None, float | None]:
    """The volatility before and after, None where bars do not reach."""
    daily = request.app.state.closes
    assert isinstance(daily, DailyCloses)
    instruments = [seen.state.instruments[name] for name in dict.fromkeys((*plan.before, *plan.after))]
    if not instruments:
        return None, None
    try:
        found = await asyncio.to_thread(returns_of, daily, instruments, at=status.now(parts), days=_RISK_DAYS)
    except InvalidInput:
        return None, None
    periods = a_year(instruments)
    return volatility(found, plan.before, periods=periods), volatility(found, plan.after, periods=periods)


async def list_rebalances(portfolio_id: str, request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """The portfolio's rebalances, newest first: weights before, wanted and reached, orders, cost, and what failed."""
    query = wire.query(request, p.RebalancesQuery)
    seen.portfolio(portfolio_id)
    found = [one for one in seen.state.rebalances.all.values() if one.rebalance.portfolio_id == portfolio_id]
    shown = [p.rebalance_out(seen.state, one) for one in found[::-1][: query.limit]]
    return wire.Json(s.Page(shown))


ENDPOINTS = (
    Endpoint(method="POST", path=f"{_PATH}/optimize", handler=optimize_weights, needs=Permission.READ, cost=1,
             summary="Weights by an objective", tag="portfolio", body=p.WishIn, answers={200: p.OptimizedOut}),
    Endpoint(method="POST", path=f"{_PATH}/frontier", handler=find_frontier, needs=Permission.READ, cost=1,
             summary="The efficient frontier", tag="portfolio", body=p.WishIn, answers={200: p.FrontierOut}),
    Endpoint(method="POST", path=f"{_ONE}/rebalance/preview", handler=preview_rebalance, needs=Permission.READ,
             cost=1, summary="Preview a rebalance", tag="portfolio", body=p.RebalanceIn, answers={200: p.PlanOut}),
    Endpoint(method="POST", path=f"{_ONE}/rebalance", handler=rebalance_portfolio, needs=Permission.TRADE, cost=1,
             summary="Rebalance a portfolio", tag="portfolio", body=p.RebalanceIn,
             answers={201: p.RebalanceOut, 200: p.RebalanceOut}, errors=(409,), journalled=True),
    Endpoint(method="GET", path=f"{_ONE}/rebalances", handler=list_rebalances, needs=Permission.READ,
             summary="Rebalances of a portfolio", tag="portfolio", query=p.RebalancesQuery,
             answers={200: s.Page[p.RebalanceOut]}),
)  # fmt: skip
