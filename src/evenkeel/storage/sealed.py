"""What lies in a database sealed under the server keys: the fingerprints it names, so that no key goes too early."""

import re

from evenkeel.domain.errors import NotReady
from evenkeel.storage.database import Database

_NAMED = re.compile(r"(?:1\.)?([0-9a-f]{16})(?:\..*)?", re.DOTALL)


def sealed_under(database: Database) -> dict[str, frozenset[str]]:
    """By purpose, as keys are derived for it, the fingerprints that rows name. Raises NotReady where the schema is not
    this version's."""
    from sqlalchemy import select

    from evenkeel.storage.engines import sync_engine
    from evenkeel.storage.schema import is_up_to_date
    from evenkeel.storage.tables.people import second_factors
    from evenkeel.storage.tables.vault import vault_wraps

    if not is_up_to_date(database):
        raise NotReady(f"{database.shown} has to be brought up to date first", hint="run `evenkeel db upgrade`")
    queries = {
        "vault": (
            select(vault_wraps.c.server_key).where(vault_wraps.c.server_key.is_not(None)),
            select(vault_wraps.c.envelope).where(vault_wraps.c.kind == "server"),
        ),
        "second factors": (select(second_factors.c.sealed),),
    }
    engine = sync_engine(database, "read")
    try:
        with engine.connect() as connection:
            return {
                purpose: frozenset(
                    found.group(1)
                    for query in asked
                    for text in connection.execute(query).scalars()
                    if (found := _NAMED.fullmatch(text)) is not None
                )
                for purpose, asked in queries.items()
            }
    finally:
        engine.dispose()
