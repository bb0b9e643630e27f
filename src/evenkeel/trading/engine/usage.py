"""How much of each limit is used now, and what risk would say of an order: the state is read, and nothing is changed.

What works counts as filled wherever it would when an order is judged: see `reach`.
"""

from decimal import Decimal
from typing import NamedTuple

from evenkeel.domain.limits import LimitScope, RuleSet
from evenkeel.domain.money import ZERO, add, mul, neg, ratio
from evenkeel.domain.orders import OrderKind, OrderSpec, Side
from evenkeel.domain.provenance import Source
from evenkeel.domain.records import Check
from evenkeel.trading.engine import rejects
from evenkeel.trading.engine.figures import (
    day_result,
    day_start,
    drawdown,
    equity_of,
    exposure,
    open_orders,
    traded_today,
    trades_today,
)
from evenkeel.trading.engine.layers import LayerState, Standing
from evenkeel.trading.engine.limiting import reaches
from evenkeel.trading.engine.orders import check_spec
from evenkeel.trading.engine.reach import Asked, Reach, last_price, together
from evenkeel.trading.engine.risk_views import Reserves, risk_view
from evenkeel.trading.engine.state import State
from evenkeel.trading.risk import judged

_NOTHING = OrderSpec("", "", "", Side.BUY, ZERO, OrderKind.MARKET, "")


class Used(NamedTuple):
    """How much of a limit is used, in which currency where it is money, and by which instrument where it is by one."""

    amount: Decimal
    currency: str = ""
    instrument_id: str = ""


def what_if(state: State, spec: OrderSpec, *, at: int) -> tuple[Check, ...]:
    """Every check that an order of a person would meet at a moment (ns), of every layer, passed or not.

    Raises InvalidInput for one that makes no sense, and MoneyError for one whose value exact money cannot hold.
    """
    check_spec(state, spec)
    account, moment = state.account(spec.account_id), max(at, state.time)
    return tuple(judged(risk_view(state, account, spec, spec.quantity, source=Source.USER, at=moment)))


def used(state: State, scope: LimitScope, *, rules: RuleSet, standing: Standing, at: int) -> dict[str, Used]:
    """The use of each rule that has one, by field; of several currencies, in the one where most is used."""
    found: dict[str, Used] = {}
    for read in reaches(state, scope):
        if not read.money:
            continue
        asked = Asked(read.money[0], _NOTHING, ZERO, None, max(at, state.time), Reserves(state))
        parts = _moneys(read, asked, standing=standing), _counts(read, asked, standing=standing), _largest(read, asked)
        for part in parts:
            for name, one in part.items():
                if name not in found or one.amount > found[name].amount:
                    found[name] = one
    return {name: one for name, one in found.items() if getattr(rules, name) is not None}


def _moneys(read: Reach, asked: Asked, *, standing: Standing) -> dict[str, Used]:
    """What is money, or a fraction of equity."""
    currency, equity = asked.account.account.currency, equity_of(read)
    exposed, margin = exposure(read, asked)
    net = max(exposed.long.copy_abs(), exposed.short.copy_abs())
    lost = max(ZERO, neg(day_result(read, standing, at=asked.at)))
    money = {"max_gross_exposure": exposed.gross, "max_net_exposure": net, "daily_loss_amount": lost}
    shares = {
        "max_gross_leverage": (exposed.gross, equity),
        "max_net_leverage": (net, equity),
        "max_margin_use": (margin, equity),
        "max_turnover": (add(traded_today(read, at=asked.at), exposed.moving), equity),
        "daily_loss": (lost, day_start(read, standing, at=asked.at)),
    }
    fallen = Used(drawdown(read, standing, equity=equity))
    return (
        {name: Used(amount, currency) for name, amount in money.items()}
        | {name: Used(ratio(part, whole)) for name, (part, whole) in shares.items() if whole > 0}
        | dict.fromkeys(("drawdown_warn", "drawdown_reduce", "drawdown_halt"), fallen)
    )


def _counts(read: Reach, asked: Asked, *, standing: Standing) -> dict[str, Used]:
    counts = {
        "max_open_orders": open_orders(read, asked),
        "max_trades_per_day": trades_today(read, asked),
        "max_losses": standing.losses,
        "max_rejects": _rejects(read, standing, at=asked.at),
    }
    return {name: Used(Decimal(count)) for name, count in counts.items()}


def _rejects(read: Reach, standing: Standing, *, at: int) -> int:
    """Within the window of each account's own, or of the strategy's; of several accounts, in the one with most."""
    own = standing.rules.reject_window if isinstance(standing, LayerState) else None
    windows = [(one, own or one.limits.reject_window or 0) for one in read.accounts]
    return max((rejects.count(one, window=window, at=at, book=read.book) for one, window in windows), default=0)


def _largest(read: Reach, asked: Asked) -> dict[str, Used]:
    """The largest position there is, or may come of what works: in units, in money, and as a share of equity."""
    whole = together(read, read.accounts, asked=asked)
    if not whole:
        return {}
    units = max(whole, key=lambda name: whole[name].worst)
    values = {name: _value(read, name, quantity=cell.worst) for name, cell in whole.items()}
    most = max(values, key=lambda name: values[name])
    currency, equity = asked.account.account.currency, equity_of(read)
    found = {
        "max_position": Used(whole[units].worst, "", units),
        "max_position_value": Used(values[most], currency, most),
    }
    return found | ({"max_position_share": Used(ratio(values[most], equity), "", most)} if equity > 0 else {})


def _value(read: Reach, instrument_id: str, *, quantity: Decimal) -> Decimal:
    price = last_price(read.state, instrument_id, accounts=read.accounts)
    return mul(mul(quantity, price), read.state.instruments[instrument_id].multiplier)
