"""Copying in a simulated world: which links there are, what befalls them, and the consumer in every process of ours.

Masters are the accounts that the trader trades; each follower is an account of its own at the same venue.
"""

from collections.abc import Iterator
from datetime import time
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from evenkeel.desk.copytrading.copier import Copier
from evenkeel.desk.copytrading.targets import targets
from evenkeel.domain import commands as c
from evenkeel.domain import copying as d
from evenkeel.domain.accounts import Account, AccountMode, AccountType, Limits
from evenkeel.domain.clock import SECOND
from evenkeel.domain.commands import AnyCommand
from evenkeel.domain.limits import Window
from evenkeel.domain.orders import OrderKind, OrderSpec, Side
from evenkeel.domain.provenance import Provenance, Source
from tests.simulator.market import ACME, BOLT, CORK

if TYPE_CHECKING:
    from tests.simulator.life import Life
    from tests.simulator.world import World

WHO = Provenance("follower", Source.USER)
NAMES = ("F", "G", "H", "K")
VOLATILITIES = {ACME.id: 0.4, BOLT.id: 0.2, CORK.id: 0.3}
SIZINGS: tuple[d.CopySizing, ...] = (
    d.Equal(),
    d.Fixed(Decimal(30)),
    d.Multiplier(Decimal("0.25")),
    d.Multiplier(Decimal("0.07")),
    d.Multiplier(Decimal("1.5")),
    d.ByEquity(),
    d.ByFreeMargin(),
    d.ByVolatility(0.2),
)
MAPS: tuple[dict[str, d.SymbolRule], ...] = (
    {ACME.id: d.SymbolRule(CORK.id)},
    {BOLT.id: d.SymbolRule(CORK.id, Decimal("0.4"), Decimal("2.5"))},
    {ACME.id: d.SymbolRule(BOLT.id, Decimal("2.5"), Decimal("0.4"))},
)
_NIGHT = Window(time(1), time(2), "America/New_York")
BOUNDS = (None, None, Decimal("0.002"), Decimal("0.02"))
AGES = (d.MAX_AGE, d.MAX_AGE, SECOND, 300_000_000)


def volatility(instrument_id: str, _window: int) -> float | None:
    """What instruments move a year, as everybody knows here."""
    return VOLATILITIES.get(instrument_id)


def _terms(draw: Random) -> d.CopyTerms:
    return d.CopyTerms(
        draw.choice(SIZINGS),
        risk=draw.choice((Decimal(1), Decimal(1), Decimal("0.5"))),
        max_slippage=draw.choice(BOUNDS),
        max_age=draw.choice(AGES),
    )


