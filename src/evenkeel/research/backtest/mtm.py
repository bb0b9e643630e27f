"""Mark-to-market rules of a backtest: written in a line, and handed to the live engine as a desk's are.

A level is the whole account (`account`), the strategy (`strategy`), or one instrument, by its symbol.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import time
from decimal import Decimal, InvalidOperation
from typing import Any, TypedDict, Unpack

from msgspec import to_builtins
from msgspec.structs import replace

from evenkeel.domain.commands import SetMtmRules
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.mtm import Basis, BreachAction, Carry, DayRules, LockIn, Measure, MtmRules, Trail, Watch
from evenkeel.domain.orders import Product
from evenkeel.domain.panics import COOLDOWN, Scope, ScopeKind
from evenkeel.domain.provenance import Provenance

ACCOUNT, STRATEGY = "account", "strategy"
Levels = tuple[tuple[str, MtmRules], ...]
Money = str | Decimal | int | float
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Rules(TypedDict, total=False):
    """Amounts are money (500), or of equity at the day's start ("2%"); times are the exchange's own ("15:15").

    `trail` is how far below its best a profit may fall, from the start or once it has reached `trail_from`; `lock_in`
    has floors by the profit that sets them: {"500": "200"}. `basis` is day or entry, `watch` price or bar, `action`
    close or halt; `end_of_day` are minutes before the close, at which MIS positions are closed, and those of `products`
    unless `carry` (none, all or winners) lets them stay, `carry_days` nights at most, and never the night after one of
    the days `not_over` ("fri", or 5). `expiry`: what expires that day is closed with them.
    """

    stop_loss: Money
    target: Money
    trail: Money
    trail_from: Money
    lock_in: Mapping[Any, Money]
    basis: str
    watch: str
    action: str
    no_entries_after: str | time
    square_off_at: str | time
    end_of_day: int
    products: Iterable[str]
    carry: str
    carry_days: int
    not_over: Iterable[str | int]
    expiry: bool


def mtm_rules(**rules: Unpack[Rules]) -> MtmRules:
    """The rules of one level, for `mtm=`; what each does is told in docs/mtm-control.md. Raises InvalidInput."""
    unknown = [name for name in rules if name not in Rules.__annotations__]
    if unknown:
        raise _refusal(unknown[0], f"unknown; expected one of {', '.join(Rules.__annotations__)}")
    measures = {name: _measure(name, rules.get(name)) for name in ("stop_loss", "target", "trail", "trail_from")}
    if measures["trail_from"] is not None and measures["trail"] is None:
        raise _refusal("trail_from", "goes with trail")
    steps = rules.get("lock_in", {})
    if not isinstance(steps, Mapping):
        raise _refusal("lock_in", f'expected floors by profits such as {{"500": "200"}}, not {steps!r}')
    distance = measures["trail"]
    return MtmRules(
        stop_loss=measures["stop_loss"],
        target=measures["target"],
        trail=None if distance is None else Trail(distance, measures["trail_from"]),
        lock_in=tuple(LockIn(_sure("lock_in", at), _sure("lock_in", floor)) for at, floor in steps.items()),
        basis=_choice("basis", rules.get("basis", Basis.DAY), Basis),
        watch=_choice("watch", rules.get("watch", Watch.PRICE), Watch),
        action=_choice("action", rules.get("action", BreachAction.CLOSE), BreachAction),
        day=DayRules(
            no_entries_after=_clock("no_entries_after", rules.get("no_entries_after")),
            square_off_at=_clock("square_off_at", rules.get("square_off_at")),
            end_of_day=_count("end_of_day", rules.get("end_of_day"), "minutes before the close"),
            products=tuple(dict.fromkeys(_choice("products", one, Product) for one in _each("products", rules))),
            carry=_choice("carry", rules.get("carry", Carry.NONE), Carry),
            carry_days=_count("carry_days", rules.get("carry_days"), "a number of nights"),
            not_over=tuple(sorted({_weekday(one) for one in _each("not_over", rules)})),
            expiry=_switch("expiry", rules.get("expiry", True)),
        ),
    )


def levels_of(given: Any) -> Levels:
    """What `mtm=` was given, by level; none for None. Raises InvalidInput."""
    if given is None:
        return ()
    by_level = {ACCOUNT: given} if isinstance(given, MtmRules) else given
    if not isinstance(by_level, Mapping) or not all(isinstance(one, MtmRules) for one in by_level.values()):
        raise _refusal("mtm", f"expected ek.mtm_rules(…), or such rules by level, not {given!r}")
    empty = [str(name) for name, rules in by_level.items() if rules.is_empty]
    if empty:
        raise _refusal("mtm", f"no rules are given for {', '.join(empty)}")
    return tuple((str(name), rules) for name, rules in by_level.items())


def with_ids(levels: Levels, ids: Mapping[str, str], *, currency: str) -> Levels:
    """The same with instruments by id, which `ids` has by symbol.

    Raises InvalidInput for a level there is not, and with the fields of rules that make no sense.
    """
    known = {ACCOUNT: ACCOUNT, STRATEGY: STRATEGY} | dict(ids)
    for name, _ in levels:
        if name not in known:
            raise _refusal("mtm", f"there is no level {name!r}; expected one of {', '.join(known)}")
    found = tuple(_faults(levels, known, currency=currency))
    if found:
        raise InvalidInput("the mark-to-market rules are not valid", errors=found)
    return tuple((known[name], rules) for name, rules in levels)


def _faults(levels: Levels, known: Mapping[str, str], *, currency: str) -> Iterator[FieldError]:
    """What the engine would say of each level's rules."""
    if not levels:
        return
    from evenkeel.trading.engine.mtm.setting import faults

    for name, rules in levels:
        for one in faults(rules, _scope(known[name], "backtest"), currency=currency):
            yield FieldError(f"mtm.{name}.{one.field.removeprefix('day.')}", one.message)


