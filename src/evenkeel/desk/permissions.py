"""Who may do what: an operation needs one permission, and a role, a share of an account or a key grants some.

A Principal is whoever asks, with all that they may do: a person by a session, the home's own files, or a key.
"""

from enum import StrEnum

from msgspec import Struct

from evenkeel.desk.ports import User


class Permission(StrEnum):
    """What an operation needs of whoever asks for it.

    READ sees; REDUCE also cancels, closes and halts; TRADE also places orders and runs strategies; MANAGE also opens
    accounts and changes their limits, credentials and copy links. SELF is one's own password, sessions and keys, which
    no key may touch. ADMIN is other people and the installation.
    """

    READ = "read"
    REDUCE = "reduce"
    TRADE = "trade"
    MANAGE = "manage"
    SELF = "self"
    ADMIN = "admin"


class Role(StrEnum):
    """What a person is here; the first one is the super admin."""

    SUPER_ADMIN = "super-admin"
    ADMIN = "admin"
    TRADER = "trader"
    VIEWER = "viewer"


_TRADER = frozenset({Permission.READ, Permission.REDUCE, Permission.TRADE, Permission.MANAGE, Permission.SELF})
GRANTS: dict[str, frozenset[Permission]] = {
    Role.SUPER_ADMIN: frozenset(Permission),
    Role.ADMIN: frozenset(Permission),
    Role.TRADER: _TRADER,
    Role.VIEWER: frozenset({Permission.READ, Permission.SELF}),
}
LADDER = (Permission.READ, Permission.REDUCE, Permission.TRADE, Permission.MANAGE, Permission.ADMIN)
"""Each rung holds those below it."""
_UP_TO = {one: frozenset(LADDER[: place + 1]) for place, one in enumerate(LADDER)}
SHARABLE = LADDER[:3]
"""What a person may be given in somebody else's account."""


def granted(role: str) -> frozenset[Permission]:
    """What a role grants; a role that is not known grants nothing."""
    return GRANTS.get(role, frozenset())


def up_to(highest: Permission) -> frozenset[Permission]:
    """A rung of the ladder and those below it; SELF is on no rung, and alone."""
    return _UP_TO.get(highest, frozenset({highest}))


class Door(StrEnum):
    """The way somebody came in."""

    SESSION = "session"
    KEY = "api-key"
    WEBHOOK = "webhook"
    HOME = "home"
    """The private socket, or the home's files: whoever may open them is its owner."""


class Principal(Struct, frozen=True, gc=False):
    """Whoever asks. `accounts` are those that a key is confined to, None meaning all; `is_signed` of a signed request.

    `session_id` is that of the session behind an access token, and `key_id` that of the key.
    """

    user: User
    permissions: frozenset[Permission]
    door: Door = Door.SESSION
    key_id: str | None = None
    accounts: frozenset[str] | None = None
    session_id: str = ""
    is_signed: bool = False

    @property
    def is_admin(self) -> bool:
        return Permission.ADMIN in self.permissions


def person(user: User, door: Door = Door.SESSION, *, session_id: str = "") -> Principal:
    """A person with all that their role grants."""
    return Principal(user, granted(user.role), door, session_id=session_id)
