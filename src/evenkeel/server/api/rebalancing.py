"""Weights by an objective over the desk's own bars; rebalances of portfolios, previewed and sent; and their history."""

import asyncio
import time
from decimal import Decimal
from hashlib import blake2b
from math import isfinite
from typing import TYPE_CHECKING

import msgspec
from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.desk.portfolios.planning import paced, planned
from evenkeel.desk.portfolios.rebalancing import Plan, Terms
from evenkeel.desk.portfolios.weighing import as_targets, returns_of, settled, volatility, weighed
from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.desk.risk.figures import a_year
from evenkeel.domain.commands import RebalancePortfolio
from evenkeel.domain.errors import FieldError, InvalidInput, NotFound
from evenkeel.domain.ids import Random
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import ZERO, total
from evenkeel.domain.rebalance_schedules import Aim
from evenkeel.domain.rebalancing import Rebalance
from evenkeel.domain.taxes import WASH_DAYS
from evenkeel.server import rebalancing as p
from evenkeel.server import schemas as s
from evenkeel.server import status, wire
from evenkeel.server.api.taxes import read_across, tax_of_plan
from evenkeel.server.api.trading import find_instrument
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.executing import read_execution
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant

if TYPE_CHECKING:
    from evenkeel.research.portfolio.optimize import Optimized

_PATH = f"{PREFIX}/portfolio"
_ONE = f"{_PATH}/{{portfolio_id}}"
_MOST_BODY = wire.MAX_MANY
_RISK_DAYS = 250
_NEVER_MORE = Decimal("1.000001")


