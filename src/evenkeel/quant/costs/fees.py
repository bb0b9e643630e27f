"""Cost schedules in one line, for whoever writes a backtest: `PercentFee("0.0005")`, `PerShareFee("0.005", minimum=1)`.

Figures may be text, Decimal, int or float. Where a fee is a rate of value, charges are booked to the eighth decimal
place; where it is an amount of money, to the minor unit of the currency, as brokers do; `step` says otherwise. A name
is made of the figures, so equal fees have equal names.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation

from msgspec.structs import replace

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.money import COST_STEP, mul, plain
from evenkeel.quant.costs.components import Component, CostSchedule, Liquidity, Tier, TierBasis, Tiers, is_step
from evenkeel.quant.costs.schedules import find_schedule

Figure = str | Decimal | int | float

FINE = f"{COST_STEP:f}"
_HUNDRED = Decimal(100)


def NoFee() -> CostSchedule:  # noqa: N802 - read as the name of a kind of fee
    """Trading is free."""
    return find_schedule("zero")


def PercentFee(  # noqa: N802
    rate: Figure, *, minimum: Figure | None = None, maker: Figure | None = None, step: Figure | None = FINE
) -> CostSchedule:
    """`rate` of notional, 0.0005 being 5 basis points, and at least `minimum` an order.

    With `maker`, fills that waited in the book pay that rate instead; a negative one is a rebate. Charges are
    multiples of `step`; None is the minor unit of the currency. Raises InvalidInput, naming the argument.
    """
    taker, making = _rate("rate", rate), _optional(_rate, maker=maker)
    least, grid = _optional(_amount, minimum=minimum), _step(step)
    name = _name("percent-fee", grid, plain(taker), usual=FINE, minimum=least, maker=making)
    component = Component("commission", rate=float(taker), minimum=_measure(least))
    if making is None:
        return CostSchedule(name, _title(f"{_percent(taker)} of value", least), (component,), step=grid)
    components = (
        replace(component, liquidity=Liquidity.TAKER),
        replace(component, name="maker-commission", rate=float(making), liquidity=Liquidity.MAKER),
    )
    title = _title(f"{_percent(taker)} of value taking liquidity, {_percent(making)} making it", least)
    return CostSchedule(name, title, components, step=grid)


def PerShareFee(  # noqa: N802
    price: Figure, *, minimum: Figure | None = None, cap_rate: Figure | None = None, step: Figure | None = None
) -> CostSchedule:
    """`price` a share, at least `minimum` an order, and at most `cap_rate` of notional, which holds over the minimum.

    Raises InvalidInput, naming the argument.
    """
    return _per_unit("share", price, minimum=minimum, cap_rate=cap_rate, step=step)


def PerContractFee(  # noqa: N802
    price: Figure, *, minimum: Figure | None = None, step: Figure | None = None
) -> CostSchedule:
    """`price` a contract, and at least `minimum` an order. Raises InvalidInput, naming the argument."""
    return _per_unit("contract", price, minimum=minimum, cap_rate=None, step=step)


def FixedFee(amount: Figure, *, step: Figure | None = None) -> CostSchedule:  # noqa: N802
    """`amount` an order, charged with its first fill. Raises InvalidInput, naming the argument."""
    paid, grid = _amount("amount", amount), _step(step)
    component = Component("commission", per_order=float(paid))
    return CostSchedule(_name("fixed-fee", grid, plain(paid)), f"{plain(paid)} an order", (component,), step=grid)


def TieredFee(  # noqa: N802
    tiers: Iterable[tuple[Figure | None, Figure]],
    *,
    by: str = TierBasis.NOTIONAL,
    whole: bool = False,
    minimum: Figure | None = None,
    step: Figure | None = FINE,
) -> CostSchedule:
    """A price by the size of one order: pairs (up to and including, price), rising, of which the last is up to None.

    `by` "notional" makes prices fractions of it, `by` "quantity" currency a unit. Each bracket prices the part of
    the order within it; with `whole`, the bracket in which the order ends prices all of it, so that a later fill of
    an order that reaches a cheaper one brings money back. Raises InvalidInput, naming the argument.
    """
    if by not in tuple(TierBasis):
        raise _refusal("by", f"expected {' or '.join(TierBasis)}, not {by!r}")
    pairs = [_tier(place, pair, by=TierBasis(by)) for place, pair in enumerate(tiers)]
    least, grid = _optional(_amount, minimum=minimum), _step(step)
    brackets = tuple(Tier(_measure(end), float(price)) for end, price in pairs)
    component = Component("commission", minimum=_measure(least), tiers=Tiers(brackets, TierBasis(by), whole=whole))
    kind = f"{'whole-' if whole else ''}tiered-fee-by-{by}"
    told = [f"{'' if end is None else plain(end)}:{plain(price)}" for end, price in pairs]
    name = _name(kind, grid, *told, usual=FINE, minimum=least)
    try:
        return CostSchedule(name, _title(f"by the {by} of an order", least), (component,), step=grid)
    except InvalidInput as error:
        raise _refusal("tiers", error.errors[0].message) from None


def _tier(place: int, pair: tuple[Figure | None, Figure], *, by: TierBasis) -> tuple[Decimal | None, Decimal]:
    where = f"tiers.{place}"
    if len(pair) != 2:
        raise _refusal(where, f"expected a pair (up to, price), not {pair!r}")
    end, price = pair
    return (
        None if end is None else _amount(where, end),
        _rate(where, price) if by is TierBasis.NOTIONAL else _amount(where, price),
    )


def _per_unit(
    unit: str, price: Figure, *, minimum: Figure | None, cap_rate: Figure | None, step: Figure | None
) -> CostSchedule:
    each, least = _amount("price", price), _optional(_amount, minimum=minimum)
    most, grid = _optional(_rate, cap_rate=cap_rate), _step(step)
    if most is not None and most < 0:
        raise _refusal("cap_rate", f"expected zero or more, not {most}")
    component = Component("commission", per_unit=float(each), minimum=_measure(least), cap_rate=_measure(most))
    title = _title(f"{plain(each)} a {unit}", least)
    if most is not None:
        title += f", at most {_percent(most)} of value"
    name = _name(f"per-{unit}-fee", grid, plain(each), minimum=least, cap_rate=most)
    return CostSchedule(name, title, (component,), step=grid)


def _optional(read: Callable[[str, Figure], Decimal], **argument: Figure | None) -> Decimal | None:
    """The one argument given by its name, where it is not None."""
    ((name, value),) = argument.items()
    return None if value is None else read(name, value)


def _measure(figure: Decimal | None) -> float | None:
    return None if figure is None else float(figure)


def _number(name: str, value: Figure) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | Decimal | int | float):
        raise _refusal(name, f"expected a number such as '0.0005', not {value!r}")
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        raise _refusal(name, f"expected a number such as '0.0005', not {value!r}") from None
    if not number.is_finite():
        raise _refusal(name, f"expected a finite number, not {value!r}")
    return number


def _rate(name: str, value: Figure) -> Decimal:
    rate = _number(name, value)
    if not -1 < rate < 1:
        raise _refusal(name, f"expected a fraction such as 0.0005 for 5 basis points, not {value!r}")
    return rate


def _amount(name: str, value: Figure) -> Decimal:
    amount = _number(name, value)
    if amount < 0:
        raise _refusal(name, f"expected zero or more, not {value!r}")
    return amount


def _step(value: Figure | None) -> str | None:
    if value is None:
        return None
    step = plain(_number("step", value))
    if not is_step(step):
        raise _refusal("step", f"expected a multiple of {FINE} above zero such as '0.01', not {value!r}")
    return step


def _refusal(name: str, message: str) -> InvalidInput:
    return InvalidInput(f"{name}: {message}", errors=(FieldError(name, message),))


def _name(kind: str, step: str | None, *told: str, usual: str | None = None, **named: Decimal | None) -> str:
    """A kind of fee and its figures; the step only where it is not the usual one."""
    figures = [f"{name}={plain(figure)}" for name, figure in named.items() if figure is not None]
    if step != usual:
        figures.append(f"step={step or 'minor unit'}")
    return f"{kind}({', '.join([*told, *figures])})"


def _title(what: str, least: Decimal | None) -> str:
    return what if least is None else f"{what}, at least {plain(least)} an order"


def _percent(rate: Decimal) -> str:
    return f"{plain(mul(rate, _HUNDRED))} %"
