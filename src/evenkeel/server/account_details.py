"""What the API takes and says of accounts beside trading: details, groups, taking them out of use, erasing them."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from evenkeel.domain.account_details import MOST_LABELS, AccountDetails, AccountGroup
from evenkeel.server.consolidated import TotalOut
from evenkeel.server.halting import HealthOut, PanicOut
from evenkeel.server.requests import END, TEXT, Name, Reference
from evenkeel.server.schemas import Id

MOST_MEMBERS = 1_000
_NOTES = Meta(max_length=4_000, description="up to 4000 characters")
_ADDRESS = Meta(max_length=45, pattern=rf"^[0-9A-Fa-f.:]*{END}", description="an IPv4 or IPv6 address, or nothing")
_NUMBER = Meta(max_length=64, pattern=TEXT, description="up to 64 printable characters")
_REASON = Meta(max_length=200, pattern=TEXT, description="up to 200 printable characters")
_MEMBERS = Meta(max_length=MOST_MEMBERS, description=f"up to {MOST_MEMBERS} accounts")
_LABELS = Meta(max_length=MOST_LABELS, description=f"up to {MOST_LABELS} labels")


class DetailsChange(Struct, forbid_unknown_fields=True):
    """What is left out stays as it is; an empty text takes a number, the notes or the egress address away."""

    number: Annotated[str, _NUMBER] | UnsetType = UNSET
    labels: Annotated[list[Name], _LABELS] | UnsetType = UNSET
    notes: Annotated[str, _NOTES] | UnsetType = UNSET
    egress: Annotated[str, _ADDRESS] | UnsetType = UNSET


class DetailsOut(Struct):
    """What is said of an account, and the groups it is in. `egress` is the address of this machine from which its
    broker is spoken to; empty: any."""

    account_id: Id
    number: str
    labels: list[str]
    notes: str
    egress: str
    groups: list[str]


def details_out(details: AccountDetails, groups: list[AccountGroup]) -> DetailsOut:
    names = [one.name for one in groups]
    return DetailsOut(details.account_id, details.number, list(details.labels), details.notes, details.egress, names)


class NewName(Struct, forbid_unknown_fields=True):
    name: Name


class Deactivation(Struct, forbid_unknown_fields=True):
    """`close` has what it holds closed, `keep` leaves that and what guards it; without either, nothing may be held."""

    reason: Annotated[str, _REASON] = ""
    close: bool = False
    keep: bool = False


class Confirmation(Struct, forbid_unknown_fields=True):
    """The very name of what is to be erased: this cannot be taken back."""

    confirm: Annotated[str, Meta(min_length=1, max_length=64)]


class ErasableOut(Struct):
    """It may be erased: `confirm` is what has to be sent for it, and `name` what it would be called from then on."""

    id: Id
    confirm: str
    name: str


class ErasedOut(Struct):
    """What it is called from now on."""

    id: Id
    name: str


class NewGroup(Struct, forbid_unknown_fields=True):
    name: Name
    account_ids: Annotated[list[Reference], _MEMBERS] = []


class GroupChange(Struct, forbid_unknown_fields=True):
    """Another name, other accounts in the place of all, or some more and some less."""

    name: Name | None = None
    account_ids: Annotated[list[Reference], _MEMBERS] | None = None
    add: Annotated[list[Reference], _MEMBERS] = []
    remove: Annotated[list[Reference], _MEMBERS] = []


class GroupOut(Struct):
    id: Id
    name: str
    account_ids: list[Id]


class GroupView(GroupOut):
    """A group with its accounts' health and their total in the base currency."""

    total: TotalOut
    health: list[HealthOut]


class GroupPanic(Struct, forbid_unknown_fields=True):
    """As a panic of each account of the group; `cooldown` is in seconds."""

    keep_positions: bool = False
    cooldown: Annotated[int, Meta(ge=0, le=604_800, description="0 to 604800 seconds")] = 60
    reason: Annotated[str, _REASON] = ""


class GroupResume(Struct, forbid_unknown_fields=True):
    abandon: bool = False


class GroupPanicOut(Struct):
    items: list[PanicOut]
