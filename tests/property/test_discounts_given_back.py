"""Whatever the coupon and the changes: what was used costs its price less the coupon's share."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Literal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.catalog.discounts import redeem
from tallystick.catalog.model import PlanVersion
from tallystick.catalog.offer_model import Coupon, Redemption
from tallystick.invoices.billed_fees import BilledFee, billed_by, fees_to_come, less_discount
from tallystick.invoices.build import Ingredients, build
from tallystick.invoices.derivation import decode, encode, recompute
from tallystick.invoices.discount_back import DiscountBack, with_share
from tallystick.invoices.flat_lines import share_line
from tallystick.invoices.model import DraftLine
from tallystick.money.amount import Money
from tallystick.money.rounding import round_ratio
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.proration import share_of
from tallystick.subscriptions.terms import FlatDue

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
WHOLE = Period(BEGAN, datetime(2026, 2, 1, tzinfo=UTC))
ON = UUID(int=5)
ACCOUNT = Account(
    account_id=UUID(int=1), name="Ada", email="ada@example.com", currency="EUR", timezone="UTC",
    country="FR", locale="en-US", created_at=BEGAN,
)  # fmt: skip
Terms = tuple[int, int, int]
"""From which day, which plan at what price in cents."""


@st.composite
def ways(draw: st.DrawFn) -> list[Terms]:
    """Which plan from which day, at which price; a plan may come again, also on the same day."""
    days = [0, *sorted(draw(st.lists(st.integers(0, 31), max_size=4)))]
    prices = draw(st.lists(st.integers(0, 10**5), min_size=3, max_size=3))
    plans = draw(st.lists(st.integers(0, 2), min_size=len(days), max_size=len(days)))
    return [(day, plan, prices[plan]) for day, plan in zip(days, plans, strict=True)]


@st.composite
def coupons(draw: st.DrawFn) -> Redemption:
    percent = draw(st.none() | st.just(Decimal(100)) | st.decimals("0.01", 100, places=2))
    amount = Money(draw(st.integers(1, 10**5)), "EUR").to_decimal()
    coupon = Coupon(
        code="C", name="Gift", percent=percent, amounts=None if percent else {"EUR": amount},
        duration=draw(st.sampled_from(["once", "forever"])), periods=None, coupon_id=UUID(int=2),
        version=1, status="active", activated_at=BEGAN, retired_at=None, created_at=BEGAN,
    )  # fmt: skip
    return redeem(coupon, ACCOUNT.account_id, UUID(int=3), "EUR", BEGAN)


def fee(terms: Terms, start: int, sign: Literal[1, -1]) -> DraftLine:
    """A plan's fee from that day to the end of the month."""
    _, plan, minor = terms
    price = FlatPrice(
        currency="EUR", code="fee", amount=Money(minor, "EUR").to_decimal(), billing="in_advance"
    )
    version = PlanVersion(
        plan_version_id=UUID(int=10 + plan), plan_id=UUID(int=20 + plan), plan_code=f"p{plan}",
        plan_name=f"P{plan}", version=1, currency="EUR", interval="month", prices=(price,),
        created_at=BEGAN,
    )  # fmt: skip
    part = Period(BEGAN + timedelta(days=start), WHOLE.end)
    share = share_of("by_day", WHOLE, "UTC", part, sign)
    line = share_line(
        FlatDue(plan=version, price=price, quantity=1, whole=WHOLE, part=part, share=share)
    )
    return replace(line, subscription_id=ON)


@given(way=ways(), coupon=coupons(), ends=st.integers(0, 31))
def test_what_was_used_costs_its_price_less_its_share_of_the_coupon(
    way: list[Terms], coupon: Redemption, ends: int
) -> None:
    known: list[BilledFee] = []
    nets: list[int] = []
    last: Terms | None = None
    expected = 0
    for at, terms in enumerate((*way, None)):
        day = terms[0] if terms else max(ends, way[-1][0])
        lines: list[DraftLine] = []
        if last is not None and day < 31:
            back = fee(last, day, -1)
            lines.append(less_discount(back, billed_by(back, ON, known)) if last[2] else back)
        if terms is not None and day < 31:
            lines.append(fee(terms, day, 1))
        built = build(
            Ingredients(
                account=ACCOUNT, currency="EUR", period=WHOLE, at=BEGAN, fees=tuple(lines),
                coupons=(coupon,),
            )
        )  # fmt: skip
        for line in built.draft.lines:
            assert recompute(decode(encode(line.derivation))) == line.amount
            assert line.derivation.discount is None or line.amount.minor <= 0
        nets.append(built.draft.subtotal.minor - built.kept.minor)
        assert sum(nets) >= 0, at
        coupon = next(iter(built.coupons), coupon)
        if last is not None:
            expected += _cost(known, last, day)
        known += fees_to_come(built.draft)
        last = terms if day < 31 else None
        if day >= 31:
            break
    assert sum(nets) == expected


def _cost(known: list[BilledFee], terms: Terms, until: int) -> int:
    """What the days of these terms cost up to a day, with the coupon that lowered them."""
    whole = used = fee(terms, terms[0], 1).amount.minor
    if until < 31:
        used += fee(terms, until, -1).amount.minor
    if not whole:
        return 0
    (*_, billed) = [one for one in known if one.period.start == BEGAN + timedelta(days=terms[0])]
    return used - round_ratio(billed.taken_minor * used, whole)


@given(
    billed=st.integers(1, 10**6),
    taken=st.integers(0, 10**6),
    cuts=st.lists(st.integers(0, 10**6), max_size=6),
)
def test_parts_that_are_given_back_take_the_whole_discount_back_and_no_more(
    billed: int, taken: int, cuts: list[int]
) -> None:
    taken = min(taken, billed)
    points = [billed, *sorted((cut for cut in cuts if cut < billed), reverse=True), 0]
    back = 0
    for until, start in pairwise(points):
        was = DiscountBack(
            invoice_id=None, number="N", billed_minor=billed, taken_minor=taken, until_minor=until
        )
        part = with_share(was, until - start).back_minor
        assert 0 <= part <= until - start
        back += part
    assert back == taken
