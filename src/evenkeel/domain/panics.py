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
    """`id` names the deployment, account or user; the platform has none."""

    kind: ScopeKind
    id: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.id}"

    def covers(self, account: Account, book: str) -> bool:
        """Whether orders of `account` in this book fall under it."""
        return self.covers_account(account) or (self.kind is ScopeKind.STRATEGY and self.id == book)

    def covers_account(self, account: Account) -> bool:
        """Whether all of the account falls under it."""
        if self.kind is ScopeKind.PLATFORM:
            return True
        return (self.kind is ScopeKind.USER and self.id == account.user_id) or (
            self.kind is ScopeKind.ACCOUNT and self.id == account.id
        )
