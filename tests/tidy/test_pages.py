"""What pages state of the code is so: order states, risk rules, fees, error codes, metrics, files of the index."""

import ast
import re
from pathlib import Path
from types import ModuleType

import pytest

from evenkeel.cli.audit import LogBroken
from evenkeel.desk import auth, server_keys, throttle
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.orders import TERMINAL, TRANSITIONS, OrderState
from evenkeel.quant.costs.schedules import SCHEDULES
from evenkeel.server import problems
from evenkeel.telemetry.metrics import Metrics, Portfolio, Risk, Sender
from evenkeel.trading.engine import keeping, rejects, watching
from evenkeel.trading.risk import checks, rules, view
from tests.services import ROOT
from tests.tidy.sources import text, tree

DOCS = ROOT / "docs"


def rows(page: str, heading: str) -> dict[str, list[str]]:
    """The rows of the one table whose first heading is `heading`, by their first cell without its marks."""
    lines = text(DOCS / page).splitlines()
    (start,) = [place for place, line in enumerate(lines) if line.startswith(f"| {heading} |")]
    found: dict[str, list[str]] = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        first, *rest = [cell.strip() for cell in line.strip("|").split("|")]
        found[first.strip("`")] = rest
    return found


def test_every_order_state_and_what_it_may_become_is_told() -> None:
    told = rows("trading.md", "state")
    assert list(told) == [*(s for s in told if s not in TERMINAL), *(s for s in told if s in TERMINAL)]
    for state in OrderState:
        after = {to for (before, _), to in TRANSITIONS.items() if before is state} - {state}
        assert set(re.findall(r"`(\w+)`", told[state][1])) == after, state
    assert set(told) == set(OrderState)


def _named(module: ModuleType, callee: str, place: int) -> dict[str, list[str]]:
    """The rules that each function of a module makes checks of, by the call's argument at `place`."""
    return {
        function.name: sorted({
            str(named.value)
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == callee
            for named in node.args[place : place + 1]
            if isinstance(named, ast.Constant)
        })
        for function in ast.walk(tree(Path(str(module.__file__))))
        if isinstance(function, ast.FunctionDef)
    }  # fmt: skip


def test_every_check_is_told_in_order() -> None:
    names = _named(checks, "Check", 0)
    names["supported"] = sorted({name for found in _named(keeping, "Check", 0).values() for name in found})
    names["stopped"] = ["mtm", rejects.RULE, watching.STALE]
    names["in_use"] = [view.ACCOUNT_ACTIVE, view.LIVE_SWITCH, view.SESSION_RUNNING]
    asked = (*checks.ORDER_CHECKS, *checks.ENTRY_CHECKS, checks.cash)
    told = [view.STRATEGY_RUNNING, *(name for check in asked for name in names[check.__name__])]
    assert list(rows("trading.md", "rule")) == told


def test_every_rule_of_a_layer_is_told_in_order() -> None:
    asked = [name for _, names in rules.RULE_CHECKS for name in names]
    assert list(rows("limits.md", "rule")) == [*asked, "max_rejects"]


def test_every_fee_schedule_is_told() -> None:
    assert {name: cells[0] for name, cells in rows("trading.md", "schedule").items()} == {
        name: schedule.title for name, schedule in SCHEDULES.items()
    }


def errors(kind: type[EvenkeelError] = EvenkeelError) -> list[type[EvenkeelError]]:
    return [kind, *(found for below in kind.__subclasses__() for found in errors(below))]


def test_every_error_has_its_row() -> None:
    apart = {LogBroken, auth.TwoFactorNeeded, server_keys.KeysMissing, throttle.TooManyAttempts}
    assert apart <= set(errors())
    told = rows("errors.md", "code")
    ours = {kind.code: kind for kind in errors() if kind.__module__.startswith("evenkeel.")}
    assert set(told) == set(ours)
    for code, kind in ours.items():
        status, cause, remedy = told[code]
        assert int(status) == problems.status_of(kind.__new__(kind)), code
        assert cause, code
        assert remedy, code


def test_every_metric_is_told() -> None:
    metrics = Metrics("1")
    metrics.orders_placed = 1
    metrics.watch_portfolios(lambda: [Portfolio("1", "Main", 1.0, 0.0, 0.0, 1)])
    metrics.watch_risks(lambda: [Risk("1", "Main", 1.0, 1.0, 0.1, {"0.95": (1.0, 2.0)})])
    metrics.watch_sending(lambda: [Sender("1", "Main", 5.0, {"open": 1}, 0.1)], lambda: {"done": 1})
    metrics.watch_journal(lambda: (1, 0))
    metrics.observe_stage("decided", 0.001)
    metrics.observe_exchange(0.001)
    metrics.observe_optimization("hrp", 0.01)
    metrics.observe_webhook("ordered", 0.01)
    told = rows("operations.md", "metric")
    exported: dict[str, str] = {}
    labels: dict[str, set[str]] = {}
    for line in metrics.render().decode().splitlines():
        if found := re.match(r"# TYPE (\S+) (\S+)", line):
            exported[found[1]] = found[2]
        elif sample := re.match(r"(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? ", line):
            labels.setdefault(sample[1], set()).update(re.findall(r"(\w+)=", sample[2] or ""))
    ours = {name: kind for name, kind in exported.items() if not name.startswith("process_")}
    assert set(told) == set(ours)
    for name, (kind, shown, _) in told.items():
        assert ours[name] == ("gauge" if kind == "info" else kind), name
        assert set(re.findall(r"`(\w+)`", shown)) == labels[name] - {"le"}, name


@pytest.mark.parametrize("folder", [DOCS, DOCS / "decisions"], ids=lambda folder: str(folder.relative_to(ROOT)))
def test_the_index_leads_to_every_page(folder: Path) -> None:
    if folder == DOCS:
        index = text(DOCS / "README.md")
        assert [page.name for page in folder.glob("*.md") if page.name != "README.md" and page.name not in index] == []
    assert all(re.match(r"\d{4}-[a-z0-9-]+\.md|README\.md", page.name) for page in (DOCS / "decisions").glob("*"))
