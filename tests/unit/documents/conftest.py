import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pypdf
import pytest

from tallystick.documents.document import (
    BankAccount,
    CustomField,
    DocumentLine,
    InvoiceDocument,
    Party,
    TaxLine,
)

DECEMBER = (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


@pytest.fixture
def document() -> InvoiceDocument:
    """Return an invoice from Hamburg to Paris, 20% on 100 euros less a coupon of 10."""
    return InvoiceDocument(
        number="INV-2026-000042",
        issued_on=date(2026, 12, 1),
        due_on=date(2026, 12, 15),
        currency="EUR",
        locale="en-GB",
        timezone="Europe/Paris",
        account_id="acct_01jd8xk2v3e7wr9q5t6y8m4n0p",
        seller=Party(
            "Nordwind GmbH",
            ("Hafenstrasse 14", "20457 Hamburg"),
            "bills@nordwind.example",
            "DE123456789",
            country="DE",
            city="Hamburg",
            postal_code="20457",
            registration_number="HRB 12345",
        ),
        customer=Party(
            "Globex SARL",
            ("12 rue de la Paix", "75002 Paris"),
            "ap@globex.example",
            "FR40303265045",
            country="FR",
            city="Paris",
            postal_code="75002",
        ),
        lines=(
            DocumentLine(
                "Pro plan",
                10000,
                *DECEMBER,
                quantity=Decimal(4),
                unit="seats",
                unit_price=Decimal(25),
            ),
            DocumentLine("Coupon LAUNCH", -1000, role="allowance"),
        ),
        subtotal_minor=9000,
        taxes=(TaxLine("VAT", Decimal(20), 9000, 1800, "S"),),
        total_minor=10800,
        memo="Thank you.",
        purchase_order="PO-7",
        bank=BankAccount("DE89370400440532013000", "COBADEFFXXX", "Commerzbank"),
        custom_fields=(CustomField("Cost centre", "4711"),),
    )


@pytest.fixture
def text_of() -> Callable[[bytes], str]:
    """Return what reads the text of a PDF, with one kind of space."""

    def read(pdf: bytes) -> str:
        pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
        return re.sub("[\u00a0\u2009\u202f]", " ", "\n".join(page.extract_text() for page in pages))

    return read
