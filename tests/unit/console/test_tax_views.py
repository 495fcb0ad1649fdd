"""An account's taxes in words."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from tallystick.console.formats import Formats
from tallystick.console.tax_views import tax_facts
from tallystick.taxes.model import Applied, Buyer, Exemption, NumberCheck
from tallystick.taxes.outlook import TaxesToday
from tallystick.taxes.rules import REVERSE_CHARGE

AT = datetime(2026, 3, 1, tzinfo=UTC)
FORMATS = Formats("en-GB", ZoneInfo("UTC"))
NOTHING = TaxesToday(
    buyer=Buyer(country="DE"), taxes=(), problem=None, exemptions=(), tax_number=None,
    number_check=None,
)  # fmt: skip
CHECK = NumberCheck(
    account_id=UUID(int=1), country="DE", tax_number="DE136695976", outcome="unknown",
    checked_at=None, try_count=0, next_check_at=AT,
)  # fmt: skip
EXEMPTION = Exemption(
    account_id=UUID(int=1), tax_exemption_id=UUID(int=2), created_at=AT, reason="Embassy",
    valid_from=date(2026, 1, 1), certificate="7", country="US", region="NY",
    valid_until=date(2027, 1, 1),
)  # fmt: skip


def told(found: TaxesToday) -> list[tuple[str, str]]:
    return [(fact.name, fact.value) for fact in tax_facts(found, FORMATS)]


def test_no_taxes_and_no_number_are_said() -> None:
    assert told(NOTHING) == [("Taxes today", "none"), ("Tax number", "\u2013")]


def test_each_tax_has_its_percent_and_reason() -> None:
    gross = Applied("USt", Decimal(19), "S", inclusive=True)
    assert told(replace(NOTHING, taxes=(REVERSE_CHARGE, gross)))[:2] == [
        ("Tax today", "VAT 0%: Reverse charge: Article 196 of Directive 2006/112/EC"),
        ("Tax today", "USt 19%, contained in prices"),
    ]


def test_what_keeps_taxes_from_being_told_is_said() -> None:
    assert told(replace(NOTHING, problem="There is no tax rate."))[0] == (
        "Taxes today", "There is no tax rate.")  # fmt: skip


def test_a_number_says_what_its_authority_says() -> None:
    numbered = replace(NOTHING, tax_number="DE136695976", number_check=CHECK)
    assert told(numbered)[1][1] == "DE136695976 (not confirmed)"
    refused = replace(numbered, number_check=replace(CHECK, outcome="refused"))
    assert told(refused)[1][1] == "DE136695976 (unknown to its authority, so it counts as none)"


def test_an_exemption_says_its_paper_place_and_time() -> None:
    assert told(replace(NOTHING, exemptions=(EXEMPTION,)))[2] == (
        "Exemption", "Embassy, certificate 7, in US-NY, from 1 Jan 2026 until 1 Jan 2027"
    )  # fmt: skip
