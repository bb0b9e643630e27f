"""What every indicator checks first, and series as the compiled code takes them."""

import numpy as np
import numpy.typing as npt

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.quant.indicators.memo import Floats

Flags = npt.NDArray[np.bool_]


def check_period(period: int, least: int = 1, *, name: str = "period") -> None:
    """Raises InvalidInput unless `period` is an integer of at least `least` bars."""
    if int(period) != period or period < least:
        message = f"expected a whole number of bars, {least} or more, not {period!r}"
        raise InvalidInput(f"an indicator's {name} is wrong: {message}", errors=(FieldError(name, message),))


def check_positive(value: float, *, name: str) -> None:
    """Raises InvalidInput unless `value` is a finite number above 0."""
    if not 0.0 < value < np.inf:
        message = f"expected a number above 0, not {value!r}"
        raise InvalidInput(f"an indicator's {name} is wrong: {message}", errors=(FieldError(name, message),))


def check_lengths(**series: npt.NDArray[np.generic]) -> None:
    """Raises InvalidInput unless all series have one length."""
    lengths = {name: len(values) for name, values in series.items()}
    if len(set(lengths.values())) > 1:
        message = "expected series of one length, not " + ", ".join(f"{name} of {n}" for name, n in lengths.items())
        raise InvalidInput(f"an indicator's series differ: {message}", errors=(FieldError(list(series)[-1], message),))


def contiguous(series: npt.ArrayLike) -> Floats:
    """The series as float64 in one piece of memory; itself where it is that already."""
    return np.ascontiguousarray(series, dtype=np.float64)


def unknown(length: int) -> Floats:
    """A series of NaN."""
    return np.full(length, np.nan)


def delayed(series: Floats, bars: int = 1) -> Floats:
    """The series `bars` later: what was known then. NaN at first."""
    result = unknown(len(series))
    result[bars:] = series[: max(0, len(series) - bars)]
    return result


def ratio(numerator: Floats, denominator: Floats, *, otherwise: float = np.nan) -> Floats:
    """The quotient; `otherwise` where the denominator is 0. NaN stays NaN."""
    zero = denominator == 0.0
    return np.where(zero, otherwise, numerator / np.where(zero, 1.0, denominator))
