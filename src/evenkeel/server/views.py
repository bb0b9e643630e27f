"""State to what the API says: pure functions from live state to the objects of `schemas`.

P&L is net of charges: realised_pnl is what closed trades made less all fees paid, so that
realised + unrealised is what the account made on its positions.
"""

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from math import isclose
from typing import Any, Literal

from msgspec import to_builtins
from msgspec.structs import asdict

from evenkeel.domain import clock
from evenkeel.domain.accounts import AccountMode, Readiness, SendRate
from evenkeel.domain.clock import SECOND
from evenkeel.domain.fills import Fill
from evenkeel.domain.ids import derived
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import ZERO, add, exact, mul, plain, ratio, rounded, sub, total
from evenkeel.domain.orders import Order, OrderState
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.domain.records import SignalRecorded
from evenkeel.domain.strategies import Deployment
from evenkeel.server import schemas as s
from evenkeel.server.ports import EquityRow
from evenkeel.server.terms import terms_out
from evenkeel.trading.engine import keeping, watching
from evenkeel.trading.engine.state import AccountState, DeploymentState, State

_STEP = Decimal("0.00000001")
_HALF = Decimal("0.5")
_SAME = 1e-14
_HUNDRED = Decimal(100)
HERE = "evenkeel"
"""Where an order rests that no broker has."""


def text(value: Decimal) -> str:
    """A decimal written out: no exponent, no minus zero."""
    plainly = str(value if value else value.copy_abs())
    return format(value if value else value.copy_abs(), "f") if "E" in plainly else plainly


def maybe(value: Decimal | None) -> str | None:
    return None if value is None else text(value)


def measured(value: float) -> str:
    """A measurement in its shortest exact decimal form."""
    return text(Decimal(repr(value)).normalize())


def price(value: float, instrument: Instrument) -> str:
    """A measured price: on the grid of half ticks, which has the middle of bid and ask, where it lies there."""
    on_grid = exact(value, mul(instrument.tick_size, _HALF))
    return text(on_grid.normalize()) if isclose(float(on_grid), value, rel_tol=_SAME) else measured(value)


def share(part: Decimal, whole: Decimal) -> str:
    """part ÷ whole to 8 decimals, 0 where there is no whole."""
    return text(rounded(ratio(part, whole), _STEP)) if whole else "0"


def fraction(value: float) -> str:
    """A measured share or return to 8 decimals."""
    return text(exact(value, _STEP).normalize())


def _unit_price(cost: Decimal | None, instrument: Instrument) -> str | None:
    return None if cost is None else text(rounded(ratio(cost, instrument.multiplier), _STEP).normalize())


def strategy_name(state: State, book: str) -> str | None:
    """The name of the deployment whose book this is; None for other books."""
    held = state.deployments.get(book)
    return held.deployment.name if held is not None else None


def portfolio_name(state: State, account_id: str, book: str) -> str | None:
    """The name of the portfolio that a book of an account belongs to; None for other books."""
    owner = state.owners.get((account_id, book)) if state.owners else None
    return None if owner is None else state.portfolios[owner].portfolio.name


def pnl(state: State, positions: Iterable[Position]) -> tuple[Decimal, Decimal]:
    """(realised net of charges, unrealised) of positions in one currency."""
    realised = unrealised = ZERO
    for position in positions:
        realised = add(realised, sub(position.realised, position.charges))
        unrealised = add(unrealised, state.unrealised(position))
    return realised, unrealised


def account(state: State, held: AccountState) -> s.AccountOut:
    this, equity = held.account, state.equity(held)
    gains, day_pnl = pnl(state, held.positions.values()), sub(equity, held.day_start_equity)
    return s.AccountOut(
        id=this.id,
        name=this.name,
        broker=this.broker,
        mode=this.mode,
        type=this.type,
        currency=this.currency,
        fees=this.costs,
        time_zone=this.time_zone,
        readiness=held.readiness,
        readiness_reason=held.readiness_reason if held.readiness is not Readiness.READY else None,
        is_active=not held.retired,
        inactive_reason=held.retired or None,
        cash=text(held.cash_in(this.currency)),
        equity=text(equity),
        positions_value=text(state.positions_value(held)),
        day_pnl=text(day_pnl),
        day_return=share(day_pnl, held.day_start_equity),
        total_return=fraction(held.growth.at(equity) - 1.0),
        realised_pnl=text(gains[0]),
        unrealised_pnl=text(gains[1]),
        drawdown=fraction(held.growth.drawdown(equity)),
        initial_balance=text(held.contributed),
        session_date=held.day.isoformat(),
        trades_today=held.trades_today,
        open_orders=len(held.working) + len(held.held),
        positions=sum(1 for position in held.positions.values() if position.quantity),
        limits=_limits(held),
        terms=terms_out(this.terms),
        live=None if this.is_simulated else not held.is_off,
    )


def _limits(held: AccountState) -> s.LimitsOut:
    limits = held.limits
    return s.LimitsOut(
        max_position_share=maybe(limits.max_position_share),
        daily_loss=maybe(limits.daily_loss),
        max_trades_per_day=limits.max_trades_per_day,
        allow_short=limits.allow_short,
        cash_check=limits.cash_check,
        maintenance=maybe(limits.maintenance),
        rate=None if limits.rate is None else rate(limits.rate),
    )


