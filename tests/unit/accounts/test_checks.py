from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.accounts.checks import check_account, check_scopes, clean_email, is_external_id
from tallystick.accounts.model import Account
from tallystick.kernel.errors import BadInput

GOOD = Account(
    account_id=UUID(int=1), name="Ärzte & Söhne", email="a@example.com", currency="EUR",
    timezone="Europe/Berlin", country="DE", locale="de-DE",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip


def refused(**fields: Any) -> list[str]:
    with pytest.raises(BadInput) as caught:
        check_account(msgspec.structs.replace(GOOD, **fields))
    return [error.field for error in caught.value.errors]


def test_a_good_account_passes_with_its_codes_in_upper_case() -> None:
    lower = msgspec.structs.replace(GOOD, currency="eur", country="de", email=" a@example.com ")
    assert check_account(lower) == GOOD


@pytest.mark.parametrize(("field", "values"), [
    ("name", ["", "  ", "x" * 201, "a\nb", "a\x00b"]),
    ("email", ["", "a", "a@", "@b", "a b@c", "a@b@c", "x" * 251 + "@b.c", "a\x00@b.c"]),
    ("currency", ["", "E", "EURO", "XXX", "XAU", "ZZZ", "12€"]),
    ("timezone", ["", "Mars/Olympus", "/etc/passwd", "../UTC", "Europe", "a\x00b"]),
    ("country", ["", "D", "DEU", "ZQ", "49"]),
    ("locale", ["", "x", "german", "xx-YY", "de_DE; DROP"]),
    ("external_id", ["", " x", "x ", "acct_1", "x" * 256, "a\nb", "a\x00b"]),
    ("address", [("",), ("x",) * 9, ("x" * 201,), ("a\nb",)]),
    ("region", ["", "QUEB", "Q C", "ß"]),
    ("city", ["", "x" * 201, "a\nb"]),
    ("postal_code", ["", "1" * 33]),
    ("tax_number", ["", "x" * 201]),
    ("payment_due_days", [-1, 366]),
])  # fmt: skip
def test_what_can_not_be_taken_is_named(field: str, values: list[Any]) -> None:
    for value in values:
        assert refused(**{field: value}) == [field], value


@pytest.mark.parametrize(("name", "percent"), [
    ("VAT", None), (None, Decimal(19)), ("VAT", Decimal(-1)), ("VAT", Decimal("100.01")),
    ("VAT", Decimal("NaN")), ("VAT", Decimal("Infinity")), ("", Decimal(19)),
])  # fmt: skip
def test_a_tax_needs_a_name_and_a_rate(name: str | None, percent: Decimal | None) -> None:
    assert refused(tax_name=name, tax_percent=percent) == ["tax_percent"]


@pytest.mark.parametrize("percent", ["0", "19", "7.7", "100"])
def test_a_rate_from_zero_to_a_hundred_is_taken(percent: str) -> None:
    taxed = msgspec.structs.replace(GOOD, tax_name="VAT", tax_percent=Decimal(percent))
    assert check_account(taxed) == taxed


def test_all_faults_are_told_at_once() -> None:
    assert refused(name="", currency="?", payment_due_days=-1) == [
        "name", "currency", "payment_due_days"]  # fmt: skip


@given(st.text(max_size=60))
def test_any_text_is_taken_or_refused_and_nothing_worse(text: str) -> None:
    for field in ("name", "email", "currency", "timezone", "country", "locale", "external_id"):
        try:
            checked = check_account(msgspec.structs.replace(GOOD, **{field: text}))
        except BadInput:
            continue
        assert "\x00" not in getattr(checked, field)


def test_an_external_id_can_not_pose_as_an_id_of_ours() -> None:
    assert is_external_id("acct_1", "usr_")
    assert not is_external_id("usr_1", "usr_")
    assert is_external_id(None, "usr_")


def test_an_email_is_kept_in_lower_case() -> None:
    assert clean_email("  Ann@Example.COM ") == "ann@example.com"
    with pytest.raises(BadInput):
        clean_email("nobody")


@pytest.mark.parametrize("scopes", [[], ["root"], ["billing:read", "x"]])
def test_unknown_scopes_and_none_at_all_are_refused(scopes: list[Any]) -> None:
    with pytest.raises(BadInput) as caught:
        check_scopes(scopes, None)
    assert caught.value.errors[0].field == "scopes"


def test_a_key_of_an_account_has_no_admin() -> None:
    check_scopes(["admin"], None)
    with pytest.raises(BadInput) as caught:
        check_scopes(["billing:read", "admin"], UUID(int=1))
    assert caught.value.errors[0].code == "admin_needs_installation"
