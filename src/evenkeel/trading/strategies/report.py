"""What `evenkeel strategy check` tells an author of a strategy."""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np
from msgspec import Struct

from evenkeel.domain.commands import SubmitComposite, SubmitOrder
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.strategies import Allocation, Deployment, Scalar
from evenkeel.market.bars import Bars
from evenkeel.market.panel import Panel
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies.base import D, PanelStrategy, SignalStrategy, Strategy, TargetStrategy
from evenkeel.trading.strategies.checks import EXAMINED_BARS, Examination, examine, peeks_within_days
from evenkeel.trading.strategies.evaluate import evaluate, fold, lookback_of, read_only, rebalances_of
from evenkeel.trading.strategies.fitting import check_fit
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.registry import AnyStrategy, AnyTemplate, check_declaration, checked
from evenkeel.trading.strategies.runners import EventRunner
from evenkeel.trading.strategies.seeded import frame_for, seeded_bars, seeded_for, sessions_for

_CHECKED_BARS = 300


class CheckReport(Struct, frozen=True, kw_only=True):
    """The verdict, and what it rests on. `first_peeking_bar` counts from 0, `peeking_at` is that bar's open
    (ns).

    `targets` counts bars with a target, `changes` those where the folded target moves, `rebalances` those where it is
    restored, `orders` what a `Strategy` asked for; of several instruments, `bars` counts moments. `faults` forbid
    running it; `notes` do not.
    """

    template: str
    version: str
    form: str
    parameters: dict[str, Scalar]
    bars: int
    warmup: int
    ok: bool
    looks_ahead: bool = False
    first_peeking_bar: int | None = None
    peeking_at: int | None = None
    path_dependent: bool = False
    targets: int = 0
    changes: int = 0
    rebalances: int = 0
    orders: int = 0
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def check_strategy(
    template: AnyTemplate,
    bars: Bars | Mapping[str, Bars] | None = None,
    *,
    parameters: Mapping[str, Scalar] | None = None,
) -> CheckReport:
    """Examines a template on `bars`, of one instrument or for a panel by instrument, or on seeded ones.

    Raises InvalidInput for a malformed template or parameters, and for bars of another number of instruments than it
    takes; what the strategy itself raises is a fault.
    """
    check_declaration(template)
    strategy = template()
    params = checked(strategy, parameters or {})
    given = _given(strategy, params, bars)
    try:
        if isinstance(strategy, PanelStrategy):
            return _of_targets(strategy, params, None if bars is None else Panel.of(given))
        one = next(iter(given.values()), None)
        if isinstance(strategy, SignalStrategy):
            return _of_targets(strategy, params, one)
        return _of_events(strategy, params, one)
    except Exception as error:  # noqa: BLE001 - whatever the strategy raises is what the report tells
        return CheckReport(
            template=template.name,
            version=template.version,
            form=strategy.form,
            parameters=dict(params),
            bars=max(map(len, given.values()), default=0),
            warmup=0,
            ok=False,
            faults=(f"it raised {type(error).__name__}: {error}",),
        )


def _given(strategy: AnyStrategy, params: Params, bars: Bars | Mapping[str, Bars] | None) -> Mapping[str, Bars]:
    """The bars by instrument, none where none are given. Raises InvalidInput where the strategy does not take them."""
    if bars is None:
        return {}
    given = {bars.instrument_id: bars} if isinstance(bars, Bars) else bars
    if not isinstance(strategy, PanelStrategy) and len(given) != 1:
        raise InvalidInput(f"{strategy.name} is checked on one instrument at a time, not on {len(given)}")
    for one in given.values():
        check_fit(strategy, params, instruments=len(given), timeframe=one.timeframe)
    return given


def _of_targets(strategy: TargetStrategy[D], params: Params, bars: D | None) -> CheckReport:
    used = read_only(bars) if bars is not None else seeded_for(strategy, params, beyond=_CHECKED_BARS)
    found = examine(strategy, params, used)
    if bars is None and not found.faults and peeks_within_days(strategy, params) is not None:
        return _of_targets(strategy, params, sessions_for(strategy, params, beyond=EXAMINED_BARS))
    targets = evaluate(strategy, used, params)
    flags = rebalances_of(strategy, used, params)
    peek = found.first_peeking_bar
    return CheckReport(
        template=strategy.name,
        version=strategy.version,
        form=strategy.form,
        parameters=dict(params),
        bars=len(used),
        warmup=found.warmup,
        ok=not found.faults,
        looks_ahead=peek is not None,
        first_peeking_bar=peek,
        peeking_at=None if peek is None else int(used.ts[peek]),
        path_dependent=found.path_dependent,
        targets=int(np.sum(~np.isnan(targets))),
        changes=sum(map(_changes, targets.reshape(len(used), -1).T)),
        rebalances=0 if flags is None else int(flags.sum()),
        faults=found.faults,
        notes=_notes(found, len(used)),
    )


def _changes(targets: Floats) -> int:
    return int(np.count_nonzero(np.diff(fold(targets), prepend=0.0)))


def _notes(found: Examination, bars: int) -> tuple[str, ...]:
    notes = []
    if found.path_dependent:
        notes.append(
            f"path-dependent (seen at bar {found.first_path_dependent_bar}): live, it is evaluated on all bars since "
            "its deployment's anchor; give it `update` to spare that"
        )
    if bars <= found.warmup:
        notes.append(f"these {bars} bars do not reach beyond its warm-up of {found.warmup}: nothing was decided")
    elif not found.targets:
        notes.append("it never gave a target on these bars: the checks have little to go by")
    return tuple(notes)


def _of_events(strategy: Strategy, params: Params, bars: Bars | None) -> CheckReport:
    """A `Strategy` is given one bar at a time and cannot look ahead: it is run, and its orders counted, not filled."""
    frame, warmup = frame_for(strategy, params), strategy.warmup(params)
    used = bars if bars is not None else seeded_bars(lookback_of(strategy, params, frame) + _CHECKED_BARS, frame=frame)
    runner = EventRunner(strategy, _deployment(strategy, params, used), params=params, state=None, holdings=())
    outputs = runner.start(int(used.ts[0]) if len(used) else 0)
    for bar in used:
        outputs += runner.on_slice(MarketSlice(bar.close_ts, (bar,)))
    runner.state()
    orders = sum(isinstance(output, SubmitOrder | SubmitComposite) for output in outputs)
    return CheckReport(
        template=strategy.name,
        version=strategy.version,
        form=strategy.form,
        parameters=dict(params),
        bars=len(used),
        warmup=warmup,
        ok=True,
        orders=orders,
        notes=() if orders else ("it asked for no order on these bars",),
    )


def _deployment(strategy: Strategy, params: Params, bars: Bars) -> Deployment:
    return Deployment(
        "check",
        strategy.name,
        strategy.name,
        strategy.version,
        dict(params),
        (bars.instrument_id,),
        (Allocation("check", Decimal(1)),),
        bars.timeframe,
    )