def rate(this: SendRate) -> s.RateOut:
    return s.RateOut(this.per_second, this.burst, this.reserved, this.most_waiting)


def order(state: State, this: Order) -> s.OrderOut:
    spec, instrument = this.spec, state.instruments[this.spec.instrument_id]
    return s.OrderOut(
        id=this.id,
        client_order_id=spec.client_order_id,
        venue_order_id=this.venue_order_id,
        account_id=spec.account_id,
        book=spec.book,
        strategy=strategy_name(state, spec.book),
        portfolio=portfolio_name(state, spec.account_id, spec.book),
        instrument_id=spec.instrument_id,
        symbol=instrument.symbol,
        venue=instrument.venue,
        side=spec.side,
        quantity=text(this.quantity),
        filled_quantity=text(this.filled),
        kind=spec.kind,
        limit_price=maybe(this.limit_price),
        stop_price=maybe(this.stop_price),
        **_terms(this),
        time_in_force=spec.time_in_force,
        product=spec.product,
        state=this.state,
        reduce_only=this.kept is not None and this.kept.reduces,
        rests_at=_rests_at(state, this),
        reason=watching.why_held(state, this) or this.reason,
        rule=this.rule,
        limit=this.limit,
        value=this.value,
        layer=this.layer,
        average_price=_unit_price(this.average_price, instrument),
        source=this.source,
        parent=spec.parent or None,
        leg=spec.leg or None,
        created_at=clock.iso(this.created_at),
        updated_at=clock.iso(this.updated_at),
        session_date=this.session_date.isoformat(),
    )


def _terms(this: Order) -> dict[str, Any]:
    """What an order waits for, how its stop follows and when it ends, as splits and changes have left it."""
    spec, kept = this.spec, this.kept
    if kept is None and spec.trail is None and not spec.expires_at:
        return _NO_TERMS
    trail = spec.trail if kept is None else kept.trail or spec.trail
    ranges = None if trail is None else trail.average_range
    trigger = None if spec.trigger is None else (kept and kept.level) or spec.trigger.price
    until = kept.until if kept is not None and keeping.ends_here(this) else spec.expires_at
    return {
        "trigger_price": maybe(trigger),
        "trail_amount": maybe(None if trail is None else trail.amount),
        "trail_percent": None if trail is None or trail.fraction is None else plain(mul(trail.fraction, _HUNDRED)),
        "trail_atr": ranges and s.TrailRangeOut(text(ranges.multiple), ranges.period, ranges.timeframe),
        "trail_limit_offset": maybe(None if trail is None else trail.limit_offset),
        "expires_at": clock.iso(until) if until else None,
        "not_before": clock.iso(spec.not_before) if spec.not_before else None,
    }


_NO_TERMS: dict[str, Any] = dict.fromkeys(
    ("trigger_price", "trail_amount", "trail_percent", "trail_atr", "trail_limit_offset", "expires_at", "not_before")
)


def _rests_at(state: State, this: Order) -> str | None:
    if this.state is OrderState.HELD:
        return HERE
    return state.accounts[this.spec.account_id].account.broker if this.is_working else None


def fill(state: State, this: Fill) -> s.FillOut:
    return s.FillOut(
        id=this.id,
        order_id=this.order_id,
        account_id=this.account_id,
        book=this.book,
        strategy=strategy_name(state, this.book),
        portfolio=portfolio_name(state, this.account_id, this.book),
        instrument_id=this.instrument_id,
        symbol=state.instruments[this.instrument_id].symbol,
        side=this.side,
        quantity=text(this.quantity),
        price=text(this.price),
        fees=text(total([charge.amount for charge in this.charges])),
        currency=this.currency,
        executed_at=clock.iso(this.executed_at),
        session_date=this.session_date.isoformat(),
        venue_execution_id=this.venue_execution_id,
    )


@lru_cache(maxsize=65_536)
def position_id(key: PositionKey) -> str:
    """The stable id of a position key."""
    side = key.side or ""
    return derived(f"position:{key.account_id}:{key.book}:{key.instrument_id}:{key.product}:{side}")


def position(state: State, this: Position) -> s.PositionOut:
    key, instrument = this.key, state.instruments[this.key.instrument_id]
    price = state.price_of(this)
    return s.PositionOut(
        id=position_id(key),
        account_id=key.account_id,
        book=key.book,
        strategy=strategy_name(state, key.book),
        portfolio_id=state.owners.get((key.account_id, key.book)),
        portfolio=portfolio_name(state, key.account_id, key.book),
        instrument_id=key.instrument_id,
        symbol=instrument.symbol,
        product=key.product,
        quantity=text(this.quantity),
        average_price=_unit_price(this.average_price, instrument),
        total_cost=text(this.total_cost),
        last_price=maybe(state.mark(key.instrument_id)),
        market_value=text(this.market_value(price, instrument.multiplier)),
        unrealised_pnl=text(state.unrealised(this)),
        realised_pnl=text(sub(this.realised, this.charges)),
        currency=instrument.currency,
    )


