"""How every copy link stands: what its master holds, what its follower is to hold, and which order copies which."""

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct, field

from evenkeel.domain.copy_records import CopyTaken
from evenkeel.domain.copying import CopyLink
from evenkeel.domain.money import ZERO


class Leg(Struct):
    """One of the master's positions: see `CopyTaken`."""

    held: Decimal = ZERO
    wanted: Decimal = ZERO
    carry: Decimal = ZERO
    owed: Decimal = ZERO
    owed_at: int = 0
    owed_price: Decimal = ZERO


class CopiedOrder(Struct):
    """The copy of one of the master's orders: see `CopyTaken`."""

    order_id: str
    factor: Decimal
    stale: bool = False


class LinkState(Struct, kw_only=True):
    """One link: it follows what is recorded after `since`, and has taken everything up to `taken`.

    `legs` are by the master's instrument, `copies` by the master's order, `masters` name that by its copy.
    `skipped` is the newest event of each of the master's instruments that was not copied in full, `last` the newest of
    all.
    """

    link: CopyLink
    since: int
    taken: int = 0
    legs: dict[str, Leg] = field(default_factory=dict)
    copies: dict[str, CopiedOrder] = field(default_factory=dict)
    masters: dict[str, str] = field(default_factory=dict)
    events: int = 0
    skips: int = 0
    last: CopyTaken | None = None
    skipped: dict[str, CopyTaken] = field(default_factory=dict)

    @property
    def last_skip(self) -> CopyTaken | None:
        return max(self.skipped.values(), key=lambda one: one.source, default=None)

    @property
    def follows(self) -> bool:
        """Whether it is there, accepted, and thus hears of what the master does."""
        return self.link.accepted and not self.link.removed

    def leg(self, instrument_id: str) -> Leg:
        """The leg of one of the master's instruments; an empty one that is not kept where there is none."""
        return self.legs.get(instrument_id) or Leg()

    def legs_of(self, instrument_id: str) -> list[str]:
        """The legs in which the master, or the follower, trades an instrument."""
        return [name for name in self.legs if instrument_id in (name, self.link.rule(name).instrument_id)]


class Copying(Struct):
    """All links by id, those removed among them; `by_master` names those that follow. All is read up to `cursor`.

    `splits` are the numbers of the newest records that tell of a split, by instrument.
    """

    links: dict[str, LinkState] = field(default_factory=dict)
    by_master: dict[str, list[str]] = field(default_factory=dict)
    cursor: int = 0
    splits: dict[str, int] = field(default_factory=dict)

    def of_master(self, account_id: str) -> Iterator[LinkState]:
        """The links that follow an account."""
        return (self.links[name] for name in self.by_master.get(account_id, ()))

    def live(self) -> Iterator[LinkState]:
        return (one for one in self.links.values() if not one.link.removed)
