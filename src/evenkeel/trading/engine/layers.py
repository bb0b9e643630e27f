"""Layers of limits as folded state: their rules, and what those count that positions and cash do not show.

Kept are the orders and the value traded of the day by book and instrument, closed trades lost in a row, the tier that a
drawdown has reached, and what a layer had made where its day began and at its best. Everything else is worked out when
an order is judged: see `reach`.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct, field

from evenkeel.domain import limit_records as r
from evenkeel.domain.accounts import Limits
from evenkeel.domain.fills import Fill
from evenkeel.domain.limits import MOST_REJECTS, NO_RULES, Layer, LimitScope, RuleSet, Tier
from evenkeel.domain.money import ZERO, add, sub
from evenkeel.domain.orders import OrderSpec
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.trading.engine.portfolios import standing as portfolios
from evenkeel.trading.risk import RiskCheck, plan_of

if TYPE_CHECKING:
    from evenkeel.trading.engine.state import AccountState, State

_READ_BY: Mapping[str, tuple[str, ...]] = {
    "equity": (
        "max_position_share", "max_gross_leverage", "max_net_leverage", "max_margin_use", "max_turnover", "daily_loss",
        "daily_loss_amount", "drawdown_warn", "drawdown_reduce", "drawdown_halt",
    ),
    "day": ("daily_loss", "daily_loss_amount"),
    "exposure": (
        "max_gross_exposure", "max_net_exposure", "max_gross_leverage", "max_net_leverage", "max_margin_use",
        "max_turnover",
    ),
    "turnover": ("max_turnover",),
    "trades": ("max_trades_per_day",),
    "open": ("max_open_orders",),
    "drawdown": ("drawdown_warn", "drawdown_reduce", "drawdown_halt"),
    "streak": ("max_losses",),
    "last": ("price_collar",),
    "quote": ("max_quote_age",),
    "windows": ("windows",),
    "session": ("exchange_hours",),
    "alike": ("max_correlation",),
    "spread": ("min_diversification",),
}  # fmt: skip


PLAIN = frozenset({"equity", "day", "trades", "drawdown"})
"""What an account's view has of itself on an open day."""
_DOORS = frozenset({
    "halted", "mtm", "strategy-running", "session-running", "account-active", "live-switch", "account-ready",
    "max-rejects", "basket", "queue-full",
})  # fmt: skip
MEASURED = frozenset({"alike"})
"""What there is nothing to work out of before correlations have been measured."""


def needs_of(rules: RuleSet) -> frozenset[str]:
    """The figures that the rules which are on read."""
    return frozenset(
        figure for figure, names in _READ_BY.items() if any(getattr(rules, name) is not None for name in names)
    )


class Tally(Struct):
    """What a book has done in an instrument in the open day: approved orders, and the value of what filled."""

    orders: int = 0
    traded: Decimal = ZERO


class Standing(Struct, kw_only=True):
    """How a scope stands to its rules. `plan`, `needs` and of these the `further` ones, not PLAIN, follow from them;
    `lost_at` is when the last trade lost."""

    plan: tuple[RiskCheck, ...] = ()
    needs: frozenset[str] = frozenset()
    further: frozenset[str] = frozenset()
    tier: Tier = Tier.NONE
    losses: int = 0
    lost_at: int = 0

    def ruled(self, rules: RuleSet) -> None:
        """Takes new rules; a halt whose tier is off is none."""
        self.plan, self.needs = plan_of(rules), needs_of(rules)
        self.further = self.needs - PLAIN
        if self.tier is Tier.HALT and rules.drawdown_halt is None:
            self.tier = Tier.NONE

    def closed(self, is_loss: bool, at: int) -> None:
        """Counts a closed trade."""
        self.losses = self.losses + 1 if is_loss else 0
        self.lost_at = at if is_loss else self.lost_at


def _few() -> deque[tuple[int, str]]:
    return deque(maxlen=MOST_REJECTS)


class OwnStanding(Standing, kw_only=True):
    """An account's. `tallies` are by book and instrument; `made` is what a position had made when it was last flat.

    `rejects` are the last orders that came to nothing, each with its moment (ns) and book; `barred` is what halted
    entries for too many of them.
    """

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    made: dict[PositionKey, Decimal] = field(default_factory=dict)
    rejects: deque[tuple[int, str]] = field(default_factory=_few)
    barred: r.RejectsHalted | None = None

    def forget_rejects(self, book: str) -> None:
        """Counts those of a book no more."""
        if self.rejects:
            kept = [one for one in self.rejects if one[1] != book]
            self.rejects.clear()
            self.rejects.extend(kept)

    def tally(self, book: str, instrument_id: str) -> Tally:
        found = self.tallies.get((book, instrument_id))
        if found is None:
            found = self.tallies[book, instrument_id] = Tally()
        return found


