"""What the simulated venue refuses at its door: malformed orders. Money and limits are risk's business."""

from decimal import Decimal

from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import is_multiple
from evenkeel.domain.orders import NEEDS, OrderKind, OrderSpec
from evenkeel.trading.brokers.simulated.orders import VenueOrder


def ticket_fault(spec: OrderSpec, instrument: Instrument | None) -> str | None:
    """Why an order cannot be accepted, or None."""
    if instrument is None:
        return f"instrument {spec.instrument_id} is not listed at this venue"
    return _quantity_fault(spec.quantity, instrument) or _prices_fault(spec, instrument)


def amendment_fault(order: VenueOrder, wanted: OrderSpec, *, instrument: Instrument) -> str | None:
    """Why a working order cannot take these terms, or None."""
    if not order.is_working:
        return f"it is {order.state} already"
    held = order.spec
    for name in ("account_id", "instrument_id", "side", "kind", "time_in_force", "product"):
        if getattr(held, name) != getattr(wanted, name):
            return f"{name} stays {getattr(held, name)}; only quantity and prices can change"
    if wanted.quantity <= order.filled:
        return f"quantity {wanted.quantity} is not more than the {order.filled} filled; cancel it instead"
    return _quantity_fault(wanted.quantity, instrument) or _prices_fault(wanted, instrument)


def _quantity_fault(quantity: Decimal, instrument: Instrument) -> str | None:
    if quantity <= 0 or not is_multiple(quantity, instrument.lot_size):
        return f"quantity {quantity} is not a positive multiple of the lot {instrument.lot_size}"
    return None


def _prices_fault(spec: OrderSpec, instrument: Instrument) -> str | None:
    if spec.kind is OrderKind.MARKET and spec.limit_price is None and spec.stop_price is None:
        return None
    needs_limit, needs_stop = NEEDS[spec.kind]
    asked = (
        ("limit price", spec.limit_price, needs_limit),
        ("stop price", spec.stop_price, needs_stop),
    )
    for name, price, needed in asked:
        if (price is not None) != needed:
            return f"a {spec.kind} order needs {'a' if needed else 'no'} {name}"
        if price is not None and (price <= 0 or not is_multiple(price, instrument.tick_size)):
            return f"{name} {price} is not a positive multiple of the tick {instrument.tick_size}"
    return None
