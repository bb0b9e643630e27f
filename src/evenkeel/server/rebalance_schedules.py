"""Schedules of rebalancing, and what became of each time that one was due, as the API takes and shows them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Raw, Struct, field

from evenkeel.domain import clock
from evenkeel.domain.money import plain
from evenkeel.domain.rebalance_schedules import MINUTE, Aim, Cadence, Mode, Reach, Run, RunState
from evenkeel.server.executing import ExecutionIn, execution_out
from evenkeel.server.rebalancing import MOST_ASSETS, TargetIn, TradeOut, WeightOut, WishIn, trade_out
from evenkeel.server.requests import Cash, MaybeShare
from evenkeel.server.schemas import Amount, Id, Moment
from evenkeel.trading.engine.portfolios.schedules import ScheduleState
from evenkeel.trading.engine.state import State

_OfDay = Annotated[int, Meta(ge=0, le=1439, description="0 to 1439 minutes")]
_Minutes = Annotated[int, Meta(ge=1, le=1440, description="1 to 1440 minutes")]
_Wait = Annotated[int, Meta(ge=1, le=10_080, description="1 to 10080 minutes")]


class ScheduleIn(Struct, forbid_unknown_fields=True, kw_only=True):
    """When a portfolio is rebalanced by itself, and to what: `targets`, or an objective found anew each time.

    It is due `after_open` minutes (30) after the open, or `before_close` minutes before the close, of the first session
    of each day, week, month or quarter, with `last` of the last one. The cadence `band` looks from then on, `every` so
    many minutes (60) of each session. With a `band` or `relative_band` it trades only where a weight is off by more:
    `trade` says whether then all are traded, or those beyond. `mode` is `propose`, which waits so many minutes
    (`expires`, 1440) for a person to approve, or `trade`. A moment missed by more than `max_age` minutes is left out.
    What would never matter is refused: `every` and no band, `last` and a band, `expires` and the mode `trade`.
    """

    cadence: Cadence
    mode: Mode = Mode.PROPOSE
    targets: Annotated[list[TargetIn], Meta(max_length=MOST_ASSETS)] = []
    optimise: WishIn | None = None
    buffer: MaybeShare = field(default_factory=Raw)
    band: MaybeShare = field(default_factory=Raw)
    relative_band: MaybeShare = field(default_factory=Raw)
    trade: Reach = Reach.ALL
    min_trade: Cash = field(default_factory=lambda: Raw(b"0"))
    execution: ExecutionIn | None = None
    after_open: _OfDay | None = None
    before_close: _OfDay | None = None
    last: bool = False
    every: _Minutes | None = None
    max_age: _Wait = 240
    expires: _Wait | None = None


class RunsQuery(Struct, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=200, description="1 to 200")] = 50


class ScheduleOut(Struct):
    """A portfolio's schedule; `next` is the first moment that is due, by the calendars named. Spans are in minutes;
    null where one does not matter. `warnings` say what may not go as it is asked for."""

    portfolio_id: Id
    cadence: Cadence
    mode: Mode
    calendars: list[str]
    next: Moment | None
    targets: list[WeightOut]
    optimise: ObjectiveOut | None
    buffer: Amount
    band: Amount | None
    relative_band: Amount | None
    trade: Reach
    min_trade: Amount
    execution: ExecutionIn
    after_open: int | None
    before_close: int | None
    last: bool
    every: int | None
    max_age: int
    expires: int | None
    set_by: str
    set_at: Moment
    warnings: list[str]


class ObjectiveOut(Struct):
    """As it was asked for; without an objective, by the portfolio's own tolerance of risk."""

    symbols: list[str]
    objective: str | None
    constraints: list[str]
    days: int
    least: float
    most: float
    covariance: str
    mean: str
    risk_free: float
    target: float | None
    tolerance: float | None
    aversion: float | None
    confidence: float | None
    doubt: float | None
    benchmark: list[WeightOut]


class RunOut(Struct):
    """What became of the moment `due`. A proposal that waits has its `trades`, and its end; one that was SENT has a
    rebalance of the same id."""

    id: Id
    portfolio_id: Id
    due: Moment
    state: RunState
    reason: str
    expires_at: Moment | None
    weights: list[WeightOut]
    trades: list[TradeOut]


def schedule_out(
    state: State, portfolio_id: str, held: ScheduleState, *, following: int | None, warnings: list[str]
) -> ScheduleOut:
    this = held.schedule
    timing, aim = this.timing, this.aim
    return ScheduleOut(
        portfolio_id=portfolio_id,
        cadence=timing.cadence,
        mode=this.mode,
        calendars=sorted({state.instruments[name].calendar for name in aim.names}),
        next=None if following is None else clock.iso(following),
        targets=_weights(state, aim.weights),
        optimise=_objective(state, aim) if aim.instrument_ids else None,
        buffer=plain(this.buffer),
        band=_maybe(this.bands.absolute),
        relative_band=_maybe(this.bands.relative),
        trade=this.bands.reach,
        min_trade=plain(this.least),
        execution=execution_out(this.execution),
        after_open=timing.after_open // MINUTE if timing.before_close is None else None,
        before_close=None if timing.before_close is None else timing.before_close // MINUTE,
        last=timing.last,
        every=timing.every // MINUTE if timing.cadence is Cadence.BAND else None,
        max_age=timing.max_age // MINUTE,
        expires=this.expires // MINUTE if this.mode is Mode.PROPOSE else None,
        set_by=held.provenance.actor,
        set_at=clock.iso(held.since),
        warnings=warnings,
    )


def _maybe(share: Decimal | None) -> str | None:
    return None if share is None else plain(share)


def _weights(state: State, weights: Mapping[str, Decimal] | Mapping[str, float]) -> list[WeightOut]:
    return [WeightOut(state.instruments[name].symbol, float(weight)) for name, weight in weights.items()]


def _objective(state: State, aim: Aim) -> ObjectiveOut:
    symbols = [state.instruments[name].symbol for name in aim.instrument_ids]
    return ObjectiveOut(
        symbols, aim.objective or None, list(aim.constraints), aim.days, aim.least, aim.most, aim.covariance, aim.mean,
        aim.risk_free, aim.target, aim.tolerance, aim.aversion, aim.confidence, aim.doubt,
        _weights(state, aim.benchmark),
    )  # fmt: skip


def run_out(state: State, run: Run) -> RunOut:
    this = run.rebalance
    return RunOut(
        run.id,
        run.portfolio_id,
        clock.iso(run.due),
        run.state,
        run.reason,
        clock.iso(run.expires) if run.expires else None,
        [] if this is None else _weights(state, this.target),
        [] if this is None else [trade_out(state, trade) for trade in this.trades],
    )
