"""`evenkeel mtm`: rules on what accounts, strategies and instruments make, and times by which they are closed."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

import typer

from evenkeel.cli.account import the_account
from evenkeel.cli.client import Client, find
from evenkeel.cli.common import HomeOption, JsonOption, examples, print_items, print_json, reporting, resolve_home
from evenkeel.domain.clock import SECOND
from evenkeel.domain.mtm import Basis, BreachAction, Carry, Watch
from evenkeel.domain.orders import Product
from evenkeel.domain.panics import COOLDOWN, LONGEST_COOLDOWN

app = typer.Typer(no_args_is_help=True)

AccountOption = Annotated[
    str | None,
    typer.Option("--account", metavar="ACCOUNT", help="An account or, with --strategy, one of its accounts."),
]
StrategyOption = Annotated[str | None, typer.Option("--strategy", metavar="STRATEGY", help="A strategy's positions.")]
UserOption = Annotated[bool, typer.Option("--user", help="Every account of yours, together.")]
SymbolOption = Annotated[str | None, typer.Option("--symbol", metavar="SYMBOL", help="One instrument of these.")]
VenueOption = Annotated[str | None, typer.Option("--venue", help="For symbols listed at several venues.")]
_MONEY = "AMOUNT|%"
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES = {
    "stop_loss": "--stop-loss", "target": "--target", "trail": "--trail", "trail.activates_at": "--trail-from",
    "lock_in": "--lock-in", "action": "--action", "cooldown": "--cooldown", "no_entries_after": "--no-entries-after",
    "square_off_at": "--square-off-at", "end_of_day": "--end-of-day", "products": "--product", "carry": "--carry",
    "carry_days": "--carry-days", "not_over": "--not-over", "symbol": "--symbol", "venue": "--venue",
}  # fmt: skip
_OPTIONS = {at + name: option for at in ("", "rules.", "day.") for name, option in _NAMES.items()}
_ENDS = {"close": "it is closed and takes no entries that day", "halt": "it is closed and halted until it is resumed"}
SHOW_EXAMPLES = examples("evenkeel mtm show", "evenkeel mtm show --json")
SET_EXAMPLES = examples(
    "evenkeel mtm set --account Main --stop-loss 500 --target 2%",
    "evenkeel mtm set --strategy Trend --trail 200 --trail-from 300 --action halt --cooldown 3600",
    "evenkeel mtm set --account Main --symbol AAPL --basis entry --lock-in 500:200 --lock-in 1000:700",
    "evenkeel mtm set --account Main --no-entries-after 15:00 --end-of-day 15 --product NRML --carry winners",
    note="All rules of a level are set anew: what is left out is not used. Percentages are of its equity at the start "
    "of the day; times are the exchange's own. docs/mtm-control.md tells what each rule does.",
)
REARM_EXAMPLES = examples(
    "evenkeel mtm re-arm --account Main", note="It counts from now on. A halt is resumed instead."
)
CLEAR_EXAMPLES = examples("evenkeel mtm clear --account Main")


@app.command(epilog=SHOW_EXAMPLES)
def show(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Every level with rules: what it has made, its best, and how far each rule is."""
    with reporting(as_json=as_json):
        items = Client(resolve_home(home)).get("/risk/mtm")["items"]
        if as_json:
            print_items(items)
            return
        print("\n\n".join("\n".join(_lines(one)) for one in items) or "No level has rules.")


