"""Bodies of composite orders for the tests of this room."""

from typing import Any

from tests.server.world import OWN_ACCOUNT

COMPOSITES = "/api/v2/trading/composites"
BUY = {"symbol": "STK", "side": "BUY", "quantity": "10", "time_in_force": "GTC"}
SELL = BUY | {"side": "SELL"}


def body(kind: str, *orders: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A composite of the owner's account, of a purchase at the market where no order is given."""
    return {"kind": kind, "account_id": OWN_ACCOUNT, "orders": list(orders or [BUY])} | more


def bracket() -> dict[str, Any]:
    """A bracket whose entry rests."""
    return body("bracket", BUY | {"kind": "LIMIT", "limit_price": "5"}, stop_loss="4")
