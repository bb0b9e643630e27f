"""Rebalances, and the weights they are made of, as the API takes and shows them."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct, field

from evenkeel.desk.portfolios.rebalancing import AccountPlan, Plan, Skipped
from evenkeel.domain import clock
from evenkeel.domain.composites import CompositeState
from evenkeel.domain.money import plain
from evenkeel.domain.orders import OrderState, Side
from evenkeel.domain.rebalancing import PlannedTrade
from evenkeel.domain.taxes import WASH_DAYS
from evenkeel.server.executing import ExecutionIn
from evenkeel.server.requests import TEXT, Cash, MaybeShare, Reference, Signed, Symbol
from evenkeel.server.schemas import Amount, Id, Moment
from evenkeel.server.taxes import PlanTaxOut, WashDays, YieldIn
from evenkeel.trading.engine.portfolios.underway import Underway
from evenkeel.trading.engine.state import State

MOST_ASSETS, MOST_DAYS = 200, 1_000
_Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=TEXT, description="1 to 200 printable characters")]
_Word = Annotated[str, Meta(min_length=1, max_length=64, pattern=TEXT, description="1 to 64 printable characters")]
_Number = Annotated[float, Meta(ge=-100, le=100, description="-100 to 100")]
_Symbols = Annotated[list[Symbol], Meta(min_length=1, max_length=MOST_ASSETS)]


class TargetIn(Struct, forbid_unknown_fields=True):
    """The share of the portfolio that an instrument is to be; below zero: sold short."""

    symbol: Symbol
    weight: Signed
    venue: Symbol | None = None


class WishIn(Struct, forbid_unknown_fields=True, kw_only=True):
    """Weights by an objective of `evenkeel.optimize`, over the last `days` daily returns of these symbols that the
    desk has bars of. Without one, a portfolio goes by its own tolerance of risk; else it is `max-sharpe`.
    `constraints` are texts such as "AAPL + MSFT <= 0.4"; `least` and `most` bound every weight. From `target` on they
    are options of the objective; `benchmark` are the weights to track. Figures are a year's."""

    symbols: _Symbols
    objective: _Word | None = None
    constraints: Annotated[list[_Text], Meta(max_length=50)] = []
    days: Annotated[int, Meta(ge=20, le=MOST_DAYS, description=f"20 to {MOST_DAYS} days")] = 500
    least: Annotated[float, Meta(ge=-10, le=10)] = 0.0
    most: Annotated[float, Meta(ge=-10, le=10)] = 1.0
    covariance: _Word = "sample"
    mean: _Word = "historical"
    risk_free: _Number = 0.0
    target: _Number | None = None
    tolerance: Annotated[float, Meta(ge=0, le=1, description="0 to 1")] | None = None
    aversion: Annotated[float, Meta(gt=0, le=1e6, description="above 0")] | None = None
    confidence: Annotated[float, Meta(ge=0.5, lt=1, description="0.5 or more, below 1")] | None = None
    doubt: Annotated[float, Meta(ge=0, le=1e6, description="0 or more")] | None = None
    benchmark: Annotated[list[TargetIn], Meta(max_length=MOST_ASSETS)] = []


class RebalanceIn(Struct, forbid_unknown_fields=True, kw_only=True):
    """Either `targets` or an objective to `optimise`. What the portfolio holds and is not named is sold. `buffer` is
    the share that stays in cash, `band` how far a weight may be off and is left alone, `min_trade` the least value of a
    trade. With `across`, weights are shares of all accounts together, and each sells or buys where the least tax is
    paid, with what instruments yield in a year in `yields`. A preview looks for wash sales within `wash_days`, and has
    no use for what follows: a name that is known, `client_rebalance_id` or the header `Idempotency-Key`, places nothing
    new; with `retry` what came to nothing of it is placed anew."""

    targets: Annotated[list[TargetIn], Meta(max_length=MOST_ASSETS)] = []
    optimise: WishIn | None = None
    buffer: MaybeShare = field(default_factory=Raw)
    band: MaybeShare = field(default_factory=Raw)
    min_trade: Cash = field(default_factory=lambda: Raw(b"0"))
    execution: ExecutionIn | None = None
    across: bool = False
    yields: Annotated[list[YieldIn], Meta(max_length=MOST_ASSETS)] = []
    wash_days: WashDays = WASH_DAYS
    client_rebalance_id: Reference | None = None
    retry: bool = False


class RebalancesQuery(Struct, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=500, description="1 to 500")] = 100


class WeightOut(Struct):
    symbol: str
    weight: float


class OptimizedOut(Struct):
    """`value` is what the objective has reached, of the `figure` it names; `metrics` are a year's. null where a number
    is not defined."""

    objective: str
    figure: str
    value: float | None
    days: int
    weights: list[WeightOut]
    metrics: dict[str, float | None]


class CornerOut(Struct):
    """A corner of the efficient frontier: between two neighbours lie their mixtures. Figures are a year's."""

    expected_return: float
    volatility: float
    weights: list[WeightOut]


class FrontierOut(Struct):
    """From the most return to the least variance."""

    days: int
    corners: list[CornerOut]


class ShareOut(Struct):
    """An instrument's weight before, as wanted, and after, as shares of the portfolio's own books."""

    symbol: str
    before: Amount
    target: Amount
    after: Amount | None


class TradeOut(Struct):
    """A planned trade at the last price; `value` is without charges."""

    account_id: Id
    symbol: str
    side: Side
    quantity: Amount
    price: Amount
    value: Amount


class SkippedOut(Struct):
    """What is not traded, and why; without a symbol, nothing in the account is."""

    account_id: Id
    symbol: str | None
    reason: str