async def optimize_weights(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The weights that an objective finds over the daily closes the desk has, up to now. Nothing is traded."""
    given, fields = await wire.body(request, p.WishIn), wire.Fields()
    instruments = read_instruments(seen, given, fields, at="")
    fields.check("the request is not valid")
    found = await _weighed(request, parts, given, instruments)
    metrics = {name: _finite(value) for name, value in found.metrics.items()}
    weights = [p.WeightOut(name, weight) for name, weight in found.weights.items()]
    return wire.Json(
        p.OptimizedOut(found.objective, found.figure, _finite(found.value), _days(found), weights, metrics)
    )


async def find_frontier(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Every corner of the efficient frontier within the bounds; objective and constraints are not read."""
    given, fields = await wire.body(request, p.WishIn), wire.Fields()
    instruments = read_instruments(seen, given, fields, at="")
    fields.check("the request is not valid")
    wish = msgspec.structs.replace(given, objective="min-variance", constraints=[], target=None)
    found = await _weighed(request, parts, wish, instruments)
    line = await asyncio.to_thread(found.frontier)
    corners = [
        p.CornerOut(
            float(line.returns[place]),
            float(line.risks[place]),
            [
                p.WeightOut(one.symbol, float(weight))
                for one, weight in zip(instruments, line.weights[place], strict=True)
            ],
        )
        for place in range(len(line.weights))
    ]
    return wire.Json(p.FrontierOut(_days(found), corners))


def _days(found: "Optimized") -> int:
    return 0 if found.returns is None else len(found.returns)


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def read_instruments(seen: Tenant, given: p.WishIn, fields: wire.Fields, *, at: str) -> list[Instrument]:
    if len({one.upper() for one in given.symbols}) < len(given.symbols):
        fields.fault(f"{at}symbols", "each symbol once")
    if given.least > given.most:
        fields.fault(f"{at}least", "no more than `most`")
    ids = [
        find_instrument(seen.state, one, None, fields=fields, field=f"{at}symbols.{place}")
        for place, one in enumerate(given.symbols)
    ]
    return [seen.state.instruments[one] for one in ids if one]


async def _weighed(
    request: Request,
    parts: AppParts,
    given: p.WishIn,
    instruments: list[Instrument],
    *,
    tolerance: Decimal | None = None,
) -> "Optimized":
    """What an objective finds; without one, by a portfolio's `tolerance`, where there is a portfolio."""
    daily = request.app.state.closes
    assert isinstance(daily, DailyCloses)
    aim, started = settled(aim_of(given, instruments), tolerance=tolerance), time.perf_counter()
    found = await asyncio.to_thread(weighed, daily, instruments, aim, at=status.now(parts))
    parts.metrics.observe_optimization(found.objective, time.perf_counter() - started)
    return found


def aim_of(given: p.WishIn, instruments: list[Instrument]) -> Aim:
    """What an objective is asked to do, as schedules keep it."""
    return Aim(
        instrument_ids=tuple(one.id for one in instruments),
        objective=given.objective or "",
        constraints=tuple(given.constraints),
        days=given.days,
        least=given.least,
        most=given.most,
        covariance=given.covariance,
        mean=given.mean,
        risk_free=given.risk_free,
        target=given.target,
        tolerance=given.tolerance,
    )


async def preview_rebalance(
    portfolio_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What a rebalance would trade now in each account, what that would cost, and what is left alone, and why. Nothing
    is placed, so whoever sees the portfolio may ask."""
    given = await wire.body(request, p.RebalanceIn, most=_MOST_BODY)
    seen.portfolio(portfolio_id)
    plan = await _planned(portfolio_id, request, seen, parts, given)
    risks = await _risks(request, seen, parts, plan)
    tax = await tax_of_plan(portfolio_id, request, seen, parts, plan, days=given.wash_days)
    return wire.Json(p.plan_out(seen.state, plan, volatility=risks, tax=tax))


async def rebalance_portfolio(
    portfolio_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Plans and places a rebalance: in each account sales first, purchases once these have ended. Sent again by the
    same name it places nothing new, and answers 200 with how it stands. 409 while another is under way."""
    received, fields = time.time_ns(), wire.Fields()
    given = await wire.body(request, p.RebalanceIn, most=_MOST_BODY)
    held = seen.portfolio(portfolio_id)
    name = given.client_rebalance_id or wire.idempotency_key(request, fields)
    fields.check("the request is not valid")
    if given.retry and name is None:
        fields.fault("retry", "needs the client_rebalance_id of the one to go on with")
        fields.check("the request is not valid")
    execution = read_execution(given.execution, fields)
    fields.check("the rebalance is not valid")
    rebalance_id = Random().public(received, 0, "rebalance")
    name, asked = name or rebalance_id, _digest(given)
    known = seen.state.rebalances.find(held.portfolio.id, name)
    if known is None and given.retry:
        raise NotFound(f"there is no rebalance {name!r} of this portfolio to go on with")
    if known is None:
        plan = await _planned(portfolio_id, request, seen, parts, given)
        names = dict.fromkeys(trade.instrument_id for trade in plan.trades)
        traded = [seen.state.instruments[one] for one in names]
        execution = await paced(execution, parts.bars, traded, at=status.now(parts))
        this = Rebalance(
            rebalance_id, portfolio_id, name, asked, plan.value, plan.cost, plan.before, plan.target, plan.trades,
            execution,
        )  # fmt: skip
    else:
        this = msgspec.structs.replace(known.rebalance, asked=asked)
    command = RebalancePortfolio(rebalance=this, retry=given.retry, provenance=seen.provenance(received))
    outcome = await parts.runner.submit(command)
    state = parts.runner.state
    answer = p.rebalance_out(state, state.rebalances.all[outcome.id])
    return wire.Json(answer, 201 if outcome.created else 200)


def _digest(given: p.RebalanceIn) -> str:
    """Of what is asked for, whatever it is called."""
    plain = msgspec.structs.replace(given, client_rebalance_id=None, retry=False, wash_days=WASH_DAYS)
    return blake2b(msgspec.json.encode(plain), digest_size=16).hexdigest()


async def _planned(portfolio_id: str, request: Request, seen: Tenant, parts: AppParts, given: p.RebalanceIn) -> Plan:
    terms = await _terms(request, seen, parts, given, portfolio_id=portfolio_id)
    across = await read_across(request, seen, parts, given=given.yields, wanted=given.across)
    if across is not None and any(weight < 0 for weight in terms.weights.values()):
        fault = FieldError("across", "takes no weights below zero: what is sold short is sold in one account")
        raise InvalidInput("the rebalance is not valid", errors=(fault,))
    return await planned(lambda: parts.runner.state, portfolio_id, terms, across=across)


async def _terms(request: Request, seen: Tenant, parts: AppParts, given: p.RebalanceIn, *, portfolio_id: str) -> Terms:
    fields = wire.Fields()
    if bool(given.targets) is (given.optimise is not None):
        fields.fault("targets", "give either targets or an objective to optimise")
    buffer = fields.number("buffer", given.buffer, "share")
    band = fields.number("band", given.band, "share")
    least = fields.required("min_trade", given.min_trade, "not-negative")
    if buffer == 1:
        fields.fault("buffer", "below 1: with 1 nothing would be invested")
    weights = read_weights(seen, given.targets, fields)
    instruments = [] if given.optimise is None else read_instruments(seen, given.optimise, fields, at="optimise.")
    execution = read_execution(given.execution, fields)
    fields.check("the rebalance is not valid")
    if given.optimise is not None:
        tolerance = seen.portfolio(portfolio_id).portfolio.risk_tolerance
        found = await _weighed(request, parts, given.optimise, instruments, tolerance=tolerance)
        weights = as_targets(instruments, found.weights)
    pieces = 1 if execution is None else execution.pieces
    return Terms(weights, buffer or ZERO, band or ZERO, least, pieces=pieces)


def read_weights(seen: Tenant, targets: list[p.TargetIn], fields: wire.Fields) -> dict[str, Decimal]:
    weights: dict[str, Decimal] = {}
    for place, one in enumerate(targets):
        at = f"targets.{place}"
        name = find_instrument(seen.state, one.symbol, one.venue, fields=fields, field=f"{at}.symbol")
        if name in weights and name:
            fields.fault(f"{at}.symbol", "each instrument once")
        weight = fields.required(f"{at}.weight", one.weight, "signed")
        if abs(weight) > 1:
            fields.fault(f"{at}.weight", "from -1 to 1: a share of the portfolio")
        weights[name] = weight
    if total(list(weights.values())) > _NEVER_MORE:
        fields.fault("targets", f"the weights add up to {total(list(weights.values()))}, which is more than 1")
    return weights


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
