"""Whatever goes into an invoice: every sum adds up, nothing is lost, nothing is below zero."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tallystick.accounts.model import Account
from tallystick.catalog.discounts import redeem
from tallystick.catalog.offer_model import Coupon, Duration, Redemption
from tallystick.invoices.adjustments import Adjustment
from tallystick.invoices.build import Built, Ingredients, build
from tallystick.invoices.customer_credit_model import CustomerCredit
from tallystick.invoices.derivation import Derivation, decode, encode, recompute
from tallystick.invoices.discount_lines import net_of_coupons
from tallystick.invoices.entries import issued_entry
from tallystick.invoices.model import DraftLine
from tallystick.invoices.settlement import settlement
from tallystick.ledger.posting import check_entry
from tallystick.money.amount import Money
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.proration import Share

AT = datetime(2026, 2, 1, tzinfo=UTC)
PERIOD = Period(datetime(2026, 1, 1, tzinfo=UTC), AT)
MINORS = st.integers(-5_000, 20_000) | st.integers(0, 10**9)
DURATIONS: st.SearchStrategy[Duration] = st.sampled_from(["once", "periods", "forever"])
CODES = st.sampled_from(["fee", "calls", "seats"])


def line(currency: str, code: str, minor: int, at: int) -> DraftLine:
    """A fee, or what is given back of one."""
    size = Money(abs(minor), currency)
    price = FlatPrice(currency=currency, code=code, amount=size.to_decimal())
    return DraftLine(
        kind="subscription", description=code, price_code=code, meter_code=None,
        quantity=Decimal(1), unit=None, period_start=PERIOD.start, period_end=PERIOD.end,
        amount=Money(minor, currency), plan_code="pro",
        derivation=Derivation(
            kind="share", plan_version_id=UUID(int=at), price=price, quantity=Decimal(1),
            period_start=PERIOD.start, period_end=PERIOD.end, steps=(),
            exact=Money(minor, currency).to_decimal(), currency=currency,
            rounding="half_away_from_zero",
            share=Share("period", 0, 1, 1, 1 if minor >= 0 else -1),
        ),
    )  # fmt: skip


@st.composite
def redemptions(draw: st.DrawFn, currency: str) -> tuple[Redemption, ...]:
    made = []
    for at in range(draw(st.integers(0, 3))):
        percent = draw(st.none() | st.decimals("0.01", 100, places=2))
        amount = Money(draw(st.integers(1, 50_000)), currency).to_decimal()
        duration = draw(DURATIONS)
        coupon = Coupon(
            code=f"C{at}", name="Gift", percent=percent,
            amounts={currency: amount} if percent is None else None,
            duration=duration, periods=2 if duration == "periods" else None,
            prices=draw(st.sampled_from([(), ("fee",), ("calls", "fee")])),
            coupon_id=UUID(int=at + 1), version=1, status="active", activated_at=AT,
            retired_at=None, created_at=AT,
        )  # fmt: skip
        when = AT + timedelta(days=draw(st.integers(-9, -1)))
        made.append(redeem(coupon, UUID(int=1), UUID(int=at + 1), currency, when))
    return tuple(made)


def left(currency: str, first: int) -> st.SearchStrategy[tuple[Adjustment, ...]]:
    minors = st.lists(st.integers(1, 30_000), max_size=3)
    return minors.map(
        lambda found: tuple(
            Adjustment(invoice_id=UUID(int=first + at), number=f"N{at}", left=Money(one, currency))
            for at, one in enumerate(found)
        )
    )


@st.composite
def ingredients(draw: st.DrawFn) -> Ingredients:
    currency = draw(st.sampled_from(["EUR", "JPY", "KWD"]))
    fees = draw(st.lists(st.tuples(CODES, MINORS), max_size=5))
    late = draw(st.lists(st.tuples(CODES, MINORS), max_size=2))
    percent = draw(st.none() | st.decimals(0, 100, places=2))
    return Ingredients(
        account=Account(
            account_id=UUID(int=1), name="Ada", email="ada@example.com", currency=currency,
            timezone="UTC", country="FR", locale="en-US", created_at=AT, tax_percent=percent,
            tax_name=None if percent is None else "VAT",
        ),
        currency=currency, period=PERIOD, at=AT,
        fees=tuple(line(currency, code, minor, at) for at, (code, minor) in enumerate(fees)),
        late=tuple(line(currency, code, minor, at) for at, (code, minor) in enumerate(late)),
        coupons=draw(redemptions(currency)),
        carried=draw(left(currency, 100)), credit=draw(left(currency, 200)),
        least=draw(st.none() | st.integers(1, 10_000).map(lambda one: Money(one, currency))),
        is_final=draw(st.booleans()),
    )  # fmt: skip


@given(asked=ingredients())
def test_every_sum_adds_up_and_no_amount_goes_below_zero(asked: Ingredients) -> None:
    made = build(asked)
    draft = made.draft
    assert draft.subtotal.minor == sum(one.amount.minor for one in draft.lines)
    assert draft.tax.minor == sum(tax.amount_minor for tax in draft.taxes)
    assert draft.total == draft.subtotal + draft.tax
    assert min(draft.subtotal.minor, draft.tax.minor, made.kept.minor, made.carried.minor) >= 0
    if draft.taxes:
        assert draft.taxes[0].base_minor == draft.subtotal.minor
    for one in draft.lines:
        assert recompute(decode(encode(one.derivation))) == one.amount
    entry = issued_entry(draft, UUID(int=7), "INV-2026-000001", AT)
    if entry is not None:
        check_entry(entry)


@given(asked=ingredients())
def test_what_comes_in_is_billed_given_back_or_left_to_later_invoices(asked: Ingredients) -> None:
    made = build(asked)
    came = sum(one.amount.minor for one in (*asked.fees, *asked.late))
    off = sum(one.amount.minor for one in made.draft.lines if one.kind == "discount")
    carried = {one.invoice_id for one in asked.carried}
    brought = sum(one.minor for named, one in made.used if named in carried)
    taken = sum(one.minor for named, one in made.used if named not in carried)
    billed = made.draft.subtotal.minor
    assert brought == sum(one.left.minor for one in asked.carried)
    assert came + off + brought - taken == billed + made.carried.minor - made.kept.minor
    open_ = {one.invoice_id: one.left for one in (*asked.carried, *asked.credit)}
    assert all(Money.zero(asked.currency) < part <= open_[named] for named, part in made.used)
    assert made.kept.is_zero() or made.carried.is_zero()
    if asked.least is not None and not asked.is_final:
        assert made.draft.subtotal.is_zero() or made.draft.subtotal >= asked.least
    if asked.is_final or asked.least is None:
        assert made.carried.is_zero()


@given(asked=ingredients())
def test_coupons_are_shared_out_whole_and_lower_no_line_below_zero(asked: Ingredients) -> None:
    made = build(asked)
    lines = made.draft.lines
    net = net_of_coupons(lines)
    assert sum(one.minor for one in net) == made.draft.subtotal.minor
    for one, rest in zip(lines, net, strict=True):
        use = one.derivation.coupon
        if use is None:
            assert rest == one.amount or rest.minor >= 0
            continue
        assert one.amount.minor == -sum(part.taken_minor for part in use.covered) < 0
        assert all(0 <= part.taken_minor <= part.found_minor for part in use.covered)
    before = {one.redemption_id: one for one in asked.coupons}
    assert {one.redemption_id for one in made.coupons} == _used(made)
    for after in made.coupons:
        was = before[after.redemption_id]
        if was.amount_left_minor is not None:
            assert 0 <= (after.amount_left_minor or 0) < was.amount_left_minor


@given(
    total=st.integers(0, 10**6),
    credit=st.lists(st.integers(1, 10**6), max_size=4),
    prepaid=st.integers(0, 10**6),
)
def test_what_is_on_the_account_pays_the_total_as_far_as_it_reaches(
    total: int, credit: list[int], prepaid: int
) -> None:
    open_ = [
        CustomerCredit(customer_credit_id=UUID(int=at), number=f"CN{at}", left=Money(one, "EUR"))
        for at, one in enumerate(credit)
    ]
    paid = settlement(Money(total, "EUR"), open_, Money(prepaid, "EUR"))
    by_credit = sum(use.amount.minor for use in paid.credit)
    assert by_credit == min(total, sum(credit))
    assert paid.prepaid.minor == min(prepaid, total - by_credit)
    assert by_credit + paid.prepaid.minor + paid.due.minor == total
    assert paid.due.minor == max(total - sum(credit) - prepaid, 0)


def _used(made: Built) -> set[UUID]:
    uses = (one.derivation.coupon for one in made.draft.lines)
    return {use.redemption_id for use in uses if use is not None}
