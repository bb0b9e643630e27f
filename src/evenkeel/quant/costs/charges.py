"""The formula of a charge, once: float64 in, the unrounded charge out, by component.

`component_charge` and `tier_charge` are kernels of floats only, so that compiled simulators run these very functions.
"""

from math import inf

from evenkeel.domain.orders import Side
from evenkeel.quant.costs.components import Component, CostSchedule, TierBasis, Tiers
from evenkeel.quant.kernels import kernel


@kernel
def component_charge(
    per_order: float,
    per_unit: float,
    rate: float,
    minimum: float,
    cap: float,
    cap_rate: float,
    quantity: float,
    notional: float,
    base: float,
    tiers: float,
) -> float:
    """The unrounded charge of one component on an order that executed `quantity` for `notional` (both >= 0).

    `base` is what `rate` is a fraction of, `tiers` the sum of the brackets' charges. `minimum` is -inf and
    `cap`, `cap_rate` are inf where a schedule has none. Nothing executed costs nothing.
    """
    if quantity <= 0.0:
        return 0.0
    charge = per_order + per_unit * quantity + rate * base + tiers
    charge = min(max(charge, minimum), cap)
    if cap_rate < inf and charge > cap_rate * notional:
        charge = cap_rate * notional
    return charge


@kernel
def tier_charge(size: float, below: float, up_to: float, price: float, whole: bool) -> float:
    """What one bracket, above `below` and up to and including `up_to`, adds for an order of this size."""
    if size <= below:
        return 0.0
    if whole:
        return price * size if size <= up_to else 0.0
    return price * (min(size, up_to) - below)


def coefficients(component: Component) -> tuple[float, float, float, float, float, float]:
    """The first six arguments of `component_charge`."""
    return (
        component.per_order,
        component.per_unit,
        component.rate,
        -inf if component.minimum is None else component.minimum,
        inf if component.cap is None else component.cap,
        inf if component.cap_rate is None else component.cap_rate,
    )


def brackets(tiers: Tiers | None) -> list[tuple[float, float, float]]:
    """(below, up to, price) of every bracket; up to is inf where there is no end."""
    if tiers is None:
        return []
    ends = [inf if tier.up_to is None else tier.up_to for tier in tiers.brackets]
    return list(zip([0.0, *ends], ends, [tier.price for tier in tiers.brackets], strict=False))


class Tariff:
    """A schedule made ready to charge many orders."""

    def __init__(self, schedule: CostSchedule) -> None:
        self._parts = [(component, coefficients(component)) for component in schedule.components]

    def by_component(self, side: Side, *, quantity: float, notional: float, maker: bool) -> dict[str, float]:
        """See `charge_by_component`."""
        charges: dict[str, float] = {}
        for component, figures in self._parts:
            if component.applies(side, maker=maker):
                base = notional
                if component.on:
                    base = 0.0
                    for name, charge in charges.items():
                        if name in component.on:
                            base += charge
                tiers = 0.0
                if component.tiers is not None:
                    tiers = _tiered(component.tiers, quantity=quantity, notional=notional)
                charges[component.name] = component_charge(*figures, quantity, notional, base, tiers)
        return charges


def charge_by_component(
    schedule: CostSchedule, side: Side, *, quantity: float, notional: float, maker: bool = False
) -> dict[str, float]:
    """The unrounded charge of each component that applies, for one whole order.

    `notional` is price x quantity x multiplier, positive for both sides. `maker`: it waited in the book.
    """
    return Tariff(schedule).by_component(side, quantity=quantity, notional=notional, maker=maker)


def _tiered(tiers: Tiers, *, quantity: float, notional: float) -> float:
    charge = 0.0
    size = quantity if tiers.basis is TierBasis.QUANTITY else notional
    for below, up_to, price in brackets(tiers):
        charge += tier_charge(size, below, up_to, price, tiers.whole)
    return charge


def total_charge(schedule: CostSchedule, side: Side, *, quantity: float, notional: float, maker: bool = False) -> float:
    """The unrounded sum of all components: what a check before the trade reserves for an order."""
    charges = charge_by_component(schedule, side, quantity=quantity, notional=notional, maker=maker)
    return sum(charges.values(), 0.0)
