"""From the outcomes of periods to the whole: pure, with one number kept for each account."""

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from tallystick.money.amount import Money
from tallystick.whatif.model import Extreme, LineChange, LineTotal, Outcome, Result, Summary

TENTHS = 10


class Tally:
    """Takes outcomes one by one, and gives the summaries at the end."""

    def __init__(self) -> None:
        self._by_currency: dict[str, _OneCurrency] = {}
        self._skipped: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Count one period of an account."""
        currency = outcome.now.currency
        self._by_currency.setdefault(currency, _OneCurrency(currency)).add(outcome)

    def skip(self, reason: str, count: int = 1) -> None:
        """Count what could not be compared."""
        self._skipped[reason] += count

    def result(self) -> Result:
        """Return the summaries by currency, and how often what was skipped."""
        summaries = tuple(one.summary() for _, one in sorted(self._by_currency.items()))
        return Result(summaries, dict(sorted(self._skipped.items())))


class _OneCurrency:
    def __init__(self, currency: str) -> None:
        self._currency = currency
        self._period_count = 0
        self._now = 0
        self._then = 0
        self._lines: dict[str, tuple[int, int]] = {}
        self._differences: dict[UUID, int] = {}

    def add(self, outcome: Outcome) -> None:
        self._period_count += 1
        self._now += outcome.now.minor
        self._then += outcome.then.minor
        known = self._differences.get(outcome.account_id, 0)
        self._differences[outcome.account_id] = known + outcome.difference.minor
        for line in outcome.lines:
            self._add_line(line)

    def _add_line(self, line: LineChange) -> None:
        now, then = self._lines.get(line.price_code, (0, 0))
        now += line.now.minor if line.now else 0
        then += line.then.minor if line.then else 0
        self._lines[line.price_code] = (now, then)

    def summary(self) -> Summary:
        ordered = sorted((minor, account_id) for account_id, minor in self._differences.items())
        more = sum(minor > 0 for minor, _ in ordered)
        less = sum(minor < 0 for minor, _ in ordered)
        return Summary(
            currency=self._currency,
            account_count=len(ordered),
            period_count=self._period_count,
            now=self._money(self._now),
            then=self._money(self._then),
            more_count=more,
            less_count=less,
            same_count=len(ordered) - more - less,
            deciles=tuple(self._money(minor) for minor in deciles([one for one, _ in ordered])),
            raised=self._extreme(*ordered[-1]) if more else None,
            lowered=self._extreme(*ordered[0]) if less else None,
            lines=tuple(
                LineTotal(price_code=code, now=self._money(now), then=self._money(then))
                for code, (now, then) in self._lines.items()
            ),
        )

    def _extreme(self, minor: int, account_id: UUID) -> Extreme:
        return Extreme(account_id, self._money(minor))

    def _money(self, minor: int) -> Money:
        return Money(minor, self._currency)


def deciles(ordered: Iterable[int]) -> list[int]:
    """Return the nine values that 10 %, 20 % ... 90 % do not exceed, of values in order.

    By nearest rank: of ten values, the first to the ninth. Of none, none.
    """
    values = list(ordered)
    if not values:
        return []
    ranks = (-(-tenth * len(values) // TENTHS) for tenth in range(1, TENTHS))
    return [values[rank - 1] for rank in ranks]