def equity_point(state: State, row: EquityRow) -> s.EquityOut:
    """One closed day, dated at its end: it is recorded when the market next moves, a day or a weekend later."""
    account = state.accounts[row.account_id].account
    _, end = clock.day_bounds(row.session_date, account.time_zone, account.roll)
    return s.EquityOut(
        id=row.id,
        account_id=row.account_id,
        at=clock.iso(end),
        equity=text(row.equity),
        cash=text(row.cash),
        contributed=text(row.contributed or ZERO),
        total_return=fraction(0.0 if row.growth is None else row.growth - 1.0),
    )


def book_positions(state: State, book: str) -> list[Position]:
    """Every account's positions of one book."""
    return [
        position for held in state.accounts.values() for key, position in held.positions.items() if key.book == book
    ]


def deployment(state: State, held: DeploymentState) -> s.DeploymentOut:
    this = held.deployment
    realised, unrealised = pnl(state, book_positions(state, this.id))
    modes = [state.accounts[a.account_id].account.mode for a in this.accounts if a.account_id in state.accounts]
    return s.DeploymentOut(
        id=this.id,
        name=this.name,
        template=this.template,
        version=this.version,
        parameters=dict(this.parameters),
        symbols=[state.instruments[i].symbol for i in this.instrument_ids],
        mode="live" if AccountMode.LIVE in modes else "paper",
        enabled=this.enabled,
        status=_status(this),
        status_reason=_reason(this),
        configuration=this.configuration,
        size=None if this.sizing is None else to_builtins(this.sizing),
        rules=None if this.rules is None else s.RulesOut(**asdict(this.rules)),
        entry=None if this.entry is None else s.EntryOut(**asdict(this.entry)),
        protection=None if this.protection is None else s.ProtectionOut(**asdict(this.protection)),
        switch=None if this.switch is None else s.SwitchOut(**asdict(this.switch) | {"at": clock.iso(this.switch.at)}),
        accounts=[s.AllocationOut(a.account_id, text(a.share)) for a in this.accounts],
        orders=held.orders,
        fills=held.fills,
        refusals=held.refusals,
        realised_pnl=text(realised),
        unrealised_pnl=text(unrealised),
        last_signal=_last_signal(state, held.last_signal),
    )


def _status(this: Deployment) -> Literal["running", "disabled", "paused", "switched-off", "removed"]:
    if this.removed:
        return "removed"
    if not this.enabled:
        return "disabled"
    if this.paused is not None:
        return "paused"
    return "running" if this.is_on else "switched-off"


def _reason(this: Deployment) -> str | None:
    if this.paused is None and this.switch is not None and not this.switch.on:
        return f"{this.switch.rule}: {this.switch.value}, with a limit of {this.switch.limit}"
    return this.paused


def _last_signal(state: State, record: SignalRecorded | None) -> s.LastSignal | None:
    if record is None:
        return None
    return s.LastSignal(
        at=clock.iso(record.at),
        symbol=state.instruments[record.instrument_id].symbol,
        target=record.folded,
        action=record.action,
        confidence=record.confidence,
    )


def signal(state: State, record: SignalRecorded) -> s.SignalOut:
    return s.SignalOut(
        id=record.id,
        at=clock.iso(record.at),
        deployment_id=record.deployment_id,
        symbol=state.instruments[record.instrument_id].symbol,
        target=record.target,
        action=record.action,
        confidence=record.confidence,
        details=record.details,
    )


def instrument(state: State, this: Instrument) -> s.InstrumentOut:
    return s.InstrumentOut(
        id=this.id,
        symbol=this.symbol,
        venue=this.venue,
        asset_class=this.asset_class,
        currency=this.currency,
        tick_size=text(this.tick_size),
        lot_size=text(this.lot_size),
        multiplier=text(this.multiplier),
        expiry=this.expiry.isoformat() if this.expiry else None,
        strike=maybe(this.strike),
        right=this.right,
        last_price=maybe(state.mark(this.id)),
    )


def quote(state: State, this: Instrument, *, now: int) -> s.QuoteOut:
    """The last price with its bid and ask, null where the feed shows no spread, and its age in seconds at `now`."""
    mark = state.marks.get(this.id)
    if mark is None:
        return s.QuoteOut(
            id=this.id, symbol=this.symbol, bid=None, ask=None, last=None, at=None, age=None, silent=False
        )
    half = mark.spread / 2
    bid, ask = (exact(mark.price - half, _STEP), exact(mark.price + half, _STEP)) if mark.spread > 0 else (None, None)
    return s.QuoteOut(
        id=this.id,
        symbol=this.symbol,
        bid=_trim(bid),
        ask=_trim(ask),
        last=maybe(state.mark(this.id)),
        at=clock.iso(mark.at),
        age=round(max(0, now - mark.at) / SECOND, 3),
        silent=this.id in state.marks.silent,
    )


def _trim(value: Decimal | None) -> str | None:
    return None if value is None else text(value.normalize())
