"""The gate before live trading: two acts of one person, the account's name typed, and who opens the credentials said.

The first act answers with what switching on means and a token; the second, within ten minutes, brings it back with the
account's name. Neither trades: the engine's command does, once everything here has been found in order.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec import Struct

from evenkeel.desk.tokens import OneTime
from evenkeel.desk.vault.credentials import AccountCredentials
from evenkeel.domain.accounts import Account
from evenkeel.domain.errors import Conflict, FieldError, Forbidden, InvalidInput
from evenkeel.domain.live import Custody, is_real
from evenkeel.trading.brokers.profiles import BrokerProfile

SECONDS = 600
T = TypeVar("T")
MEANING = {
    Custody.ATTENDED: (
        "Only you can open the credentials, by unlocking your vault. After a restart of this server the account is "
        "locked, an alert says so at once, and nothing of it is sent until you have signed in: no order, no cancel, no "
        "close. Orders that wait on this server, such as stops that the broker does not keep itself, are refused."
    ),
    Custody.UNATTENDED: (
        "This server opens the credentials by itself, and trades on after a restart. So can whoever holds the server's "
        "key and its database: keep them apart, and the backups of both."
    ),
}


class Asked(Struct, frozen=True):
    """The first act: who asked, and for which account as it was then."""

    user_id: str
    account_id: str
    broker: str


class LiveGate:
    """One for the desk. What it finds out of order raises Conflict or Forbidden, with the reason."""

    def __init__(self, credentials: AccountCredentials) -> None:
        self._credentials = credentials
        self._asked: OneTime[Asked] = OneTime(SECONDS)

    async def ask(self, user_id: str, account: Account, profile: BrokerProfile | None) -> str:
        """The first act: a token for the second. Raises Forbidden, Conflict, VaultLocked."""
        await self._check(account, profile)
        return self._asked.issue(Asked(user_id, account.id, account.broker))

    async def confirm(
        self,
        user_id: str,
        account: Account,
        profile: BrokerProfile | None,
        *,
        token: str,
        name: str,
        custody: Custody,
        switch: Callable[[], Awaitable[T]],
    ) -> T:
        """The second act: has the credentials opened as `custody` says, then does `switch`; where that raises, they are
        as they were before. Raises InvalidInput for a token or name that is not right, and as `ask` does."""
        if name != account.name:
            message = f"type the account's name as it stands: {account.name}"
            raise InvalidInput("the account was not switched live", errors=(FieldError("name", message),))
        if self._asked.redeem(token) != Asked(user_id, account.id, account.broker):
            message = "was used, is older than ten minutes, or is another account's: ask again"
            raise InvalidInput("the account was not switched live", errors=(FieldError("token", message),))
        await self._check(account, profile)
        was_unattended = await self._credentials.is_unattended(account.id)
        unattended = custody is Custody.UNATTENDED
        await self._credentials.set_unattended(user_id, account.id, unattended=unattended)
        try:
            return await switch()
        except BaseException:
            await self._credentials.set_unattended(user_id, account.id, unattended=was_unattended)
            raise

    async def _check(self, account: Account, profile: BrokerProfile | None) -> None:
        if not is_real(account):
            raise Conflict(
                f"{account.name} is a {account.mode} account, and stays one",
                hint="Paper or live is fixed when an account is opened: open a live account beside it.",
            )
        if profile is None or profile.is_simulated:
            raise Forbidden(
                f"no adapter here trades for real at {account.broker!r}, so {account.name} cannot",
                hint="Install a broker's adapter first.",
            )
        saved = {one.name for one in await self._credentials.held(account.id)}
        missing = [one.label for one in profile.credentials if one.is_required and one.name not in saved]
        if missing:
            raise Conflict(
                f"{account.name} lacks credentials: {', '.join(missing)}",
                hint="Save them with `evenkeel account credentials set`.",
            )
        if saved:
            await self._credentials.of(account.id)