class Copies:
    """The links of one world: drawn, or those that are `given`, with which nobody does anything."""

    def __init__(self, world: "World", given: tuple[d.CopyLink, ...] = ()) -> None:
        self.world = world
        draw = self._draw = world.random("copies")
        self.is_left_alone = bool(given)
        self.followers = tuple(one.follower_id for one in given) or NAMES[: draw.randrange(2, 5)]
        self.links = given or tuple(self._links())
        self._serial = 0
        self._actions = (
            (self._pause, 3),
            (self._resume, 5),
            (self._resync, 3),
            (self._terms_change, 2),
            (self._remove, 0.3),
            (self._trade, 2),
        )

    def opening(self) -> list[AnyCommand]:
        """Followers, what they trade, and the links to them."""
        system = Provenance("setup", Source.SYSTEM)
        opened: list[AnyCommand] = [c.ListInstrument(provenance=system, instrument=CORK)]
        for name in self.followers:
            cash = Decimal(self._draw.choice((20_000, 100_000, 400_000)))
            opened.append(c.OpenAccount(provenance=system, account=self._account(name), initial_cash=cash))
        return [*opened, *(c.OpenCopyLink(provenance=WHO, link=link) for link in self.links)]

    def _account(self, name: str) -> Account:
        """Mostly one that may do what its master does; some may not go short, or take no large order."""
        which = 8 if self.is_left_alone else self._draw.randrange(8)
        limits = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=None, allow_short=True)
        kind = AccountType.MARGIN
        match which:
            case 0:
                limits, kind = Limits(), AccountType.CASH
            case 1:
                limits = Limits(
                    max_position_share=None,
                    daily_loss=None,
                    max_trades_per_day=None,
                    allow_short=True,
                    max_order_quantity=Decimal(20),
                )
        return Account(
            name,
            "user",
            f"Follower {name}",
            self.world.venue.profile.name,
            "USD",
            AccountMode.PAPER,
            kind,
            limits=limits,
        )

    def _links(self) -> Iterator[d.CopyLink]:
        draw, masters = self._draw, ["A", "A", "A", "B"]
        for name in self.followers:
            master = draw.choice(masters)
            if draw.random() < 0.15:  # two links of one pair, which have nothing in common
                yield self._link(f"{master}{name}-hand", master, name, books=("manual",))
                yield self._link(f"{master}{name}-trend", master, name, books=("trend",))
            else:
                yield self._link(f"{master}{name}", master, name)
            if draw.random() < 0.3:
                masters.append(name)

    def _link(self, name: str, master: str, follower: str, *, books: tuple[str, ...] = ()) -> d.CopyLink:
        draw = self._draw
        return d.CopyLink(
            id=name,
            master_id=master,
            follower_id=follower,
            mode=draw.choice(tuple(d.CopyMode)),
            proposed_by="user",
            filter=d.CopyFilter(
                instrument_ids=draw.choice(((), (), (), (ACME.id,))),
                books=books or draw.choice(((), (), (), ("manual",))) if master in ("A", "B") else (),
                side=draw.choices(tuple(d.CopySide), (6, 1, 1))[0],
                windows=(_NIGHT,) if draw.random() < 0.05 else (),
            ),
            symbols=draw.choice(MAPS) if draw.random() < 0.3 else {},
            terms=_terms(draw),
            accepted=True,
        )

    def join(self, life: "Life") -> Copier:
        """The consumer of one process, subscribed before that starts."""
        copier = Copier(life.runner, volatility=volatility)
        life.runner.subscribe(copier)
        return copier

    def act(self) -> None:
        """Somebody does something with a link, and will again."""
        if self.world.weather.is_clear or self.is_left_alone:
            return
        actions, weights = zip(*self._actions, strict=True)
        self._draw.choices(actions, weights)[0](self._draw.choice(self.links))
        self.world.timeline.after(0.1 + 0.7 * self._draw.random(), self.act)

    def _change(self, link: d.CopyLink, words: str, **change: object) -> None:
        command = c.ChangeCopyLink(provenance=WHO, link_id=link.id, change=d.CopyChange(**change))  # type: ignore[arg-type]
        self.world.ask(command, f"{words} link {link.id}")

    def _pause(self, link: d.CopyLink) -> None:
        self._change(link, "pause", paused=True)

    def _resume(self, link: d.CopyLink) -> None:
        self._change(link, "resume", paused=False)

    def _terms_change(self, link: d.CopyLink) -> None:
        self._change(link, "other terms for", terms=_terms(self._draw))

    def _remove(self, link: d.CopyLink) -> None:
        self._change(link, "remove", removed=True)

    def _resync(self, link: d.CopyLink) -> None:
        life = self.world.life
        one = None if life is None or life.is_dead else life.runner.state.copying.links.get(link.id)
        if life is not None and one is not None:
            wanted, _ = targets(life.runner.state, one, volatility=volatility)
            self.world.ask(c.AlignCopy(provenance=WHO, link_id=link.id, targets=tuple(wanted)), f"resync {link.id}")

    def _trade(self, link: d.CopyLink) -> None:
        """The follower trades for itself, beside what it copies."""
        self._serial += 1
        spec = OrderSpec(
            link.follower_id,
            "manual",
            self._draw.choice((ACME, BOLT)).id,
            self._draw.choice(tuple(Side)),
            Decimal(self._draw.choice((5, 40))),
            OrderKind.MARKET,
            f"own{self._serial}",
        )
        self.world.ask(c.SubmitOrder(provenance=WHO, spec=spec), f"{link.follower_id} trades for itself")
