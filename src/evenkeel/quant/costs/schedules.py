"""Cost schedules as data: named components, each one line of the same formula, and a rule of rounding.

    charge = min(max(per_order + per_unit * quantity + rate * notional, minimum), cap, cap_rate * notional)

over everything one order has executed, so a minimum is paid once an order however many fills it takes. Where
the cap is below the minimum, the cap holds.
"""

from datetime import date
from decimal import ROUND_HALF_UP, ROUND_UP

from msgspec import Struct

from evenkeel.domain.errors import FieldError, InvalidInput, NotFound
from evenkeel.domain.money import ROUNDINGS
from evenkeel.domain.orders import Side

_LEDGER_KINDS = frozenset({"fee", "tax"})


class Component(Struct, frozen=True, omit_defaults=True):
    """One component of what an order is charged; a negative `rate` or `per_unit` is a rebate.

    `per_order`, `minimum` and `cap` are currency an order, `per_unit` currency a share or contract, `rate`
    and `cap_rate` fractions of notional. `side` restricts it to buys or sells. `kind` is the ledger's: fee or
    tax.
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


class CostSchedule(Struct, frozen=True, omit_defaults=True):
    """A broker's price list. Each component is rounded to the currency's minor unit by `rounding`.

    `as_of` is the day from which the figures were published to hold, where they are somebody's.
    """

    name: str
    title: str
    components: tuple[Component, ...] = ()
    rounding: str = ROUND_HALF_UP
    as_of: date | None = None

    def __post_init__(self) -> None:
        faults = _faults(self)
        if faults:
            raise InvalidInput(f"cost schedule {self.name!r} is not valid", errors=faults)


def _faults(schedule: CostSchedule) -> tuple[FieldError, ...]:
    faults = []
    if schedule.rounding not in ROUNDINGS:
        faults.append(FieldError("rounding", f"expected one of {', '.join(sorted(ROUNDINGS))}"))
    names = [component.name for component in schedule.components]
    for place, component in enumerate(schedule.components):
        where = f"components.{place}"
        if names.count(component.name) > 1:
            faults.append(FieldError(f"{where}.name", f"{component.name!r} occurs more than once"))
        if component.kind not in _LEDGER_KINDS:
            faults.append(FieldError(f"{where}.kind", "expected fee or tax"))
        for field in ("minimum", "cap", "cap_rate"):
            value = getattr(component, field)
            if value is not None and not value >= 0:
                faults.append(FieldError(f"{where}.{field}", f"expected zero or more, not {value}"))
    return tuple(faults)


# Section 31 fee and Trading Activity Fee, both on sales only; FINRA caps the latter per trade.
_US_REGULATORY = (
    Component("regulatory-fee", rate=27.80e-6, side=Side.SELL),
    Component("trading-activity-fee", per_unit=0.000166, cap=8.30, side=Side.SELL),
)

_BUILT_IN = (
    CostSchedule("zero", "No charges"),
    CostSchedule(
        "us-zero-commission",
        "US equities without commission; regulatory fees on sales",
        _US_REGULATORY,
        rounding=ROUND_UP,
        as_of=date(2024, 5, 22),
    ),
    CostSchedule(
        "us-per-share",
        "US equities at 0.005 a share, 1.00 to 1 % of value an order; regulatory fees on sales",
        (Component("commission", per_unit=0.005, minimum=1.0, cap_rate=0.01), *_US_REGULATORY),
        as_of=date(2024, 5, 22),
    ),
    CostSchedule(
        "percent",
        "5 basis points of notional, at least 1.00 an order",
        (Component("commission", rate=5e-4, minimum=1.0),),
    ),
    CostSchedule(
        "fixed",
        "4.95 an order",
        (Component("commission", per_order=4.95),),
    ),
)
SCHEDULES = {schedule.name: schedule for schedule in _BUILT_IN}


def find_schedule(name: str) -> CostSchedule:
    """The built-in schedule of that name. Raises NotFound, naming those there are."""
    try:
        return SCHEDULES[name]
    except KeyError:
        raise NotFound(
            f"there is no cost schedule {name!r}", hint=f"Choose one of {', '.join(sorted(SCHEDULES))}."
        ) from None
