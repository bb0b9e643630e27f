"""The plan of a rebalance: what a portfolio would trade in each of its accounts to have the weights that are wanted.

An account's part is planned with its own cash, lots and schedule of costs: the same weights, of what the portfolio's
own book is worth there. Books of strategies that a portfolio has adopted are theirs, and are left alone. Nothing is
changed by planning; what is planned is sent as one command.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct, field

from evenkeel.domain.accounts import Readiness
from evenkeel.domain.money import ONE, ZERO, add, exact, mul, plain, ratio, rounded, sub, total
from evenkeel.domain.orders import Product, Side
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.rebalancing import PlannedTrade
from evenkeel.domain.risk import Approved
from evenkeel.quant.costs import CostSchedule, total_charge
from evenkeel.trading.engine.orders import judge
from evenkeel.trading.engine.portfolios.rebalancing import busy, spec_of, weights_of
from evenkeel.trading.engine.portfolios.worth import cash_of, worth_of_book
from evenkeel.trading.engine.risk_views import reserved_cash
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.risk import MARKET_BUFFER

if TYPE_CHECKING:
    from evenkeel.quant.portfolio.shares import Assets, Lots, Means

_SHARE, _CENT = Decimal("0.000001"), Decimal("0.01")
_CLOSED = frozenset({"halted", "account-ready", "account-active", "live-switch", "session-running"})
_MADE_ROOM_FOR = frozenset(
    {"cash", "max-gross-leverage", "max-net-leverage", "max-gross-exposure", "max-net-exposure", "max-open-positions"}
)
_ROUNDS = 12
_SURE, _SECONDS = 6, 1.0
NOTHING_HERE = "the portfolio has nothing here"
IN_BAND = "its weight is inside the band"
NO_PRICE, ORDER_WORKS = "no price has been seen yet", "an order of the portfolio over it works"


class Terms(Struct, frozen=True):
    """What is wanted: `weights` by instrument id, shares of each account's part of the portfolio. What is held and has
    no weight is sold. `buffer` is the share that stays in cash; weights off by `band` or less are left alone, and so
    are trades worth less than `least`, and all but `only` these, where any are named. Each trade goes out in `pieces`,
    which are charged one by one."""

    weights: Mapping[str, Decimal]
    buffer: Decimal = ZERO
    band: Decimal = ZERO
    least: Decimal = ZERO
    only: frozenset[str] = frozenset()
    pieces: int = 1


class Skipped(Struct, frozen=True):
    """What is not traded, and why; without an instrument, nothing in the account is."""

    account_id: str
    instrument_id: str | None
    reason: str


class AccountPlan(Struct, frozen=True):
    """One account's part: its worth and cash before, cash after, expected charges, and the furthest that a weight is
    off before and after. `gap` is by how much at most, in money, other trades would come nearer."""

    account_id: str
    worth: Decimal
    cash: Decimal
    cash_after: Decimal
    cost: Decimal
    drift: Decimal
    drift_after: Decimal
    gap: float
    trades: tuple[PlannedTrade, ...] = ()


class Plan(Struct, frozen=True):
    """All accounts together. Weights are shares of the `value`; `traded` is the value of all trades. `refusals` are
    those that risk would refuse as things stand. `drift` is the furthest that a weight of the whole is off, before and
    after. Each trade is to go out in `pieces`."""

    portfolio_id: str
    value: Decimal
    before: dict[str, Decimal]
    target: dict[str, Decimal]
    after: dict[str, Decimal]
    accounts: tuple[AccountPlan, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    traded: Decimal = ZERO
    refusals: tuple[Skipped, ...] = ()
    drift: Decimal = ZERO
    drift_after: Decimal = ZERO
    pieces: int = 1

    @property
    def trades(self) -> tuple[PlannedTrade, ...]:
        return tuple(trade for one in self.accounts for trade in one.trades)

    @property
    def cost(self) -> Decimal:
        return total([one.cost for one in self.accounts])

    @property
    def turnover(self) -> Decimal:
        """What is traded, as a share of the value."""
        return rounded(ratio(self.traded, self.value), _SHARE) if self.value > 0 else ZERO


class _Item(Struct):
    """An instrument in an account: its weight, the last price, the value of one unit, the lot, and what is held."""

    instrument_id: str
    weight: Decimal
    price: Decimal
    unit: Decimal
    lot: Decimal
    held: Decimal


class Part(Struct):
    """What is gathered of one account before it is planned; `free` is the cash that purchases may use. `skipped` is
    what cannot be traded there; with `closed`, nothing is."""

    account_id: str
    schedule: CostSchedule
    worth: Decimal
    cash: Decimal
    free: Decimal
    items: list[_Item] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    closed: bool = False


def plan(state: State, portfolio_id: str, terms: Terms) -> Plan:
    """What would be traded at the last prices, in one go. Raises NotFound."""
    parts = gathered(state, portfolio_id, terms)
    return told(state, portfolio_id, terms, parts, accounts=solved(parts, terms))


def gathered(state: State, portfolio_id: str, terms: Terms) -> list[Part]:
    """The first step: what the plan is made of, out of the state. Raises NotFound."""
    accounts = state.portfolio(portfolio_id).portfolio.account_ids
    return [_part(state, portfolio_id, state.accounts[account_id], terms) for account_id in accounts]


def _part(state: State, portfolio_id: str, account: AccountState, terms: Terms) -> Part:
    free = sub(account.cash_in(account.account.currency), reserved_cash(state, account))
    cash = cash_of(account, portfolio_id)
    part = Part(
        account.account.id,
        state.find_schedule(account.account.costs),
        worth_of_book(state, account, portfolio_id).value,
        cash,
        min(cash, free) if account.limits.cash_check else cash,
    )
    closed = _why_closed(account)
    if not closed and part.worth <= 0:
        closed = NOTHING_HERE
    if closed:
        part.closed = True
        part.skipped.append(Skipped(part.account_id, None, closed))
    else:
        _gather(state, portfolio_id, part, terms)
    return part


def _why_closed(account: AccountState) -> str:
    if account.readiness is not Readiness.READY:
        return f"the account is {account.readiness}: {account.readiness_reason or 'it has not been reconciled'}"
    return account.retired


def _gather(state: State, portfolio_id: str, part: Part, terms: Terms) -> None:
    """Fills `part.items` with what can be traded, and `part.skipped` with what cannot."""
    account = state.accounts[part.account_id]
    held = [
        position.key.instrument_id
        for position in account.positions.in_book(portfolio_id)
        if position.quantity and position.key.product is Product.NONE
    ]
    at_work = busy(state, account, portfolio_id)
    for instrument_id in dict.fromkeys((*terms.weights, *held)):
        instrument, mark = state.instruments[instrument_id], state.mark(instrument_id)
        reason = ""
        if instrument.currency != account.account.currency:
            reason = f"it trades in {instrument.currency}, the account holds {account.account.currency}"
        elif terms.only and instrument_id not in terms.only:
            reason = IN_BAND
        elif instrument_id in at_work:
            reason = ORDER_WORKS
        elif mark is None or mark <= 0:
            reason = NO_PRICE
        if reason or mark is None:
            part.skipped.append(Skipped(part.account_id, instrument_id, reason))
            continue
        item = _Item(
            instrument_id,
            terms.weights.get(instrument_id, ZERO),
            mark,
            mul(mark, instrument.multiplier),
            instrument.lot_size,
            state.position(PositionKey(part.account_id, portfolio_id, instrument_id)).quantity,
        )
        part.items.append(item)


def solved(parts: list[Part], terms: Terms) -> list[AccountPlan | None]:
    """The second step, which may take a while and reads nothing but its arguments: call it on a thread. None where an
    account is closed; what is left alone is added to `skipped` of its part."""
    return [None if part.closed else _planned(part, terms) for part in parts]


def _planned(part: Part, terms: Terms) -> AccountPlan:
    if not part.items:
        return _account(part, terms, [], cost=ZERO, gap=0.0)
    trades, cost, lots = _with_costs(part, terms)
    for place, item in enumerate(part.items):
        if lots.inside[place]:
            part.skipped.append(Skipped(part.account_id, item.instrument_id, IN_BAND))
        elif lots.small[place]:
            reason = f"the trade is worth less than {plain(terms.least)}"
            part.skipped.append(Skipped(part.account_id, item.instrument_id, reason))
    return _account(part, terms, trades, cost=cost, gap=lots.gap)


def _with_costs(part: Part, terms: Terms) -> tuple[list[PlannedTrade], Decimal, "Lots"]:
    """Trades that leave enough to pay what they cost: planned again with the costs of the last plan until they do."""
    from evenkeel.quant.portfolio.shares import whole_lots

    kept, assets, rounds = ZERO, _assets(part), 0
    while True:
        lots = whole_lots(assets, _means(part, terms, kept), seconds=_SECONDS)
        trades = _trades(part, lots)
        cost = _charges(part, trades, terms.pieces)
        rounds += 1
        if cost <= kept or rounds == _ROUNDS:
            return trades, cost, lots
        kept = cost if rounds < _SURE else mul(cost, Decimal(2))


def _means(part: Part, terms: Terms, costs: Decimal) -> "Means":
    from evenkeel.quant.portfolio.shares import Means

    return Means(
        float(part.free), float(part.worth), float(terms.buffer), float(costs), float(MARKET_BUFFER - ONE),
        float(terms.band), float(terms.least),
    )  # fmt: skip


def _assets(part: Part) -> "Assets":
    import numpy as np

    from evenkeel.quant.portfolio.shares import Assets

    rows = [(float(one.weight), float(mul(one.unit, one.lot)), float(one.held) / float(one.lot)) for one in part.items]
    weights, lots, held = np.array(rows, np.float64).T
    return Assets(weights, lots, held)


def _trades(part: Part, lots: "Lots") -> list[PlannedTrade]:
    """Sales before purchases, each in the sequence of the instruments."""
    found = [
        PlannedTrade(part.account_id, one.instrument_id, mul(Decimal(count), one.lot), one.price, one.held)
        for one, count in zip(part.items, lots.trades.tolist(), strict=True)
        if count
    ]
    return sorted(found, key=lambda trade: trade.quantity > 0)


def _charges(part: Part, trades: list[PlannedTrade], pieces: int) -> Decimal:
    """What the account's schedule is expected to charge for all of them."""
    if not part.schedule.components:
        return ZERO
    found, items = ZERO, {one.instrument_id: one for one in part.items}
    for trade in trades:
        item = items[trade.instrument_id]
        found = add(found, charge_of(part.schedule, trade, unit=item.unit, lot=item.lot, pieces=pieces))
    return found


