"""Cost schedules as data: named components, each one line of the same formula, and a rule of rounding.

    charge = min(max(per_order + per_unit * quantity + rate * base + tiers, minimum), cap, cap_rate * notional)

over everything one order has executed, so a minimum is paid once an order however many fills it takes. Where
the cap is below the minimum, the cap holds. `base` is the notional, or the sum of the components named by `on`.
"""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum
from math import inf, isfinite

from msgspec import Struct

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.money import COST_STEP, ROUNDINGS, is_multiple
from evenkeel.domain.orders import Side

_LEDGER_KINDS = frozenset({"fee", "tax"})
_LARGEST_STEP = Decimal(1_000)


class Liquidity(StrEnum):
    """What a fill did to the market: a maker waited in the book, a taker came to it."""

    MAKER = "maker"
    TAKER = "taker"


class TierBasis(StrEnum):
    """What the size of an order is measured by."""

    QUANTITY = "quantity"
    NOTIONAL = "notional"


class Tier(Struct, frozen=True, omit_defaults=True):
    """The price of one bracket: a fraction of notional, or currency a unit. `up_to` (inclusive) None: no end."""

    up_to: float | None
    price: float


class Tiers(Struct, frozen=True, omit_defaults=True):
    """Prices that depend on the size of the order itself, in rising brackets of which only the last has no end.

    Graduated (the default), each bracket prices the part of the order within it, as an income tax does; with
    `whole`, the bracket in which the order ends prices all of it.
    """

    brackets: tuple[Tier, ...]
    basis: TierBasis = TierBasis.NOTIONAL
    whole: bool = False


class Component(Struct, frozen=True, omit_defaults=True):
    """One component of what an order is charged; a negative `rate` or `per_unit` is a rebate.

    `per_order`, `minimum` and `cap` are currency an order, `per_unit` currency a share or contract, `rate`
    and `cap_rate` fractions of notional. `side` restricts it to buys or sells, `liquidity` to fills that made
    or took it. `on` names components listed before, which are not themselves on others: `rate` is then a
    fraction of what they charge (a tax on services). `kind` is the ledger's: fee or tax.
    """

    name: str
    kind: str = "fee"
    per_order: float = 0.0
    per_unit: float = 0.0
    rate: float = 0.0
    minimum: float | None = None
    cap: float | None = None
    cap_rate: float | None = None
    side: Side | None = None
    liquidity: Liquidity | None = None
    on: tuple[str, ...] = ()
    tiers: Tiers | None = None

    def applies(self, side: Side, *, maker: bool) -> bool:
        if self.side is not None and self.side is not side:
            return False
        return self.liquidity is None or (self.liquidity is Liquidity.MAKER) == maker


class CostSchedule(Struct, frozen=True, omit_defaults=True):
    """A broker's price list. Each component is rounded by `rounding` to a multiple of `step`.

    `step` is a decimal such as "0.00000001"; None is the minor unit of the currency. `as_of` is the day from
    which the figures were published to hold, where they are somebody's.
    """

    name: str
    title: str
    components: tuple[Component, ...] = ()
    rounding: str = ROUND_HALF_UP
    as_of: date | None = None
    step: str | None = None

    def __post_init__(self) -> None:
        faults = _faults(self)
        if faults:
            raise InvalidInput(f"cost schedule {self.name!r} is not valid", errors=tuple(faults))


def _faults(schedule: CostSchedule) -> list[FieldError]:
    faults = []
    if schedule.rounding not in ROUNDINGS:
        faults.append(FieldError("rounding", f"expected one of {', '.join(sorted(ROUNDINGS))}"))
    if schedule.step is not None and not is_step(schedule.step):
        expected = f"a multiple of {COST_STEP:f} up to {_LARGEST_STEP}"
        faults.append(FieldError("step", f"expected {expected}, not {schedule.step!r}"))
    names = [component.name for component in schedule.components]
    for place, component in enumerate(schedule.components):
        found = _component_faults(component) + _reference_faults(component, schedule.components[:place])
        if names.count(component.name) > 1:
            found.append(FieldError("name", f"{component.name!r} occurs more than once"))
        faults += [FieldError(f"components.{place}.{fault.field}", fault.message) for fault in found]
    return faults


def is_step(text: str) -> bool:
    """Whether charges can be rounded to multiples of this decimal."""
    try:
        step = Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        return False
    return is_multiple(step, COST_STEP) and 0 < step <= _LARGEST_STEP


def _component_faults(component: Component) -> list[FieldError]:
    faults = []
    if component.kind not in _LEDGER_KINDS:
        faults.append(FieldError("kind", "expected fee or tax"))
    for field in ("per_order", "per_unit", "rate"):
        value = getattr(component, field)
        if not isfinite(value):
            faults.append(FieldError(field, f"expected a finite number, not {value}"))
    for field in ("minimum", "cap", "cap_rate"):
        value = getattr(component, field)
        if value is not None and not value >= 0:
            faults.append(FieldError(field, f"expected zero or more, not {value}"))
    if component.tiers is not None and (fault := _tiers_fault(component.tiers)):
        faults.append(FieldError("tiers", fault))
    return faults


def _tiers_fault(tiers: Tiers) -> str:
    ends = [inf if tier.up_to is None else tier.up_to for tier in tiers.brackets]
    if not ends or ends[-1] < inf:
        return "the last bracket must have no end (up_to None)"
    if any(not below < end for below, end in zip([0.0, *ends[:-1]], ends, strict=True)):
        return "brackets must rise from above zero, each ending above the one before"
    if not all(isfinite(tier.price) for tier in tiers.brackets):
        return "prices must be finite numbers"
    return ""


def _reference_faults(component: Component, before: tuple[Component, ...]) -> list[FieldError]:
    known = {other.name for other in before if not other.on}
    faults = [
        FieldError("on", f"{name!r} is no component listed before that is not itself on others")
        for name in component.on
        if name not in known
    ]
    if len(set(component.on)) < len(component.on):
        faults.append(FieldError("on", "names a component twice"))
    return faults
