"""The demonstration on a file of one's own: the same accounts and strategies, whatever its timeframe and symbols."""

from pathlib import Path

import pytest

from tests.cli.desk import running_demo, until


@pytest.mark.slow
def test_hourly_gold_is_traded_by_all_four_strategies(shared_data: Path) -> None:
    with running_demo("--speed", "100", "--data", str(shared_data / "xauusd_1h.parquet")) as desk:
        until(lambda: all(one["fills"] > 0 for one in desk.items("strategy", "list")), seconds=90)
        assert {one["status"] for one in desk.items("strategy", "list")} == {"running"}
