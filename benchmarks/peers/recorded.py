"""What the peers found on seeded bars, with version and day. `python -m benchmarks peers --install` prints it anew."""

from typing import NamedTuple


class Recorded(NamedTuple):
    """One peer's answer to the crossover on `walk(bars, seed)`."""

    peer: str
    version: str
    date: str
    seed: int
    bars: int
    final_equity: float
    fills: int


RECORDED = (
    Recorded("vectorbt", "1.2.0", "2026-11-26", 7, 20_000, 995112.551, 529),
    Recorded("vectorbt", "1.2.0", "2026-11-26", 11, 20_000, 994819.1155, 535),
    Recorded("vectorbt", "1.2.0", "2026-11-26", 23, 20_000, 994556.9555, 538),
    Recorded("vectorbt", "1.2.0", "2026-11-26", 2026, 43_200, 988402.0025, 1165),
    Recorded("vectorbt", "1.2.0", "2026-11-26", 7, 100_000, 972698.615, 2696),
    Recorded("vectorbt", "1.2.0", "2026-11-26", 7, 1_000_000, 733005.2024999997, 27753),
    Recorded("backtesting", "0.6.6", "2026-11-26", 7, 20_000, 995112.5510000001, 529),
    Recorded("backtesting", "0.6.6", "2026-11-26", 11, 20_000, 994819.115500001, 535),
    Recorded("backtesting", "0.6.6", "2026-11-26", 23, 20_000, 994556.9554999996, 538),
    Recorded("backtesting", "0.6.6", "2026-11-26", 2026, 43_200, 988402.0025000005, 1165),
    Recorded("backtesting", "0.6.6", "2026-11-26", 7, 100_000, 972698.6149999995, 2696),
)
