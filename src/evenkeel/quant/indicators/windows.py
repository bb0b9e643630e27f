"""What every indicator checks first, and where a series begins to be known."""

import numpy as np

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.quant.indicators.memo import Floats


def check_period(period: int, least: int = 1) -> None:
    """Raises InvalidInput unless `period` is an integer of at least `least` bars."""
    if int(period) != period or period < least:
        message = f"expected a whole number of bars, {least} or more, not {period!r}"
        raise InvalidInput(f"an indicator's period is wrong: {message}", errors=(FieldError("period", message),))


def first_known(series: Floats) -> int:
    """The index of the first value that is not NaN; the length where there is none."""
    known = ~np.isnan(series)
    return int(np.argmax(known)) if known.any() else len(series)


def unknown(length: int) -> Floats:
    """A series of NaN."""
    return np.full(length, np.nan)
