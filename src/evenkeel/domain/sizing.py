"""How much a target of 1 stands for: the rule of a deployment, the same in a backtest, on paper and live.

A target in [-1, 1] is multiplied by the rule's amount; the quantity is cut to whole lots, towards zero.
"""

from decimal import Decimal, InvalidOperation
from math import isfinite

from msgspec import Struct
from msgspec.structs import force_setattr

from evenkeel.domain.errors import FieldError, InvalidInput


def exactly(rule: Struct, name: str) -> None:
    """Lets a person write 10, 0.5 or "0.5" where a Decimal belongs. Raises InvalidInput."""
    value = getattr(rule, name)
    if isinstance(value, Decimal):
        return
    try:
        force_setattr(rule, name, Decimal(repr(value) if isinstance(value, float | bool) else value))
    except (InvalidOperation, TypeError, ValueError):
        message = f"expected a number, not {value!r}"
        raise InvalidInput(f"the size is not valid: {message}", errors=(FieldError(f"size.{name}", message),)) from None


class Units(Struct, frozen=True, tag="units"):
    """So many units of the instrument (shares, contracts, ounces …)."""

    quantity: Decimal

    def __post_init__(self) -> None:
        exactly(self, "quantity")


class Cash(Struct, frozen=True, tag="cash"):
    """So much money's worth at the price of the decision, in the instrument's currency."""

    amount: Decimal

    def __post_init__(self) -> None:
        exactly(self, "amount")


class PercentOfEquity(Struct, frozen=True, tag="percent-of-equity"):
    """A share of the equity at the decision; with several instruments each gets its part. Above 1 it is leverage."""

    share: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        exactly(self, "share")


class VolatilityTarget(Struct, frozen=True, tag="volatility-target"):
    """The share of equity at which the instrument's own volatility would make `annual` (0.1 = 10 % a year).

    Volatility is the sample standard deviation of the last `window` bars' simple returns, annualised by the bars
    a year that the instrument's calendar has. At most `most` of equity; nothing before the window is full.
    """

    annual: float
    window: int = 60
    most: float = 1.0


class Kelly(Struct, frozen=True, tag="kelly"):
    """`fraction` of the growth-optimal share mean / variance of the last `window` bars' simple returns (Kelly 1956).

    In the direction of the target only: against it the share is 0. At most `most` of equity.
    """

    fraction: float = 0.5
    window: int = 250
    most: float = 1.0


Sizing = Units | Cash | PercentOfEquity | VolatilityTarget | Kelly


def share_of(rule: VolatilityTarget | Kelly, target: float, scale: float) -> float:
    """The signed share of equity that a target stands for, where the rule has found `scale` in the bars."""
    if isinstance(rule, VolatilityTarget):
        return target * min(rule.most, scale)
    return target * min(rule.most, abs(scale)) if target * scale > 0.0 else 0.0


_MOST = {"quantity": 10**12, "amount": 10**15, "share": 1_000, "annual": 1_000, "fraction": 1_000, "most": 1_000}


def checked(sizing: Sizing) -> Sizing:
    """The rule itself. Raises InvalidInput naming the field that makes no sense."""
    faults = []
    for name in sizing.__struct_fields__:
        value = getattr(sizing, name)
        if name == "window":
            is_good, expected = value >= 2, "2 bars or more"
        else:
            is_finite = value.is_finite() if isinstance(value, Decimal) else isfinite(value)
            is_good, expected = is_finite and 0 < value <= _MOST[name], f"a number above zero, at most {_MOST[name]:,}"
        if not is_good:
            faults.append(FieldError(f"size.{name}", f"expected {expected}"))
    if faults:
        said = "; ".join(f"{fault.field} {fault.message}" for fault in faults)
        raise InvalidInput(f"the size is not valid: {said}", errors=tuple(faults))
    return sizing
