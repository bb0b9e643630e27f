"""Order templates for the tests of this room: kept in a dictionary, and one of the owner's."""

from collections.abc import Sequence
from decimal import Decimal

from evenkeel.desk.ports import User
from evenkeel.domain.order_templates import OrderTemplate, SavedTemplate
from evenkeel.domain.orders import OrderKind, Side
from evenkeel.domain.sizing import Units

TEMPLATE = "ten-more"
TEN_MORE = OrderTemplate(OrderKind.MARKET, Units(Decimal(10)), symbol="STK", side=Side.BUY, description="My ten")


class MemoryOrderTemplates:
    """As the table would have them."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], SavedTemplate] = {}

    async def save(self, user_id: str, name: str, template: OrderTemplate, *, at: int) -> SavedTemplate:
        known = self.rows.get((user_id, name))
        if known is not None and known.template == template:
            return known
        saved = SavedTemplate(user_id, name, template, at if known is None else known.created_at, at)
        self.rows[user_id, name] = saved
        return saved

    async def find(self, user_id: str, name: str) -> SavedTemplate | None:
        return self.rows.get((user_id, name))

    async def all(self, user_id: str) -> Sequence[SavedTemplate]:
        return [saved for (user, _), saved in sorted(self.rows.items()) if user == user_id]

    async def remove(self, user_id: str, name: str) -> bool:
        return self.rows.pop((user_id, name), None) is not None


async def made(owner: User) -> MemoryOrderTemplates:
    """One template of the owner's."""
    stored = MemoryOrderTemplates()
    await stored.save(owner.id, TEMPLATE, TEN_MORE, at=1_700_000_000_000_000_000)
    return stored
