"""The page of metrics tells what the table has: names, titles, units, definitions and sources, in its order."""

from evenkeel.quant.analytics import METRICS
from evenkeel.quant.analytics.metrics import NEITHER, UP
from tests.services import ROOT
from tests.tidy.sources import text


def test_every_metric_is_told_as_it_is_computed() -> None:
    lines = text(ROOT / "docs" / "metrics.md").splitlines()
    told = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    ours = []
    for metric in METRICS:
        better = "–" if metric.higher_is_better is NEITHER else "higher" if metric.higher_is_better is UP else "lower"
        ours.append([f"`{metric.name}`", metric.title, metric.unit, better, metric.definition, metric.source])
    assert told == ours
