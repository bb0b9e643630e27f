"""What risk sees of an order: gathered from the state, for the account and for every layer of limits over it."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any, NamedTuple

from evenkeel.domain.live import OFF
from evenkeel.domain.money import ONE, ZERO, add, exact, mul, sub
from evenkeel.domain.orders import Kept, Order, OrderKind, OrderSpec, Side
from evenkeel.domain.provenance import Source
from evenkeel.quant.costs import total_charge
from evenkeel.trading.engine import covering, figures, halts, keeping, layers, reach, rejects, watching
from evenkeel.trading.engine.mtm import gates
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.risk import MARKET_BUFFER, RiskView, buffer_of, does_reduce
from evenkeel.trading.risk.view import ACCOUNT_ACTIVE, LIVE_SWITCH

_CENT = Decimal("0.01")
_BY_ITSELF = frozenset({Source.DEPLOYMENT, Source.SCHEDULE})


def risk_view(
    state: State,
    account: AccountState,
    spec: OrderSpec,
    quantity: Decimal,
    *,
    without: Collection[str] = (),
    kept: Kept | None = None,
    source: str = Source.USER,
    at: int | None = None,
) -> RiskView:
    """What risk sees of an order for `quantity` more units from `source` at a moment (ns); None: the last known.

    `without` leaves working orders out: they are this one, judged again, and no more trades of the day. `kept` is what
    is kept of one that is held here.
    """
    spec, cannot = keeping.judged(state, account, spec, held=kept)
    instrument_id, limits, standing, working = spec.instrument_id, account.limits, account.standing, account.working
    buys = sells = reserved = ZERO
    if working and not spec.is_exit:  # of what closes a position, only one does
        buys, sells, reserved = _on_the_way(state, spec, without=without)
    mark, held = state.mark(instrument_id), account.net.get(instrument_id, ZERO)
    price = _dearest(spec.side, limit=spec.limit_price, stop=spec.stop_price, mark=mark)
    needs_charges = limits.cash_check and spec.side.sign > 0
    charges = charges_of(state, account, spec, quantity=quantity, price=price) if needs_charges else ZERO
    reduces = does_reduce(spec.side, quantity, held=held, buys=buys, sells=sells)
    if mark is None and not reduces and not _is_capped(spec.side, spec.limit_price):
        price = None
    seen = _stops(state, spec, source=source, at=at)
    seen.update(_own(state, account, without=without))
    moment = state.time if at is None else at
    needs = _further(state, account, at=moment)
    if not reduces and (needs or state.layers):
        left_out = tuple(state.orders[order_id] for order_id in without)
        asked = reach.Asked(account, spec, quantity, price, moment, Reserves(state), left_out)
        seen |= _in_layers(state, asked, needs=needs)
    return RiskView(
        spec=spec,
        quantity=quantity,
        instrument=state.instruments[instrument_id],
        rules=limits,
        plan=standing.plan,
        tier=standing.tier,
        account_type=account.account.type,
        account_currency=account.account.currency,
        readiness=account.readiness,
        readiness_reason=account.readiness_reason,
        in_doubt=working.in_doubt(instrument_id),
        cannot=cannot,
        waiting=0 if without else len(working.unheard),
        price=price,
        held=held,
        working_buys=buys,
        working_sells=sells,
        cash=account.cash_in(account.account.currency),
        reserved=reserved,
        charges=charges,
        closable=covering.to_reduce(state, spec, covered=not without) if spec.reduce_only else None,
        **seen,
    )


def _own(state: State, account: AccountState, *, without: Collection[str]) -> dict[str, Any]:
    """What the account's view has of itself on an open day, and how many orders its broker may have waiting."""
    rate, needs = state.rate_of(account), account.standing.needs
    equity = state.equity(account) if "equity" in needs else ZERO
    return {
        "most_waiting": None if rate is None else rate.most_waiting,
        "equity": equity,
        "drawdown": account.growth.fallen(equity) if "drawdown" in needs else ZERO,
        "day_start_equity": account.day_start_equity,
        "trades_today": account.trades_today - sum(reach.counted(account, state.orders[one]) for one in without),
    }


def _stops(state: State, spec: OrderSpec, *, source: str, at: int | None) -> dict[str, Any]:
    """What lets nothing in, or reductions only: panics, levels of mark-to-market control, sessions at rest."""
    found: dict[str, Any] = {"may_reduce": source not in _BY_ITSELF or spec.is_exit}
    if source == Source.PANIC:
        return found
    account = state.accounts[spec.account_id]
    if account.session is not None:
        found["idle"] = account.session.idle
    if account.retired:
        found["idle"], found["idle_rule"] = account.retired, ACCOUNT_ACTIVE
    elif account.is_off:
        found["idle"], found["idle_rule"] = OFF, LIVE_SWITCH
    halt = halts.over(state, spec) if state.halts else None
    if halt is not None and not halt.rule:
        found["halted"] = halts.title(state, halt.scope)
    if halt is not None or state.mtm:
        found["stopped"] = gates.stop_of(state, spec, halt=halt, at=at)
    barred = account.standing.barred
    if barred is not None and found.get("stopped") is None:
        found["stopped"] = rejects.stop_of(barred)
    if state.marks.silent and found.get("stopped") is None:
        found["stopped"] = watching.stop_of(state, spec)
    return found


