"""What is asked of a person beyond a password: where they may come from, and whether two factors are a must; and the
log that is told.

A person's own networks and those of their role both have to hold the address; none means everywhere. The networks of
a request's address are looked up once a session and address.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import structlog
from msgspec import Struct

from evenkeel.desk.permissions import Role
from evenkeel.desk.ports import Audit, User
from evenkeel.desk.two_factor import TwoFactor
from evenkeel.domain.errors import FieldError, Forbidden, InvalidInput

log = structlog.get_logger(__name__)
Network = IPv4Network | IPv6Network


class Policy(Struct, frozen=True):
    """`two_factors` names the roles that must have them; `networks` says where a role may come from; `sessions` is how
    many sign-ins of one person go on at once."""

    two_factors: frozenset[str] = frozenset()
    networks: Mapping[str, tuple[str, ...]] = {}
    sessions: int = 100

    def admits(self, user: User, address: str) -> bool:
        """Whether this person may come from that address."""
        if not user.networks and not self.networks:
            return True
        asked = [one for one in (user.networks, self.networks.get(user.role, ())) if one]
        return all(_holds(networks, address) for networks in asked)

    def check(self, user: User, address: str) -> None:
        """Raises Forbidden for an address this person may not come from."""
        if not self.admits(user, address):
            raise Forbidden("this sign-in may not be used from this address", hint="Ask whoever keeps this desk.")

    def asks_two_factors(self, user: User) -> bool:
        return user.role in self.two_factors


class Unheard:
    """An audit log for where there is none: what happens is said in the program's own log alone."""

    async def note(self, actor: str, action: str, **what: Any) -> None:
        log.debug("not kept in an audit log", actor=actor, action=action, subject=what.get("subject"))


@dataclass(frozen=True, slots=True)
class Admission:
    """The policy, second factors (None: there are none), and the log."""

    policy: Policy = field(default_factory=Policy)
    factors: TwoFactor | None = None
    audit: Audit = field(default_factory=Unheard)


def policy(two_factor_roles: Iterable[str] = (), role_networks: Iterable[str] = ()) -> Policy:
    """A policy as settings say it: names of roles; and `role=network`, a role as often as it has networks. Raises
    InvalidInput."""
    networks: dict[str, tuple[str, ...]] = {}
    for text in role_networks:
        role, _, network = text.partition("=")
        (name,) = roles([role], "role_networks")
        networks[name] = (*networks.get(name, ()), *parsed([network], "role_networks"))
    return Policy(roles(two_factor_roles, "two_factor_roles"), networks)


def parsed(texts: Iterable[str], field: str = "networks") -> tuple[str, ...]:
    """Networks as CIDRs, an address alone standing for itself. Raises InvalidInput naming each that is none."""
    given = [text.strip() for text in texts]
    faults = tuple(FieldError(field, fault) for text in given if (fault := _fault(text)))
    if faults:
        raise InvalidInput("the networks cannot be used", errors=faults)
    return tuple(dict.fromkeys(str(ip_network(text)) for text in given))


def roles(texts: Iterable[str], field: str) -> frozenset[str]:
    """Names of roles. Raises InvalidInput for one that is none."""
    known, given = [role.value for role in Role], [text.strip() for text in texts]
    strange = [text for text in given if text not in known]
    if strange:
        message = f"{', '.join(strange)}: the roles are {', '.join(known)}"
        raise InvalidInput("there is no such role", errors=(FieldError(field, message),))
    return frozenset(given)


def _fault(text: str) -> str | None:
    try:
        ip_network(text)
    except ValueError as error:
        return f"{text[:60]!r} is no network such as 192.0.2.0/24: {error}"
    return None


@lru_cache(maxsize=1024)
def _read(networks: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(map(ip_network, networks))


@lru_cache(maxsize=8192)
def _holds(networks: tuple[str, ...], address: str) -> bool:
    try:
        read = ip_address(address)
    except ValueError:
        return False
    if isinstance(read, IPv6Address) and read.ipv4_mapped is not None:
        read = read.ipv4_mapped
    return any(read.version == one.version and read in one for one in _read(networks))
