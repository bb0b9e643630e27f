"""`evenkeel panic` and `evenkeel resume`: halt what must stop now, and let it trade again; with or without a desk."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from evenkeel.cli.account import the_account
from evenkeel.cli.client import Client, NothingRuns, find
from evenkeel.cli.common import HomeOption, JsonOption, examples, print_json, reporting, resolve_home
from evenkeel.cli.doors import Doors, PanicPlan, PanicReport
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.panics import COOLDOWN, LONGEST_COOLDOWN, ScopeKind

PANIC_EXAMPLES = examples(
    "evenkeel panic --account Main",
    "evenkeel panic --strategy Trend --keep-positions",
    "evenkeel panic --all --yes",
    note="Where no desk runs, the command takes the home itself: it recovers, reconciles with the broker, cancels and "
    "closes, and exits. Exit code 1 where something is left that does not simply wait at the broker.",
)
RESUME_EXAMPLES = examples(
    "evenkeel resume --account Main",
    "evenkeel resume --all --abandon --yes",
    note="Name the scope that was halted. Strategies that were paused with it go on.",
)
AccountOption = Annotated[str | None, typer.Option("--account", metavar="ACCOUNT", help="One account, by name or id.")]
StrategyOption = Annotated[
    str | None, typer.Option("--strategy", metavar="STRATEGY", help="One strategy, in every account it trades.")
]
UserOption = Annotated[bool, typer.Option("--user", help="Every account of yours.")]
AllOption = Annotated[bool, typer.Option("--all", help="The whole platform.")]
SocketOption = Annotated[
    Path | None,
    typer.Option("--broker-socket", metavar="PATH", help="Where no desk runs: the simulated broker that listens here."),
]
_LOOK = 0.2
_PATIENCE = 10.0


def panic(
    ctx: typer.Context,
    account: AccountOption = None,
    strategy: StrategyOption = None,
    user: UserOption = False,
    everything: AllOption = False,
    keep_positions: Annotated[
        bool, typer.Option("--keep-positions", help="Cancel orders only; what is held stays.")
    ] = False,
    cooldown: Annotated[
        int,
        typer.Option(
            "--cooldown", metavar="SECONDS", min=0, max=LONGEST_COOLDOWN // SECOND, help="Before it may be resumed."
        ),
    ] = COOLDOWN // SECOND,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Recorded with it.")] = "",
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, max=3600, help="How long to watch it.")
    ] = 30.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    broker_socket: SocketOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Halt trading now: refuse new orders, cancel those that work, and close what is held."""
    scope, name = _scope(account, strategy, user=user, everything=everything)
    if not yes:
        what = "cancel its orders" if keep_positions else "cancel its orders and close its positions"
        typer.confirm(f"Halt {_title(scope, name)}, {what}?", abort=True, err=True)
    plan = PanicPlan(
        home=resolve_home(home),
        scope=scope,
        name=name,
        keep_positions=keep_positions,
        cooldown=cooldown,
        reason=reason,
        wait=wait,
        broker_socket=broker_socket,
    )
    with reporting(as_json=as_json):
        try:
            report = _press(plan)
        except NothingRuns:
            report = _without_a_desk(ctx.obj, plan)
        _told(report, plan, as_json=as_json)


