"""Recursive indicators a bar at a time: each keeps a few numbers, whatever has gone before."""

from math import isnan, nan, sqrt

from evenkeel.quant.indicators.averages import stepped
from evenkeel.quant.indicators.results import Bands, Candles, Macd, Movement, Range, Trend
from evenkeel.quant.indicators.sessions import HIGHEST, LOWEST, extended
from evenkeel.quant.indicators.trend import trailed
from evenkeel.quant.indicators.volume import weighted


class Average:
    """`ema` or, with `wilder`, `wilder`."""

    def __init__(self, period: int, *, wilder: bool = False) -> None:
        self._period, self._wilder = int(period), wilder
        self._seen = 0
        self._value = 0.0

    def update(self, *values: float) -> float:
        (value,) = values
        if not self._seen and isnan(value):
            return nan
        self._seen += 1
        if self._seen > self._period:
            self._value = stepped(self._value, value, self._period, self._wilder)
            return self._value
        self._value += value
        if self._seen < self._period:
            return nan
        self._value /= self._period
        return self._value


class Rsi:
    """`rsi`."""

    def __init__(self, period: int = 14) -> None:
        self._gain, self._loss = Average(period, wilder=True), Average(period, wilder=True)
        self._before = nan

    def update(self, *values: float) -> float:
        (value,) = values
        change, self._before = value - self._before, value
        gain = self._gain.update(change if change > 0.0 or isnan(change) else 0.0)
        loss = self._loss.update(-change if change < 0.0 or isnan(change) else 0.0)
        moved = gain + loss
        return 50.0 if moved == 0.0 else 100.0 * gain / moved


class TrueRange:
    """`true_range`."""

    def __init__(self) -> None:
        self._before = nan

    def update(self, *values: float) -> float:
        high, low, close = values
        before, self._before = self._before, close
        if isnan(before) or isnan(high) or isnan(low):
            return nan
        return max(high, before) - min(low, before)


class Atr:
    """`atr`."""

    def __init__(self, period: int = 14) -> None:
        self._range, self._average = TrueRange(), Average(period, wilder=True)

    def update(self, *values: float) -> float:
        high, low, close = values
        return self._average.update(self._range.update(high, low, close))


class MacdStream:
    """`macd`."""

    def __init__(self, fast: int = 12, slow: int = 26, *, signal: int = 9) -> None:
        self._fast, self._slow, self._signal = Average(fast), Average(slow), Average(signal)

    def update(self, *values: float) -> Macd[float]:
        (value,) = values
        line = self._fast.update(value) - self._slow.update(value)
        average = self._signal.update(line)
        return Macd(line, average, line - average)


class Keltner:
    """`keltner`."""

    def __init__(self, period: int = 20, *, range_period: int = 10, width: float = 2.0) -> None:
        self._middle, self._range, self._width = Average(period), Atr(range_period), width

    def update(self, *values: float) -> Bands[float]:
        high, low, close = values
        middle, reach = self._middle.update(close), self._width * self._range.update(high, low, close)
        return Bands(middle + reach, middle, middle - reach)


class Adx:
    """`adx`."""

    def __init__(self, period: int = 14) -> None:
        self._range = Atr(period)
        self._rise, self._fall, self._index = (Average(period, wilder=True) for _ in range(3))
        self._high = self._low = nan

    def update(self, *values: float) -> Movement[float]:
        high, low, close = values
        up, down = high - self._high, -(low - self._low)
        self._high, self._low = high, low
        known = not (isnan(up) or isnan(down))
        rise = self._rise.update((up if up > down and up > 0.0 else 0.0) if known else nan)
        fall = self._fall.update((down if down > up and down > 0.0 else 0.0) if known else nan)
        span = self._range.update(high, low, close)
        plus = 0.0 if span == 0.0 else 100.0 * rise / span
        minus = 0.0 if span == 0.0 else 100.0 * fall / span
        both = plus + minus
        return Movement(self._index.update(0.0 if both == 0.0 else 100.0 * abs(plus - minus) / both), plus, minus)


class Supertrend:
    """`supertrend`."""

    def __init__(self, period: int = 10, *, width: float = 3.0) -> None:
        self._range, self._width = Atr(period), width
        self._state = 0.0, 0.0, 0.0
        self._before = 0.0

    def update(self, *values: float) -> Trend[float]:
        high, low, close = values
        reach = self._width * self._range.update(high, low, close)
        before, self._before = self._before, close
        if isnan(reach):
            return Trend(nan, nan)
        self._state = trailed(*self._state, before, high, low, close, reach)
        lower, upper, direction = self._state
        return Trend(lower if direction > 0.0 else upper, direction)


class HeikinAshi:
    """`heikin_ashi`."""

    def __init__(self) -> None:
        self._start = Average(2, wilder=True)
        self._mean: float | None = None

    def update(self, *values: float) -> Candles[float]:
        open_, high, low, close = values
        mean = (open_ + high + low + close) / 4.0
        if self._mean is None:
            self._start.update(open_)
            start = self._start.update(close)
        else:
            start = self._start.update(self._mean)
        self._mean = mean
        if isnan(mean) or isnan(start):
            return Candles(start, nan, nan, mean)
        return Candles(start, max(high, start, mean), min(low, start, mean), mean)


class Obv:
    """`obv`."""

    def __init__(self) -> None:
        self._close: float | None = None
        self._sum = 0.0

    def update(self, *values: float) -> float:
        close, volume = values
        before, self._close = self._close, close
        if before is not None:
            change = close - before
            self._sum += (1.0 if change > 0.0 else -1.0 if change < 0.0 else change) * volume
        return self._sum


class Vwap:
    """`vwap` or, with `deviation`, `vwap_deviation`."""

    def __init__(self, *, deviation: bool = False) -> None:
        self._deviation = deviation
        self._begun = False
        self._state = 0.0, 0.0, 0.0

    def update(self, *values: float) -> float:
        high, low, close, volume, starts = values
        if starts:
            self._begun, self._state = True, (0.0, 0.0, 0.0)
        if self._begun:
            self._state = weighted(*self._state, (high + low + close) / 3.0, volume)
        weight, mean, squares = self._state
        if not weight > 0.0:
            return nan
        return sqrt(squares / weight) if self._deviation else mean


class Session:
    """`session`."""

    def __init__(self) -> None:
        self._open = self._high = self._low = nan

    def update(self, *values: float) -> Candles[float]:
        open_, high, low, close, starts = values
        if starts:
            self._open, self._high, self._low = open_, high, low
        else:
            self._high, self._low = extended(self._high, high, HIGHEST), extended(self._low, low, LOWEST)
        return Candles(self._open, self._high, self._low, nan if isnan(self._open) else close)


class OpeningRange:
    """`opening_range`."""

    def __init__(self, bars: int) -> None:
        self._bars = int(bars)
        self._seen = 0
        self._range: Range[float] = Range(nan, nan)

    def update(self, *values: float) -> Range[float]:
        high, low, starts = values
        if starts:
            self._seen, self._range = 1, Range(high, low)
        elif 0 < self._seen < self._bars:
            self._seen += 1
            now = self._range
            self._range = Range(extended(now.high, high, HIGHEST), extended(now.low, low, LOWEST))
        return self._range if self._seen >= self._bars else Range(nan, nan)
