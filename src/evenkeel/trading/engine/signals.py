"""Signals: the engine folds each into the target in force, and trades only when that changes or is to be restored.

The target is per instrument, and the deployment's sizing says what it stands for: by default its share of the account's
equity, divided by the number of its instruments unless the signal is of the whole. What a refusal or a partial fill
leaves undone is not tried again before the next change or rebalancing; then, what is still on its way the wrong way is
cancelled first, so that an exit sells what is held and nothing more.
"""

from decimal import Decimal

from evenkeel.domain.commands import TakeSignal
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.money import COST_STEP, ONE, ZERO, exact, mul, portion, ratio, rounded
from evenkeel.domain.orders import OrderKind, OrderSpec, Side, TimeInForce
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.records import SignalRecorded
from evenkeel.domain.sizing import Cash, Kelly, PercentOfEquity, Units, VolatilityTarget, share_of
from evenkeel.domain.strategies import Action, Allocation, Deployment, Signal
from evenkeel.quant.costs import book_price
from evenkeel.trading.engine import halts, switches
from evenkeel.trading.engine.closing import steer
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.state import AccountState, DeploymentState, State
from evenkeel.trading.engine.turn import Turn

_TARGET_STEP = Decimal("0.000000001")
_SCALE_STEP = Decimal("0.000000000000001")


def take(turn: Turn, command: TakeSignal) -> Outcome | None:
    """Records a signal; where it changes or restores the folded target, places what follows of it in every account."""
    signal = command.signal
    held = turn.state.deployment(signal.deployment_id)
    if not held.is_running or (turn.state.halts and halts.stops(turn.state, held.deployment) is not None):
        return None
    _check(signal, held.deployment)
    before = held.targets.get(signal.instrument_id, 0.0)
    folded = before if signal.target is None else signal.target
    action = Action.BUY if folded > before else Action.SELL if folded < before else Action.HOLD
    signal_id = turn.new_id("signal")
    awaited = held.track is not None and signal.instrument_id in held.track.waiting
    turn.emit(
        SignalRecorded(
            at=turn.at,
            id=signal_id,
            deployment_id=signal.deployment_id,
            instrument_id=signal.instrument_id,
            target=signal.target,
            folded=folded,
            action=action,
            confidence=signal.confidence,
            details=signal.details,
            scale=signal.scale,
            whole=signal.whole,
            rebalance=signal.rebalance,
            price=_price(turn.state, held, signal.instrument_id),
        )
    )
    switched = switches.judge(turn, held, signal_id)
    is_on = held.deployment.is_on
    if action is not Action.HOLD or signal.rebalance or awaited or switched or not is_on:
        provenance = _provenance(command.provenance, held, signal_id)
        for allocation in _allocations(turn.state, held.deployment):
            key = PositionKey(allocation.account_id, held.deployment.id, signal.instrument_id)
            if turn.state.halts and halts.bars(turn.state, key):
                continue
            _trade(turn, held, allocation, signal=signal, target=folded if is_on else 0.0, provenance=provenance)
    return Outcome(signal_id)


def _price(state: State, held: DeploymentState, instrument_id: str) -> float | None:
    """The last price, where rules follow what signals are worth."""
    mark = state.marks.get(instrument_id) if held.track is not None else None
    return None if mark is None else mark.price


def _allocations(state: State, deployment: Deployment) -> list[Allocation]:
    """Those that stand, and none at all for an account that was taken away while the book still holds something.

    An account whose session does not run is left out.
    """
    named = {allocation.account_id for allocation in deployment.accounts}
    left = [
        Allocation(account_id, ZERO)
        for account_id, account in state.accounts.items()
        if account_id not in named
        and any(key.book == deployment.id and held.quantity for key, held in account.positions.items())
    ]
    return [one for one in (*deployment.accounts, *left) if not state.accounts[one.account_id].is_idle]


def _check(signal: Signal, deployment: Deployment) -> None:
    faults = []
    if signal.instrument_id not in deployment.instrument_ids:
        faults.append(FieldError("instrument_id", "not one of the deployment's instruments"))
    if signal.target is not None and not -1.0 <= signal.target <= 1.0:
        faults.append(FieldError("target", f"{signal.target} is outside -1 to 1"))
    if faults:
        raise InvalidInput("the signal is not valid", errors=tuple(faults))


