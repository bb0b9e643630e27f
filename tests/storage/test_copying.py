"""Copy links as rows: what each is, and what it has made of every event, with the reasons of what was skipped."""

from decimal import Decimal

from sqlalchemy import select

from evenkeel.storage.database import Database
from evenkeel.storage.doctor import examine
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.ownership import Owner
from evenkeel.storage.projector import Projector
from evenkeel.storage.schema import upgrade
from evenkeel.storage.tables.copying import copies, copy_links
from tests.scenarios.copy_stories import LINK, Story, link
from tests.storage.stories import SHARD, commit

D = Decimal
BARS = "bar 100 100 100 100; bar 100 100 100 100"


def test_links_and_their_events(database: Database) -> None:
    story = Story(link())
    story.tell(f"buy 100; {BARS}; pause; buy 20; {BARS}; sell 60; {BARS}; remove")
    with Owner(database) as owner:
        upgrade(database)
        journal = owner.journal(SHARD)
        commit(journal, story.desk.records)
        journal.close()
    projector = Projector(database, SHARD)
    projector.catch_up()
    assert examine(database).differences == []
    projector.rebuild()
    projector.close()
    assert examine(database).differences == []
    with sync_engine(database, "read").connect() as connection:
        (row,) = connection.execute(select(copy_links)).mappings().all()
        told = connection.execute(select(copies).order_by(copies.c.seq)).mappings().all()
    assert (row["id"], row["master_id"], row["follower_id"], row["mode"]) == (LINK, "M", "F", "fills")
    assert (row["accepted"], row["paused"], row["removed"], row["link"]["proposed_by"]) == (True, True, True, "u")
    assert [(one["kind"], one["held"], one["quantity"], one["skipped"]) for one in told] == [
        ("fill", D(100), D(100), None),
        ("fill", D(120), D(0), "the link is paused"),
        ("fill", D(60), D(-40), None),
    ]
    assert [one["wanted"] for one in told] == [D(100), D(120), D(60)]
    assert all(len(one["order_ids"]) == bool(one["quantity"]) for one in told)
