"""Panics: what one covers. The kind of a scope says how far it reaches, its id whom it names."""

from enum import StrEnum

from msgspec import Struct

from evenkeel.domain.accounts import Account
from evenkeel.domain.clock import SECOND

COOLDOWN = 60 * SECOND
LONGEST_COOLDOWN = 7 * 24 * 3600 * SECOND


class ScopeKind(StrEnum):
    """A strategy is one deployment, in every account it trades; the platform is all that there is."""

    STRATEGY = "strategy"
    ACCOUNT = "account"
    USER = "user"
    PLATFORM = "platform"


class Scope(Struct, frozen=True, omit_defaults=True):
    """`id` names the deployment, account or user; the platform has none.

    `account_id` narrows a strategy to one of its accounts, `instrument_id` anything to one instrument.
    """

    kind: ScopeKind
    id: str = ""
    account_id: str = ""
    instrument_id: str = ""

    @property
    def key(self) -> str:
        where = f"@{self.account_id}" if self.account_id else ""
        return f"{self.kind}:{self.id}{where}" + (f"/{self.instrument_id}" if self.instrument_id else "")

    def covers(self, account: Account, book: str, *, instrument_id: str = "") -> bool:
        """Whether orders of `account` in this book, and in this instrument, fall under it."""
        if self.instrument_id and self.instrument_id != instrument_id:
            return False
        if self.kind is ScopeKind.STRATEGY:
            return self.id == book and self.account_id in ("", account.id)
        return self.names(account)

    def covers_account(self, account: Account) -> bool:
        """Whether all of the account falls under it."""
        return not self.instrument_id and self.names(account)

    def names(self, account: Account) -> bool:
        """Whether it is of the account, of its user or of all."""
        if self.kind is ScopeKind.PLATFORM:
            return True
        return (self.kind is ScopeKind.USER and self.id == account.user_id) or (
            self.kind is ScopeKind.ACCOUNT and self.id == account.id
        )
