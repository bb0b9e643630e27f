"""People on the wire: what doors of sign-in and of people take and say. Secrets that are said are said once."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from evenkeel.desk import ports
from evenkeel.desk.invitations import Handed
from evenkeel.desk.permissions import Role
from evenkeel.desk.two_factor import Setup, Standing
from evenkeel.domain.clock import iso as moment
from evenkeel.server.requests import TEXT, Cursor
from evenkeel.server.schemas import Id, Moment, SignedIn

Password = Annotated[str, Meta(min_length=1, max_length=1024, description="8 to 128 characters, 15 advised")]
Code = Annotated[str, Meta(min_length=6, max_length=64, description="a code of the device, or a recovery code")]
Token = Annotated[str, Meta(min_length=1, max_length=256, description="the token of a link or ticket")]
Username = Annotated[str, Meta(min_length=1, max_length=64, description="3 to 64 letters, digits and _ . @ -")]
Email = Annotated[str, Meta(min_length=3, max_length=320, pattern=TEXT, description="an e-mail address")]
FullName = Annotated[str, Meta(min_length=1, max_length=100, pattern=TEXT, description="1 to 100 characters")]
Network = Annotated[str, Meta(min_length=2, max_length=64, description="a network such as 192.0.2.0/24")]
Networks = Annotated[list[Network], Meta(max_length=50, description="up to 50 networks")]
Hours = Annotated[int, Meta(ge=1, le=720, description="1 to 720 hours")]


class SecondStep(Struct):
    """The first step was right: `two_factor` is a ticket that takes a code within five minutes. With `enrols`, this
    role must have two factors and the person has none yet: first ask for a secret with the ticket."""

    two_factor: str
    enrols: bool


Opened = (SignedIn, SecondStep)


class CodeIn(Struct, forbid_unknown_fields=True):
    ticket: Token
    code: Code


class TicketIn(Struct, forbid_unknown_fields=True):
    ticket: Token


class TokenIn(Struct, forbid_unknown_fields=True):
    token: Token


class AcceptIn(Struct, forbid_unknown_fields=True):
    token: Token
    username: Username
    password: Password
    full_name: FullName | None = None


class ResetIn(Struct, forbid_unknown_fields=True):
    token: Token
    password: Password


class CompleteIn(Struct, forbid_unknown_fields=True):
    """What an issuer sent the browser back with."""

    state: Annotated[str, Meta(min_length=1, max_length=256)]
    code: Annotated[str, Meta(min_length=1, max_length=4096)]


class PasswordIn(Struct, forbid_unknown_fields=True):
    present: Password
    password: Password


class ConfirmIn(Struct, forbid_unknown_fields=True):
    """The password, or where two factors are on a code."""

    password: Password | None = None
    code: Code | None = None


class OwnCodeIn(Struct, forbid_unknown_fields=True):
    code: Code


class SwitchOffIn(Struct, forbid_unknown_fields=True):
    password: Password
    code: Code


class InviteIn(Struct, forbid_unknown_fields=True):
    role: Role
    email: Email | None = None
    hours: Hours = 72


class PersonIn(Struct, forbid_unknown_fields=True):
    """A new person. Without a password, a link comes back by which they set one."""

    username: Username
    role: Role = Role.TRADER
    email: Email | None = None
    full_name: FullName | None = None
    password: Password | None = None


class PersonChange(Struct, forbid_unknown_fields=True):
    """What is named is changed, and nothing else can be."""

    role: Role | UnsetType = UNSET
    email: Email | UnsetType | None = UNSET
    full_name: FullName | UnsetType | None = UNSET
    networks: Networks | UnsetType = UNSET


class PeopleQuery(Struct, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=500, description="a whole number from 1 to 500")] = 100
    cursor: Cursor | None = None


class PersonOut(Struct):
    id: Id
    username: str
    role: Role
    email: str | None
    full_name: str | None
    networks: list[str]
    is_active: bool
    created_at: Moment
    last_login: Moment | None


class AuthSessionOut(Struct):
    """One sign-in: since when, and when and from where it was last renewed; `current` is the one that asks."""

    id: Id
    since: Moment
    seen: Moment
    expires_at: Moment
    agent: str
    address: str
    current: bool


class InvitationOut(Struct):
    id: Id
    role: Role
    email: str | None
    created_by: str
    created_at: Moment
    expires_at: Moment


class LinkOut(Struct):
    """A link that works once; its address is said now and never again."""

    address: str
    expires_at: Moment


class InvitedOut(Struct):
    invitation: InvitationOut
    link: LinkOut


class CreatedOut(Struct):
    person: PersonOut
    link: LinkOut | None = None


class WelcomeOut(Struct):
    """What an invitation invites to."""

    role: Role
    email: str | None
    expires_at: Moment


class SetupOut(Struct):
    """For an authenticator: the secret as it is typed, and the address its QR code holds."""

    secret: str
    uri: str


class StandingOut(Struct):
    is_on: bool
    since: Moment | None
    codes_left: int


class CodesOut(Struct):
    """Each works once, in place of a code; they are not shown again."""

    recovery_codes: list[str]


class ProviderOut(Struct):
    name: str
    title: str


class ProvidersOut(Struct):
    items: list[ProviderOut] = field(default_factory=list)


class DepartureOut(Struct):
    """Where the browser goes to sign in."""

    address: str


class IdentityOut(Struct):
    """The id is the issuer: a person has one identity at each."""

    id: str
    issuer: str
    provider: str | None
    email: str
    linked_at: Moment


def person_out(user: ports.User) -> PersonOut:
    return PersonOut(
        id=user.id,
        username=user.username,
        role=Role(user.role),
        email=user.email,
        full_name=user.full_name,
        networks=list(user.networks),
        is_active=user.is_active,
        created_at=moment(user.created_at),
        last_login=moment(user.last_login) if user.last_login is not None else None,
    )


def session_out(one: ports.Session, current: str = "") -> AuthSessionOut:
    return AuthSessionOut(
        id=one.id,
        since=moment(one.since),
        seen=moment(one.seen),
        expires_at=moment(one.expires_at),
        agent=one.user_agent,
        address=one.address,
        current=one.id == current,
    )


def invitation_out(link: ports.Link) -> InvitationOut:
    return InvitationOut(
        id=link.id,
        role=Role(str(link.role)),
        email=link.email,
        created_by=link.created_by,
        created_at=moment(link.created_at),
        expires_at=moment(link.expires_at),
    )


def link_out(handed: Handed, home: str) -> LinkOut:
    """The address of a link; the token stands behind a #, which browsers send nowhere."""
    page = "welcome" if handed.link.kind == "invitation" else "reset"
    return LinkOut(f"{home}/{page}/#{handed.token}", moment(handed.link.expires_at))


def setup_out(setup: Setup) -> SetupOut:
    return SetupOut(setup.secret, setup.uri)


def standing_out(found: Standing) -> StandingOut:
    return StandingOut(found.is_on, moment(found.since) if found.since is not None else None, found.codes_left)
