"""Ratings a second: each model alone, as code calls it and as `tallystick rate` answers lines.

Alone, without a database: `python -m bench.rates`.
"""

import io
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from bench.figures import Figure
from tallystick.pricing.cases import answers
from tallystick.pricing.model import Price
from tallystick.pricing.rate import rate
from tallystick.pricing.read_usage import read_usage
from tallystick.pricing.validate import read_price

SECONDS = 0.5
"""How long each is measured."""
LINES = 2_000
EVENTS = 100_000
TIERS_UP_TO = ("1000", "10000", "100000", None)
QUANTITY = {"quantity": "12345.678"}
AMOUNTS = {"events": ["19.99", "250", "3.5"]}


def _tiers(end: str = "up_to", **figures: str) -> list[dict[str, str | None]]:
    return [{end: up_to, **figures} for up_to in TIERS_UP_TO]


CASES: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"model": "flat", "amount": "49"}, QUANTITY),
    ({"model": "per_unit", "unit": "0.002"}, QUANTITY),
    ({"model": "package", "size": "1000", "amount": "5", "free": "500"}, QUANTITY),
    ({"model": "graduated", "tiers": _tiers(unit="0.02", flat="5")}, QUANTITY),
    ({"model": "volume", "tiers": _tiers(unit="0.02", flat="5")}, QUANTITY),
    ({"model": "capacity", "tiers": _tiers(amount="20")}, QUANTITY),
    ({"model": "block", "size": "10", "tiers": _tiers("up_to_blocks", amount="4")}, QUANTITY),
    ({"model": "percentage", "rate": "1.5", "fixed": "0.3", "min": "0.5", "max": "3"}, AMOUNTS),
    ({"model": "graduated_percentage", "tiers": _tiers(rate="2", flat="1")}, QUANTITY),
    ({"model": "dynamic"}, {"events": [{"amount": "0.25"}, {"amount": "1.5"}]}),
)


def measure() -> list[Figure]:
    """Measure every model, and one rating over many events."""
    figures: list[Figure] = []
    for figures_of_price, usage in CASES:
        figures += _model({"currency": "USD", **figures_of_price}, usage)
    return [*figures, *_many_events()]


def _model(price: dict[str, Any], usage: dict[str, Any]) -> list[Figure]:
    ready, name = read_price(price), price["model"]
    called = _per_second(lambda: rate(ready, read_usage(usage, ready)), 1)
    line = msgspec.json.encode({"id": "case", "price": price, "usage": usage}) + b"\n"
    lines = line * LINES
    answered = _per_second(lambda: _answer(lines), LINES)
    return [
        Figure(f"rate, {name}", f"{called:,.0f}/s", "", called),
        Figure(f"tallystick rate, {name}", f"{answered:,.0f} lines/s", "", answered),
    ]


def _answer(lines: bytes) -> None:
    assert all(answer.is_rated for answer in answers(io.BytesIO(lines)))


def _many_events() -> list[Figure]:
    """Rate one percentage over many events, without and with bounds of each event."""
    amounts = [f"{at % 997}.{at % 100:02}" for at in range(EVENTS)]
    found = []
    for what, bounds in (("", {}), (" with min and max", {"min": "1", "max": "3"})):
        price = {"model": "percentage", "currency": "USD", "rate": "1.5", "fixed": "0.3", **bounds}
        ready: Price = read_price(price)
        usage = {"events": list(map(Decimal, amounts))}
        speed = _per_second(lambda p=ready, u=usage: rate(p, read_usage(u, p)), EVENTS)  # type: ignore[misc]
        name = f"rate, percentage of many events{what}"
        found.append(Figure(name, f"{speed:,.0f} events/s", "", speed))
    return found


def _per_second(call: Callable[[], object], count: int) -> float:
    """Return how many are done a second; `count` of them a call."""
    call()
    done, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < SECONDS:
        call()
        done += count
    return done / passed


def main() -> int:
    """Measure and print."""
    table = Table("what", "figure")
    for figure in measure():
        table.add_row(figure.what, figure.value)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
