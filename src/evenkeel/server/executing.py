"""How the trades of a rebalance are to be carried out, as the API takes and shows it."""

from typing import Annotated

from msgspec import Meta, Struct

from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import FieldError
from evenkeel.domain.execution import MOST_SLICES, Execution, ExecutionKind, execution_faults
from evenkeel.server import wire

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
