"""The moments of death: at random under load, and at each step between a commit and what follows it."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from evenkeel.domain.events import VenueAccepted, VenueFilled
from evenkeel.trading.brokers.simulated import wire
from evenkeel.trading.brokers.simulated.wire import Faults
from tests.chaos import gate
from tests.chaos.gate import Trap
from tests.chaos.processes import until
from tests.chaos.world import World

Kill = Callable[[World], Awaitable[str]]
LONGEST_LOAD = 1.0
TRAP_SECONDS = 60.0


async def anywhere(world: World) -> str:
    """At any moment of the load."""
    moment = world.seed.uniform(0.02, LONGEST_LOAD)
    await asyncio.sleep(moment)
    return f"after {moment:.3f} s of load"


ANYTHING = ("attach", "place", "modify", "cancel", "executions", "positions", "orders", "status")


def misfortune(world: World, *on: str) -> Faults:
    """A venue that loses, delays and repeats what it says."""
    return Faults(
        seed=world.seed.getrandbits(30),
        on=on or ("place", "modify", "cancel"),
        lost_request=0.03,
        lost_reply=0.05,
        late_reply=0.2,
        delay=0.3,
        lost_events=0.05,
        late_events=0.1,
        duplicate_events=0.3,
        shuffled_events=0.3,
    )


async def in_misfortune(world: World) -> str:
    """At any moment, while the venue loses, delays and repeats what it says."""
    await world.afflict(misfortune(world))
    return f"in misfortune, {await anywhere(world)}"


async def starting_in_misfortune(world: World) -> str:
    """Once under load, and again in a start during which the venue answers some questions late or never."""
    await anywhere(world)
    world.kill("before a start in misfortune")
    await world.afflict(misfortune(world, *ANYTHING))
    world.desk.spawn()
    moment = world.seed.uniform(1.5, 5.0)
    await asyncio.sleep(moment)
    return f"{moment:.2f} s into a start in misfortune"


def trapped(make: Callable[[], Trap]) -> Kill:
    async def kill(world: World) -> str:
        trap = world.gate.set(make())
        await until(trap.sprung.is_set, f"trap: {trap.name}", TRAP_SECONDS)
        return trap.name

    return kill


async def queued(world: World) -> str:
    """Between commit and send: acknowledged behind an order of the same account that is stuck on its way."""
    trap = world.gate.set(gate.request(wire.Place))
    await until(trap.sprung.is_set, f"trap: {trap.name}", TRAP_SECONDS)
    account_id = trap.caught.ticket.spec.account_id
    for _ in range(20):
        answer = await world.trader.send(world.trader.draw(account_id))
        if answer is not None and answer["state"] == "SUBMITTED":
            assert (account_id, answer["venue_order_id"]) not in world.gate.placed
            return "committed, acknowledged, not sent"
    return "committed and refused only"


async def starting(world: World) -> str:
    """Once under load, and again while it starts: before or in the middle of its recovery."""
    await anywhere(world)
    world.kill("before a start that does not end")
    world.desk.spawn()
    moment = world.seed.uniform(0.2, 2.5)
    await asyncio.sleep(moment)
    return f"{moment:.2f} s into a start"


async def reconciling(world: World) -> str:
    """Once under load, and again when the next start asks its broker what happened."""
    await anywhere(world)
    world.kill("before a reconcile that does not end")
    kind = world.seed.choice((wire.AskExecutions, wire.AskPositions, wire.AskOrders))
    way = world.seed.choice((gate.request, gate.reply))
    trap = world.gate.set(way(kind))
    world.desk.spawn()
    await until(trap.sprung.is_set, f"trap: {trap.name}", TRAP_SECONDS)
    return f"while reconciling: {trap.name}"


KILLS: tuple[Kill, ...] = (
    queued,
    trapped(lambda: gate.request(wire.Place)),
    trapped(lambda: gate.event(VenueAccepted)),
    trapped(lambda: gate.reply(wire.Place)),
    trapped(lambda: gate.request(wire.Place, torn=True)),
    in_misfortune,
    trapped(lambda: gate.event(VenueFilled)),
    reconciling,
    trapped(lambda: gate.reply(wire.Show)),
    trapped(lambda: gate.request(wire.Cancel)),
    trapped(lambda: gate.reply(wire.Cancel)),
    starting,
    starting_in_misfortune,
)


def drawn(seed: random.Random, count: int) -> list[Kill]:
    """`count` kills: every second one anywhere, the others going through all targeted ones in a drawn order."""
    targeted: list[Kill] = []
    while len(targeted) < count:
        targeted += seed.sample(KILLS, len(KILLS))
    return [targeted.pop() if number % 2 else anywhere for number in range(count)]
