"""A broker whose words carry no credential: what a live adapter says of a failure is read before it goes on.

Its errors become reasons in the journal, alerts and answers, and an adapter, or the library below it, may well put a
key into one. Nothing else of it is changed.
"""

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import NoReturn, TypeVar

import msgspec

from evenkeel.domain.errors import BrokerError, Forbidden
from evenkeel.domain.events import AnyVenueEvent, BrokerBalance, BrokerOrder, BrokerPosition, VenueFilled
from evenkeel.domain.marketdata import Bar, Quote
from evenkeel.telemetry.unspoken import without_secrets
from evenkeel.trading.brokers.ports import AccountSummary, Amendment, Broker, Cancellation, ManyAtOnce, Ticket

T = TypeVar("T")


class AdapterFailed(Exception):
    """What an adapter raised that is no outcome of the port, in words without credentials."""


class Discreet:
    """Stands before a live adapter, and offers what it offers."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.profile = broker.profile

    async def connect(self) -> None:
        await _heard(self._broker.connect())

    async def disconnect(self) -> None:
        await _heard(self._broker.disconnect())

    def is_connected(self) -> bool:
        return self._broker.is_connected()

    async def balance(self, account_id: str) -> BrokerBalance:
        return await _heard(self._broker.balance(account_id))

    async def open_orders(self, account_id: str) -> tuple[BrokerOrder, ...]:
        return await _heard(self._broker.open_orders(account_id))

    async def positions(self, account_id: str) -> tuple[BrokerPosition, ...]:
        return await _heard(self._broker.positions(account_id))

    async def executions(self, account_id: str, since: int) -> tuple[VenueFilled, ...]:
        return await _heard(self._broker.executions(account_id, since))

    async def order_status(self, account_id: str, venue_client_id: str) -> BrokerOrder | None:
        return await _heard(self._broker.order_status(account_id, venue_client_id))

    async def account_summary(self, account_id: str) -> AccountSummary:
        return await _heard(self._broker.account_summary(account_id))

    async def quotes(self, instrument_ids: tuple[str, ...]) -> tuple[Quote, ...]:
        return await _heard(self._broker.quotes(instrument_ids))

    async def history(self, instrument_id: str, *, timeframe: str, start: int, end: int) -> tuple[Bar, ...]:
        return await _heard(self._broker.history(instrument_id, timeframe=timeframe, start=start, end=end))

    async def place(self, ticket: Ticket) -> None:
        await _heard(self._broker.place(ticket))

    async def place_all(self, tickets: Sequence[Ticket]) -> Sequence[BrokerError | None]:
        """Several in one request, of a broker that takes them so; the error of each is read in the same way."""
        if not isinstance(self._broker, ManyAtOnce):
            raise Forbidden(f"{self.profile.name} takes one order at a time")
        answers = await _heard(self._broker.place_all(tickets))
        return [answer and _unspoken(answer) for answer in answers]

    async def modify(self, amendment: Amendment) -> None:
        await _heard(self._broker.modify(amendment))

    async def cancel(self, cancellation: Cancellation) -> None:
        await _heard(self._broker.cancel(cancellation))

    async def events(self) -> AsyncIterator[AnyVenueEvent]:
        """The venue's events, their texts read in the same way."""
        try:
            async for event in self._broker.events():
                yield _cleaned(event)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told in words without credentials
            _retold(error)


async def _heard(work: Awaitable[T]) -> T:
    try:
        return await work
    except TimeoutError:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        _retold(error)


def _retold(error: Exception) -> NoReturn:
    """Raises the same outcome without what led to it: causes hold the words of libraries."""
    if not isinstance(error, BrokerError):
        raise AdapterFailed(without_secrets(f"{type(error).__name__}: {error}")) from None
    raise _unspoken(error) from None


def _unspoken(error: BrokerError) -> BrokerError:
    """The same error, its words without credentials and nothing that led to it."""
    error.message = without_secrets(error.message)
    error.hint = None if error.hint is None else without_secrets(error.hint)
    error.args = (error.message,)
    error.__cause__ = error.__context__ = None
    return error


def _cleaned(event: AnyVenueEvent) -> AnyVenueEvent:
    changed = {
        name: cleaned
        for name in event.__struct_fields__
        if isinstance(value := getattr(event, name), str) and (cleaned := without_secrets(value)) != value
    }
    return msgspec.structs.replace(event, **changed) if changed else event
