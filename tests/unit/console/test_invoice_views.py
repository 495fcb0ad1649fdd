"""An invoice on a page: the same amounts as in the books, and the way to each of them."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from tallystick.console.formats import Formats
from tallystick.console.invoice_views import (
    InvoiceView,
    invoice_list,
    invoice_row,
    invoice_view,
    status_choices,
)
from tallystick.documents.document import TaxLine
from tallystick.invoices.derivation import Derivation, recompute
from tallystick.invoices.explain import LineExplanation
from tallystick.invoices.model import Invoice, InvoiceLine, Status
from tallystick.kernel.paging import Page, PageRequest
from tallystick.money.amount import Money
from tallystick.pricing.explain import explain
from tallystick.pricing.model import FlatPrice, PerUnitPrice
from tallystick.pricing.rate import rate

START = datetime(2026, 10, 31, 23, tzinfo=UTC)  # midnight in Paris
END = datetime(2026, 11, 30, 23, tzinfo=UTC)
FORMATS = Formats("en-GB", ZoneInfo("Europe/Paris"))
CALLS = PerUnitPrice(
    currency="EUR",
    code="calls",
    meter="api_calls",
    unit=Decimal("0.0004"),
    included=Decimal(10000),
)
QUANTITY = Decimal(22345)  # 12,345 over what is included: 4.938 euros
LINE = InvoiceLine(
    invoice_line_id=UUID(int=7),
    position=1,
    kind="usage",
    description="API calls",
    price_code="calls",
    meter_code="api_calls",
    quantity=QUANTITY,
    unit="calls",
    period_start=START,
    period_end=END,
    amount=Money(494, "EUR"),
)
INVOICE = Invoice(
    account_id=UUID(int=1),
    invoice_id=UUID(int=2),
    number="INV-000042",
    status=Status.OPEN,
    currency="EUR",
    subtotal=Money(494, "EUR"),
    tax=Money(99, "EUR"),
    total=Money(593, "EUR"),
    paid=Money(0, "EUR"),
    credited=Money(0, "EUR"),
    offset=Money(0, "EUR"),
    subscription_ids=(),
    period_start=START,
    period_end=END,
    issued_at=END,
    due_at=datetime(2026, 12, 14, 23, tzinfo=UTC),
    paid_at=None,
    created_at=END,
    lines=(LINE,),
)


def explained(line: InvoiceLine = LINE) -> LineExplanation:
    rated = rate(CALLS, QUANTITY)
    derivation = Derivation(
        kind="rated",
        plan_version_id=UUID(int=3),
        price=CALLS,
        quantity=QUANTITY,
        period_start=START,
        period_end=END,
        steps=rated.steps,
        exact=rated.amount,
        currency="EUR",
        rounding="half_away_from_zero",
    )
    return LineExplanation(
        line=line,
        derivation=derivation,
        steps=explain(rated, "en-GB"),
        recomputed=recompute(derivation),
        taxes=(TaxLine("VAT", Decimal(20), 494, 99),),
    )


def totals(view: InvoiceView) -> dict[str, str]:
    return {row.name: row.amount for row in view.totals}


def test_a_line_tells_every_step_from_usage_to_the_rounded_amount() -> None:
    (line,) = invoice_view(INVOICE, [explained()], FORMATS).lines
    assert line.steps == (
        "22,345 calls counted by meter api_calls, 1\u201330 Nov 2026",
        "10,000 of 10,000 included",
        "12,345 \u00d7 \u20ac0.0004 = \u20ac4.938",
        "Sum \u20ac4.938, rounded once, half away from zero, to \u20ac4.94",
    )
    assert line.check == "Computed again from what is stored: \u20ac4.94, the same"
    assert line.is_same


def test_a_tax_says_why_nothing_is_charged() -> None:
    free = TaxLine("VAT", Decimal(0), 494, 0, "AE", "Reverse charge")
    view = invoice_view(INVOICE, [replace(explained(), taxes=(free,))], FORMATS)
    assert [(row.name, row.note) for row in view.totals if row.note] == [
        ("VAT 0%", "Reverse charge")]  # fmt: skip


def test_what_a_coupon_takes_off_which_line_is_told_behind_the_steps() -> None:
    told = explained(replace(LINE, meter_code=None, kind="discount"))
    sentences = ("20% of \u20ac24.70", "\u20ac4.94 off line 1")
    off = replace(told, derivation=replace(told.derivation, steps=()), steps=sentences)
    (line,) = invoice_view(INVOICE, [off], FORMATS).lines
    assert line.steps[:2] == sentences


def test_a_flat_price_is_called_one() -> None:
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(149))
    rated = rate(fee, Decimal(1))
    flat = replace(explained().derivation, price=fee, steps=rated.steps, exact=rated.amount)
    told = replace(
        explained(replace(LINE, meter_code=None)),
        derivation=flat,
        steps=explain(rated, "en-GB"),
    )
    (line,) = invoice_view(INVOICE, [told], FORMATS).lines
    assert line.steps == ("Flat price: \u20ac149.00",)


def test_an_amount_that_does_not_come_out_again_is_told() -> None:
    wrong = replace(LINE, amount=Money(495, "EUR"))
    (line,) = invoice_view(replace(INVOICE, lines=(wrong,)), [explained(wrong)], FORMATS).lines
    assert not line.is_same
    assert "differs" in line.check


def test_an_exact_amount_needs_no_rounding_step() -> None:
    even = replace(explained(), derivation=replace(explained().derivation, exact=Decimal("4.94")))
    (line,) = invoice_view(INVOICE, [even], FORMATS).lines
    assert not any("rounded" in step for step in line.steps)


def test_a_minimum_says_what_was_missing_to_it() -> None:
    short = replace(
        explained().derivation,
        kind="minimum",
        price=replace(CALLS, minimum=Decimal(10)),
        exact=Decimal("5.06"),
        counted_minor=494,
    )
    (line,) = invoice_view(INVOICE, [replace(explained(), derivation=short)], FORMATS).lines
    assert "\u20ac4.94 billed by the other lines of the price" in line.steps


def test_totals_name_each_tax_and_what_is_due() -> None:
    assert totals(invoice_view(INVOICE, [explained()], FORMATS)) == {
        "Subtotal": "\u20ac4.94",
        "VAT 20%": "\u20ac0.99",
        "Total": "\u20ac5.93",
        "Amount due": "\u20ac5.93",
    }


def test_a_paid_invoice_shows_what_was_paid_and_when() -> None:
    paid = replace(INVOICE, status=Status.PAID, paid=INVOICE.total, paid_at=END)
    view = invoice_view(paid, [explained()], FORMATS)
    assert totals(view)["Paid"] == "-\u20ac5.93"
    assert totals(view)["Amount due"] == "\u20ac0.00"
    assert ("Paid", "1 Dec 2026") in [(fact.name, fact.value) for fact in view.facts]


def test_without_an_explanation_the_line_and_the_tax_still_stand() -> None:
    view = invoice_view(INVOICE, [], FORMATS)
    assert (view.lines[0].amount, view.lines[0].steps) == ("\u20ac4.94", ())
    assert totals(view)["Tax"] == "\u20ac0.99"


def test_days_are_those_of_the_accounts_time_zone() -> None:
    row = invoice_row(INVOICE, FORMATS)
    assert (row.issued_on, row.due_on) == ("1 Dec 2026", "15 Dec 2026")


def test_a_draft_has_neither_number_nor_pdf() -> None:
    draft = replace(INVOICE, status=Status.DRAFT, number=None, issued_at=None, due_at=None)
    row = invoice_row(draft, FORMATS)
    assert (row.number, row.has_pdf, row.issued_on) == ("Draft", False, "\u2013")


def test_a_list_knows_which_page_it_is() -> None:
    shown = invoice_list(Page((INVOICE,), 45, PageRequest(page=2), None), FORMATS)
    assert (shown.page, shown.total_pages, len(shown.rows)) == (2, 3, 1)


def test_a_list_can_be_narrowed_to_what_was_issued() -> None:
    assert [choice.value for choice in status_choices()] == [
        "",
        "open",
        "paid",
        "void",
        "uncollectible",
    ]
