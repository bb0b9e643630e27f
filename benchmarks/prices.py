"""Made-up one-minute bars as a CSV file: a seeded walk on the cent, for what needs an instrument or many rows."""

import random
from datetime import datetime, timedelta
from pathlib import Path

FIRST = datetime(2024, 1, 2, 14, 30)  # noqa: DTZ001 - written with its Z below
MINUTES_A_DAY = 390


def write_csv(path: Path, symbol: str, *, rows: int, seed: int = 7) -> None:
    """Writes `rows` bars, 390 a day, every day of the week."""
    draw = random.Random(f"{seed}|{symbol}")
    price = 10_000
    with path.open("w", encoding="utf-8") as file:
        file.write("symbol,timestamp,open,high,low,close,volume\n")
        for number in range(rows):
            day, minute = divmod(number, MINUTES_A_DAY)
            at = FIRST + timedelta(days=day, minutes=minute)
            first, price = price, max(100, price + draw.randint(-5, 5))
            low, high = min(first, price) - draw.randint(0, 3), max(first, price) + draw.randint(0, 3)
            cells = ",".join(f"{one / 100:.2f}" for one in (first, high, low, price))
            file.write(f"{symbol},{at.isoformat()}Z,{cells},{draw.randint(100, 9_999)}\n")
