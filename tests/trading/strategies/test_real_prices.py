"""The built-in strategies on real raw prices: streamed over a real split, and at once over the adjusted history."""

from decimal import Decimal

import numpy as np
import pytest

from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.strategies import Allocation, Deployment, Scalar, Signal
from evenkeel.market.bars import Bars
from evenkeel.market.sample import sample_market
from evenkeel.trading.strategies import DeployRequest, Registry, SignalStrategy, StrategyHost, check_strategy
from evenkeel.trading.strategies.evaluate import evaluate, fold
from evenkeel.trading.strategies.registry import BUILT_IN

INSTRUMENTS, BARS, SPLITS = sample_market()
APPLE = next(i.id for i in INSTRUMENTS if i.symbol == "AAPL")
CASES: list[tuple[str, dict[str, Scalar]]] = [
    (template.name, {"allow_short": True} if allow_short else {})
    for template in BUILT_IN
    for allow_short in ((False, True) if "allow_short" in {one.name for one in template.parameters} else (False,))
]


@pytest.mark.parametrize("template", BUILT_IN, ids=lambda template: template.name)
def test_the_checks_pass_on_real_prices(template: type[SignalStrategy]) -> None:
    bars = BARS[APPLE]
    adjusted = bars.adjusted(SPLITS, as_of=int(bars.close_ts[-1]))
    report = check_strategy(template, adjusted.rows(1_000, 2_000))
    assert report.ok, report.faults
    assert report.changes > 3 or not template.parameters


@pytest.mark.parametrize(("template", "values"), CASES)
def test_streaming_over_a_split_equals_the_adjusted_history(template: str, values: dict[str, Scalar]) -> None:
    """Apple's 2:1 split of 2005-02-28 lies within; the history before it is handed over as known then."""
    bars = BARS[APPLE].rows(900, 1_700)
    registry = Registry()
    host = StrategyHost(registry)
    made = Deployment("d", "d", template, "1", values, (APPLE,), (Allocation("a", Decimal(1)),))
    host.deploy(DeployRequest(made))
    host.warm("d", bars.rows(0, 200).adjusted(SPLITS, as_of=int(bars.close_ts[199])))
    outputs = [output for market in slices(bars, 200) for output in host.on_slice(market)]
    found = [output.target for output in outputs if isinstance(output, Signal)]
    strategy = registry.create(template)
    assert isinstance(strategy, SignalStrategy)
    adjusted = bars.adjusted(SPLITS, as_of=int(bars.close_ts[-1]))
    expected = evaluate(strategy, adjusted, registry.resolve(template, values))[200:]
    np.testing.assert_array_equal(np.array([np.nan if t is None else t for t in found]), expected)
    assert np.count_nonzero(np.diff(fold(expected))) > 3 or not strategy.parameters


def slices(bars: Bars, first: int) -> list[MarketSlice]:
    """One slice a bar; a split comes with the first bar of its ex-date or after."""
    days = bars.ts.astype("datetime64[ns]").astype("datetime64[D]")
    made = []
    for i in range(first, len(bars)):
        due = tuple(s for s in SPLITS if s.instrument_id == APPLE and days[i - 1] < np.datetime64(s.ex_date) <= days[i])
        made.append(MarketSlice(int(bars.close_ts[i]), (bars.bar(i),), splits=due))
    return made
