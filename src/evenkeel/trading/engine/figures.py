"""The figures that rules read: equity, the day's result, exposure, turnover, drawdown and their kin, of any reach.

Only those are worked out that a rule in force reads.
"""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from evenkeel.domain.accounts import AccountType
from evenkeel.domain.clock import SECOND
from evenkeel.domain.limits import RuleSet
from evenkeel.domain.money import ONE, ZERO, add, mul, neg, ratio, rounded, sub, total
from evenkeel.trading.engine import layers
from evenkeel.trading.engine.cells import Cell, Worth, cell_worth
from evenkeel.trading.engine.layers import LayerState, Standing
from evenkeel.trading.engine.portfolios.worth import worth_of
from evenkeel.trading.engine.reach import Asked, Reach, cells, counted, is_new_day, last_price, less, reach_of, together
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.windows import is_inside, is_open
from evenkeel.trading.risk import Seen
from evenkeel.trading.risk.metrics import Closest, diversification

REG_T = Decimal("0.5")
"""Initial margin of a margin account, as a share of value (Regulation T, 12 CFR 220.12), where nothing else is said."""
_NINTH = Decimal("1e-9")


def views(state: State, asked: Asked) -> tuple[Seen, ...]:
    """The order as the layers beside its account see it."""
    return tuple(_view(state, asked, layer=layer) for layer in layers.over(state, asked.spec))


def _view(state: State, asked: Asked, *, layer: LayerState) -> Seen:
    name = asked.spec.instrument_id
    reach = reach_of(state, layer.scope, currency=asked.account.account.currency)
    cell = together(reach, reach.accounts, asked=asked, only=name).get(name, Cell())
    return Seen(
        layer=layer.scope.kind,
        rules=layer.rules,
        plan=layer.plan,
        spec=asked.spec,
        quantity=asked.quantity,
        instrument=state.instruments[name],
        price=asked.price,
        held=cell.held,
        working_buys=cell.buys,
        working_sells=cell.sells,
        tier=layer.tier,
        **figures(reach, asked, standing=layer, rules=layer.rules, needs=layer.needs),
    )


def figures(reach: Reach, asked: Asked, *, standing: Standing, rules: RuleSet, needs: frozenset[str]) -> dict[str, Any]:
    """Those figures of a `Seen` that are needed of what the rules in force read, of a layer or of an account."""
    found = dict[str, Any]()
    if "equity" in needs:
        found["equity"] = equity_of(reach)
    if "day" in needs:
        found["day_start_equity"] = day_start(reach, standing, at=asked.at)
        found["day_result"] = day_result(reach, standing, at=asked.at) if reach.is_part else None
    if "trades" in needs:
        found["trades_today"] = trades_today(reach, asked)
    if "open" in needs:
        found["open_orders"] = open_orders(reach, asked)
    if "exposure" in needs:
        found |= _exposed(reach, asked, with_turnover="turnover" in needs)
    if "drawdown" in needs:
        found["drawdown"] = drawdown(reach, standing, equity=found["equity"])
    if "streak" in needs:
        found["losses"], found["paused"] = standing.losses, paused(standing, rules, at=asked.at)
    if "alike" in needs:
        found["closest"] = _closest(reach, asked)
    if "spread" in needs:
        found["diversification"] = _diversified(reach, asked)
    return found | _moment(reach.state, asked, rules=rules)


def _moment(state: State, asked: Asked, *, rules: RuleSet) -> dict[str, Any]:
    """What the last price and the clocks say."""
    found, instrument = dict[str, Any](), state.instruments[asked.spec.instrument_id]
    if rules.price_collar is not None:
        found["last"] = state.mark(instrument.id)
    mark = state.marks.get(instrument.id)
    if rules.max_quote_age is not None and mark is not None:
        found["quote_age"] = asked.at - mark.at
    if rules.windows is not None:
        found["in_window"] = is_inside(rules.windows, asked.at)
    if rules.exchange_hours:
        found["in_session"] = is_open(instrument.calendar, asked.at)
    return found


