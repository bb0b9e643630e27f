"""A split with open positions and resting orders, and a death in the middle of it: it applies once on both sides."""

import random
import subprocess
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from evenkeel.trading.brokers.simulated import wire
from tests.chaos.gate import Trap
from tests.chaos.processes import EVENKEEL, short_folder, surroundings, until
from tests.chaos.timeline import Timeline
from tests.chaos.world import World, world
from tests.plan import ChaosPlan

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(600)]
FIRST, SPLIT_AFTER, DAYS = date(2021, 3, 1), 45, 75
BEFORE, AFTER = Decimal(120), Decimal(80)
ARGUMENTS = ("up", "--feed", "replay", "--speed", "12")


def is_split(message: object) -> bool:
    return isinstance(message, wire.Show) and bool(message.market.splits)


TRAPS: dict[str, Callable[[], Trap]] = {
    "the engine has it, the venue does not": lambda: Trap("split before the venue", lambda m, _asked: is_split(m)),
    "both have it, and nobody was told": lambda: Trap("answer to the split", lambda _m, asked: is_split(asked)),
}


def import_market(folder: Path) -> None:
    """A steady stock that splits 3 for 2, and falls at the end."""
    weekdays = [day for day in (FIRST + timedelta(n) for n in range(DAYS * 2)) if day.weekday() < 5][:DAYS]
    lines = ["date,open,high,low,close,volume"]
    for number, day in enumerate(weekdays):
        price = BEFORE if number < SPLIT_AFTER else AFTER
        price = price * Decimal("0.7") if number >= DAYS - 8 else price
        lines.append(f"{day},{price},{price + 1},{price - 1},{price},1000000")
    (folder / "STEADY.csv").write_text("\n".join(lines))
    (folder / "splits.csv").write_text(
        f"symbol,ex_date,numerator,denominator\nSTEADY,{weekdays[SPLIT_AFTER]},3,2\n", encoding="utf-8"
    )
    command = [EVENKEEL, "data", "import", "STEADY.csv", "--venue", "XNAS", "--adjustments", "splits.csv"]
    command += ["--home", str(folder / "home")]
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings(), cwd=folder, check=False)
    assert done.returncode == 0, done.stderr


async def order(world: World, account_id: str, **fields: str) -> str:
    """Places an order of the trader's and returns its client id."""
    name = world.trader.draw(account_id)
    body = world.trader.orders[name].body
    for price in ("limit_price", "stop_price"):
        body.pop(price, None)
    body |= {"symbol": "STEADY", "time_in_force": "GTC"} | fields
    answer = await world.trader.send(name)
    assert answer is not None
    assert answer["state"] in ("SUBMITTED", "ACCEPTED"), answer
    return name


async def state_of(world: World, name: str) -> dict[str, str]:
    told = world.trader.orders[name].answer
    assert told is not None
    found: dict[str, str] = await world.client.get(f"/trading/orders/{told['id']}")
    return found


async def filled(world: World, names: list[str]) -> bool:
    return all([(await state_of(world, name))["state"] == "FILLED" for name in names])


async def held(world: World) -> list[str]:
    return sorted(one["quantity"] for one in (await world.client.get("/trading/positions"))["items"])


@pytest.mark.parametrize("when", TRAPS)
async def test_killed_in_the_middle_of_a_split(chaos_plan: ChaosPlan, when: str) -> None:
    """Accounts hold 10 and 11 shares, each with a resting stop and a resting limit; 3 for 2 makes 15 and 16.5."""
    seed: random.Random = chaos_plan.random(f"split: {when}")
    with short_folder() as folder:
        import_market(folder)
        async with world(folder, seed, Timeline(chaos_plan.seed), arguments=ARGUMENTS, accounts=2) as made:
            await made.client.feed("pause")
            accounts = made.trader.accounts
            bought = [
                await order(made, account, side="BUY", kind="MARKET", quantity=quantity)
                for account, quantity in zip(accounts, ("10", "11"), strict=True)
            ]
            await made.client.feed("resume")
            await until(lambda: filled(made, bought), "the positions are open")
            stops = [
                await order(made, account, side="SELL", kind="STOP", quantity="10", stop_price="90")
                for account in accounts
            ]
            limits = [
                await order(made, account, side="BUY", kind="LIMIT", quantity="2", limit_price="60")
                for account in accounts
            ]
            trap = made.gate.set(TRAPS[when]())
            await until(trap.sprung.is_set, f"trap: {trap.name}")
            made.kill(trap.name)
            await made.settle()
            await made.restart()
            await made.check()
            assert await held(made) == ["15", "16"]
            for name in stops:
                found = await state_of(made, name)
                assert (found["state"], found["quantity"], found["stop_price"]) == ("ACCEPTED", "15", "60.00")
            for name in limits:
                found = await state_of(made, name)
                assert (found["state"], found["quantity"], found["limit_price"]) == ("ACCEPTED", "3", "40.00")
            await until(lambda: filled(made, stops), "the stops have sold")
            await made.check()
            assert await held(made) == ["1"]
