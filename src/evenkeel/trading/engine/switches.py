"""Rules that take a loser out of trading and let it in again: each switch is recorded, with its rule, limit and value.

While a deployment is off its signals go on being recorded, and what it holds is closed; on again, each instrument is
traded to the target in force at its next signal.
"""

from msgspec.structs import replace

from evenkeel.domain.errors import FieldError
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.records import DeploymentChanged
from evenkeel.domain.strategies import Deployment, Switch, SwitchRules
from evenkeel.trading.engine.state import DeploymentState
from evenkeel.trading.engine.track import BY_HAND
from evenkeel.trading.engine.turn import Turn

_SAID = {
    "max-drawdown": "it has fallen {value} of what it was allotted below its best; the limit is {limit}",
    "max-losses": "{value} closed trades in a row have lost; the limit is {limit}",
    "min-return": "it has made {value} of what it was allotted in {days} days; the least is {limit}",
    "recovery": "its signals would have made {value} since their lowest; {limit} was asked for",
}


def judge(turn: Turn, held: DeploymentState, signal_id: str) -> bool:
    """Switches the deployment where a rule says so after a signal; whether one did."""
    track, this = held.track, held.deployment
    if track is None or this.rules is None:
        return False
    switch = track.verdict(this.rules, this.switch, turn.at)
    if switch is None:
        return False
    provenance = Provenance(actor="switch rules", source=Source.SYSTEM, cause_id=signal_id)
    turn.emit(DeploymentChanged(at=turn.at, deployment=replace(this, switch=switch), provenance=provenance))
    level, kind = ("info", "strategy-recovered") if switch.on else ("warning", "strategy-off")
    said = _SAID[switch.rule].format(value=switch.value, limit=switch.limit, days=this.rules.return_days)
    turn.alert(level, kind, f"{this.name} is switched {'on' if switch.on else 'off'}: {said}", deployment_id=this.id)
    return True


def by_hand(deployment: Deployment, at: int) -> Deployment:
    """The deployment on again, where a rule had switched it off."""
    return deployment if deployment.is_on else replace(deployment, switch=Switch(on=True, at=at, rule=BY_HAND))


def faults(rules: SwitchRules | None) -> list[FieldError]:
    """What makes no sense in rules."""
    if rules is None:
        return []
    good = {
        "max_drawdown": rules.max_drawdown is None or 0.0 < rules.max_drawdown <= 1.0,
        "max_losses": rules.max_losses is None or 1 <= rules.max_losses <= 1000,
        "min_return": rules.min_return is None or -1.0 <= rules.min_return < 1.0,
        "return_days": 1 <= rules.return_days <= 3660,
        "recovery": rules.recovery is None or 0.0 < rules.recovery <= 1.0,
        "min_days": 0.0 <= rules.min_days <= 3660.0,
    }
    found = [FieldError(f"rules.{name}", _EXPECTED[name]) for name, is_good in good.items() if not is_good]
    if rules.max_drawdown is None and rules.max_losses is None and rules.min_return is None:
        found.append(FieldError("rules", "expected max_drawdown, max_losses or min_return"))
    return found


_EXPECTED = {
    "max_drawdown": "expected a fraction above 0, to 1",
    "max_losses": "expected 1 to 1000 trades",
    "min_return": "expected a fraction from -1, below 1, such as -0.05",
    "return_days": "expected 1 to 3660 days",
    "recovery": "expected a fraction above 0, to 1",
    "min_days": "expected 0 to 3660 days",
}