def charge_of(schedule: CostSchedule, trade: PlannedTrade, *, unit: Decimal, lot: Decimal, pieces: int) -> Decimal:
    """What a schedule is expected to charge for a trade in units worth so much, in equal pieces of a lot at least."""
    count = max(1, min(pieces, int(abs(trade.quantity) / lot)))
    quantity = abs(float(trade.quantity)) / count
    charge = total_charge(schedule, trade.side, quantity=quantity, notional=quantity * float(unit))
    return exact(charge * count, _CENT, "ROUND_UP")


def _account(part: Part, terms: Terms, trades: list[PlannedTrade], *, cost: Decimal, gap: float) -> AccountPlan:
    change = {trade.instrument_id: trade.quantity for trade in trades}
    spent = total([mul(change.get(one.instrument_id, ZERO), one.unit) for one in part.items])
    after = {one.instrument_id: add(one.held, change.get(one.instrument_id, ZERO)) for one in part.items}
    return AccountPlan(
        part.account_id,
        part.worth,
        part.cash,
        sub(sub(part.cash, spent), cost),
        cost,
        _drift(part, terms, {one.instrument_id: one.held for one in part.items}),
        _drift(part, terms, after),
        gap,
        tuple(trades),
    )


def _drift(part: Part, terms: Terms, held: Mapping[str, Decimal]) -> Decimal:
    """The furthest that a weight is off what is wanted of it, the buffer taken off."""
    invested = sub(ONE, terms.buffer)
    far = [
        abs(sub(ratio(mul(held[one.instrument_id], one.unit), part.worth), mul(one.weight, invested)))
        for one in part.items
    ]
    return rounded(max(far), _SHARE) if far else ZERO