def _further(state: State, account: AccountState, *, at: int) -> frozenset[str]:
    """The figures that rules of the account read beside those which its view has anyway."""
    needs = account.standing.needs if at >= account.day_end else account.standing.further
    return needs - layers.MEASURED if needs and state.correlations is None else needs


def _in_layers(state: State, asked: reach.Asked, *, needs: frozenset[str]) -> dict[str, Any]:
    """What further rules of the account read, and the views of the other layers, where there are any."""
    account = asked.account
    own = reach.of_account(state, account)
    found = figures.figures(own, asked, standing=account.standing, rules=account.limits, needs=needs)
    if state.layers:
        found["layers"] = figures.views(state, asked)
    return found


def _on_the_way(state: State, spec: OrderSpec, *, without: Collection[str]) -> tuple[Decimal, Decimal, Decimal]:
    """(quantity being bought, quantity being sold, cash that buys may use) of the account's working orders."""
    instrument_id, working = spec.instrument_id, state.accounts[spec.account_id].working
    reserve = Reserves(state)
    buys = working.quantity(instrument_id, reserve, is_buy=True)
    sells = working.quantity(instrument_id, reserve, is_buy=False)
    reserved = working.reserved(reserve, state.marks)
    for left_out in filter(None, map(working.get, without)):
        if left_out.spec.is_exit:
            continue
        left = left_out.remaining if left_out.spec.instrument_id == instrument_id else ZERO
        if left_out.spec.side.sign < 0:
            sells = sub(sells, left)
        else:
            buys, reserved = sub(buys, left), sub(reserved, reserve(left_out))
    return buys, sells, reserved


def _is_capped(side: Side, limit: Decimal | None) -> bool:
    """Whether the order itself says what it fills at in the worst case: only a buy's limit does."""
    return side.sign > 0 and limit is not None


def _dearest(side: Side, *, limit: Decimal | None, stop: Decimal | None, mark: Decimal | None) -> Decimal | None:
    """The price that an order is judged at: a buy's limit, else the highest of what it names and the last price.

    A sale's limit is a floor, and a stop that the market has passed already fills at the market.
    """
    if _is_capped(side, limit):
        return limit
    if limit is None and stop is None:
        return mark
    return max((price for price in (limit, stop, mark) if price is not None), default=None)


def reserved_cash(state: State, account: AccountState) -> Decimal:
    """The cash that the account's working buys may still use."""
    return account.working.reserved(Reserves(state), state.marks)


class Reserves(NamedTuple):
    """How much of their account's cash working buys may still use."""

    state: State

    def __call__(self, order: Order) -> Decimal:
        return reserve_of(self.state, order)

    def is_plain(self, order: Order) -> bool:
        if order.spec.kind is not OrderKind.MARKET or order.stop_price is not None:
            return False
        costs = self.state.accounts[order.spec.account_id].account.costs
        return not self.state.find_schedule(costs).components

    def unit(self, instrument_id: str) -> Decimal:
        mark = self.state.mark(instrument_id)
        return ZERO if mark is None else self.state.notional(instrument_id, ONE, mul(mark, MARKET_BUFFER))


def reserve_of(state: State, order: Order) -> Decimal:
    """What a working buy may still use of its account's cash."""
    mark, account = state.mark(order.spec.instrument_id), state.accounts[order.spec.account_id]
    price = _dearest(order.spec.side, limit=order.limit_price, stop=order.stop_price, mark=mark)
    if price is None:
        return ZERO
    charges = charges_of(state, account, order.spec, quantity=order.remaining, price=price)
    price = mul(price, buffer_of(order.spec.kind))
    return add(state.notional(order.spec.instrument_id, order.remaining, price), charges)


def charges_of(
    state: State, account: AccountState, spec: OrderSpec, *, quantity: Decimal, price: Decimal | None
) -> Decimal:
    """What a fill is expected to be charged by the account's schedule; nothing without a price."""
    if price is None:
        return ZERO
    schedule = state.find_schedule(account.account.costs)
    if not schedule.components:
        return ZERO
    notional = float(quantity) * float(price) * float(state.instruments[spec.instrument_id].multiplier)
    estimate = total_charge(schedule, spec.side, quantity=float(quantity), notional=notional)
    return exact(estimate, _CENT, "ROUND_UP")