def equity_of(reach: Reach) -> Decimal:
    """The equity of the accounts read; of a strategy, what is allotted to it; of a portfolio, what it is worth."""
    if reach.portfolio:
        held = reach.state.portfolios[reach.portfolio]
        return total([worth_of(reach.state, held, account_id=one.account.id).value for one in reach.money])
    return total([mul(_allotted(reach, account), reach.state.equity(account)) for account in reach.money])


def _allotted(reach: Reach, account: AccountState) -> Decimal:
    if not reach.book:
        return ONE
    shares = reach.state.deployment(reach.book).deployment.accounts
    return next((one.share for one in shares if one.account_id == account.account.id), ZERO)


def day_start(reach: Reach, standing: Standing, *, at: int) -> Decimal:
    """The equity of the accounts read, each when its day began; of a strategy, what was allotted to it; of a portfolio,
    what it was worth, with what has been paid in since."""
    if reach.portfolio:
        return sub(equity_of(reach), day_result(reach, standing, at=at))
    starts = [
        reach.state.equity(account) if is_new_day(account, at) else account.day_start_equity for account in reach.money
    ]
    return total([mul(_allotted(reach, account), start) for account, start in zip(reach.money, starts, strict=True)])


def day_result(reach: Reach, standing: Standing, *, at: int) -> Decimal:
    """What the reach has made since the day of each of its accounts began, net of charges."""
    whole = ZERO
    for account in reach.money:
        if is_new_day(account, at):
            continue
        if isinstance(standing, LayerState) and reach.is_part:
            before = standing.results.get(account.account.id, ZERO)
            whole = add(whole, sub(reach.result(account), before))
        else:
            whole = add(whole, sub(reach.state.equity(account), account.day_start_equity))
    return whole


def trades_today(reach: Reach, asked: Asked) -> int:
    """Approved orders of the accounts' open days, without those judged again."""
    whole = 0
    for account in reach.accounts:
        if not is_new_day(account, asked.at):
            whole += sum(one.orders for one in reach.tallies(account)) if reach.is_part else account.trades_today
    return max(0, whole - sum(counted(asked.account, order) for order in asked.without))


def open_orders(reach: Reach, asked: Asked) -> int:
    """Orders that work or are held here, without those judged again."""
    if reach.is_part:
        whole = sum(1 for account in reach.accounts for _ in reach.open_orders(account))
    else:
        whole = sum(len(account.working) + len(account.held) for account in reach.accounts)
    return max(0, whole - len(asked.without))


def drawdown(reach: Reach, standing: Standing, *, equity: Decimal) -> Decimal:
    """How far the reach lies below its best, as a fraction of what its equity was then, to nine places."""
    if not isinstance(standing, LayerState):
        return reach.money[0].growth.fallen(equity)
    if not reach.money:
        return ZERO
    best = standing.best.get(reach.money[0].account.currency, ZERO)
    fallen = sub(best, total([reach.result(account) for account in reach.money]))
    if fallen <= 0:
        return ZERO
    whole = add(equity, fallen)
    return rounded(ratio(fallen, whole), _NINTH) if whole > 0 else ONE


def paused(standing: Standing, rules: RuleSet, *, at: int) -> int:
    """Nanoseconds for which entries still pause after the trades that lost."""
    if rules.max_losses is None or standing.losses < rules.max_losses:
        return 0
    return max(0, standing.lost_at + (rules.loss_pause or 0) * SECOND - at)


def _exposed(reach: Reach, asked: Asked, *, with_turnover: bool) -> dict[str, Any]:
    side = asked.spec.side.sign
    found, margin = exposure(reach, asked)
    seen: dict[str, Any] = {
        "gross": found.gross,
        "margin": margin,
        "net": max(ZERO, found.long if side > 0 else neg(found.short)),
    }
    if with_turnover:
        seen["turnover"] = add(traded_today(reach, at=asked.at), found.moving)
    return seen


def exposure(reach: Reach, asked: Asked) -> tuple[Worth, Decimal]:
    """What the reach would be worth with this order, each instrument at its last price, its own at the order's, with
    everything filled that adds; and the margin of the worst positions."""
    whole, margin = Worth(), ZERO
    for account in reach.money:
        one = (_walked if reach.is_part else _running)(reach, account, asked=asked)
        whole, margin = whole.plus(one), add(margin, mul(one.gross, margin_rate(account)))
    return whole, margin