def resume(
    ctx: typer.Context,
    account: AccountOption = None,
    strategy: StrategyOption = None,
    user: UserOption = False,
    everything: AllOption = False,
    abandon: Annotated[bool, typer.Option("--abandon", help="Though the panic has not finished.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    broker_socket: SocketOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let trade again what a panic has halted, once its cool-down is over."""
    scope, name = _scope(account, strategy, user=user, everything=everything)
    if not yes:
        typer.confirm(f"Let {_title(scope, name)} trade again?", abort=True, err=True)
    plan = PanicPlan(
        home=resolve_home(home), scope=scope, name=name, resume=True, abandon=abandon, broker_socket=broker_socket
    )
    with reporting(as_json=as_json):
        try:
            client = Client(plan.home, _PATIENCE)
            answer = client.call("POST", "/risk/resume", {**_named(client, plan), "abandon": abandon})
            report = PanicReport(answer["name"], done=True, rests=False)
        except NothingRuns:
            report = _without_a_desk(ctx.obj, plan)
        if as_json:
            print_json({"name": report.name, "state": "resumed"})
        else:
            print(f"Trading of {report.name} is on again.")


def _scope(account: str | None, strategy: str | None, *, user: bool, everything: bool) -> tuple[ScopeKind, str | None]:
    given: list[tuple[ScopeKind, str | None]] = []
    given += [(ScopeKind.ACCOUNT, account)] if account is not None else []
    given += [(ScopeKind.STRATEGY, strategy)] if strategy is not None else []
    given += [(ScopeKind.USER, None)] if user else []
    given += [(ScopeKind.PLATFORM, None)] if everything else []
    if len(given) != 1:
        raise typer.BadParameter("name one of --account, --strategy, --user and --all", param_hint="scope")
    return given[0]


def _title(scope: ScopeKind, name: str | None) -> str:
    named = {ScopeKind.USER: "every account of yours", ScopeKind.PLATFORM: "the whole platform"}
    return named.get(scope) or f"{scope} {name}"


def _named(client: Client, plan: PanicPlan) -> dict[str, Any]:
    """The scope as the API takes it."""
    match plan.scope:
        case ScopeKind.ACCOUNT:
            return {"scope": plan.scope, "id": the_account(client, plan.name or "")["id"]}
        case ScopeKind.STRATEGY:
            found = find(client.get("/strategies")["items"], plan.name or "", what="strategy")
            return {"scope": plan.scope, "id": found["id"]}
    return {"scope": plan.scope}


def _press(plan: PanicPlan) -> PanicReport:
    """Tells the running desk, and watches until nothing is left or time is up."""
    client = Client(plan.home, _PATIENCE)
    body = {"keep_positions": plan.keep_positions, "cooldown": plan.cooldown, "reason": plan.reason}
    shown = client.call("POST", "/risk/panic", {**_named(client, plan), **body})
    end = time.monotonic() + plan.wait
    while shown["state"] == "working" and time.monotonic() < end:
        time.sleep(_LOOK)
        found = [one for one in client.get("/risk/panic")["items"] if one["id"] == shown["id"]]
        shown = found[0] if found else {**shown, "state": "done"}
    left = tuple(f"{one['what']} {one['symbol'] or ''} {one['quantity']}: {one['why']}" for one in shown["left"])
    rests = shown["state"] == "working" and not shown["orders_left"] and _is_sent(shown["left"])
    return PanicReport(shown["name"], done=shown["state"] == "done", rests=rests, left=left)


def _is_sent(left: list[dict[str, Any]]) -> bool:
    sent = {(one["account_id"], one["symbol"]) for one in left if one["what"] == "closing"}
    return all((one["account_id"], one["symbol"]) in sent for one in left)


def _without_a_desk(doors: Doors, plan: PanicPlan) -> PanicReport:
    if not plan.home.is_dir():
        raise EvenkeelError(f"there is no home at {plan.home}", hint="Name the right folder with --home.")
    return doors.panic(plan)


def _told(report: PanicReport, plan: PanicPlan, *, as_json: bool) -> None:
    state = "done" if report.done else "waiting" if report.rests else "unfinished"
    if as_json:
        print_json({"name": report.name, "state": state, "left": list(report.left)})
    elif report.done:
        held = "what was held is kept" if plan.keep_positions else "nothing is held"
        print(f"{report.name} is halted: no order works, {held}.")
    else:
        print(f"{report.name} is halted. Left:")
        print("\n".join(f"  {line}" for line in report.left))
    if not report.done and not report.rests:
        hint = "Press again to try anew; `evenkeel events` tells what was tried."
        raise EvenkeelError(f"the panic of {report.name} has not finished", hint=hint)
    if report.rests and not as_json:
        print("The orders that close it are at the broker, and fill at its next price.")
