"""Invoices by hand: drawn up, finalized, paid, voided, written off; and how they look."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import stripe

Json = dict[str, Any]
DAY = 24 * 3600


@pytest.fixture
def draft(client: stripe.StripeClient, customer: stripe.Customer) -> stripe.Invoice:
    """A draft of 15.00."""
    client.v1.invoice_items.create(
        {"customer": customer.id, "amount": 1500, "currency": "usd", "description": "Credits"}
    )
    return client.v1.invoices.create(
        {"customer": customer.id, "pending_invoice_items_behavior": "include"}
    )


def test_an_invoice_is_finalized_and_paid(
    client: stripe.StripeClient, draft: stripe.Invoice, save_card: Callable[[str], str]
) -> None:
    assert (draft.status, draft.total, draft.number) == ("draft", 1500, None)
    opened = client.v1.invoices.finalize_invoice(draft.id)
    assert opened.status == "open"
    assert str(opened.number).endswith("-0001")
    card = save_card("pm_card_visa")
    paid = client.v1.invoices.pay(draft.id, {"payment_method": card, "expand": ["payments"]})
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 1500, 0)
    assert paid.status_transitions.paid_at is not None
    (payment,) = client.v1.invoice_payments.list({"invoice": draft.id}).data
    assert (payment.status, payment.is_default) == ("paid", True)
    one = client.v1.invoice_payments.retrieve(payment.id, {"expand": ["payment.payment_intent"]})
    assert isinstance(one.payment.payment_intent, stripe.PaymentIntent)
    found = client.v1.invoice_payments.list(
        {"payment": {"type": "payment_intent", "payment_intent": one.payment.payment_intent.id}}
    )
    assert [payment.invoice for payment in found.data] == [draft.id]


def test_its_page_and_its_pdf_can_be_fetched(
    client: stripe.StripeClient, draft: stripe.Invoice
) -> None:
    opened = client.v1.invoices.finalize_invoice(draft.id)
    page = httpx.get(str(opened.hosted_invoice_url))
    assert "Credits" in page.text
    assert str(opened.number) in page.text
    pdf = httpx.get(str(opened.invoice_pdf))
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-")
    assert httpx.get(str(opened.invoice_pdf).replace("in_", "in_x")).status_code == 404


def test_an_open_invoice_is_voided_or_written_off(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    def opened() -> stripe.Invoice:
        made = client.v1.invoices.create({"customer": customer.id, "currency": "usd"})
        client.v1.invoice_items.create(
            {"customer": customer.id, "invoice": made.id, "amount": 700, "currency": "usd"}
        )
        return client.v1.invoices.finalize_invoice(made.id)

    first, second = opened(), opened()
    assert first.amount_due == 700
    with pytest.raises(stripe.CardError):
        client.v1.invoices.pay(first.id, {"payment_method": "pm_card_chargeDeclined"})
    assert client.v1.invoices.void_invoice(first.id).status == "void"
    (intent,) = client.v1.payment_intents.list({"customer": customer.id}).data
    assert intent.status == "canceled"
    assert client.v1.invoices.mark_uncollectible(second.id).status == "uncollectible"
    assert client.v1.invoices.pay(second.id, {"paid_out_of_band": True}).status == "paid"
    for act in (client.v1.invoices.void_invoice, client.v1.invoices.finalize_invoice):
        with pytest.raises(stripe.InvalidRequestError, match="void"):
            act(first.id)


def test_drafts_are_changed_sent_and_deleted(
    client: stripe.StripeClient, customer: stripe.Customer, draft: stripe.Invoice
) -> None:
    changed = client.v1.invoices.update(draft.id, {"metadata": {"a": "1"}, "description": "May"})
    assert changed.description == "May"
    assert client.v1.invoices.send_invoice(draft.id).status == "open"
    other = client.v1.invoices.create(
        {"customer": customer.id, "collection_method": "send_invoice", "days_until_due": 30}
    )
    assert other.due_date == other.created + 30 * DAY
    assert client.v1.invoices.delete(other.id).deleted
    listed = client.v1.invoices.list({"customer": customer.id, "status": "open"})
    assert [invoice.id for invoice in listed.data] == [draft.id]
    assert client.v1.invoices.line_items.list(draft.id).data[0].description == "Credits"
    assert client.v1.invoice_items.list({"pending": True}).data == []


def test_an_invoice_that_advances_by_itself_is_collected_in_an_hour(
    client: stripe.StripeClient,
    customer: stripe.Customer,
    save_card: Callable[[str], str],
    act: Callable[..., Json],
) -> None:
    card = save_card("pm_card_visa")
    client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": card}})
    client.v1.invoice_items.create({"customer": customer.id, "amount": 1500, "currency": "usd"})
    made = client.v1.invoices.create(
        {
            "customer": customer.id,
            "auto_advance": True,
            "pending_invoice_items_behavior": "include",
        }
    )
    act("clock", advance_seconds=3600)
    assert client.v1.invoices.retrieve(made.id).status == "paid"
