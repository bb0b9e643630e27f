"""Wash sales: losses that a purchase of the same instrument, shortly before or after, may keep from counting.

A warning and no tax advice: what is substantially identical, and to whom the rule applies, no figures here can tell.
Source of the rule: 26 U.S.C. 1091, with thirty days.
"""

from collections import deque
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.lots import Closing
from evenkeel.domain.money import COST_STEP, ZERO, add, neg, portion, sub


class Purchase(Struct, frozen=True):
    """So many units bought long by the order `origin`; `planned`, as part of what is being decided."""

    account_id: str
    day: date
    quantity: Decimal
    origin: str = ""
    planned: bool = False


class Loss(Struct, frozen=True):
    """A closing below its basis, in an account where that would count."""

    account_id: str
    closing: Closing
    planned: bool = False


class WashSale(Struct, frozen=True):
    """A loss, positive, and the part of it `at_risk`: that of as many units as were bought within the days."""

    loss: Loss
    amount: Decimal
    at_risk: Decimal
    purchases: tuple[Purchase, ...]


def wash_sales(losses: Iterable[Loss], purchases: Iterable[Purchase], *, days: int) -> list[WashSale]:
    """The losses of one instrument that purchases by the same person lie beside, `days` or less before or after.

    The earliest sale takes the earliest purchases, and each unit bought stands for one unit sold. The purchase that the
    lot itself came from does not count: who sells a part of it has bought nothing in its place.
    """
    found, near = list[WashSale](), list[_Left]()
    coming = deque(sorted(purchases, key=lambda one: one.day))
    for loss in sorted(losses, key=lambda one: one.closing.closed):
        first, last = (loss.closing.closed + timedelta(days=sign * days) for sign in (-1, 1))
        while coming and coming[0].day <= last:
            one = coming.popleft()
            near.append(_Left(one, one.quantity))
        near = [one for one in near if one.purchase.day >= first] if near and near[0].purchase.day < first else near
        beside, taken = _taken(loss, near)
        if beside:
            amount = neg(loss.closing.gain)
            at_risk = portion(amount, taken, of=loss.closing.quantity, step=COST_STEP)
            found.append(WashSale(loss, amount, at_risk, tuple(beside)))
    return found


class _Left(Struct):
    """What of a purchase stands for nothing sold yet."""

    purchase: Purchase
    quantity: Decimal


def _taken(loss: Loss, near: list[_Left]) -> tuple[list[Purchase], Decimal]:
    """Takes purchases for as many units as were sold; those that are used up are removed."""
    beside, taken, place = list[Purchase](), ZERO, 0
    while place < len(near) and taken < loss.closing.quantity:
        one = near[place]
        if one.purchase.account_id == loss.account_id and one.purchase.origin == loss.closing.origin:
            place += 1
            continue
        part = min(one.quantity, sub(loss.closing.quantity, taken))
        taken, one.quantity = add(taken, part), sub(one.quantity, part)
        beside.append(one.purchase)
        if not one.quantity:
            del near[place]
    return beside, taken
