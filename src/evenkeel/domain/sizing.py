"""How much a target of 1 stands for: the rule of a deployment, the same in a backtest, on paper and live.

A target in [-1, 1] is multiplied by the rule's amount; the quantity is cut to whole lots, towards zero.
"""

from decimal import Decimal, InvalidOperation

from msgspec import Struct
from msgspec.structs import force_setattr

from evenkeel.domain.errors import FieldError, InvalidInput


def _exactly(rule: Struct, name: str) -> None:
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
        _exactly(self, "quantity")


class Cash(Struct, frozen=True, tag="cash"):
    """So much money's worth at the price of the decision, in the instrument's currency."""

    amount: Decimal

    def __post_init__(self) -> None:
        _exactly(self, "amount")


class PercentOfEquity(Struct, frozen=True, tag="percent-of-equity"):
    """A share of the equity at the decision; with several instruments each gets its part. Above 1 it is leverage."""

    share: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        _exactly(self, "share")


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


def checked(sizing: Sizing) -> Sizing:
    """The rule itself. Raises InvalidInput naming the field that makes no sense."""
    good: dict[str, bool] = {}
    match sizing:
        case Units(amount) | Cash(amount) | PercentOfEquity(amount):
            good = {sizing.__struct_fields__[0]: amount.is_finite() and amount > 0}
        case VolatilityTarget(amount, window, most) | Kelly(amount, window, most):
            name = sizing.__struct_fields__[0]
            good = {name: 0 < amount < float("inf"), "window": window >= 2, "most": 0 < most < float("inf")}
    faults = tuple(
        FieldError(f"size.{name}", f"expected {'2 bars or more' if name == 'window' else 'a number above zero'}")
        for name, is_good in good.items()
        if not is_good
    )
    if faults:
        raise InvalidInput(
            f"the size is not valid: {'; '.join(f'{f.field} {f.message}' for f in faults)}", errors=faults
        )
    return sizing
