"""The one tree of errors.

EvenkeelError
├── InvalidInput            a field of a request, file or setting is wrong
│   └── DataRefused         a data file is refused as a whole, with the rows at fault
├── NotFound                the thing named does not exist, or not for this user
├── Unauthenticated         no valid sign-in
├── Forbidden               signed in, but not allowed
│   └── NotFresh            too long after signing in for what is sensitive
├── Conflict                contradicts what is already recorded
│   ├── IdempotencyConflict same client order id, another body
│   ├── ChangeRefused       risk refuses to have an order changed so
│   └── HomeInUse           another process owns this home directory
├── NotReady                cannot be done yet: not reconciled, not started, no data
├── QueueFull               more waits to be sent than may: again in a moment
│   └── TooManyRequests     what is costly was asked for too often
├── SealBroken              what is sealed does not open: another key, or it was changed
├── MoneyError              CurrencyMismatch, InexactMoney
├── IllegalTransition       our own command would lead outside the order table
├── BrokerError
│   ├── BrokerUnavailable   definite: the request was never taken
│   │   ├── RateLimited     too many requests: not before a moment it names
│   │   └── VaultLocked     its credentials are sealed until their owner unlocks the vault
│   ├── BrokerRejected      definite: the venue said no
│   └── OutcomeUnknown      the request may or may not have been taken
└── JournalError
    ├── CommitFailed        definite: nothing was written
    ├── CommitUnknown       the commit may or may not have happened
    ├── StaleEpoch          another owner has taken the shard
    └── JournalCorrupt      the stored journal does not fold or its hash chain is broken
"""

from msgspec import Struct


class FieldError(Struct, frozen=True):
    """One fault of one field, as shown to a user."""

    field: str
    message: str


class EvenkeelError(Exception):
    """Base of all errors; `code` is stable and has a page in the documentation."""

    code = "error"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(EvenkeelError):
    code = "invalid-input"

    def __init__(self, message: str, *, errors: tuple[FieldError, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.errors = errors


class DataRefused(InvalidInput):
    code = "data-refused"


class NotFound(EvenkeelError):
    code = "not-found"


class Unauthenticated(EvenkeelError):
    code = "unauthenticated"


class Forbidden(EvenkeelError):
    code = "forbidden"


class NotFresh(Forbidden):
    code = "sign-in-again"


class Conflict(EvenkeelError):
    code = "conflict"


class IdempotencyConflict(Conflict):
    code = "idempotency-conflict"


class ChangeRefused(Conflict):
    """Risk refuses a change; `rule`, `layer`, `limit` and `value` are those of the check that it fails."""

    code = "change-refused"

    def __init__(self, message: str, *, rule: str, layer: str, limit: str, value: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.rule, self.layer, self.limit, self.value = rule, layer, limit, value

    def told(self) -> dict[str, str]:
        """The check by its names."""
        return {"rule": self.rule, "layer": self.layer, "limit": self.limit, "value": self.value}


class HomeInUse(Conflict):
    code = "home-in-use"


class NotReady(EvenkeelError):
    code = "not-ready"


class QueueFull(EvenkeelError):
    """`retry_after` is the seconds until there may be room."""

    code = "queue-full"

    def __init__(self, message: str, *, retry_after: float, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class TooManyRequests(QueueFull):
    code = "too-many-requests"


class SealBroken(EvenkeelError):
    code = "seal-broken"


class MoneyError(EvenkeelError):
    code = "money"


class CurrencyMismatch(MoneyError):
    code = "currency-mismatch"


class InexactMoney(MoneyError):
    code = "inexact-money"


class IllegalTransition(EvenkeelError):
    code = "illegal-transition"


class BrokerError(EvenkeelError):
    code = "broker"


class BrokerUnavailable(BrokerError):
    code = "broker-unavailable"


class RateLimited(BrokerUnavailable):
    """The venue took the request for one too many, and did not look at it; `retry_after` is in seconds."""

    code = "rate-limited"

    def __init__(self, message: str, *, retry_after: float = 1.0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class VaultLocked(BrokerUnavailable):
    code = "vault-locked"


class BrokerRejected(BrokerError):
    code = "broker-rejected"


class OutcomeUnknown(BrokerError):
    code = "outcome-unknown"


class JournalError(EvenkeelError):
    code = "journal"


class CommitFailed(JournalError):
    code = "commit-failed"


class CommitUnknown(JournalError):
    code = "commit-unknown"


class StaleEpoch(JournalError):
    code = "stale-epoch"


class JournalCorrupt(JournalError):
    code = "journal-corrupt"
