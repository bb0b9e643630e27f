"""Stops that follow the best price: where one lies behind it, and what makes no sense of how far."""

from evenkeel.domain.errors import FieldError
from evenkeel.domain.money import is_bookable, is_multiple
from evenkeel.domain.orders import OrderKind, OrderSpec, Side, Trail
from evenkeel.quant.costs.exits import exit_levels, on_tick
from evenkeel.trading.engine.state import State


def trail_level(side: int, best: float, *, trail: Trail, tick: float) -> float:
    """The stop of a long (`side` 1) or short (-1) that lies behind the best price, on the grid, as exits of strategies
    do: no nearer to the market than was asked."""
    if trail.amount is not None:
        return on_tick(best - side * float(trail.amount), -side, tick)
    return exit_levels(side, best, best, 0.0, 0.0, float(trail.fraction or 0), float("nan"), tick)[0]


def trail_faults(state: State, spec: OrderSpec, *, trail: Trail) -> list[FieldError]:
    """What does not make sense of how far a stop is to stay behind, and its limit beyond it."""
    distance = _distance_faults(state, spec.instrument_id, side=spec.side, trail=trail)
    return distance or _offset_faults(state, spec, trail=trail)


def _offset_faults(state: State, spec: OrderSpec, *, trail: Trail) -> list[FieldError]:
    """What does not make sense of the limit beyond a stop that follows, wherever that would stand now."""
    offset, instrument = trail.limit_offset, state.instruments.get(spec.instrument_id)
    if (offset is None) is not (spec.kind is not OrderKind.TRAILING_STOP_LIMIT):
        said = "a trailing stop-limit needs one" if offset is None else "goes with trailing stop-limits"
        return [FieldError("trail_limit_offset", said)]
    if offset is None or instrument is None:
        return []
    if not (is_bookable(offset) and offset >= 0 and is_multiple(offset, instrument.tick_size)):
        return [FieldError("trail_limit_offset", f"0, or a positive multiple of the tick size {instrument.tick_size}")]
    mark = state.marks.get(instrument.id)
    if mark is None or spec.side is Side.BUY:
        return []
    stop = trail_level(1, mark.price, trail=trail, tick=float(instrument.tick_size))
    return (
        []
        if float(offset) < stop
        else [FieldError("trail_limit_offset", f"less than the stop, which is at {stop:g} now")]
    )


def _distance_faults(state: State, instrument_id: str, *, side: Side, trail: Trail) -> list[FieldError]:
    amount, fraction = trail.amount, trail.fraction
    if (amount is None) is (fraction is None):
        return [FieldError("trail", "either an amount of price, or a fraction of it")]
    if fraction is not None and not (fraction.is_finite() and 0 < fraction < 1):
        return [FieldError("trail_percent", "more than 0 %, and less than 100 %")]
    if amount is not None and not (is_bookable(amount) and amount > 0):
        return [FieldError("trail_amount", "more than 0, with at most 18 decimal places")]
    mark = state.mark(instrument_id) if instrument_id in state.instruments else None
    if amount is not None and mark is not None and side is Side.SELL and amount >= mark:
        return [FieldError("trail_amount", f"less than the last price, {mark}")]
    return []
