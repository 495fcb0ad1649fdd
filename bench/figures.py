"""One line of the result."""

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """What was measured, its value, and its ratio to what it is compared with."""

    what: str
    value: str
    ratio: str
    per_second: float = 0.0


class Load(msgspec.Struct, frozen=True):
    """So many a second, and how long each caller waited."""

    per_second: float
    waited_s: list[float]

    def percentile_ms(self, percent: int) -> float:
        """Return how long that share of callers waited at most."""
        return sorted(self.waited_s)[len(self.waited_s) * percent // 100] * 1000


def figure_of(what: str, load: Load, best: float) -> Figure:
    """Return a load with its p99, as a ratio to the best of what it is compared with."""
    value = f"{load.per_second:,.0f}/s, p99 {load.percentile_ms(99):.1f} ms"
    return Figure(what, value, f"{load.per_second / best:.2f}", load.per_second)


def tpcb_figure(best: float) -> Figure:
    """Return the measure itself."""
    return Figure("pgbench TPC-B, best of 8, 16, 32 clients", f"{best:,.0f}/s", "1.0", best)
