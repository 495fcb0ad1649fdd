from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.documents.document import InvoiceDocument, Party, decode, encode
from tallystick.invoices.entries import issued_entry
from tallystick.invoices.freeze import freeze
from tallystick.invoices.model import InvoiceDraft
from tallystick.invoices.terms import Terms, terms_said
from tallystick.issuers.model import Issuer
from tallystick.ledger.model import RECEIVABLE, REVENUE, TAX_PAYABLE, Posting
from tallystick.ledger.posting import check_entry
from tallystick.pricing.charges import uses_of_totals
from tallystick.pricing.model import FlatPrice, PerUnitPrice, Price, PriceFilter
from tallystick.pricing.use import Use, Uses
from tallystick.subscriptions.periods import Period
from tests.invoice_drafts import period_draft

AT = datetime(2026, 1, 31, tzinfo=UTC)
PERIOD = Period(AT, datetime(2026, 2, 28, tzinfo=UTC))
SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")
ISSUER = Issuer(
    issuer_id=UUID(int=4),
    code="S",
    legal_name="Seller",
    created_at=AT,
    address=("1 Main Street",),
    email="billing@example.com",
    vat_number="FR123",
)
ACCOUNT = Account(
    account_id=UUID(int=1),
    name="Ada",
    email="ada@example.com",
    currency="EUR",
    timezone="Europe/Paris",
    country="FR",
    locale="fr-FR",
    address=("2 Rue X", "75001 Paris"),
    city="Paris",
    postal_code="75001",
    tax_number="FR999",
    tax_name="TVA",
    tax_percent=Decimal(20),
    created_at=AT,
)
METER = Meter(
    meter_id=UUID(int=9),
    code="calls",
    name="API calls",
    unit="calls",
    event_type="calls",
    aggregation="count",
    property=None,
    created_at=AT,
)
FEE = FlatPrice(currency="EUR", code="fee", amount=Decimal(49))
CALLS = PerUnitPrice(currency="EUR", code="calls", meter="calls", unit=Decimal("0.02"))


def draft(*prices: Price, quantity: str = "150", uses: Uses | None = None) -> InvoiceDraft:
    version = PlanVersion(
        plan_version_id=UUID(int=2),
        plan_id=UUID(int=3),
        plan_code="pro",
        plan_name="Pro",
        version=1,
        currency="EUR",
        interval="month",
        interval_count=1,
        prices=prices,
        limits={},
        created_at=AT,
    )
    return period_draft(
        ACCOUNT,
        version,
        {"calls": METER},
        PERIOD,
        uses or uses_of_totals(version.prices, {"calls": Decimal(quantity)}),
    )


def document(*prices: Price, quantity: str = "150", uses: Uses | None = None) -> InvoiceDocument:
    return freeze(
        draft(*prices, quantity=quantity, uses=uses),
        ACCOUNT,
        ISSUER,
        terms_said(Terms(), ACCOUNT, ISSUER),
        number="INV-2026-000001",
        issued_on=date(2026, 2, 28),
        due_on=date(2026, 3, 14),
    )


def test_the_document_says_who_when_and_how_much() -> None:
    frozen = document(FEE, CALLS)
    assert frozen.customer == Party(
        "Ada", ("2 Rue X", "75001 Paris"), "ada@example.com", "FR999",
        country="FR", city="Paris", postal_code="75001",
    )  # fmt: skip
    assert frozen.seller == SELLER
    assert frozen.account_id.startswith("acct_")
    assert (frozen.subtotal_minor, frozen.total_minor) == (5200, 6240)
    assert [tax.amount_minor for tax in frozen.taxes] == [1040]
    assert (frozen.issued_on, frozen.due_on) == (date(2026, 2, 28), date(2026, 3, 14))
    assert decode(encode(frozen)) == frozen


def test_a_fee_needs_no_quantity_and_units_at_one_price_no_steps() -> None:
    fee, calls = document(FEE, CALLS).lines
    assert (fee.quantity, fee.unit_price, fee.details) == (None, None, ())
    assert (calls.quantity, calls.unit, calls.unit_price) == (
        Decimal(150),
        "calls",
        Decimal("0.02"),
    )
    assert calls.details == ()


def test_usage_of_a_filter_shows_the_price_that_it_paid() -> None:
    dearer = PriceFilter(
        values={"region": ("eu",)}, price=PerUnitPrice(currency="EUR", unit=Decimal("0.03"))
    )
    price = replace(CALLS, filters=(dearer,))
    uses = {"calls": (Use(quantity=Decimal(100)), Use(quantity=Decimal(50), filter=0))}
    plainly, filtered = document(price, uses=uses).lines
    assert (plainly.unit_price, plainly.amount_minor) == (Decimal("0.02"), 200)
    assert (filtered.unit_price, filtered.amount_minor) == (Decimal("0.03"), 150)


def test_where_units_were_free_the_steps_are_shown() -> None:
    partly = PerUnitPrice(
        currency="EUR", code="c", meter="calls", unit=Decimal("0.02"), included=Decimal(100)
    )
    (line,) = document(partly).lines
    assert line.unit_price is None
    assert [(step.kind, step.quantity, step.amount) for step in line.details] == [
        ("included", Decimal(100), Decimal(0)),
        ("per_unit", Decimal(50), Decimal(1)),
    ]


def test_a_quantity_below_zero_is_explained_by_its_steps() -> None:
    (line,) = document(CALLS, quantity="-3").lines
    assert (line.amount_minor, line.unit_price) == (0, None)
    assert line.details[0].kind == "below_zero"


def test_the_entry_of_an_invoice_balances_receivable_with_revenue_and_tax() -> None:
    entry = issued_entry(draft(FEE), UUID(int=5), "INV-2026-000001", AT)
    assert entry
    check_entry(entry)
    assert entry.postings == (
        Posting(RECEIVABLE, "EUR", 5880),
        Posting(REVENUE, "EUR", -4900),
        Posting(TAX_PAYABLE, "EUR", -980),
    )
    assert entry.idempotency_key == f"invoice:{UUID(int=5)}:issued"
    assert entry.reference.startswith("inv_")


def test_an_invoice_over_nothing_has_no_entry() -> None:
    assert issued_entry(draft(CALLS, quantity="0"), UUID(int=5), "INV-2026-000001", AT) is None
