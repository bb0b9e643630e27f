"""The engine: one event in, records and effects out. Headless and synchronous; it is handed time and ids.

Every order takes the one path through here: command, risk, record, effect, venue event, fill, position. A market
event that concerns nothing of ours yields the shared empty step. The runner commits the records before it
lets the effects out, and discards the engine if it cannot.
"""

from collections.abc import Callable
from typing import Any

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.ids import IdSource
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.records import RunStarted
from evenkeel.trading.engine import (
    admin,
    amending,
    baskets,
    drawdowns,
    exchange,
    followups,
    going_live,
    held,
    limiting,
    market,
    notices,
    orders,
    panic,
    positions,
    protection,
    reconcile,
    reducing,
    retiring,
    routing,
    signals,
    sweeping,
    timers,
    venue,
    walkforward,
    watching,
)
from evenkeel.trading.engine.composites import following
from evenkeel.trading.engine.copying import aligning, taking
from evenkeel.trading.engine.copying import setting as copy_setting
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.mtm import hours, setting, watch
from evenkeel.trading.engine.portfolios import rebalancing, scheduling
from evenkeel.trading.engine.portfolios import setting as portfolios
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import NOTHING, Step, Turn

Input = c.AnyCommand | e.AnyVenueEvent | e.AnyNotice | e.BrokerSnapshot | MarketSlice

__all__ = ["Engine", "Input", "Outcome", "Step"]


class Engine:
    """Decides for one shard. `ids` mints ids; the state is the fold of every record it has emitted."""

    def __init__(self, state: State, ids: IdSource) -> None:
        self.state = state
        self.ids = ids

    def step(self, event: Input, at: int, wall: int = 0) -> Step:
        """Takes one event at engine time `at` (ns); `wall` is the wall clock, 0 in a deterministic run.

        Raises an EvenkeelError, with nothing changed, when a command cannot be taken. Anything else raised
        leaves the state unfit for use.
        """
        state = self.state
        at = max(at, state.time)
        if type(event) is MarketSlice and market.is_quiet(state, event, at):
            market.move_marks(state, event)
            state.time = at
            return NOTHING
        turn = Turn(state, self.ids, at, wall)
        try:
            outcome = _HANDLERS[type(event)](turn, event)
            if state.tiered and at >= state.marks.look_at:
                drawdowns.look(turn)
            if state.follow_ups and turn.records:
                followups.follow(turn)
            if state.halts and turn.records:
                panic.follow(turn)
            if state.mtm:
                watch.follow(turn, event)
            if state.closing_sessions and turn.records:
                walkforward.follow(turn)
            if state.composites and turn.records:
                following.follow(turn)
            if state.rebalances.running and turn.records:
                rebalancing.follow(turn)
            if state.guarded and turn.records:
                protection.follow(turn)
            if state.reducing and turn.records:
                reducing.follow(turn)
            if state.watched and turn.records:
                held.follow(turn)
        except EvenkeelError as error:
            if turn.records:
                raise AssertionError(f"{type(event).__name__} was declined after it had changed the state") from error
            raise
        state.time = at
        records, effects = turn.records, turn.effects
        if records or effects or outcome is not None:
            return Step(tuple(records), tuple(effects), outcome)
        return NOTHING


def _started(turn: Turn, event: e.Started) -> None:
    turn.emit(RunStarted(at=turn.at, run=event.run, version=event.version, wall=event.wall))


def _timers_due(turn: Turn, event: e.TimersDue) -> None:
    for account in turn.state.accounts.values():
        market.keep_day(turn, account)
    timers.run(turn)


def _slice_seen(turn: Turn, event: MarketSlice) -> None:
    market.slice_seen(turn, event)
    if event.splits:
        held.after_splits(turn)
    if event.quotes and turn.state.watched:
        held.quotes_seen(turn, event.quotes)


def _slice_done(turn: Turn, event: e.SliceDone) -> None:
    protection.slice_done(turn, event)
    if turn.state.composites:
        following.slice_done(turn, event)
    timers.run(turn)
    if turn.state.watched:
        held.bars_done(turn, event)


