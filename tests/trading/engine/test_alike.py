"""Orders judged by how alike they are to what is held: correlations are handed in, and kept in memory only."""

from decimal import Decimal

import msgspec
import pytest

from evenkeel.domain.events import RiskInputs
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.orders import Order, OrderState, Side
from evenkeel.domain.records import OrderDecided
from tests.trading.engine.world import ACME, BOLT, OPEN, World, instrument

CREW = instrument("CREW")
LIMITED = msgspec.structs.replace(OPEN, max_correlation=Decimal("0.8"))


def world(correlation: float | None = 0.9, limits: object = LIMITED) -> World:
    """Holds 100 ACME at 10; BOLT moves with it by `correlation`, CREW is not measured."""
    made = World(ACME, BOLT, CREW)
    made.account(limits=limits)  # type: ignore[arg-type]
    for one in (ACME, BOLT, CREW):
        made.price(one, 10.0)
    if correlation is not None:
        rows = ((1.0, correlation), (correlation, 1.0))
        inputs = RiskInputs(as_of=made.now, days=250, instruments=(ACME.id, BOLT.id), correlations=rows)
        assert made.step(inputs).records == ()
    made.holding("100")
    return made


def seen(made: World, order: Order, rule: str) -> str:
    """The value that the check of an order recorded."""
    decided = next(one for one in made.records if isinstance(one, OrderDecided) and one.order_id == order.id)
    return next(check.value for check in decided.checks if check.rule == rule)


@pytest.mark.parametrize(
    ("correlation", "side", "passes"),
    [
        (0.8, Side.BUY, True),
        (0.8001, Side.BUY, False),
        (0.95, Side.SELL, True),
        (-0.95, Side.BUY, True),
        (-0.95, Side.SELL, False),
    ],
    ids=["exactly the limit", "a step above it", "a hedge", "moves apart", "short of what moves apart is the same bet"],
)
def test_a_new_position_too_like_one_that_is_held(correlation: float, side: Side, passes: bool) -> None:
    made = world(correlation)
    order = made.submit(side, "10", instrument_id=BOLT.id)
    assert (order.state is not OrderState.REFUSED) is passes
    if not passes:
        assert (order.rule, order.limit) == ("max-correlation", "0.8")


def test_what_is_on_its_way_counts_as_held() -> None:
    made = world()
    made.submit(Side.SELL, "100")
    made.holding("10", "10", instrument_id=CREW.id)
    first = made.submit(Side.BUY, "10", instrument_id=BOLT.id)
    assert first.rule == "max-correlation", "ACME is being sold, and is held until then"
    fresh = World(ACME, BOLT)
    fresh.account(limits=LIMITED)
    for one in (ACME, BOLT):
        fresh.price(one, 10.0)
    fresh.step(RiskInputs(as_of=1, days=250, instruments=(ACME.id, BOLT.id), correlations=((1, 0.9), (0.9, 1))))
    assert fresh.submit(Side.BUY, "10").state is OrderState.SUBMITTED
    assert fresh.submit(Side.BUY, "10", instrument_id=BOLT.id).rule == "max-correlation"


def test_more_of_the_same_and_less_of_it_pass() -> None:
    made = world()
    for side in (Side.BUY, Side.SELL):
        assert made.submit(side, "10").state is OrderState.SUBMITTED


def test_a_reduction_is_never_held_back() -> None:
    made = world(None)
    made.holding("10", "10", instrument_id=BOLT.id)
    made.step(RiskInputs(as_of=1, days=9, instruments=(ACME.id, BOLT.id), correlations=((1, 0.99), (0.99, 1))))
    assert made.submit(Side.SELL, "10", instrument_id=BOLT.id).state is OrderState.SUBMITTED
    assert made.submit(Side.BUY, "10", instrument_id=BOLT.id).rule == "max-correlation"


@pytest.mark.parametrize(
    ("correlation", "held", "wanted", "value"),
    [
        (None, [], BOLT, "not measured"),
        (float("nan"), [], BOLT, "not measured"),
        (0.9, [], CREW, "not measured"),
        (0.9, [], ACME, "nothing else is held"),
        (0.5, [CREW], BOLT, "0.5000, 1 not measured"),
    ],
    ids=["nothing yet", "one did not move", "a new instrument", "alone", "a part of it"],
)
def test_what_is_not_measured_passes_and_the_record_says_so(
    correlation: float | None, held: list[Instrument], wanted: Instrument, value: str
) -> None:
    made = world(correlation)
    for one in held:
        made.holding("10", instrument_id=one.id)
    order = made.submit(Side.BUY, "10", instrument_id=wanted.id)
    assert order.state is OrderState.SUBMITTED
    assert seen(made, order, "max-correlation") == value


def test_without_the_limit_nothing_is_asked() -> None:
    made = world(limits=OPEN)
    order = made.submit(Side.BUY, "10", instrument_id=BOLT.id)
    decided = next(one for one in made.records if isinstance(one, OrderDecided) and one.order_id == order.id)
    assert "max-correlation" not in {check.rule for check in decided.checks}


def test_a_least_number_of_positions_may_be_built_up_and_not_be_lost() -> None:
    """Two at least: from nothing one may begin; of 1,000 and 1,000 no order may make 1,100 and 1,000."""
    made = World(ACME, BOLT)
    made.account(limits=msgspec.structs.replace(OPEN, min_diversification=Decimal(2)))
    for one in (ACME, BOLT):
        made.price(one, 10.0)
    made.holding("100")
    made.holding("100", instrument_id=BOLT.id)
    refused = made.submit(Side.BUY, "10")
    assert (refused.rule, refused.limit) == ("min-diversification", "2")
    assert made.submit(Side.SELL, "10").state is OrderState.SUBMITTED, "a reduction"
