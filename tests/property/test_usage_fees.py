"""Whatever comes in whatever order: the fees of a period sum to what its usage costs at once."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tallystick.catalog.model import Meter, PlanVersion
from tallystick.invoices.derivation import decode, encode, recompute
from tallystick.invoices.model import DraftLine
from tallystick.invoices.usage_fees import Billed, Fee, PartKey, closing, running, with_fees
from tallystick.invoices.usage_lines import usage_lines
from tallystick.money.amount import Money
from tallystick.pricing.model import Price
from tallystick.pricing.use import Use
from tallystick.pricing.validate import read_price
from tallystick.subscriptions.periods import Period

AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
PERIOD: Final = Period(AT, datetime(2026, 2, 1, tzinfo=UTC))
METERS: Final = {
    "calls": Meter(
        meter_id=UUID(int=3), code="calls", name="Calls", unit="call", event_type="calls",
        aggregation="sum", property="n", created_at=AT,
    )
}  # fmt: skip
TIERS: Final = [{"up_to": "10", "unit": "0.333", "flat": "1"}, {"up_to": None, "unit": "0.05"}]
MODELS: Final[Sequence[dict[str, Any]]] = (
    {"model": "per_unit", "unit": "0.005"},
    {"model": "graduated", "tiers": TIERS},
    {"model": "package", "size": "7", "amount": "1.11", "free": "3"},
    {"model": "percentage", "rate": "1.5", "fixed": "0.1"},
    {"model": "block", "size": "4", "tiers": [{"up_to_blocks": None, "amount": "0.99"}]},
)
Event = tuple[str | None, int]


def price_of(model: dict[str, Any], **more: Any) -> Price:
    common = {"currency": "EUR", "code": "calls", "meter": "calls", "billing": "in_advance"}
    return read_price({**common, "group_by": ["region"], **model, **more})


def version(price: Price) -> PlanVersion:
    return PlanVersion(
        plan_version_id=UUID(int=1), plan_id=UUID(int=2), plan_code="pro", plan_name="Pro",
        version=1, currency="EUR", interval="month", prices=(price,), created_at=AT,
    )  # fmt: skip


def whole(price: Price, events: Sequence[Event]) -> list[DraftLine]:
    """Return the lines for all usage at once; an event is gone where its group has none left."""
    groups = dict.fromkeys(region for region, _ in events)
    uses = []
    for region in groups:
        counts = [count for one, count in events if one == region]
        if sum(counts) > 0:
            group = {"region": region}
            uses.append(Use(quantity=Decimal(sum(counts)), group=group, event_count=len(counts)))
    return list(usage_lines(version(price), price, METERS, PERIOD, uses))


def total(lines: Sequence[DraftLine] | Sequence[Fee]) -> Money:
    amounts = [one.line.amount if isinstance(one, Fee) else one.amount for one in lines]
    return sum(amounts, Money.zero("EUR"))


@given(
    model=st.sampled_from(MODELS),
    bounds=st.sampled_from([{}, {"minimum": "3"}, {"maximum": "2.5"}]),
    invoice_at=st.sampled_from(["event", "period"]),
    events=st.lists(
        st.tuples(st.sampled_from([None, "eu", "us"]), st.integers(-9, 30)), max_size=12
    ),
    looks=st.sets(st.integers(0, 12)),
)
def test_the_fees_of_a_period_sum_to_what_its_usage_costs(
    model: dict[str, Any],
    bounds: dict[str, str],
    invoice_at: str,
    events: list[Event],
    looks: set[int],
) -> None:
    price = price_of(model, **bounds, invoice_at=invoice_at)
    billed: dict[PartKey, Billed] = {}
    invoiced: list[DraftLine] = []
    for count in sorted(looks):
        came = running(whole(price, events[:count]), billed)
        assert not came.fees or total(came.fees) > Money.zero("EUR")
        billed = with_fees(billed, came.fees)
        invoiced += came.lines
        assert running(whole(price, events[:count]), billed).fees == ()
    at_once = whole(price, events)
    last = closing(at_once, billed, keeps_paid=False)
    invoiced += last.lines
    assert total(invoiced) == total(at_once)
    assert sum(
        (one.amount for one in with_fees(billed, last.fees).values()), Money.zero("EUR")
    ) == (total(at_once))
    for line in invoiced:
        assert recompute(decode(encode(line.derivation))) == line.amount


@given(
    model=st.sampled_from(MODELS),
    events=st.lists(st.tuples(st.just("eu"), st.integers(1, 30)), max_size=8),
)
def test_each_event_is_billed_what_it_adds(model: dict[str, Any], events: list[Event]) -> None:
    price = price_of(model)
    billed: dict[PartKey, Billed] = {}
    for count in range(1, len(events) + 1):
        before, now = total(whole(price, events[: count - 1])), total(whole(price, events[:count]))
        came = running(whole(price, events[:count]), billed)
        paid = before if count > 1 else Money.zero("EUR")
        assert total(came.lines) == now - paid
        billed = with_fees(billed, came.fees)