def _lines(one: dict[str, Any]) -> list[str]:
    currency = one["currency"]
    best = f", best {one['peak']}" if float(one["peak"]) else ""
    found = [f"{one['name']}: {one['state']}, {one['profit']} {currency} since {one['since']}{best}"]
    breach = one["breach"]
    if breach is None:
        rules = [f"  {bound['rule']} at {bound['at']}, {bound['room']} away" for bound in one["bounds"]]
        rules += [f"  {rule}" for rule in _waiting(one)]
        found += rules + ([f"  then: {_ENDS[one['rules']['action']]}"] if rules else [])
    else:
        found.append(f"  {breach['rule']} at {breach['at']} reached by {breach['value']} at {breach['when']}")
    if one["until"] is not None:
        found.append(f"  no entries until {one['until']}")
    for times in one["times"]:
        named = ("no_entries", "square_off", "end_of_day", "close")
        moments = [f"{name.replace('_', ' ')} {times[name]}" for name in named if times[name] is not None]
        found.append(f"  {times['calendar']} {times['date']}: {', '.join(moments)}")
    if one["waits_for"]:
        found.append(f"  waits for a price of {', '.join(one['waits_for'])}")
    return found


def _waiting(one: dict[str, Any]) -> Iterator[str]:
    """The rules that a profit has yet to set in force."""
    rules, peak = one["rules"], Decimal(one["peak"])
    trail = rules["trail"]
    if trail is not None and all(bound["rule"] != "trail" for bound in one["bounds"]):
        yield f"trail {trail['distance']} below the best, from {trail['activates_at'] or 'a positive equity'} on"
    for step in rules["lock_in"]:
        value = Decimal(step["reached"].removesuffix("%"))
        reached = value * Decimal(one["equity"]) / 100 if step["reached"].endswith("%") else value
        if peak < reached:
            yield f"lock-in at {step['floor']}, from {step['reached']} on"


