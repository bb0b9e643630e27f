"""What is sent and shown of keys, shares and the audit log."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from evenkeel.desk.keys import LONGEST_DAYS, MOST_OVERLAP_HOURS, ApiKey, NewKey
from evenkeel.desk.permissions import Permission
from evenkeel.desk.ports import User
from evenkeel.desk.shares import Share, in_force
from evenkeel.domain import clock
from evenkeel.domain.audit import Row
from evenkeel.server.requests import MOMENT, PageQuery
from evenkeel.server.schemas import Id, Moment

Scope = Literal["read", "reduce", "trade", "manage", "admin"]
Lent = Literal["read", "reduce", "trade"]
Name = Annotated[str, Meta(min_length=1, max_length=80, description="1 to 80 characters")]
AccountId = Annotated[str, Meta(min_length=1, max_length=64, description="the id of an account")]
Network = Annotated[str, Meta(min_length=1, max_length=64, description="an address or a network such as 192.0.2.0/24")]


class NewKeyIn(Struct, forbid_unknown_fields=True):
    """A key that may do what `scope` and those below it allow: read, reduce, trade, manage; admin for who is one."""

    name: Name
    scope: Scope
    days: Annotated[int, Meta(ge=1, le=LONGEST_DAYS, description=f"1 to {LONGEST_DAYS} days")] = 90
    accounts: Annotated[list[AccountId], Meta(max_length=100)] = []
    networks: Annotated[list[Network], Meta(max_length=100)] = []
    signed: bool = False


class RotationIn(Struct, forbid_unknown_fields=True):
    """How many hours the old key goes on beside the new one."""

    overlap_hours: Annotated[int, Meta(ge=0, le=MOST_OVERLAP_HOURS, description=f"0 to {MOST_OVERLAP_HOURS} hours")] = 0


class KeyOut(Struct):
    """A key as its person sees it. `prefix` is its public beginning; its secret is not here, nor anywhere."""

    id: Id
    name: str
    prefix: str
    scope: Scope
    accounts: list[str]
    networks: list[str]
    signed: bool
    state: Literal["live", "expired", "revoked"]
    created_at: Moment
    expires_at: Moment
    last_used_at: Moment | None
    last_address: str | None


class NewKeyOut(Struct):
    """A new key with its secrets, which are never shown again: the key itself, and the secret that signs."""

    key: KeyOut
    secret: str
    signing_secret: str


class NewShare(Struct, forbid_unknown_fields=True):
    """An account to be lent to the person of that user name."""

    account_id: AccountId
    username: Annotated[str, Meta(min_length=1, max_length=64, description="a user name")]
    permission: Lent


class ShareOut(Struct):
    """An account lent to somebody, as both sides see it; `mine` says whether you lent it. `in_force` is what they may
    do at present: `permission`, or less, or nothing (null), where their role allows no more."""

    id: Id
    account_id: str
    account: str
    owner: str
    username: str
    permission: Lent
    in_force: Lent | None
    mine: bool
    created_at: Moment


class AuditQuery(PageQuery, forbid_unknown_fields=True):
    """Rows of the audit log that fit all that is given; moments are UTC, such as 2026-03-01T00:00:00Z."""

    actor: Annotated[str, Meta(max_length=64)] | None = None
    action: Annotated[str, Meta(max_length=80)] | None = None
    subject: Annotated[str, Meta(max_length=200)] | None = None
    start: Annotated[str, MOMENT] | None = None
    end: Annotated[str, MOMENT] | None = None


class AuditOut(Struct):
    """One row. `actor` is a person's id and `actor_name` what they are called now, empty where it is nobody's: `home`
    is whoever has the home's files. `outcome` is `asked` before a change, then the status it was answered with, or
    `done`; `before` and `after` are JSON as text, without secrets; `hash` covers the row and the hash before it."""

    id: Id
    at: Moment
    actor: str
    actor_name: str
    door: str
    key_id: str
    address: str
    agent: str
    request_id: str
    action: str
    subject: str
    outcome: str
    before: str
    after: str
    previous: str
    hash: str


def key_out(key: ApiKey, now: int) -> KeyOut:
    return KeyOut(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        scope=key.scope.value,  # type: ignore[arg-type]
        accounts=list(key.accounts),
        networks=list(key.networks),
        signed=key.signed,
        state="revoked" if key.revoked_at is not None else "live" if key.is_live(now) else "expired",
        created_at=clock.iso(key.created_at),
        expires_at=clock.iso(key.expires_at),
        last_used_at=None if key.last_used_at is None else clock.iso(key.last_used_at),
        last_address=key.last_address,
    )


def new_key_out(made: NewKey, now: int) -> NewKeyOut:
    return NewKeyOut(key_out(made.key, now), made.secret, made.signing_secret)


def share_out(share: Share, *, account: str, owner: str, to: User | None, mine: bool) -> ShareOut:
    """`to` is whom it is lent to."""
    force = in_force(share.permission, to.role) if to is not None else None
    return ShareOut(
        id=share.id,
        account_id=share.account_id,
        account=account,
        owner=owner,
        username=to.username if to is not None else "",
        permission=Permission(share.permission).value,  # type: ignore[arg-type]
        in_force=force.value if force is not None else None,  # type: ignore[arg-type]
        mine=mine,
        created_at=clock.iso(share.created_at),
    )


def row_out(row: Row, names: Mapping[str, str]) -> AuditOut:
    """`names` are those of the actors who are people, by id."""
    own = ("id", "at", "actor_name")
    fields = {name: getattr(row, name) for name in AuditOut.__struct_fields__ if name not in own}
    return AuditOut(id=str(row.seq), at=clock.iso(row.at), actor_name=names.get(row.actor, ""), **fields)