class LayerState(Standing, kw_only=True):
    """A layer other than an account's. `results` are what each account of its reach had made when its day began, and
    `best` the most that all of them had made at the end of a day, by currency."""

    scope: LimitScope
    rules: RuleSet
    version: int
    results: dict[str, Decimal] = field(default_factory=dict)
    best: dict[str, Decimal] = field(default_factory=dict)

    def covers(self, account: "AccountState") -> bool:
        """Whether it reads the account, or a part of it."""
        return self.scope.covers_account(account.account.id, account.account.user_id)

    def reads(self, key: PositionKey, owner: str | None) -> bool:
        """Whether a position in an account that it covers lies within its reach; `owner` is its book's portfolio."""
        match self.scope.kind:
            case Layer.INSTRUMENT:
                return key.instrument_id == self.scope.id
            case Layer.STRATEGY:
                return key.book == self.scope.id
            case Layer.PORTFOLIO:
                return owner == self.scope.id
        return True


def over(state: "State", spec: OrderSpec) -> Iterator[LayerState]:
    """The layers that an order falls under beside its account, in the order in which they are asked."""
    layers, user = state.layers, state.accounts[spec.account_id].account.user_id
    for key in (
        f"{Layer.INSTRUMENT}:{spec.instrument_id}@{user}",
        f"{Layer.INSTRUMENT}:{spec.instrument_id}",
        f"{Layer.STRATEGY}:{spec.book}",
        f"{Layer.PORTFOLIO}:{state.owners.get((spec.account_id, spec.book), '')}",
        f"{Layer.USER}:{user}",
        f"{Layer.PLATFORM}:",
    ):
        found = layers.get(key)
        if found is not None:
            yield found


def limited(state: "State", account: "AccountState", *, limits: Limits) -> None:
    """An account's own limits are these now."""
    account.limits = limits
    account.standing.ruled(limits)
    state.tiered = state.tiered or bool(limits.tiers())


def scope_changed(state: "State", record: r.ScopeLimitsChanged) -> None:
    if record.rules == NO_RULES:
        state.layers.pop(record.scope.key, None)
        return
    held = state.layers.get(record.scope.key)
    if held is None:
        held = LayerState(scope=record.scope, rules=record.rules, version=record.version)
        state.layers[record.scope.key] = held
    if record.results:
        held.results, held.best = dict(record.results), _by_currency(state, record.results)
    held.rules, held.version = record.rules, record.version
    held.ruled(record.rules)
    state.tiered = state.tiered or bool(record.rules.tiers())


def _by_currency(state: "State", results: Mapping[str, Decimal]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for account_id, result in results.items():
        currency = state.accounts[account_id].account.currency
        found[currency] = add(found.get(currency, ZERO), result)
    return found


def day_closed(state: "State", record: r.ScopeDayClosed) -> None:
    held = state.layers[record.scope.key]
    held.results[record.account_id] = record.result
    if record.best is not None:
        held.best[state.accounts[record.account_id].account.currency] = record.best


def drawdown_moved(state: "State", record: r.DrawdownMoved) -> None:
    scope = record.scope
    if scope.kind is Layer.ACCOUNT:
        account = state.accounts[scope.id]
        account.standing.tier = record.tier
        if record.index is not None:
            account.growth.high = record.index
        return
    held = state.layers[scope.key]
    held.tier = record.tier
    if record.lifted:
        held.best = dict(record.best)


def rejected(account: "AccountState", book: str, *, at: int, rule: str = "") -> None:
    """Notes an order that came to nothing: refused by a `rule`, or by its venue. One that found the door shut, or no
    room in our own queue, or went down with others of its basket, says nothing of whoever sent it."""
    if rule not in _DOORS:
        account.standing.rejects.append((at, book))


def rejects_halted(state: "State", record: r.RejectsHalted) -> None:
    standing = state.accounts[record.account_id].standing
    standing.barred = None if record.lifted else record
    standing.rejects.clear()


def decided(account: "AccountState", spec: OrderSpec) -> None:
    """One more order of the account's open day has been approved."""
    account.standing.tally(spec.book, spec.instrument_id).orders += 1


def undecided(account: "AccountState", spec: OrderSpec) -> None:
    """Takes back what `decided` has counted of an order that has not been recorded."""
    tallies, key = account.standing.tallies, (spec.book, spec.instrument_id)
    tallies[key].orders -= 1
    if tallies[key] == Tally():
        del tallies[key]


def filled(
    state: "State", account: "AccountState", *, fill: Fill, position: Position, notional: Decimal, at: int
) -> None:
    """A fill has been booked to a position, with its charges; one that takes another back closes no trade."""
    undo = fill.reverses is not None
    if fill.session_date == account.day:
        tally = account.standing.tally(fill.book, fill.instrument_id)
        tally.traded = sub(tally.traded, notional) if undo else add(tally.traded, notional)
    after, before = position.quantity, sub(position.quantity, fill.signed)
    if undo or not before or (after and (after > 0) == (before > 0)):
        return
    standing, made = account.standing, sub(position.realised, position.charges)
    is_loss = made < standing.made.get(position.key, ZERO)
    standing.made[position.key] = made
    standing.closed(is_loss, at)
    owner = state.owners.get((position.key.account_id, position.key.book)) if state.owners else None
    if owner is not None and (not after or (after > 0) != (before > 0)):
        portfolios.round_trip(state.portfolios[owner], position)
    for layer in state.layers.values():
        if layer.covers(account) and layer.reads(position.key, owner):
            layer.closed(is_loss, at)