class AccountPlanOut(Struct):
    """`cost` is estimated by the account's own schedule. `drift` is the furthest that a weight is off; `gap` by how
    much at most, in money, other lots would come nearer to the weights."""

    account_id: Id
    worth: Amount
    cash: Amount
    cash_after: Amount
    cost: Amount
    drift: Amount
    drift_after: Amount
    gap: float
    trades: list[TradeOut]


class PlanOut(Struct):
    """What would be traded now. Volatilities are a year's, over the daily closes the desk has; null where there are too
    few. `drift` is the furthest that a weight of the whole is off, before and after. `refusals` are trades that risk
    would refuse as things stand; `warnings` say what else may not go as it is asked for."""

    portfolio_id: Id
    value: Amount
    traded: Amount
    turnover: Amount
    cost: Amount
    drift: Amount
    drift_after: Amount
    volatility: float | None
    volatility_after: float | None
    weights: list[ShareOut]
    accounts: list[AccountPlanOut]
    skipped: list[SkippedOut]
    refusals: list[SkippedOut]
    tax: PlanTaxOut
    warnings: list[str]


class RebalanceOrderOut(Struct):
    """A trade and its order, or the sliced order that it is; without either, it waits for the account's sales."""

    account_id: Id
    symbol: str
    side: Side
    quantity: Amount
    attempt: int
    order_id: Id | None
    state: OrderState | None
    filled: Amount
    composite_id: Id | None = None
    composite_state: CompositeState | None = None


class RebalanceOut(Struct):
    """A rebalance as it stands. `cost` is what fills were charged, `traded` what they came to; `reasons` say why a
    trade did not happen in full; the answer to a rebalance has `warnings` of what may not go as it is asked for."""

    id: Id
    client_rebalance_id: str
    portfolio_id: Id
    state: Literal["RUNNING", "DONE", "INCOMPLETE"]
    created_at: Moment
    ended_at: Moment | None
    attempts: int
    value: Amount
    estimated_cost: Amount
    cost: Amount
    traded: Amount
    weights: list[ShareOut]
    orders: list[RebalanceOrderOut]
    reasons: list[str]
    warnings: list[str] = []


def plan_out(
    state: State, plan: Plan, *, volatility: tuple[float | None, float | None], tax: PlanTaxOut, warnings: list[str]
) -> PlanOut:
    return PlanOut(
        plan.portfolio_id,
        plain(plan.value),
        plain(plan.traded),
        plain(plan.turnover),
        plain(plan.cost),
        plain(plan.drift),
        plain(plan.drift_after),
        *volatility,
        _shares(state, plan.before, plan.target, plan.after),
        [_account(state, one) for one in plan.accounts],
        [_skipped(state, one) for one in plan.skipped],
        [_skipped(state, one) for one in plan.refusals],
        tax,
        warnings,
    )


def _shares(
    state: State, before: dict[str, Decimal], target: dict[str, Decimal], after: dict[str, Decimal] | None
) -> list[ShareOut]:
    names = sorted({*before, *target, *(after or ())}, key=lambda name: state.instruments[name].symbol)
    nothing = Decimal(0)
    return [
        ShareOut(
            state.instruments[name].symbol,
            plain(before.get(name, nothing)),
            plain(target.get(name, nothing)),
            None if after is None else plain(after.get(name, nothing)),
        )
        for name in names
    ]


def _account(state: State, one: AccountPlan) -> AccountPlanOut:
    return AccountPlanOut(
        one.account_id,
        plain(one.worth),
        plain(one.cash),
        plain(one.cash_after),
        plain(one.cost),
        plain(one.drift),
        plain(one.drift_after),
        round(one.gap, 4),
        [trade_out(state, trade) for trade in one.trades],
    )


def trade_out(state: State, trade: PlannedTrade) -> TradeOut:
    quantity = abs(trade.quantity)
    value = state.notional(trade.instrument_id, quantity, trade.price)
    symbol = state.instruments[trade.instrument_id].symbol
    return TradeOut(trade.account_id, symbol, trade.side, plain(quantity), plain(trade.price), plain(value))


def _skipped(state: State, one: Skipped) -> SkippedOut:
    symbol = None if one.instrument_id is None else state.instruments[one.instrument_id].symbol
    return SkippedOut(one.account_id, symbol, one.reason)


def rebalance_out(state: State, one: Underway) -> RebalanceOut:
    this, ended = one.rebalance, one.ended
    stands: Literal["RUNNING", "DONE", "INCOMPLETE"] = "RUNNING"
    if ended is not None:
        stands = "DONE" if ended.success else "INCOMPLETE"
    return RebalanceOut(
        this.id,
        this.name,
        this.portfolio_id,
        stands,
        clock.iso(one.since),
        None if ended is None else clock.iso(ended.at),
        len(one.attempts),
        plain(this.value),
        plain(this.cost),
        plain(one.cost),
        plain(one.traded),
        _shares(state, this.before, this.target, None if ended is None else ended.after),
        [
            _order(state, one, trade, attempt=attempt, place=place)
            for attempt, trades in enumerate(one.attempts)
            for place, trade in enumerate(trades)
        ],
        [] if ended is None else list(ended.reasons),
    )


def _order(state: State, one: Underway, trade: PlannedTrade, *, attempt: int, place: int) -> RebalanceOrderOut:
    placed = one.placed(state, place, attempt=attempt)
    order, composite = (None, None) if placed is None else (placed.order, placed.composite)
    return RebalanceOrderOut(
        trade.account_id,
        state.instruments[trade.instrument_id].symbol,
        trade.side,
        plain(abs(trade.quantity)),
        attempt + 1,
        None if order is None else order.id,
        None if order is None else order.state,
        "0" if placed is None else plain(placed.filled),
        None if composite is None else composite.id,
        None if composite is None else composite.state,
    )
