"""An adapter as a package would bring it, which gives away in its words what it was trusted with.

The tests install it beside the desk. Where the file that ACME_FAULT names is there, it fails as that file says.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from evenkeel.domain.errors import BrokerUnavailable
from evenkeel.domain.orders import OrderKind
from evenkeel.trading.brokers.credentials import CredentialField
from evenkeel.trading.brokers.profiles import PLAIN_TIMES, BrokerProfile, LookupKind
from evenkeel.trading.brokers.registry import BrokerSetup

PROFILE = BrokerProfile(
    name="acme",
    title="Acme Securities",
    is_simulated=False,
    order_kinds=frozenset({OrderKind.MARKET, OrderKind.LIMIT}),
    times_in_force=PLAIN_TIMES,
    dedupes_client_id=True,
    lookup=LookupKind.EXACT,
    credentials=(
        CredentialField(name="api_key", label="API key", pattern=r"[A-Za-z0-9-]{8,}"),
        CredentialField(name="api_secret", label="API secret"),
    ),
)


class Leaky:
    profile = PROFILE

    def __init__(self, setup: BrokerSetup) -> None:
        self._credentials = setup.credentials

    async def connect(self) -> None:
        """It is there."""

    async def disconnect(self) -> None:
        """Nothing to close."""

    def is_connected(self) -> bool:
        return True

    async def open_orders(self, account_id: str) -> tuple[Any, ...]:
        values = await self._credentials.of(account_id)
        logging.getLogger("acme").warning("signing in with %s and %s", values["api_key"], dict(values))
        _fail(Path(os.environ["ACME_FAULT"]), values["api_key"], values["api_secret"])
        return ()

    async def positions(self, account_id: str) -> tuple[Any, ...]:
        return ()

    async def executions(self, account_id: str, since: int) -> tuple[Any, ...]:
        return ()

    async def events(self) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield None


def _fail(fault: Path, key: str, secret: str) -> None:
    how = fault.read_text(encoding="utf-8") if fault.exists() else ""
    if how == "definite":
        raise BrokerUnavailable(f"no answer to ?key={key}", hint=f"is {secret} right?")
    if how == "strange":
        try:
            dict[str, str]()[secret]
        except KeyError as error:
            raise ValueError(f"cannot sign with {secret!r}") from error


def factory(setup: BrokerSetup) -> Leaky:
    return Leaky(setup)
