"""Wash sales as the API shows them: one for each trade, whose lots add up to it."""

from datetime import date
from decimal import Decimal

from evenkeel.desk.taxes.plans import PlannedWash
from evenkeel.domain.lots import Closing
from evenkeel.domain.washes import Loss, Purchase, WashSale
from evenkeel.server.washes import WashOut, washes_out
from tests.trading.engine.portfolios.funds import world
from tests.trading.engine.world import ACME

D = Decimal
SOLD, BOUGHT = date(2026, 10, 5), Purchase("A", date(2026, 10, 1), D(3), "bought")


def lot(opened: int, at_risk: str, *, by: str = "order") -> PlannedWash:
    closing = Closing(D(1), D(10), D(9), date(2026, 1, opened), SOLD, by=by)
    return PlannedWash(ACME.id, WashSale(Loss("A", closing), D(1), D(at_risk), (BOUGHT,)))


def told(*lots: PlannedWash) -> list[WashOut]:
    return washes_out(world().state, lots)


def test_a_trade_is_told_once_and_its_lots_add_up_to_the_cent() -> None:
    (one,) = told(lot(7, "0.335"), lot(3, "0.335"))
    assert [part.opened for part in one.lots] == ["2026-01-03", "2026-01-07"]
    for name in ("quantity", "loss", "at_risk"):
        assert D(getattr(one, name)) == sum(D(getattr(part, name)) for part in one.lots), name
    assert [D(bought.quantity) for bought in one.purchases] == [3], "one purchase beside both"


def test_two_trades_of_a_day_are_two() -> None:
    assert [one.at_risk for one in told(lot(1, "0.5"), lot(1, "0.25", by="another"))] == ["0.5", "0.25"]
