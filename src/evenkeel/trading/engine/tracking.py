"""Keeps the tracks of deployments with rules, record by record; where there are no rules, there is nothing to do."""

from collections.abc import Iterator
from decimal import Decimal

from evenkeel.domain.marketdata import Split
from evenkeel.domain.money import mul
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.domain.records import SignalRecorded
from evenkeel.domain.strategies import Deployment
from evenkeel.trading.engine.state import DeploymentState, State
from evenkeel.trading.engine.track import BY_HAND, Track


def deployed(state: State, held: DeploymentState, before: Deployment | None) -> None:
    """`held` is as it was changed to, from `before`. A change of what it does begins a new record."""
    now = held.deployment
    if now.rules is None:
        held.track = None
        return
    track = held.track
    if track is None:
        track = held.track = Track()
        track.closed = {i: _made(state, now.id, i) for i in now.instrument_ids}
    is_same = before is not None and _terms(before) == _terms(now)
    is_switched = before is not None and now.switch != before.switch
    if is_switched:
        track.lowest = track.shadow
        track.waiting = _to_be_traded(held) if now.is_on else set()
    if not is_same or (is_switched and now.is_on):
        track.begin({one.account_id: float(mul(one.share, _day_start(state, one.account_id))) for one in now.accounts})


def _to_be_traded(held: DeploymentState) -> set[str]:
    """The instrument whose signal made a rule switch is traded there and then."""
    switch, last = held.deployment.switch, held.last_signal
    now = last.instrument_id if switch is not None and switch.rule != BY_HAND and last is not None else None
    return set(held.deployment.instrument_ids) - {now}


def _terms(deployment: Deployment) -> tuple[object, ...]:
    return deployment.program, deployment.rules, deployment.accounts, deployment.sizing


def _day_start(state: State, account_id: str) -> Decimal:
    return state.accounts[account_id].day_start_equity


def signalled(state: State, held: DeploymentState, record: SignalRecorded) -> None:
    """A signal, whose folded target is not in force yet."""
    track, price, instrument_id = held.track, record.price, record.instrument_id
    if track is not None:
        track.waiting.discard(instrument_id)
    if track is None or price is None or held.deployment.rules is None:
        return
    multiplier = float(state.instruments[instrument_id].multiplier)
    made = {
        one.key.account_id: _net(one) + float(one.quantity) * price * multiplier - float(one.total_cost)
        for one in _positions(state, held.deployment.id, instrument_id)
    }
    wanted = held.targets.get(instrument_id, 0.0) / (1 if record.whole else len(held.deployment.instrument_ids))
    track.saw(instrument_id, price, wanted=wanted, made=made)
    track.keep_day(record.at, held.deployment.rules.return_days)


def filled(state: State, held: DeploymentState, instrument_id: str) -> None:
    """An execution has been booked, with its charges."""
    if held.track is not None and not any(p.quantity for p in _positions(state, held.deployment.id, instrument_id)):
        held.track.closed_trade(instrument_id, _made(state, held.deployment.id, instrument_id))


def split(state: State, event: Split) -> None:
    """An instrument has been split."""
    for held in state.deployments.values():
        if held.track is not None:
            held.track.split(event.instrument_id, float(event.numerator) / float(event.denominator))


def _made(state: State, book: str, instrument_id: str) -> float:
    """What closed trades have made, net of all charges."""
    return sum(_net(position) for position in _positions(state, book, instrument_id))


def _net(position: Position) -> float:
    return float(position.realised) - float(position.charges)


def _positions(state: State, book: str, instrument_id: str) -> Iterator[Position]:
    """The book's positions in one instrument, an account after another."""
    for account_id, account in state.accounts.items():
        position = account.positions.get(PositionKey(account_id, book, instrument_id))
        if position is not None:
            yield position
