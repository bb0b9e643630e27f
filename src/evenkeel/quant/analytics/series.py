"""Series of periods, and when a number of theirs is undefined.

Measures take a float64 vector, one value a period, and give a float. What is undefined (too few points, nothing to
divide by, an undefined value in the series) is NaN, and NaN goes through every formula; `summary` says None. A
denominator that differs from zero by rounding only counts as zero: no ratio is made of the last bits of a price.
"""

from math import isfinite, nan

import numpy as np
import numpy.typing as npt

from evenkeel.domain.errors import FieldError, InvalidInput

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

ROUNDING = 8.0 * float(np.finfo(np.float64).eps)


def known(values: Floats, least: int = 1) -> bool:
    """Whether there are at least `least` values and all are finite."""
    return len(values) >= least and bool(np.isfinite(values).all())


def quotient(above: float, below: float) -> float:
    """`above` / `below`; NaN where either is unknown or `below` is zero but for rounding."""
    return above / below if isfinite(above) and isfinite(below) and abs(below) > ROUNDING else nan


def mean(values: Floats) -> float:
    """The arithmetic mean; NaN of nothing."""
    return float(values.sum()) / len(values) if known(values) else nan


def deviation(values: Floats, *, ddof: int = 1) -> float:
    """The standard deviation over n - `ddof`; exactly 0 where the values differ by rounding only.

    Returns are differences of numbers near 1, so what is rounding is measured against 1 and the largest value.
    """
    if not known(values, ddof + 1):
        return nan
    result = float(spread(values, ddof=ddof))
    return result if result > ROUNDING * (1.0 + float(np.abs(values).max())) else 0.0


def spread(values: Floats, *, ddof: int) -> Floats:
    """The standard deviation as it is computed, rounding included; of each row where there are several."""
    count = values.shape[-1]
    centred = values - values.sum(axis=-1, keepdims=True) / count
    deviations: Floats = np.sqrt((centred * centred).sum(axis=-1) / (count - ddof))
    return deviations


def covariance(first: Floats, second: Floats) -> float:
    """The sample covariance (ddof 1); NaN below two points."""
    if not (known(first, 2) and known(second, 2)):
        return nan
    return float((first - first.mean()) @ (second - second.mean())) / (len(first) - 1)


def same_length(**series: Floats) -> None:
    """Raises InvalidInput unless all series have as many values as the first."""
    (_, first), *others = series.items()
    wrong = [name for name, values in others if len(values) != len(first)]
    if wrong:
        message = f"expected {len(first)} values, one for each of {next(iter(series))}"
        errors = tuple(FieldError(name, f"{message}, not {len(series[name])}") for name in wrong)
        raise InvalidInput(f"series of different lengths: {', '.join(series)}", errors=errors)


def refuse(field: str, message: str) -> InvalidInput:
    """The error that one argument is wrong, to be raised."""
    return InvalidInput(f"{field}: {message}", errors=(FieldError(field, message),))


def check_periods(periods: float) -> None:
    """Raises InvalidInput unless `periods`, a count a year, is positive."""
    if not (isfinite(periods) and periods > 0):
        raise refuse("periods", f"expected periods a year, such as 252 or 12, not {periods!r}")


def check_confidence(confidence: float) -> None:
    """Raises InvalidInput unless `confidence` is a share of more than a half and less than all."""
    if not 0.5 < confidence < 1.0:
        raise refuse("confidence", f"expected a share between 0.5 and 1, such as 0.95, not {confidence!r}")
