"""The door to TA-Lib: 150 indicators by their TA-Lib names."""

from importlib import import_module
from typing import Any

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.indicators.memo import Floats, memoised


def ta(name: str, *series: Floats, output: int = 0, **parameters: float) -> Floats:
    """TA-Lib's indicator `name` of the given series, e.g. ta("CCI", high, low, close, timeperiod=20).

    `output` chooses among several results (MACD has three). Integer indicators (candle patterns) come as float64.
    TA-Lib sums as it goes along: values may depend on where the series starts, in the last bits. Raises
    InvalidInput for a name, series or parameter that TA-Lib does not take.
    """
    if not series:
        raise InvalidInput(f"indicator {name} needs at least one series, such as bars.close")
    first, *others = series
    return _ta(first, *others, name=name, output=output, **parameters)


@memoised
def _ta(first: Floats, /, *others: Floats, name: str, output: int, **parameters: float) -> Floats:
    talib: Any = import_module("talib")
    if name not in talib.get_functions():
        raise InvalidInput(f"TA-Lib has no indicator {name!r}", hint="See evenkeel.quant.indicators.")
    try:
        result: Any = getattr(talib, name)(first, *others, **parameters)
    except Exception as error:
        raise InvalidInput(f"TA-Lib refuses {name}: {error}") from error
    results = result if isinstance(result, tuple | list) else (result,)
    if not 0 <= output < len(results):
        raise InvalidInput(f"{name} has {len(results)} output(s); there is no output {output}")
    return np.array(results[output], dtype=np.float64)
