"""Payment methods in words."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from tallystick.console.method_views import is_expired, method_view
from tallystick.payments.model import PaymentMethod
from tallystick.payments.requests import Bank, Card

NOW = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)


def method(kind: str = "card", card: Card | None = None, bank: Bank | None = None) -> PaymentMethod:
    return PaymentMethod(
        account_id=UUID(int=1),
        payment_method_id=UUID(int=2),
        gateway="stripe" if card or bank else "manual",
        token="pm_secret",
        type=kind,
        card=card,
        bank=bank,
        priority=1,
        is_default=True,
        status="active",
        created_at=NOW,
    )


@pytest.mark.parametrize(
    ("shown", "name", "note"),
    [
        (
            method(card=Card("visa", "4242", 4, 2034)),
            "Visa ending in 4242",
            "Expires 04/2034 \u00b7 through Stripe",
        ),
        (
            method(card=Card("amex", "0005", 12, 2030)),
            "American Express ending in 0005",
            "Expires 12/2030 \u00b7 through Stripe",
        ),
        (method("bank", bank=Bank(None, "6789")), "Bank account ending in 6789", "through Stripe"),
        (method("bank_transfer"), "Bank transfer", "through Manual"),
    ],
)
def test_a_method_is_named_as_people_know_it(shown: PaymentMethod, name: str, note: str) -> None:
    view = method_view(shown, NOW)
    assert (view.name, view.note) == (name, note)


def test_the_token_of_the_gateway_stays_out() -> None:
    assert "pm_secret" not in repr(method_view(method(card=Card("visa", "4242", 4, 2034)), NOW))


def test_a_card_is_good_until_its_month_ends() -> None:
    assert not is_expired(Card("visa", "4242", 11, 2026), NOW)
    assert is_expired(Card("visa", "4242", 10, 2026), NOW)
    assert not is_expired(Card("visa", "4242", 1, 2027), NOW)