_HANDLERS: dict[type, Callable[[Turn, Any], Outcome | None]] = {
    MarketSlice: _slice_seen,
    c.SubmitOrder: orders.submit,
    c.SetRoute: routing.set_route,
    c.RemoveRoute: routing.remove_route,
    c.RouteOrder: routing.submit,
    c.CancelOrder: orders.cancel,
    c.ModifyOrder: amending.modify,
    c.SubmitComposite: following.submit,
    c.ModifyComposite: following.modify,
    c.CancelComposite: following.cancel,
    c.ResolveOrder: orders.resolve,
    c.SubmitBasket: baskets.submit,
    c.CancelOrders: sweeping.cancel,
    c.EditOrders: sweeping.edit,
    c.ClosePosition: positions.close,
    c.ReversePosition: positions.reverse,
    c.TargetPosition: positions.target,
    c.Flatten: positions.flatten,
    c.TakeSignal: signals.take,
    c.OpenAccount: admin.open_account,
    c.OpenLiveAccount: admin.open_live_account,
    c.MoveCash: admin.move_cash,
    c.TransferCash: portfolios.transfer_cash,
    c.CreatePortfolio: portfolios.create,
    c.ChangePortfolio: portfolios.change,
    c.ArchivePortfolio: portfolios.archive,
    c.AdoptBook: portfolios.adopt,
    c.RebalancePortfolio: rebalancing.start,
    c.SetRebalanceSchedule: scheduling.set_schedule,
    c.RecordRebalanceRun: scheduling.record_run,
    c.AnswerRebalanceRun: scheduling.answer,
    c.DeactivateAccount: retiring.deactivate,
    c.ReactivateAccount: retiring.reactivate,
    c.RenameAccount: retiring.rename,
    c.SetFxRates: exchange.set_rates,
    c.SwitchLive: going_live.switch,
    c.SetLimits: admin.set_limits,
    c.SetScopeLimits: limiting.set_scope,
    c.LiftHalt: drawdowns.lift,
    c.ListInstrument: admin.list_instrument,
    c.Deploy: admin.deploy,
    c.ChangeDeployment: admin.change_deployment,
    c.RemoveDeployment: admin.remove_deployment,
    c.PauseDeployment: admin.pause_deployment,
    c.OpenSession: walkforward.open_session,
    c.StartSession: walkforward.start,
    c.StopSession: walkforward.stop,
    c.CompleteSession: walkforward.complete,
    c.Panic: panic.begin,
    c.Resume: panic.resume,
    c.SetMtmRules: setting.set_rules,
    c.RearmMtm: setting.rearm,
    c.OpenCopyLink: copy_setting.open_link,
    c.ChangeCopyLink: copy_setting.change_link,
    c.TakeCopy: taking.take,
    c.AlignCopy: aligning.align,
    e.VenueAccepted: venue.accepted,
    e.VenueRejected: venue.rejected,
    e.VenueFilled: venue.filled,
    e.VenueTriggered: venue.triggered,
    e.VenueCancelled: venue.cancelled,
    e.VenueExpired: venue.expired,
    e.VenueCancelRefused: venue.cancel_refused,
    e.VenueAmended: venue.amended,
    e.VenueBusted: venue.busted,
    e.BrokerSnapshot: reconcile.snapshot,
    e.Started: _started,
    e.SliceMet: protection.slice_met,
    e.SliceDone: _slice_done,
    e.CursorAdvanced: notices.cursor_advanced,
    e.RiskInputs: notices.risk_inputs,
    e.IntentOverdue: notices.overdue,
    e.IntentDelayed: notices.delayed,
    e.SendUncertain: notices.uncertain,
    e.SendFailed: notices.failed,
    e.BrokerLink: notices.link,
    e.PanicDue: panic.due,
    e.BrokerRests: watching.rests,
    e.AccountAway: watching.away,
    e.FeedSilent: watching.silent,
    e.Noticed: notices.noticed,
    e.TimersDue: _timers_due,
    e.CopiesRead: copy_setting.read,
    e.SessionsKnown: hours.sessions_known,
}