def holds(state: State, parts: list[Part]) -> bool:
    """Whether the prices that trades were planned at are still the last."""
    return all(state.mark(item.instrument_id) == item.price for part in parts for item in part.items)


def told(
    state: State,
    portfolio_id: str,
    terms: Terms,
    parts: list[Part],
    *,
    accounts: list[AccountPlan | None],
    source: Source = Source.USER,
) -> Plan:
    """The last step: the accounts together, without those that would take no order of `source` now. Raises NotFound."""
    skipped = [one for part in parts for one in part.skipped]
    kept, refusals = list[AccountPlan](), list[Skipped]()
    for one in accounts:
        if one is None:
            continue
        closed, refused = _refused(state, portfolio_id, one, source)
        if closed:
            skipped.append(Skipped(one.account_id, None, closed))
        else:
            kept.append(one)
            refusals += refused
    value, values = _values(state, portfolio_id)
    trades = [trade for one in kept for trade in one.trades]
    for trade in trades:
        change = state.notional(trade.instrument_id, trade.quantity, trade.price)
        values[trade.instrument_id] = add(values.get(trade.instrument_id, ZERO), change)
    before = weights_of(state, portfolio_id)
    after = {name: rounded(ratio(one, value), _SHARE) for name, one in values.items() if one} if value > 0 else {}
    return Plan(
        portfolio_id, value, before, dict(terms.weights), after, tuple(kept), tuple(skipped),
        total([abs(state.notional(one.instrument_id, one.quantity, one.price)) for one in trades]), tuple(refusals),
        _furthest(before, terms), _furthest(after, terms), terms.pieces,
    )  # fmt: skip


