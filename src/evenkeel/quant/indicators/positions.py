"""From entries and exits to targets: where which exit counts depends on what is held, the bars are walked through."""

from math import nan

import numpy as np

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.quant.indicators.memo import Floats
from evenkeel.quant.indicators.windows import Flags, check_lengths
from evenkeel.quant.kernels import compiled


def latched(up: Flags, out: Flags, *, down: Flags | None = None, back: Flags | None = None) -> Floats:
    """1 where `up` says go long, 0 where `out` says leave, NaN (keep) elsewhere; `up` goes before `out`.

    With `down` and `back`, which say go and leave short: −1 on `down`; then `out` counts only while long and `back`
    only while short, and every flagged bar gives what is held after it. Raises InvalidInput.
    """
    if down is None and back is None:
        return np.where(up, 1.0, np.where(out, 0.0, np.nan))
    if down is None or back is None:
        message = "expected `down` and `back` together"
        raise InvalidInput(f"short positions are half told: {message}", errors=(FieldError("back", message),))
    check_lengths(up=up, out=out, down=down, back=back)
    targets = np.empty(len(up))
    walk(*(np.ascontiguousarray(flags, dtype=np.bool_) for flags in (up, out, down, back)), targets)
    return targets


def onset(flags: Flags) -> Flags:
    """Where `flags` hold and did not on the bar before; on the first bar, where they hold."""
    begins = flags.copy()
    begins[1:] &= ~flags[:-1]
    return begins


@compiled(lambda t: t.void(t.flags, t.flags, t.flags, t.flags, t.out))
def walk(up: Flags, out: Flags, down: Flags, back: Flags, targets: Floats) -> None:
    """Writes the position held after each flagged bar, NaN on the others."""
    held = 0.0
    for i in range(len(targets)):
        if up[i]:
            held = 1.0
        elif down[i]:
            held = -1.0
        elif (held > 0.0 and out[i]) or (held < 0.0 and back[i]):
            held = 0.0
        targets[i] = held if up[i] or down[i] or out[i] or back[i] else nan
