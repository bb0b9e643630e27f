"""The server's keys: those that the settings name, else those of the home's secrets file. The first one seals.

A key is made where nothing hangs on an older one, and by a person's word; never because a file is missing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from evenkeel.desk.sealing import Key, KeyRing
from evenkeel.domain.errors import Conflict, NotReady
from evenkeel.storage.database import Database
from evenkeel.storage.sealed import sealed_under
from evenkeel.storage.secrets import ensure_secrets, read_secrets

WAY_OUT = (
    "Put the key back: secrets.json from a copy of the home, EVENKEEL_SERVER_KEY, or, where a backup has its keys, "
    "`evenkeel vault keys --from BACKUP`. Without it, `evenkeel vault keys --new` gives up what it alone opens."
)


class KeysMissing(Conflict):
    """A server key is not here, and what is kept needs it."""

    code = "server-key-missing"


class Needed(Struct, frozen=True):
    """A server key by its fingerprint (empty: one that nothing names), what needs it, and whether it is here."""

    fingerprint: str
    needed_by: tuple[str, ...]
    is_here: bool

    def __str__(self) -> str:
        return f"{self.fingerprint or 'a key that nothing names'} ({', '.join(self.needed_by)})"


class HomeKeys(Struct, frozen=True):
    """What a desk starts with: the server keys, the secret that signs access tokens, and the keys it lacks."""

    server: tuple[bytes, ...]
    token: bytes
    missing: tuple[Needed, ...] = ()

    @property
    def ring(self) -> KeyRing:
        """The server keys, as keys that do not show."""
        return KeyRing(map(Key, self.server))

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the keys that a copy of this home needs: those that are here, and those that are not."""
        return (*self.ring.fingerprints, *(one.fingerprint for one in self.missing if one.fingerprint))

    def __repr__(self) -> str:
        return f"HomeKeys({len(self.server)} keys, {len(self.missing)} missing)"


def server_secrets(home: Path, given: tuple[bytes, ...] = ()) -> tuple[bytes, ...]:
    """32 bytes each, none where there are none: asking makes no file. `given` are those of the settings. Raises
    Forbidden, InvalidInput as the secrets file does."""
    found = read_secrets(home) if not given else None
    return given if found is None else found.server_secrets


def fingerprints(home: Path, given: tuple[bytes, ...] = ()) -> tuple[str, ...]:
    """The fingerprints of a home's keys, none where it has none."""
    return tuple(Key(one).fingerprint for one in server_secrets(home, given))


def needed_by_copy(database: Database, given: tuple[bytes, ...] = ()) -> tuple[str, ...]:
    """The fingerprints of the keys that a copy of a home needs, whether they are here or not; those that are here where
    the schema is not this version's."""
    try:
        found = needs(database, server_secrets(database.home, given))
    except NotReady:
        return fingerprints(database.home, given)
    return tuple(one.fingerprint for one in found if one.fingerprint)


def needs(database: Database, secrets: Sequence[bytes]) -> tuple[Needed, ...]:
    """The keys that are here, in their order, then those that are not and that something needs. Raises NotReady."""
    sealed = sealed_under(database)
    keys = [Key(one) for one in secrets]
    here, known = [], set[str]()
    for key in keys:
        names = {purpose: {key.fingerprint, key.derived(purpose).fingerprint} for purpose in sealed}
        known |= set().union(*names.values())
        wanted = tuple(purpose for purpose, found in sealed.items() if found & (names[purpose] | {""}))
        here.append(Needed(key.fingerprint, wanted, is_here=True))
    return (*here, *_absent(sealed, known if keys else known - {""}, has_any=bool(keys)))


def _absent(sealed: Mapping[str, frozenset[str]], known: set[str], *, has_any: bool) -> tuple[Needed, ...]:
    unknown = sorted(set().union(*sealed.values()) - known - ({""} if has_any else set()))
    return tuple(
        Needed(one, tuple(purpose for purpose, found in sealed.items() if one in found), is_here=False)
        for one in unknown
    )


def keys_to_start(database: Database, given: tuple[bytes, ...] = (), *, token: bytes | None = None) -> HomeKeys:
    """What a desk on this home starts with; `given` and `token` are those of the settings. A home without a server key
    gets one where nothing hangs on another.

    Raises KeysMissing where something does, NotReady, and as the secrets file does.
    """
    home = database.home
    secrets = server_secrets(home, given)
    found = needs(database, secrets)
    missing = tuple(one for one in found if not one.is_here)
    if not secrets and missing:
        raise KeysMissing(
            f"{home} has no server key, and what is kept in it is sealed under {', '.join(map(str, missing))}",
            hint=WAY_OUT,
        )
    if token is None or not secrets:
        made = ensure_secrets(home, sealing=not given)
        token = token or made.token_secret
        secrets = given or made.server_secrets
    return HomeKeys(secrets, token, missing)
