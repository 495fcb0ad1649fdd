"""VAT numbers, checked by form and check digits."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tallystick.accounts.checks import check_account
from tallystick.accounts.model import Account
from tallystick.accounts.tax_numbers import EU_COUNTRIES, canonical_number, is_eu_number
from tallystick.kernel.errors import BadInput


@pytest.mark.parametrize(("country", "written", "canonical"), [
    ("FR", "FR40303265045", "FR40303265045"),
    ("FR", "40 303 265 045", "FR40303265045"),
    ("DE", "de 136-695-976", "DE136695976"),
    ("GR", "EL 094259216", "EL094259216"),
    ("GR", "GR094259216", "EL094259216"),  # Greece is EL in VAT numbers alone
    ("AT", "ATU13585627", "ATU13585627"),
    ("GB", "980 7806 84", "GB980780684"),
    ("CH", "CHE-107.787.577 MWST", "CHE107787577MWST"),
    ("CH", "CHE-107.787.577", "CHE107787577"),
    ("NO", "NO 995 525 828 MVA", "NO995525828MVA"),
    ("US", "12-3456789", "12-3456789"),
])  # fmt: skip
def test_a_number_has_one_form_with_its_country(country: str, written: str, canonical: str) -> None:
    assert canonical_number(country, written) == canonical
    assert canonical_number(country, canonical) == canonical


@pytest.mark.parametrize(("country", "written"), [
    ("FR", "FR40303265046"), ("FR", "FR123"), ("DE", "FR40303265045"), ("DE", "DE136695977"),
    ("GR", ""), ("GB", "GB980780685"), ("CH", "CHE-107.787.578"), ("NO", "995525829MVA"),
])  # fmt: skip
def test_a_wrong_digit_or_another_country_is_seen(country: str, written: str) -> None:
    assert canonical_number(country, written) is None


def test_only_members_of_the_union_have_its_numbers() -> None:
    assert is_eu_number("FR", "FR40303265045")
    assert not is_eu_number("FR", None)
    assert not is_eu_number("GB", "GB980780684")
    assert not is_eu_number("NO", "NO995525828MVA")


@given(st.sampled_from(sorted(EU_COUNTRIES | {"GB", "CH", "NO"})), st.text(max_size=20))
def test_any_text_is_a_number_or_not_and_nothing_worse(country: str, text: str) -> None:
    canonical = canonical_number(country, text)
    assert canonical is None or canonical_number(country, canonical) == canonical


def test_an_account_keeps_the_one_form_and_refuses_a_wrong_number() -> None:
    account = Account(
        account_id=UUID(int=1), name="A", email="a@example.com", currency="EUR", timezone="UTC",
        country="fr", locale="fr-FR", created_at=datetime(2026, 1, 1, tzinfo=UTC),
        tax_number="40 303 265 045",
    )  # fmt: skip
    assert check_account(account).tax_number == "FR40303265045"
    with pytest.raises(BadInput) as caught:
        check_account(replace(account, tax_number="FR1"))
    assert [fault.code for fault in caught.value.errors] == ["tax_number_invalid"]
