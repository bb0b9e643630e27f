"""All that concerns people, put together once: over the stores of a database, or of a test."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from evenkeel.desk.admission import Admission, Policy, Unheard
from evenkeel.desk.auth import Auth
from evenkeel.desk.elsewhere import Elsewhere
from evenkeel.desk.invitations import Invitations
from evenkeel.desk.own_sign_in import OwnSignIn
from evenkeel.desk.passwords import Passwords
from evenkeel.desk.ports import Audit, Identities, Links, PasswordWatcher, RefreshTokens, SecondFactors, Users
from evenkeel.desk.providers import Client
from evenkeel.desk.sealing import KeyRing
from evenkeel.desk.throttle import Throttle
from evenkeel.desk.two_factor import TwoFactor
from evenkeel.desk.users import People


@dataclass(frozen=True, slots=True)
class Stores:
    """Where people and what they sign in with are kept."""

    users: Users
    tokens: RefreshTokens
    links: Links
    factors: SecondFactors
    identities: Identities


@dataclass(frozen=True, slots=True)
class House:
    """What this home asks and has: `secret` signs access tokens, `ring` seals second factors."""

    secret: bytes
    ring: KeyRing
    policy: Policy = field(default_factory=Policy)
    clients: tuple[Client, ...] = ()
    public_url: str | None = None


class Household:
    """People, how they sign in, and what they may change of that."""

    def __init__(
        self,
        stores: Stores,
        house: House,
        *,
        passwords: Passwords | None = None,
        throttle: Throttle | None = None,
        audit: Audit | None = None,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        heard, hasher = audit or Unheard(), passwords or Passwords()
        factors = TwoFactor(stores.factors, house.ring.derived("second factors"), wall=wall)
        self.public_url = house.public_url
        self.here = "http://127.0.0.1:8000"  # where this process listens, for whoever asks by no address
        self.people = People(stores.users, stores.tokens, hasher, wall=wall, audit=heard)
        self.auth = Auth(
            stores.users,
            stores.tokens,
            hasher,
            house.secret,
            throttle=throttle,
            wall=wall,
            admission=Admission(house.policy, factors, heard),
        )
        self.people.on_ended.append(self.auth.forget)
        self.invitations = Invitations(stores.links, self.people, wall=wall)
        self.own_sign_in = OwnSignIn(self.auth, self.people)
        self.elsewhere = Elsewhere(house.clients, stores.identities, self.auth, self.invitations, wall=wall)

    def watch_passwords(self, watchers: Iterable[PasswordWatcher]) -> None:
        """These are told of passwords while they are at hand."""
        for watcher in watchers:
            self.people.watchers.append(watcher)
            self.auth.watchers.append(watcher)
