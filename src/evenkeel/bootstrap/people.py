"""People of a home: the household over its database, its secrets and its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine

    from evenkeel.desk.household import House, Household, Stores
    from evenkeel.desk.ports import Audit
    from evenkeel.desk.providers import Client
    from evenkeel.desk.sealing import KeyRing
    from evenkeel.settings import Settings


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
    from evenkeel.desk.admission import policy
    from evenkeel.desk.household import House

    return House(
        secret=token_secret,
        ring=ring,
        policy=policy(settings.two_factor_roles, settings.role_networks),
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


def household_of(engine: AsyncEngine, home: Path, *, settings: Settings, audit: Audit) -> Household:
    """The household of a home that may be running or not. Raises InvalidInput, Forbidden as its secrets do."""
    from evenkeel.desk.household import Household
    from evenkeel.desk.server_keys import server_ring
    from evenkeel.storage.secrets import load_secrets

    given = settings.jwt_secret_key
    secret = given.get_secret_value().encode() if given is not None else load_secrets(home).token_secret
    ring = server_ring(home, settings.server_keys())
    return Household(stores_of(engine), house_of(settings, ring, token_secret=secret), audit=audit)