def _furthest(weights: Mapping[str, Decimal], terms: Terms) -> Decimal:
    """The furthest that a weight of the whole is off, the buffer taken off what is wanted."""
    invested, names = sub(ONE, terms.buffer), {*weights, *terms.weights}
    far = [abs(sub(weights.get(one, ZERO), mul(terms.weights.get(one, ZERO), invested))) for one in names]
    return rounded(max(far, default=ZERO), _SHARE)


def _values(state: State, portfolio_id: str) -> tuple[Decimal, dict[str, Decimal]]:
    """What the portfolio's own books are worth, and what they hold of each instrument."""
    whole, values = ZERO, dict[str, Decimal]()
    for account_id in state.portfolio(portfolio_id).portfolio.account_ids:
        account = state.accounts[account_id]
        whole = add(whole, worth_of_book(state, account, portfolio_id).value)
        for position in account.positions.in_book(portfolio_id):
            if position.quantity:
                name = position.key.instrument_id
                values[name] = add(values.get(name, ZERO), state.value_of(position))
    return whole, values


def _refused(state: State, portfolio_id: str, one: AccountPlan, source: Source) -> tuple[str, list[Skipped]]:
    """Why the account would take no order, empty where it is open; and the trades that risk would refuse now.

    What sales make room for is not held against purchases, which follow them.
    """
    sells, found = any(trade.side is Side.SELL for trade in one.trades), list[Skipped]()
    for trade in one.trades:
        spec = spec_of(portfolio_id, trade, name="plan")
        verdict, _ = judge(state, state.accounts[one.account_id], spec, Provenance("", source))
        if isinstance(verdict, Approved):
            continue
        rule, reason = verdict.check.rule, verdict.check.reason or ""
        if rule in _CLOSED:
            return reason, []
        if not sells or rule not in _MADE_ROOM_FOR:
            found.append(Skipped(one.account_id, trade.instrument_id, f"{rule}: {reason}"))
    return "", found