def _provenance(given: Provenance, held: DeploymentState, signal_id: str) -> Provenance:
    return Provenance(
        actor=held.deployment.id,
        source=given.source,
        cause_id=signal_id,
        parent_id=given.parent_id,
        strategy_version=f"{held.deployment.template} {held.deployment.version}",
        parameter_hash=held.deployment.parameter_hash,
        received=given.received,
    )


def _trade(
    turn: Turn,
    held: DeploymentState,
    allocation: Allocation,
    *,
    signal: Signal,
    target: float,
    provenance: Provenance,
) -> None:
    account = turn.state.accounts[allocation.account_id]
    book, instrument_id = held.deployment.id, signal.instrument_id
    wanted = desired_quantity(turn.state, account, allocation, held.deployment, signal=signal, target=target)
    if wanted is None:
        name = turn.state.instruments[instrument_id].symbol
        message = f"{held.deployment.name} wants {name}, which has no price yet"
        turn.alert("warning", "no-price", message, deployment_id=book, account_id=account.account.id)
        return

    def spec_of(leg: int, side: Side, quantity: Decimal) -> OrderSpec:
        limit = _limit(turn.state, held.deployment, instrument_id, side)
        return OrderSpec(
            account_id=account.account.id,
            book=book,
            instrument_id=instrument_id,
            side=side,
            quantity=quantity,
            kind=OrderKind.MARKET if limit is None else OrderKind.LIMIT,
            client_order_id=f"{provenance.cause_id}:{leg}",
            limit_price=limit,
            time_in_force=TimeInForce.DAY if limit is None else TimeInForce.BAR,
        )

    key = PositionKey(account.account.id, book, instrument_id)
    steer(turn, account, key=key, wanted=wanted, spec_of=spec_of, provenance=provenance)


def _limit(state: State, deployment: Deployment, instrument_id: str, side: Side) -> Decimal | None:
    """Where the deployment's orders rest: on the price grid, never at a worse price than was asked for."""
    mark = state.mark(instrument_id)
    if deployment.entry is None or mark is None:
        return None
    tick = state.instruments[instrument_id].tick_size
    level = float(mark) * (1.0 - side.sign * deployment.entry.offset)
    return max(tick, book_price(level, side.other, tick))


def desired_quantity(
    state: State,
    account: AccountState,
    allocation: Allocation,
    deployment: Deployment,
    *,
    signal: Signal,
    target: float,
) -> Decimal | None:
    """The signed quantity that `target` stands for, whole lots towards zero; None without a price.

    Units and Cash hold for each account, whatever its share; an account without any share gets nothing. `target` is
    the folded one, `signal` says of what.
    """
    instrument_id = signal.instrument_id
    if target == 0.0 or not allocation.share:
        return ZERO
    price = state.mark(instrument_id)
    if price is None or price <= 0:
        return None
    instrument, sizing = state.instruments[instrument_id], deployment.sizing
    if isinstance(sizing, Units):
        return rounded(mul(sizing.quantity, exact(target, _TARGET_STEP)), instrument.lot_size, "ROUND_DOWN")
    if isinstance(sizing, Cash):
        value = mul(sizing.amount, exact(target, _TARGET_STEP))
    else:
        equity = state.equity(account)
        if equity <= 0:
            return ZERO  # a share of nothing; of a debt it would be the opposite of what was asked
        parts = ONE if signal.whole else Decimal(len(deployment.instrument_ids))
        if isinstance(sizing, VolatilityTarget | Kelly):
            share = mul(allocation.share, exact(share_of(sizing, target, signal.scale), _SCALE_STEP))
            value = portion(equity, share, of=parts, step=COST_STEP)
        else:
            whole = sizing.share if isinstance(sizing, PercentOfEquity) else ONE
            wanted = mul(mul(allocation.share, whole), exact(target, _TARGET_STEP))
            value = mul(equity, rounded(ratio(wanted, parts), _TARGET_STEP))
    return rounded(ratio(ratio(value, instrument.multiplier), price), instrument.lot_size, "ROUND_DOWN")
