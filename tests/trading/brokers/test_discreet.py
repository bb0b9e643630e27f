"""A live adapter's words: the same outcome, without what it was trusted with, causes and events included."""

import traceback
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from evenkeel.domain.accounts import Account, AccountMode
from evenkeel.domain.errors import (
    BrokerError,
    BrokerRejected,
    BrokerUnavailable,
    Forbidden,
    OutcomeUnknown,
    RateLimited,
)
from evenkeel.domain.events import VenueRejected
from evenkeel.domain.orders import OrderKind, OrderSpec, Side
from evenkeel.telemetry import unspoken
from evenkeel.telemetry.unspoken import keep_unspoken
from evenkeel.trading.brokers.discreet import AdapterFailed, Discreet
from evenkeel.trading.brokers.handles import RealHandle
from tests.server.safekeeping import Acme, new_safe

SECRET = "CANARY-f00"


class Telling(Acme):
    """Fails in a way that tells the secret, or speaks of it in an event."""

    fails: Exception

    async def place(self, ticket: Any) -> None:
        try:
            dict[str, str]()[SECRET]
        except KeyError as error:
            raise self.fails from error

    async def events(self) -> Any:
        yield VenueRejected(account_id="a", venue_client_id="X", reason=f"{SECRET} is wrong")
        raise self.fails


class Many(Telling):
    """Takes the first of several orders, and tells the secret of the others."""

    def __init__(self, like: Telling) -> None:
        super().__init__(like._credentials)
        self.fails = BrokerRejected(f"no {SECRET}")

    async def place_all(self, tickets: Sequence[Any]) -> list[BrokerError | None]:
        answers: list[BrokerError | None] = [None]
        for ticket in tickets[1:]:
            try:
                await self.place(ticket)
            except BrokerError as error:
                answers.append(error)
        return answers


class Placed:
    """The part of a ticket that a handle looks at."""

    spec = OrderSpec("a", "manual", "i", Side.BUY, Decimal(1), OrderKind.MARKET, "one")


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Telling:
    monkeypatch.setattr(unspoken, "_known", set())
    monkeypatch.setattr(unspoken, "_pattern", None)
    keep_unspoken(SECRET)
    return Telling(new_safe().credentials)


@pytest.mark.parametrize(
    "fails",
    [
        BrokerUnavailable(f"no {SECRET}", hint=f"see {SECRET}"),
        BrokerRejected(f"no {SECRET}"),
        OutcomeUnknown(f"no {SECRET}"),
        RateLimited(f"no {SECRET}", retry_after=3.0),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_outcome_stays_what_it_is(broker: Telling, fails: Exception) -> None:
    broker.fails = fails
    with pytest.raises(type(fails)) as caught:
        await Discreet(broker).place(None)  # type: ignore[arg-type]
    assert str(caught.value) == "no [hidden]"
    assert SECRET not in "".join(traceback.format_exception(caught.value)).replace(f'SECRET = "{SECRET}"', "")
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after == 3.0


async def test_what_takes_several_at_once_still_does_and_each_answer_is_read(broker: Telling) -> None:
    found, ticket = Discreet(broker), Placed()
    with pytest.raises(Forbidden, match="takes one order at a time"):
        await found.place_all([ticket])  # type: ignore[list-item]
    handle = RealHandle(Account("a", "u", "A", "acme", "USD", mode=AccountMode.LIVE), Discreet(Many(broker)))
    taken, refused = await handle.place_all([ticket, ticket])  # type: ignore[list-item]
    assert taken is None
    assert isinstance(refused, BrokerRejected)
    assert (refused.message, refused.hint) == ("no [hidden]", None)
    assert SECRET not in "".join(traceback.format_exception(refused)).replace(f'SECRET = "{SECRET}"', "")


async def test_anything_else_is_told_by_its_kind(broker: Telling) -> None:
    broker.fails = ValueError(f"no {SECRET}")
    with pytest.raises(AdapterFailed, match=r"ValueError: no \[hidden\]") as caught:
        await Discreet(broker).place(None)  # type: ignore[arg-type]
    assert SECRET not in "".join(traceback.format_exception(caught.value))


async def test_events_and_their_end_are_read_as_well(broker: Telling) -> None:
    broker.fails = BrokerUnavailable(f"lost {SECRET}")
    events = Discreet(broker).events()
    first = await anext(events)
    assert isinstance(first, VenueRejected)
    assert first.reason == "[hidden] is wrong"
    with pytest.raises(BrokerUnavailable, match=r"lost \[hidden\]"):
        await anext(events)


async def test_what_goes_well_passes_through(broker: Telling) -> None:
    found = Discreet(broker)
    assert found.profile is broker.profile
    assert found.is_connected()
    await found.connect()
    assert await found.positions("a") == ()
    assert await found.executions("a", 0) == ()
    assert await found.order_status("a", "X") is None
    assert await found.quotes(()) == ()
    assert await found.history("i", timeframe="1d", start=0, end=1) == ()
    await found.disconnect()