def _walked(reach: Reach, account: AccountState, *, asked: Asked) -> Worth:
    """Of a part of an account, by a walk over it."""
    found, mine, whole = cells(reach, account, asked=asked), asked.spec.instrument_id, Worth()
    own = found.pop(mine, Cell())
    for name, cell in found.items():
        whole = whole.plus(cell_worth(cell, _unit(reach.state, account, instrument_id=name)))
    is_added = account is asked.account and reach.reads(account, asked.spec.book, mine)
    return whole.plus(_own_worth(reach.state, account, asked=asked, cell=own, is_added=is_added))


def _running(reach: Reach, account: AccountState, *, asked: Asked) -> Worth:
    """Of all that an account has, by its running sums."""
    mine, state, running = asked.spec.instrument_id, reach.state, account.cells
    own = less(running.at(account, asked.reserve).get(mine, Cell()), account, *asked.without)
    whole = running.worth(state.marks, lambda name: _unit(state, account, instrument_id=name))
    is_added = account is asked.account
    if not asked.price and not (is_added and asked.quantity):
        return whole
    worth = _own_worth(state, account, asked=asked, cell=own, is_added=is_added)
    return whole.less(running.worth_in(mine)).plus(worth)


def _own_worth(state: State, account: AccountState, *, asked: Asked, cell: Cell, is_added: bool) -> Worth:
    """Of the order's own instrument, at the order's price, with the order where it is added. What works besides it
    moves at the last price: it will not fill at the price of another order."""
    mine, price, added = asked.spec.instrument_id, asked.price, asked.quantity if is_added else ZERO
    if not added and not any(cell):
        return Worth()
    unit = _unit(state, account, instrument_id=mine, price=price)
    worth = cell_worth(cell.moved(added, is_buy=asked.spec.side.sign > 0) if added else cell, unit)
    working = add(cell.buys, cell.sells)
    if not (price and working):
        return worth
    at_last = mul(working, _unit(state, account, instrument_id=mine))
    return worth._replace(moving=add(at_last, mul(added, unit)))


def _unit(state: State, account: AccountState, *, instrument_id: str, price: Decimal | None = None) -> Decimal:
    """What one unit is worth, at a price or at the last one."""
    known = price or last_price(state, instrument_id, accounts=(account,))
    return mul(known, state.instruments[instrument_id].multiplier)


def traded_today(reach: Reach, *, at: int) -> Decimal:
    """The value of what has filled in the accounts' open days."""
    days = [account for account in reach.money if not is_new_day(account, at)]
    return total([tally.traded for account in days for tally in reach.tallies(account)])


def margin_rate(account: AccountState) -> Decimal:
    """The share of a position's value that it is estimated to tie up."""
    terms = account.account.terms
    if terms is not None:
        return Decimal(repr(terms.margin))
    return REG_T if account.account.type is AccountType.MARGIN else ONE


def _closest(reach: Reach, asked: Asked) -> Closest | None:
    """How alike the order is to what else is held; None where nothing has been measured."""
    measured = reach.state.correlations
    if measured is None:
        return None
    name, side = asked.spec.instrument_id, asked.spec.side.sign
    if len(reach.money) == 1 and not reach.is_part:  # an order judged again is of its own instrument, which counts not
        mine = reach.money[0].cells
        mine.at(reach.money[0], asked.reserve)
        return mine.closest(measured, name, side)
    whole = together(reach, reach.money, asked=asked)
    return measured.closest(name, side, others=((one, held) for one, cell in whole.items() for held in cell.sides()))


def _diversified(reach: Reach, asked: Asked) -> tuple[float, float]:
    """How many equal positions those held amount to, once what works has filled, without the order and with it."""
    values: dict[str, float] = defaultdict(float)
    for account in reach.money:
        for name, cell in cells(reach, account, asked=asked).items():
            likely = sub(add(cell.held, cell.buys), cell.sells)
            values[name] += float(mul(likely, _unit(reach.state, account, instrument_id=name)))
    before, mine = diversification(values.values()), asked.spec.instrument_id
    worth = float(mul(asked.price or ZERO, reach.state.instruments[mine].multiplier))
    values[mine] += asked.spec.side.sign * float(asked.quantity) * worth
    return before, diversification(values.values())
