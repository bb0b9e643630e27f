"""Schedules by which portfolios are rebalanced, what became of each time one was due, and answers to proposals."""

import asyncio
import time
from collections.abc import Iterator

from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.desk.portfolios.moments import next_moment
from evenkeel.domain.commands import AnswerRebalanceRun, SetRebalanceSchedule
from evenkeel.domain.errors import Forbidden, InvalidInput, NotFound
from evenkeel.domain.money import ZERO
from evenkeel.domain.rebalance_schedules import DAY, MINUTE, Bands, Cadence, Mode, Schedule, Timing, schedule_faults
from evenkeel.server import rebalance_schedules as p
from evenkeel.server import schemas as s
from evenkeel.server import status, wire
from evenkeel.server.api.aims import check, read_aim
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.executing import pace_warnings, read_execution
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.state import State

_ONE = f"{PREFIX}/portfolio/{{portfolio_id}}/schedule"
_RUN = f"{_ONE}/runs/{{run_id}}"


async def get_rebalance_schedule(
    portfolio_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """By what a portfolio is rebalanced by itself, and when it is due next; 404 where it is not."""
    seen.portfolio(portfolio_id)
    return await _shown(seen.state, parts, portfolio_id)


async def _shown(state: State, parts: AppParts, portfolio_id: str, *, code: int = 200) -> Response:
    held = state.schedules.all.get(portfolio_id)
    if held is None:
        raise NotFound("this portfolio has no schedule of rebalancing")
    after = max(held.done, status.now(parts))
    following = await _next(state, held.schedule, after=after)
    warnings = pace_warnings(held.schedule.execution, parts.feed)
    return wire.Json(p.schedule_out(state, portfolio_id, held, following=following, warnings=warnings), code)


async def _next(state: State, schedule: Schedule, *, after: int) -> int | None:
    calendars = {state.instruments[name].calendar for name in schedule.aim.names}
    return await asyncio.to_thread(next_moment, schedule.timing, calendars, after=after)


async def set_rebalance_schedule(
    portfolio_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Has a portfolio rebalanced by a schedule from now on; one it had before ends, with what that has proposed. Only
    its owner may switch on the mode `trade`, which sends orders by itself."""
    given, received = await wire.body(request, p.ScheduleIn, most=wire.MAX_MANY), time.time_ns()
    this = seen.portfolio(portfolio_id).portfolio
    if given.mode is Mode.TRADE and not seen.is_self(this.user_id):
        raise Forbidden("only the owner of a portfolio may have it traded by itself", hint="Take the mode propose.")
    schedule = _read(seen, given)
    await check(seen, schedule.aim, tolerance=this.risk_tolerance)
    if not schedule_faults(schedule) and await _next(seen.state, schedule, after=status.now(parts)) is None:
        raise InvalidInput("the schedule is not valid: its exchanges have no day on which all are open")
    by = seen.provenance(received)
    command = SetRebalanceSchedule(portfolio_id=portfolio_id, schedule=schedule, provenance=by)
    outcome = await parts.runner.submit(command)
    return await _shown(parts.runner.state, parts, portfolio_id, code=201 if outcome.created else 200)


def _read(seen: Tenant, given: p.ScheduleIn) -> Schedule:
    fields = wire.Fields()
    buffer = fields.number("buffer", given.buffer, "share")
    bands = Bands(
        fields.number("band", given.band, "share"),
        fields.number("relative_band", given.relative_band, "share"),
        given.trade,
    )
    least = fields.required("min_trade", given.min_trade, "not-negative")
    execution = read_execution(given.execution, fields)
    aim = read_aim(seen, given.targets, given.optimise, fields)
    timing, expires = _timing(given), DAY if given.expires is None else given.expires * MINUTE
    for name, message in _idle(given):
        fields.fault(name, message)
    fields.check("the schedule is not valid")
    return Schedule(timing, aim, given.mode, bands, buffer or ZERO, least, execution, expires)


def _timing(given: p.ScheduleIn) -> Timing:
    told = {"after_open": given.after_open, "before_close": given.before_close, "every": given.every}
    spans = {name: minutes * MINUTE for name, minutes in told.items() if minutes is not None}
    return Timing(given.cadence, last=given.last, max_age=given.max_age * MINUTE, **spans)


def _idle(given: p.ScheduleIn) -> Iterator[tuple[str, str]]:
    """What is said of a schedule and would never matter, by field."""
    is_band = given.cadence is Cadence.BAND
    if given.after_open is not None and given.before_close is not None:
        yield "before_close", "goes in the place of a time after the open: leave one of the two out"
    if given.every is not None and not is_band:
        yield "every", f"is how often bands are looked at: leave it out, or take the cadence {Cadence.BAND}"
    if given.expires is not None and given.mode is Mode.TRADE:
        yield "expires", f"is how long a proposal waits: leave it out, or take the mode {Mode.PROPOSE}"


async def clear_rebalance_schedule(
    portfolio_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Has a portfolio rebalanced by itself no more. A proposal that waits is withdrawn; a rebalance that is under way
    goes on."""
    seen.portfolio(portfolio_id)
    command = SetRebalanceSchedule(portfolio_id=portfolio_id, provenance=seen.provenance(time.time_ns()))
    await parts.runner.submit(command)
    return Response(status_code=204)


async def list_rebalance_runs(portfolio_id: str, request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """What became of each time that a schedule was due, newest first: the last 200 there are."""
    query = wire.query(request, p.RunsQuery)
    seen.portfolio(portfolio_id)
    runs = list(seen.state.schedules.runs.get(portfolio_id, {}).values())[::-1]
    return wire.Json(s.Page([p.run_out(seen.state, one) for one in runs[: query.limit]]))


async def approve_rebalance(
    portfolio_id: str, run_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Sends the trades of a proposal as they were proposed. 409 where it waits no more, or what is held has changed."""
    return await _answered(portfolio_id, run_id, seen, parts=parts, approve=True)


async def decline_rebalance(
    portfolio_id: str, run_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Has a proposal wait no more; nothing is traded."""
    return await _answered(portfolio_id, run_id, seen, parts=parts, approve=False)


async def _answered(portfolio_id: str, run_id: str, seen: Tenant, *, parts: AppParts, approve: bool) -> Response:
    seen.portfolio(portfolio_id)
    by = seen.provenance(time.time_ns())
    command = AnswerRebalanceRun(portfolio_id=portfolio_id, run_id=run_id, approve=approve, provenance=by)
    await parts.runner.submit(command)
    state = parts.runner.state
    run = state.schedules.run(portfolio_id, run_id)
    assert run is not None
    return wire.Json(p.run_out(state, run))


ENDPOINTS = (
    Endpoint(method="GET", path=_ONE, handler=get_rebalance_schedule, needs=Permission.READ, tag="portfolio",
             summary="A portfolio's schedule of rebalancing", answers={200: p.ScheduleOut}),
    Endpoint(method="PUT", path=_ONE, handler=set_rebalance_schedule, needs=Permission.TRADE, tag="portfolio",
             summary="Set its schedule of rebalancing", cost=1, body=p.ScheduleIn,
             answers={201: p.ScheduleOut, 200: p.ScheduleOut}, errors=(409,), journalled=True),
    Endpoint(method="DELETE", path=_ONE, handler=clear_rebalance_schedule, needs=Permission.TRADE, tag="portfolio",
             summary="Clear its schedule of rebalancing", answers={204: None}, journalled=True),
    Endpoint(method="GET", path=f"{_ONE}/runs", handler=list_rebalance_runs, needs=Permission.READ, tag="portfolio",
             summary="What its schedule has done", query=p.RunsQuery, answers={200: s.Page[p.RunOut]}),
    Endpoint(method="POST", path=f"{_RUN}/approve", handler=approve_rebalance, needs=Permission.TRADE, tag="portfolio",
             summary="Approve a proposed rebalance", answers={200: p.RunOut}, errors=(409,), journalled=True),
    Endpoint(method="POST", path=f"{_RUN}/decline", handler=decline_rebalance, needs=Permission.TRADE, tag="portfolio",
             summary="Decline a proposed rebalance", answers={200: p.RunOut}, errors=(409,), journalled=True),
)  # fmt: skip
