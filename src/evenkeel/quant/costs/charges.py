"""The formula of a charge, once: float64 in, the unrounded charge out, by component.

`component_charge` is a kernel: floats only, so that the compiled simulator runs this very function.
"""

from math import inf

from evenkeel.domain.orders import Side
from evenkeel.quant.costs.schedules import Component, CostSchedule
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
) -> float:
    """The unrounded charge of one component on an order that executed `quantity` for `notional` (both >= 0).

    `minimum` is -inf and `cap`, `cap_rate` are inf where a schedule has none. Nothing executed costs nothing.
    """
    if quantity <= 0.0:
        return 0.0
    charge = per_order + per_unit * quantity + rate * notional
    charge = min(max(charge, minimum), cap)
    if cap_rate < inf and charge > cap_rate * notional:
        charge = cap_rate * notional
    return charge


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


def charge_by_component(schedule: CostSchedule, side: Side, *, quantity: float, notional: float) -> dict[str, float]:
    """The unrounded charge of each component that applies to `side`, for one whole order.

    `notional` is price x quantity x multiplier, positive for both sides.
    """
    return {
        component.name: component_charge(*coefficients(component), quantity, notional)
        for component in schedule.components
        if component.side is None or component.side is side
    }


def total_charge(schedule: CostSchedule, side: Side, *, quantity: float, notional: float) -> float:
    """The unrounded sum of all components: what a check before the trade reserves for an order."""
    return sum(charge_by_component(schedule, side, quantity=quantity, notional=notional).values(), 0.0)
