"""People of a home: the household over its database, its secrets and its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from evenkeel.desk.household import House, Household, Stores
    from evenkeel.desk.ports import Audit
    from evenkeel.desk.providers import Client
    from evenkeel.desk.sealing import KeyRing
    from evenkeel.desk.server_keys import HomeKeys
    from evenkeel.settings import Settings
    from evenkeel.storage.database import Database


def stores_of(engine: AsyncEngine) -> Stores:
    """Where the people of a database are kept."""
    from evenkeel.desk.household import Stores
    from evenkeel.desk.ports import Identity, Link, RefreshToken, SecondFactor, Session, User
    from evenkeel.storage import repositories as stored

    return Stores(
        users=stored.StoredUsers(engine, User),
        tokens=stored.StoredTokens(engine, RefreshToken, Session),
        links=stored.StoredLinks(engine, Link),
        factors=stored.StoredFactors(engine, SecondFactor),
        identities=stored.StoredIdentities(engine, Identity),
    )


def house_of(settings: Settings, ring: KeyRing, *, token_secret: bytes) -> House:
    """What the settings ask of people. Raises InvalidInput."""
    from msgspec.structs import replace

    from evenkeel.desk.admission import policy
    from evenkeel.desk.household import House

    asked = policy(settings.two_factor_roles, settings.role_networks)
    return House(
        secret=token_secret,
        ring=ring,
        policy=replace(asked, sessions=settings.max_sessions),
        clients=_clients(settings),
        public_url=settings.public_url,
    )


def _clients(settings: Settings) -> tuple[Client, ...]:
    from evenkeel.desk.providers import GITHUB, GOOGLE, Client

    asked = (
        ("google", "Google", GOOGLE, settings.google_client_id, settings.google_client_secret),
        ("github", "GitHub", GITHUB, settings.github_client_id, settings.github_client_secret),
        ("oidc", settings.oidc_title, settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret),
    )
    return tuple(
        Client(name, title, issuer, client_id, secret.get_secret_value() if secret is not None else "")
        for name, title, issuer, client_id, secret in asked
        if issuer and client_id
    )


def keys_of(where: Database, settings: Settings) -> HomeKeys:
    """The keys of a home that a process owns. Raises KeysMissing, and InvalidInput, Forbidden as its secrets do."""
    from evenkeel.desk.server_keys import keys_to_start

    given = settings.jwt_secret_key
    token = given.get_secret_value().encode() if given is not None else None
    return keys_to_start(where, settings.server_keys(), token=token)


def household_of(engine: AsyncEngine, keys: HomeKeys, *, settings: Settings, audit: Audit) -> Household:
    """The household of a home. Raises InvalidInput for settings that cannot be."""
    from evenkeel.desk.household import Household

    return Household(stores_of(engine), house_of(settings, keys.ring, token_secret=keys.token), audit=audit)