@app.command("set", epilog=SET_EXAMPLES)
def set_rules(
    account: AccountOption = None,
    strategy: StrategyOption = None,
    user: UserOption = False,
    symbol: SymbolOption = None,
    venue: VenueOption = None,
    stop_loss: Annotated[str | None, typer.Option("--stop-loss", metavar=_MONEY, help="Close at this loss.")] = None,
    target: Annotated[str | None, typer.Option("--target", metavar=_MONEY, help="Close at this profit.")] = None,
    trail: Annotated[
        str | None, typer.Option("--trail", metavar=_MONEY, help="Close so far below the best profit.")
    ] = None,
    trail_from: Annotated[
        str | None, typer.Option("--trail-from", metavar=_MONEY, help="Trail once this profit is reached.")
    ] = None,
    lock_in: Annotated[
        list[str] | None,
        typer.Option("--lock-in", metavar="REACHED:FLOOR", help="Profit not to be given back; may be repeated."),
    ] = None,
    basis: Annotated[
        Basis, typer.Option("--basis", help="Count by the day, or since it last held nothing.")
    ] = Basis.DAY,
    watch: Annotated[Watch, typer.Option("--watch", help="Look at every price, or at bars' closes.")] = Watch.PRICE,
    action: Annotated[
        BreachAction, typer.Option("--action", help="Close it for the day, or halt it until it is resumed.")
    ] = BreachAction.CLOSE,
    cooldown: Annotated[
        int,
        typer.Option(
            "--cooldown", metavar="SECONDS", min=0, max=LONGEST_COOLDOWN // SECOND, help="Before it may be armed again."
        ),
    ] = COOLDOWN // SECOND,
    no_entries_after: Annotated[
        str | None,
        typer.Option("--no-entries-after", metavar="HH:MM", help="By the exchange's clock, until its close."),
    ] = None,
    square_off_at: Annotated[
        str | None, typer.Option("--square-off-at", metavar="HH:MM", help="Everything is closed then, by its clock.")
    ] = None,
    end_of_day: Annotated[
        int | None, typer.Option("--end-of-day", metavar="MINUTES", help="So long before the close, MIS is closed.")
    ] = None,
    product: Annotated[
        list[Product] | None, typer.Option("--product", case_sensitive=False, help="And these; may be repeated.")
    ] = None,
    carry: Annotated[Carry, typer.Option("--carry", help="Which of these may stay over the night.")] = Carry.NONE,
    carry_days: Annotated[
        int | None, typer.Option("--carry-days", metavar="NIGHTS", help="At most so many nights.")
    ] = None,
    not_over: Annotated[
        list[str] | None, typer.Option("--not-over", metavar="DAY", help="Not over this night, such as fri.")
    ] = None,
    keep_expiring: Annotated[bool, typer.Option("--keep-expiring", help="Leave what expires that day.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set all the rules of a level."""
    if trail_from is not None and trail is None:
        raise typer.BadParameter("goes with --trail", param_hint="--trail-from")
    rules = {
        "stop_loss": stop_loss,
        "target": target,
        "trail": None if trail is None else {"distance": trail, "activates_at": trail_from},
        "lock_in": [_step(text) for text in lock_in or ()],
        "basis": basis,
        "watch": watch,
        "action": action,
        "cooldown": cooldown,
        "no_entries_after": no_entries_after,
        "square_off_at": square_off_at,
        "end_of_day": end_of_day,
        "products": list(product or ()),
        "carry": carry,
        "carry_days": carry_days,
        "not_over": [_weekday(text) for text in not_over or ()],
        "expiry": not keep_expiring,
    }
    times, amounts = (no_entries_after, square_off_at, end_of_day), (stop_loss, target, trail, lock_in)
    if not any(one is not None for one in (*times, *amounts)):
        raise typer.BadParameter("give at least one rule; `evenkeel mtm clear` takes a level's rules away")
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        scope = _scope(client, account=account, strategy=strategy, user=user, symbol=symbol, venue=venue)
        _print(client.call("PUT", "/risk/mtm", {**scope, "rules": rules}), as_json=as_json)


def _step(text: str) -> dict[str, str]:
    reached, found, floor = text.partition(":")
    if not found:
        raise typer.BadParameter(f"{text!r} is not REACHED:FLOOR, such as 500:200", param_hint="--lock-in")
    return {"reached": reached, "floor": floor}


def _weekday(text: str) -> int:
    wanted = text.casefold()[:3]
    if wanted not in _WEEKDAYS:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(_WEEKDAYS)}", param_hint="--not-over")
    return _WEEKDAYS.index(wanted) + 1


@app.command(epilog=CLEAR_EXAMPLES)
def clear(
    account: AccountOption = None,
    strategy: StrategyOption = None,
    user: UserOption = False,
    symbol: SymbolOption = None,
    venue: VenueOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the rules of a level away. What one has stopped stays stopped until its day is over."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        scope = _scope(client, account=account, strategy=strategy, user=user, symbol=symbol, venue=venue)
        client.call("PUT", "/risk/mtm", {**scope, "rules": {}})
        _print(None, as_json=as_json)


@app.command("re-arm", epilog=REARM_EXAMPLES)
def rearm(
    account: AccountOption = None,
    strategy: StrategyOption = None,
    user: UserOption = False,
    symbol: SymbolOption = None,
    venue: VenueOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a level that a rule has closed trade again before its day is over."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        scope = _scope(client, account=account, strategy=strategy, user=user, symbol=symbol, venue=venue)
        _print(client.call("POST", "/risk/mtm/re-arm", scope), as_json=as_json)


def _scope(
    client: Client, *, account: str | None, strategy: str | None, user: bool, symbol: str | None, venue: str | None
) -> dict[str, Any]:
    """The level as the API takes it."""
    if user == (account is not None or strategy is not None):
        raise typer.BadParameter("name --account, --strategy or both, or --user", param_hint="level")
    account_id = None if account is None else the_account(client, account)["id"]
    more = {"symbol": symbol, "venue": venue}
    if user:
        return {"scope": "user", **more}
    if strategy is None:
        return {"scope": "account", "id": account_id, **more}
    found = find(client.get("/strategies")["items"], strategy, what="strategy")
    return {"scope": "strategy", "id": found["id"], "account_id": account_id, **more}


def _print(level: dict[str, Any] | None, *, as_json: bool) -> None:
    if as_json:
        print_json(level)
    else:
        print("\n".join(_lines(level)) if level is not None else "The level has no rules.")