def plain(levels: Levels) -> dict[str, dict[str, Any]]:
    """The rules in plain values, by level; without the cool-down, as nobody arms a level by hand here."""
    alike = ((name, replace(rules, cooldown=COOLDOWN, day=replace(rules.day))) for name, rules in levels)
    return {name: to_builtins(rules) for name, rules in alike}


def commands(levels: Levels, account_id: str, provenance: Provenance) -> Iterator[SetMtmRules]:
    """What sets them on an account whose one deployment has its name."""
    for name, rules in levels:
        yield SetMtmRules(provenance=provenance, scope=_scope(name, account_id), rules=rules)


def _scope(name: str, account_id: str) -> Scope:
    kind = ScopeKind.STRATEGY if name == STRATEGY else ScopeKind.ACCOUNT
    return Scope(kind, account_id, instrument_id="" if name in (ACCOUNT, STRATEGY) else name)


def _measure(name: str, given: Any) -> Measure | None:
    return None if given is None else _sure(name, given)


def _sure(name: str, given: Any) -> Measure:
    text = str(given).strip()
    of_equity = text.endswith("%")
    try:
        value = Decimal(text.removesuffix("%"))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise _refusal(name, f'expected money such as 500, or "2%" of equity, not {given!r}')
    return Measure(value.scaleb(-2) if of_equity else value, of_equity)


def _clock(name: str, given: Any) -> time | None:
    if given is None or isinstance(given, time):
        return given
    try:
        return time.fromisoformat(given)
    except (TypeError, ValueError):
        raise _refusal(name, f'expected a time such as "15:15", not {given!r}') from None


def _count(name: str, given: Any, expected: str) -> int | None:
    if given is None or (isinstance(given, int) and not isinstance(given, bool)):
        return given
    raise _refusal(name, f"expected {expected}, not {given!r}")


def _switch(name: str, given: Any) -> bool:
    if isinstance(given, bool):
        return given
    raise _refusal(name, f"expected True or False, not {given!r}")


def _each(name: str, rules: Mapping[str, Any]) -> tuple[Any, ...]:
    """What was given, one or several."""
    given = rules.get(name)
    if given is None:
        return ()
    several = (given,) if isinstance(given, str | int) else given
    if not isinstance(several, Iterable):
        raise _refusal(name, f"expected one or several, not {given!r}")
    return tuple(several)


def _weekday(given: Any) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    if isinstance(given, str) and given.casefold()[:3] in WEEKDAYS:
        return WEEKDAYS.index(given.casefold()[:3]) + 1
    raise _refusal("not_over", f"expected {', '.join(WEEKDAYS)}, or 1 for Monday to 7, not {given!r}")


def _choice(name: str, given: Any, kind: Any) -> Any:
    try:
        return kind(given)
    except ValueError:
        raise _refusal(name, f"expected {' or '.join(kind)}, not {given!r}") from None


def _refusal(name: str, message: str) -> InvalidInput:
    return InvalidInput(f"{name}: {message}", errors=(FieldError(name, message),))
