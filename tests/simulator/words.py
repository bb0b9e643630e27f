"""Orders, commands and events in the words of a trader."""

from typing import TYPE_CHECKING

from evenkeel.domain import events as e
from evenkeel.domain.money import plain
from evenkeel.domain.orders import OrderKind, OrderSpec

if TYPE_CHECKING:
    from tests.simulator.world import World

_SAID = {
    e.VenueAccepted: "{} is accepted",
    e.VenueRejected: "{} is rejected",
    e.VenueTriggered: "{} is triggered",
    e.VenueCancelled: "{} is cancelled",
    e.VenueExpired: "{} has expired",
    e.VenueCancelRefused: "{} is not cancelled",
}


def spec_in_words(world: "World", spec: OrderSpec) -> str:
    """For example: buy 100 ACME at 10.05 or better, DAY, account A."""
    symbol = world.symbols.get(spec.instrument_id, spec.instrument_id)
    price = {
        OrderKind.MARKET: "at the market",
        OrderKind.LIMIT: f"at {spec.limit_price} or better",
        OrderKind.STOP: f"once it trades at {spec.stop_price}",
        OrderKind.STOP_LIMIT: f"at {spec.limit_price} or better once it trades at {spec.stop_price}",
    }.get(spec.kind, f"{spec.kind} {spec.limit_price} {spec.stop_price}")
    side = "buy" if spec.side.sign > 0 else "sell"
    return f"{side} {plain(spec.quantity)} {symbol} {price}, {spec.time_in_force}, account {spec.account_id}"


def event_in_words(world: "World", event: e.AnyVenueEvent) -> str:
    name = f"{(event.venue_client_id or event.venue_order_id or 'an order')[:6]} ({event.venue_order_id})"
    match event:
        case e.VenueFilled():
            symbol = world.symbols.get(event.instrument_id, event.instrument_id)
            side = "bought" if event.side.sign > 0 else "sold"
            return f"{name} has {side} {plain(event.quantity)} {symbol} at {event.price}"
        case e.VenueAmended():
            return f"{name} stands at {plain(event.quantity)}, limit {event.limit_price}, stop {event.stop_price}"
        case e.VenueBusted():
            return f"execution {event.execution_id} of {name} is taken back"
    return _SAID[type(event)].format(name)
