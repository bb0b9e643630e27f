"""The built-in cost schedules: price lists by name, with the day as of which their figures hold.

A name keeps its figures: when a regulator or broker changes them, a schedule of another name is added, so that an
account and a backtest of the years before go on paying what they paid. Sources and what to check: docs/costs.md.
"""

from datetime import date
from decimal import ROUND_UP
from functools import lru_cache

from evenkeel.domain.errors import NotFound
from evenkeel.domain.money import COST_STEP
from evenkeel.domain.orders import Side
from evenkeel.quant.costs.components import Component, CostSchedule, Liquidity
from evenkeel.quant.costs.variants import split_name

_PER_SHARE = Component("commission", per_unit=0.005, minimum=1.0, cap_rate=0.01)


def _us_regulatory(*, section_31: float, activity: float, cap: float) -> tuple[Component, Component]:
    """The SEC's Section 31 fee and FINRA's Trading Activity Fee, both on sales only; the latter capped a trade."""
    return (
        Component("regulatory-fee", rate=section_31, side=Side.SELL),
        Component("trading-activity-fee", per_unit=activity, cap=cap, side=Side.SELL),
    )


_US_2024 = _us_regulatory(section_31=27.80e-6, activity=0.000166, cap=8.30)
_US_2026 = _us_regulatory(section_31=20.60e-6, activity=0.000195, cap=9.79)


def _india(name: str, title: str, *duties: Component, brokerage: Component, exchange: float) -> CostSchedule:
    """A price list at the NSE of April 2026: GST is on services (broker, exchange, SEBI, depository), not on taxes.

    `exchange` includes the contribution to the investor protection fund; SEBI takes 10 rupees a crore.
    """
    services = (brokerage, Component("exchange", rate=exchange), Component("sebi", rate=1e-6))
    depository = tuple(duty for duty in duties if duty.kind == "fee")
    taxes = tuple(duty for duty in duties if duty.kind == "tax")
    gst = Component("gst", "tax", rate=0.18, on=tuple(part.name for part in (*services, *depository)))
    return CostSchedule(name, title, (*services, *depository, *taxes, gst), as_of=date(2026, 4, 1))


def _stt(rate: float, side: Side | None = Side.SELL) -> Component:
    return Component("stt", "tax", rate=rate, side=side)


def _stamp(rate: float) -> Component:
    return Component("stamp-duty", "tax", rate=rate, side=Side.BUY)


def _crypto(name: str, title: str, *, maker: float, taker: float) -> CostSchedule:
    components = (
        Component("commission", rate=taker, liquidity=Liquidity.TAKER),
        Component("maker-commission", rate=maker, liquidity=Liquidity.MAKER),
    )
    return CostSchedule(name, title, components, as_of=date(2026, 1, 1), step=f"{COST_STEP:f}")


_DISCOUNT_BROKER = Component("brokerage", rate=3e-4, cap=20.0)

_BUILT_IN = (
    CostSchedule("zero", "No charges"),
    CostSchedule(
        "us-zero-commission",
        "US equities without commission; regulatory fees on sales",
        _US_2024,
        rounding=ROUND_UP,
        as_of=date(2024, 5, 22),
    ),
    CostSchedule(
        "us-per-share",
        "US equities at 0.005 a share, 1.00 to 1 % of value an order; regulatory fees on sales",
        (_PER_SHARE, *_US_2024),
        as_of=date(2024, 5, 22),
    ),
    CostSchedule(
        "us-zero-commission-2026",
        "US equities without commission; regulatory fees on sales as of April 2026",
        _US_2026,
        rounding=ROUND_UP,
        as_of=date(2026, 4, 4),
    ),
    CostSchedule(
        "us-per-share-2026",
        "US equities at 0.005 a share, 1.00 to 1 % of value an order; regulatory fees on sales as of April 2026",
        (_PER_SHARE, *_US_2026),
        as_of=date(2026, 4, 4),
    ),
    _india(
        "india-equity-delivery",
        "NSE equities held overnight: no brokerage; STT, stamp duty, GST, depository 13.00 a sale",
        Component("depository", per_order=13.0, side=Side.SELL),
        _stt(0.001, None),
        _stamp(0.00015),
        brokerage=Component("brokerage"),
        exchange=3.07e-5,
    ),
    _india(
        "india-equity-intraday",
        "NSE equities closed the same day: 0.03 % to 20.00 an order; STT on sales, stamp duty, GST",
        _stt(0.00025),
        _stamp(0.00003),
        brokerage=_DISCOUNT_BROKER,
        exchange=3.07e-5,
    ),
    _india(
        "india-futures",
        "NSE equity futures: 0.03 % to 20.00 an order; STT on sales, stamp duty, GST",
        _stt(0.0005),
        _stamp(0.00002),
        brokerage=_DISCOUNT_BROKER,
        exchange=1.83e-5,
    ),
    _india(
        "india-options",
        "NSE equity options, by premium: 20.00 an order; STT on sales, stamp duty, GST",
        _stt(0.0015),
        _stamp(0.00003),
        brokerage=Component("brokerage", per_order=20.0),
        exchange=3.553e-4,
    ),
    _crypto(
        "crypto-spot",
        "Crypto spot: 0.1 %, maker or taker",
        maker=0.001,
        taker=0.001,
    ),
    _crypto(
        "crypto-perpetual",
        "Crypto perpetuals: 0.02 % as a maker, 0.05 % as a taker",
        maker=0.0002,
        taker=0.0005,
    ),
    CostSchedule("fx-spread", "Currencies: no commission, the spread is the price"),
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
    """The built-in schedule of that name, or a variant of one (see `variants`).

    Raises NotFound, naming those there are, and InvalidInput for a variant that makes no sense.
    """
    known = SCHEDULES.get(name)
    return known if known is not None else _variant(name)


@lru_cache(maxsize=256)
def _variant(name: str) -> CostSchedule:
    found = split_name(name)
    if found is None or found[0] not in SCHEDULES:
        raise NotFound(f"there is no cost schedule {name!r}", hint=f"Choose one of {', '.join(sorted(SCHEDULES))}.")
    return found[1].of(SCHEDULES[found[0]])
