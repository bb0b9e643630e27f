"""What hangs on the server keys in a database: the fingerprints it names, so that no key goes or is made too early."""

import re

from evenkeel.domain.errors import NotReady
from evenkeel.storage.database import Database

SIGNING = "signing of API keys"
_NAMED = re.compile(r"(?:1\.)?([0-9a-f]{16})(?:\..*)?", re.DOTALL)


def sealed_under(database: Database) -> dict[str, frozenset[str]]:
    """By purpose, as keys are derived for it, the fingerprints that rows name; an empty one for what names none, and
    may need any. Raises NotReady where the schema is not this version's."""
    import time

    from sqlalchemy import select

    from evenkeel.storage.engines import sync_engine
    from evenkeel.storage.schema import is_up_to_date
    from evenkeel.storage.tables.access import api_keys
    from evenkeel.storage.tables.people import second_factors
    from evenkeel.storage.tables.vault import vault_wraps

    if not is_up_to_date(database):
        raise NotReady(f"{database.shown} has to be brought up to date first", hint="run `evenkeel db upgrade`")
    is_live = api_keys.c.revoked_at.is_(None) & (api_keys.c.expires_at > time.time_ns())
    queries = {
        "vault": (
            select(vault_wraps.c.server_key).where(vault_wraps.c.server_key.is_not(None)),
            select(vault_wraps.c.envelope).where(vault_wraps.c.kind == "server"),
        ),
        "second factors": (select(second_factors.c.sealed).where(second_factors.c.confirmed_at.is_not(None)),),
        SIGNING: (select(api_keys.c.server_key).where(is_live),),
    }
    engine = sync_engine(database, "read")
    try:
        with engine.connect() as connection:
            return {
                purpose: frozenset(
                    found.group(1) if (found := _NAMED.fullmatch(text)) is not None else ""
                    for query in asked
                    for text in connection.execute(query.distinct()).scalars()
                )
                for purpose, asked in queries.items()
            }
    finally:
        engine.dispose()
