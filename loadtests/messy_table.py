"""Makes a table as people have them: mixed types, missing cells, a column with very many levels.

The label follows a rule with noise, so that a good model scores clearly better than a guess. The
best reachable accuracy is `1 - flipped`.
"""

from __future__ import annotations

import argparse
import csv
import random
from datetime import date, timedelta
from pathlib import Path

FLIPPED = 0.08
"""Share of rows whose label is turned over."""

HEADER = ("signed_up", "plan", "age", "monthly_spend", "is_company", "city", "remark", "churned")
_PLANS = ("basic", "plus", "pro", "")
_WORDS = ("late", "invoice", "happy", "slow", "refund", "thanks", "support", "never", "again")


def write_messy_table(path: Path, rows: int, seed: int = 0) -> None:
    """Writes a CSV of `rows` rows with the columns of `HEADER`; `churned` is yes or no."""
    rng = random.Random(seed)
    cities = [f"city-{number:05d}" for number in range(max(20, rows // 10))]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(_row(rng, cities) for _ in range(rows))


def _row(rng: random.Random, cities: list[str]) -> list[str]:
    signed_up = date(2020, 1, 1) + timedelta(days=rng.randrange(1500))
    plan = rng.choice(_PLANS)
    age = rng.gauss(40, 12)
    spend = rng.lognormvariate(3, 0.8)
    is_company = rng.random() < 0.3
    remark = " ".join(rng.choice(_WORDS) for _ in range(rng.randrange(4, 12)))
    score = (
        {"basic": 0.9, "plus": 0.0, "pro": -0.8, "": 0.2}[plan]
        + (0.9 if age < 33 else -0.4)
        - 0.5 * (spend > 25)
        + (0.5 if signed_up.month in (11, 12) else 0.0)
        - (0.6 if is_company else 0.0)
    )
    churned = (score > 0) != (rng.random() < FLIPPED)
    return [
        signed_up.isoformat(),
        plan,
        "" if rng.random() < 0.1 else f"{age:.0f}",
        "NA" if rng.random() < 0.05 else f"{spend:.2f}",
        "true" if is_company else "false",
        rng.choice(cities),
        "" if rng.random() < 0.3 else remark,
        "yes" if churned else "no",
    ]


def main() -> None:
    """Writes a table where the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_messy_table(arguments.path, arguments.rows, arguments.seed)


if __name__ == "__main__":
    main()
