"""Rules of deployments: a loser is taken out, its shadow goes on, a recovered one comes back; all of it recorded."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.errors import Conflict, InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.strategies import Allocation, Deployment, Revision, Switch, SwitchRules
from evenkeel.trading.engine.state import DeploymentState
from evenkeel.trading.engine.track import Track
from tests.trading.engine.world import ACME, BOLT, WHO, D, World, assert_sound, at, split_slice

FALLS = SwitchRules(max_drawdown=0.05, recovery=0.03)


def deployed(rules: SwitchRules | None, *, of: tuple[Instrument, ...] = (ACME,), accounts: str = "A") -> World:
    world = World()
    for name in accounts:
        world.account(name)
    world.price(ACME, 100.0)
    shares = tuple(Allocation(name, D("0.5")) for name in accounts)
    deployment = Deployment("trend", "trend", "sma", "1", {}, tuple(one.id for one in of), shares, rules=rules)
    world.step(c.Deploy(provenance=WHO, deployment=deployment))
    return world


def held(world: World) -> DeploymentState:
    return world.state.deployments["trend"]


def track_of(world: World) -> Track:
    track = held(world).track
    assert track is not None
    return track


def day(world: World, number: int, price: float, target: float | None, *, of: Instrument = ACME) -> None:
    """One bar: orders fill at its price, then the strategy signals."""
    world.price(of, price, number)
    for account in world.state.accounts.values():
        for order in tuple(account.working.values()):
            if order.spec.instrument_id == of.id:
                world.step(world.said(e.VenueAccepted, order))
                world.fill(order, str(order.remaining), str(price))
    world.signal(target, of=of)


def quantity(world: World, of: Instrument = ACME) -> int:
    return int(world.position("trend", of))


def test_without_rules_nothing_is_kept() -> None:
    world = deployed(None)
    day(world, 1, 100.0, 1.0)
    (signal,) = world.of(r.SignalRecorded)
    assert (held(world).track, signal.price) == (None, None)


def test_a_loser_is_switched_off_closed_and_let_in_again() -> None:
    world = deployed(FALLS)
    day(world, 1, 100.0, 1.0)
    day(world, 2, 100.0, 1.0)
    assert quantity(world) == 500
    day(world, 3, 96.0, None)
    assert held(world).deployment.is_on, "a loss of 4 % is within the rule"
    day(world, 4, 94.0, None)
    assert held(world).deployment.switch == Switch(False, at(4), "max-drawdown", "0.05", "0.06")
    assert world.alerts()[-1:] == ["strategy-off"]
    day(world, 5, 93.0, 1.0)
    assert quantity(world) == 0, "what it held is closed"
    day(world, 6, 90.0, None)
    day(world, 7, 91.0, None)
    assert not held(world).deployment.is_on
    orders = len(world.state.orders)
    day(world, 8, 95.0, None)  # the shadow has made 4/90 since its lowest
    switch = held(world).deployment.switch
    assert switch is not None
    assert (switch.on, switch.rule, switch.limit, world.alerts()[-1]) == (
        True,
        "recovery",
        "0.03",
        "strategy-recovered",
    )
    assert len(world.state.orders) == orders + 1, "it takes up the target in force"
    day(world, 9, 95.0, None)
    assert quantity(world) > 0
    day(world, 10, 94.0, None)
    assert held(world).deployment.is_on, "its record begins anew"
    assert_sound(world)


def test_while_off_signals_are_recorded_and_move_nothing() -> None:
    world = deployed(FALLS)
    for number, price in enumerate([100.0, 100.0, 90.0, 90.0], 1):
        day(world, number, price, 1.0)
    before, orders = len(world.of(r.SignalRecorded)), len(world.state.orders)
    for number, target in enumerate([0.0, 1.0, -1.0, 0.0], 5):
        day(world, number, 90.0, target)
    assert len(world.of(r.SignalRecorded)) == before + 4
    assert (quantity(world), len(world.state.orders)) == (0, orders)
    assert held(world).targets == {ACME.id: 0.0}
    assert_sound(world)


def test_a_closing_order_that_came_to_nothing_is_tried_again() -> None:
    world = deployed(FALLS)
    for number, price in enumerate([100.0, 100.0], 1):
        day(world, number, price, 1.0)
    world.price(ACME, 90.0, 3)
    world.signal(1.0)
    (closing,) = world.state.accounts["A"].working.values()
    world.step(world.said(e.VenueRejected, closing, reason="closed today"))
    day(world, 4, 90.0, None)
    day(world, 5, 90.0, None)
    assert quantity(world) == 0
    assert_sound(world)


def test_losses_in_a_row_count_trades_and_not_accounts() -> None:
    world = deployed(SwitchRules(max_losses=2), accounts="AB")
    prices = [100.0, 100.0, 99.0, 99.0, 101.0, 101.0, 100.0, 100.0, 98.0, 98.0]
    targets = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    for number, (price, target) in enumerate(zip(prices, targets, strict=True), 1):
        day(world, number, price, target)
    assert track_of(world).losses == 1, "a loss, a profit, a loss; each in two accounts"
    assert held(world).deployment.is_on
    for number, (price, target) in enumerate([(98.0, 1.0), (98.0, 0.0), (97.0, 0.0)], 11):
        day(world, number, price, target)
    switch = held(world).deployment.switch
    assert switch is not None
    assert (switch.on, switch.rule, switch.limit, switch.value) == (False, "max-losses", "2", "2")
    assert_sound(world)


def test_a_poor_return_of_the_last_days_switches_off_once_there_are_as_many() -> None:
    world = deployed(SwitchRules(min_return=-0.02, return_days=5))
    for number, price in enumerate([100.0, 100.0, 97.0, 97.0, 97.0], 1):
        day(world, number, price, 1.0)
        assert held(world).deployment.is_on, "there is no record of five days yet"
    day(world, 6, 97.0, 1.0)
    switch = held(world).deployment.switch
    assert switch is not None
    assert (switch.rule, switch.limit, float(switch.value)) == ("min-return", "-0.02", pytest.approx(-0.03))


def test_a_switch_is_not_taken_back_before_its_time() -> None:
    rules = msgspec.structs.replace(FALLS, min_days=4)
    world = deployed(rules)
    for number, price in enumerate([100.0, 100.0, 90.0, 80.0, 90.0, 95.0], 1):
        day(world, number, price, 1.0)
        assert held(world).deployment.is_on is (number < 3)
    day(world, 7, 95.0, 1.0)
    assert held(world).deployment.is_on


def test_a_person_switches_it_on_and_its_record_begins_anew() -> None:
    world = deployed(SwitchRules(max_drawdown=0.05))
    for number, price in enumerate([100.0, 100.0, 90.0, 90.0, 200.0], 1):
        day(world, number, price, 1.0)
    assert not held(world).deployment.is_on, "without `recovery` no rule does"
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", enabled=True))
    assert held(world).deployment.switch == Switch(True, at(5), "by-hand")
    day(world, 6, 200.0, None)
    day(world, 7, 200.0, None)
    assert quantity(world) > 0, "the target in force is traded at the next signal"
    day(world, 8, 195.0, None)
    assert held(world).deployment.is_on
    day(world, 9, 188.0, None)
    assert not held(world).deployment.is_on
    assert_sound(world)


def test_every_instrument_of_it_is_closed_and_traded_again() -> None:
    world = deployed(FALLS, of=(ACME, BOLT))
    world.price(BOLT, 100.0)
    for number, price in enumerate([100.0, 100.0, 80.0, 80.0], 1):
        day(world, number, price, 1.0)
        day(world, number, 100.0, 1.0, of=BOLT)
    day(world, 5, 80.0, None)
    day(world, 5, 100.0, None, of=BOLT)
    assert (quantity(world), quantity(world, BOLT)) == (0, 0)
    day(world, 6, 100.0, None)
    day(world, 6, 100.0, None, of=BOLT)
    assert held(world).deployment.is_on
    day(world, 7, 100.0, None)
    day(world, 7, 100.0, None, of=BOLT)
    assert quantity(world) > 0
    assert quantity(world, BOLT) > 0
    orders = len(world.state.orders)
    day(world, 8, 100.0, None)
    day(world, 8, 100.0, None, of=BOLT)
    assert len(world.state.orders) == orders, "each is traded to its target once"
    assert_sound(world)


def test_a_split_is_no_loss() -> None:
    world = deployed(SwitchRules(max_drawdown=0.05))
    for number in (1, 2):
        day(world, number, 100.0, 1.0)
    world.step(split_slice(3, "4:1"))
    day(world, 3, 25.0, 1.0)
    assert (track_of(world).shadow, held(world).deployment.is_on) == (0.0, True)
    assert track_of(world).own == pytest.approx(0.0)
    assert_sound(world)


def test_what_was_made_before_the_rules_counts_for_nothing() -> None:
    world = deployed(None)
    for number, price in enumerate([100.0, 100.0, 80.0], 1):
        day(world, number, price, 1.0)
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", revision=revision(rules=FALLS)))
    day(world, 4, 80.0, 1.0)
    assert (track_of(world).own, held(world).deployment.is_on) == (0.0, True)
    day(world, 5, 68.0, 1.0)
    assert not held(world).deployment.is_on
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", revision=revision()))
    assert held(world).track is None
    assert_sound(world)


def revision(**changes: object) -> Revision:
    return msgspec.structs.replace(Revision("sma", "1", {}), **changes)


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        (SwitchRules(), "rules"),
        (SwitchRules(recovery=0.1), "rules"),
        (SwitchRules(max_drawdown=0.0), "rules.max_drawdown"),
        (SwitchRules(max_drawdown=float("nan")), "rules.max_drawdown"),
        (SwitchRules(max_losses=0), "rules.max_losses"),
        (SwitchRules(min_return=1.0), "rules.min_return"),
        (SwitchRules(min_return=-0.1, return_days=0), "rules.return_days"),
        (SwitchRules(max_losses=3, recovery=0.0), "rules.recovery"),
        (SwitchRules(max_losses=3, min_days=-1.0), "rules.min_days"),
    ],
)
def test_rules_that_make_no_sense_are_named(rules: SwitchRules, field: str) -> None:
    world = deployed(None)
    deployment = Deployment("other", "other", "sma", "1", {}, (ACME.id,), (), rules=rules)
    for command in (
        c.Deploy(provenance=WHO, deployment=deployment),
        c.ChangeDeployment(provenance=WHO, deployment_id="trend", revision=revision(rules=rules)),
    ):
        declined = world.declined(command)
        assert isinstance(declined, InvalidInput)
        assert [fault.field for fault in declined.errors] == [field]


def test_another_program_begins_anew_and_its_orders_are_cancelled() -> None:
    world = deployed(None)
    world.step(e.CursorAdvanced(at(0), {"trend": b"memory"}))
    resting = world.resting(quantity="5", book="trend", kind="LIMIT", limit_price=D(90))
    mine = world.resting(quantity="5", kind="LIMIT", limit_price=D(90))
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", revision=revision(sizing=None)))
    assert (held(world).memory, resting.state) == (b"memory", "ACCEPTED"), "nothing was changed"
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", revision=revision(parameters={"fast": 3})))
    assert held(world).memory is None
    assert (resting.state, mine.state) == ("CANCEL_PENDING", "ACCEPTED")
    assert held(world).deployment.parameters == {"fast": 3}
    assert_sound(world)


def test_one_that_holds_nothing_is_removed_and_its_name_is_free() -> None:
    world = deployed(None)
    day(world, 1, 100.0, 1.0)
    remove = c.RemoveDeployment(provenance=WHO, deployment_id="trend")
    assert "1 working order" in world.declined(remove).message
    day(world, 2, 100.0, 0.0)
    assert "A ACME 500 and 1 working order" in world.declined(remove).message
    day(world, 3, 100.0, 0.0)
    world.step(remove)
    assert not held(world).is_running
    assert world.signal(1.0).records == ()
    for command in (remove, c.ChangeDeployment(provenance=WHO, deployment_id="trend", enabled=True)):
        assert isinstance(world.declined(command), Conflict)
    assert world.step(c.PauseDeployment(provenance=WHO, deployment_id="trend", reason="late")).records == ()
    again = Deployment("again", "trend", "sma", "1", {}, (ACME.id,), (Allocation("A", D("0.5")),))
    world.step(c.Deploy(provenance=WHO, deployment=again))
    assert_sound(world)


LIFE = st.lists(
    st.tuples(
        st.sampled_from([60.0, 80.0, 95.0, 100.0, 105.0, 130.0]),
        st.sampled_from([None, -1.0, 0.0, 0.5, 1.0]),
        st.booleans(),
    ),
    max_size=25,
)


@given(life=LIFE, losses=st.sampled_from([None, 1, 2]), min_days=st.sampled_from([0.0, 1.0, 3.0]))
def test_the_fold_of_what_was_recorded_is_the_same(
    life: list[tuple[float, float | None, bool]], losses: int | None, min_days: float
) -> None:
    """Recovery runs no rule again, and finds the same switches, tracks and positions."""
    rules = SwitchRules(0.05, losses, min_return=-0.1, return_days=3, recovery=0.03, min_days=min_days)
    world = deployed(rules, of=(ACME, BOLT), accounts="AB")
    world.price(BOLT, 100.0)
    for number, (price, target, is_first) in enumerate(life, 1):
        day(world, number, price, target, of=ACME if is_first else BOLT)
    assert_sound(world)
    switches = [one.deployment.switch for one in world.of(r.DeploymentChanged) if one.deployment.switch is not None]
    assert [one.on for one in switches] == [bool(place % 2) for place in range(len(switches))]
    alerts = [one.kind for one in world.of(r.AlertRaised) if one.kind in ("strategy-off", "strategy-recovered")]
    assert alerts == ["strategy-recovered" if one.on else "strategy-off" for one in switches]
    for one, after in pairwise(switches):
        assert after.at - one.at >= min_days * 86_400 * 10**9
