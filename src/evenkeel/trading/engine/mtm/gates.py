"""What takes no entries now: levels that a rule has stopped, and levels whose time for entries is over."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from evenkeel.domain.clock import iso
from evenkeel.domain.limits import Layer
from evenkeel.domain.mtm import DayRules, Plan, Rule
from evenkeel.domain.orders import OrderSpec, Product
from evenkeel.domain.panics import Scope
from evenkeel.trading.risk.view import Stop

if TYPE_CHECKING:
    from evenkeel.trading.engine.halts import Halt
    from evenkeel.trading.engine.state import State

NO_ENTRIES = "no-entries"


def stop_of(state: "State", spec: OrderSpec, *, halt: "Halt | None", at: int | None = None) -> Stop | None:
    """What keeps an order out at a moment (ns; None: the last known): a rule's `halt`, else the first level whose time
    is over."""
    if halt is not None and halt.rule:
        until = f" until {iso(halt.until)}" if halt.until else ""
        return Stop(layer_of(halt.scope), halt.rule, f"{halt.reason}; no entries are taken{until}")
    return next(_over(state, spec, at=state.time if at is None else at), None)


def layer_of(scope: Scope) -> Layer:
    """The layer that a refusal names."""
    return Layer.INSTRUMENT if scope.instrument_id else Layer(scope.kind.value)


def _over(state: "State", spec: OrderSpec, *, at: int) -> Iterator[Stop]:
    account, instrument = state.accounts[spec.account_id].account, state.instruments[spec.instrument_id]
    for level in state.mtm.values():
        planned = level.plans.get(instrument.calendar)
        if planned is None or not level.scope.covers(account, spec.book, instrument_id=spec.instrument_id):
            continue
        plan = planned.plan
        is_concerned = concerns(level.rules.day, spec.product) or (
            level.rules.day.expiry and instrument.expiry == plan.session.date
        )
        rule, since = _since(plan, is_concerned=is_concerned)
        if since <= at < plan.session.close:
            close = iso(plan.session.close)
            reason = f"no entries of {instrument.calendar} are taken from {iso(since)} to the close at {close}"
            yield Stop(layer_of(level.scope), rule, reason, entries_only=True)


def concerns(rules: DayRules, product: Product) -> bool:
    """Whether the end of the day is for positions of a product."""
    return product is Product.MIS or product in rules.products


def _since(plan: Plan, *, is_concerned: bool) -> tuple[str, int]:
    """Which rule keeps entries out first, and from when."""
    found = [(plan.no_entries, NO_ENTRIES), (plan.square_off, Rule.SQUARE_OFF.value)]
    if is_concerned:
        found.append((plan.end_of_day, Rule.END_OF_DAY.value))
    since, rule = min((one for one in found if one[0]), default=(plan.session.close, ""))
    return rule, since
