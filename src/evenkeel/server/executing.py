"""How the trades of a rebalance are to be carried out, as the API takes and shows it."""

from typing import Annotated

from msgspec import Meta, Struct

from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import FieldError
from evenkeel.domain.execution import MOST_SLICES, Execution, ExecutionKind, execution_faults
from evenkeel.market.timeframes import timeframe
from evenkeel.server import wire
from evenkeel.server.ports import Feed

_LONGEST = 7 * 86_400


class ExecutionIn(Struct, forbid_unknown_fields=True):
    """`basket`: whole orders. Else each trade is a sliced order of so many `slices` over a `duration` in seconds:
    `slices` goes on until all of it is filled, `twap` and `vwap` cancel at the end what is left."""

    kind: ExecutionKind = ExecutionKind.BASKET
    duration: Annotated[int, Meta(ge=0, le=_LONGEST, description=f"0 to {_LONGEST} seconds")] = 0
    slices: Annotated[int, Meta(ge=0, le=MOST_SLICES, description=f"0 to {MOST_SLICES}")] = 0


def read_execution(given: ExecutionIn | None, fields: wire.Fields) -> Execution | None:
    """None for a basket; what makes no sense is a fault."""
    if given is None:
        return None
    every = given.duration * SECOND // given.slices if given.slices else given.duration * SECOND
    found = Execution(given.kind, given.slices, every)
    fields.faults += [FieldError(f"execution.{one.field}", one.message) for one in execution_faults(found)]
    return found if found.is_sliced else None


def execution_out(this: Execution | None) -> ExecutionIn:
    """The same as it was given."""
    return ExecutionIn() if this is None else ExecutionIn(this.kind, this.duration // SECOND, this.count)


def pace_warnings(this: Execution | None, feed: Feed) -> list[str]:
    """What a feed of bars makes of slices that lie nearer to each other than its bars; nothing where it has none."""
    if this is None or feed.kind == "none" or this.every >= (step := timeframe(feed.timeframe).ns):
        return []
    bars = f"the market comes in bars of {feed.timeframe}, and slices fill bar by bar"
    if this.kind is ExecutionKind.SLICES:
        return [f"{bars}: {this.count} slices take {this.count} bars, however short the duration"]
    enough, most = this.count * step // SECOND, _LONGEST * SECOND // step
    better = "an execution of slices, which goes on until all is filled"
    if enough <= _LONGEST:
        better = f"a duration of {enough} seconds for a bar each, or {better}"
    elif most > 1:
        better = f"{most} slices over {most * step // SECOND} seconds, or {better}"
    what = "some slices fall into one bar together"
    if this.duration < step:
        what = "it ends before the next bar, and what is not filled by then is cancelled"
    return [f"{bars}: {what}. Take {better}"]
