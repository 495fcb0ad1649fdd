"""CCBill's own form: the digest of its link, the card typed in there, and what is told of it."""

import hashlib
from typing import Any

import httpx
import pytest

from tests.ccbill import CUSTOMER, VISA, CcbillSimulator, Receiver

PATH = "/wap-frontflex/flexforms/08db4ae9-0000-0000-0000-e0275cf91c00"
TERMS = {
    "initialPrice": "18.00",
    "initialPeriod": "30",
    "recurringPrice": "18.00",
    "recurringPeriod": "30",
    "numRebills": "99",
    "currencyCode": "840",
}


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def link(**members: str) -> dict[str, str]:
    """The parameters of a form, with their digest."""
    query = {"clientAccnum": "900000", "clientSubacc": "0", **TERMS, **members}
    digest = md5("".join(query[name] for name in TERMS) + "sim-salt")
    return {**query, "formDigest": digest}


def typed(number: str = VISA, **members: str) -> dict[str, str]:
    card = {"cardNum": number, "expMonth": "03", "expYear": "2040", "nameOnCard": "Ann Lee"}
    return {**CUSTOMER, **card, "cvv2": "123", **members}


def pay(ccbill: CcbillSimulator, number: str = VISA, **members: Any) -> httpx.Response:
    query = members.pop("query", None) or link()
    return ccbill.http.post(PATH, params=query, data=typed(number, **members))


def test_a_sale_of_a_form_is_a_new_sale(ccbill: CcbillSimulator, receiver: Receiver) -> None:
    ccbill.notify(receiver.url)
    query = link() | {"payment_id": "pay_9"}
    shown = ccbill.http.get(PATH, params=query)
    assert "$18.00(USD) for 30 days" in shown.text
    answer = pay(ccbill, query=query)
    assert "Thank you" in answer.text
    receiver.wait(1)
    (posted,) = receiver.posted
    assert posted.kind == "NewSaleSuccess"
    fields = posted.fields
    assert fields["X-payment_id"] == "pay_9"
    assert fields["flexId"] == PATH.rpartition("/")[2]
    assert not {"source", "originalSubscriptionId"} & fields.keys()
    text = f"{fields['subscriptionId']}1sim-salt"
    assert fields["dynamicPricingValidationDigest"] == md5(text)


def test_a_form_may_lead_back_to_the_merchant(ccbill: CcbillSimulator) -> None:
    ccbill.configure(approval_url="http://shop.example/ok?a=1", denial_url="http://shop.example/no")
    answer = pay(ccbill)
    assert answer.status_code == 303
    sold = ccbill.look("subscriptions")[0]["id"]
    assert answer.headers["location"] == f"http://shop.example/ok?a=1&subscription_id={sold}"
    denied = pay(ccbill, "4000000000009987")
    assert denied.headers["location"].startswith("http://shop.example/no?denialId=")


def test_a_soft_decline_may_be_tried_three_times(ccbill: CcbillSimulator) -> None:
    answers = [pay(ccbill, "4000000000009995", tries=str(tries)) for tries in range(3)]
    assert ["Pay with a card" in answer.text for answer in answers] == [True, True, False]
    assert 'name="tries" value="2"' in answers[1].text
    assert ccbill.told() == ["NewSaleFailure"] * 3
    fields = ccbill.look("events")[0]["fields"]
    text = f"{fields['transactionId']}0sim-salt"
    assert fields["dynamicPricingValidationDigest"] == md5(text)
    assert VISA not in answers[0].text


def test_a_hard_decline_is_the_end(ccbill: CcbillSimulator) -> None:
    assert "Pick Up Card" in pay(ccbill, "4000000000009987").text
    assert ccbill.told() == ["NewSaleFailure"]


def test_what_is_typed_wrong_is_told_on_the_form(ccbill: CcbillSimulator) -> None:
    answer = pay(ccbill, "4242424242424242", email="<b>")
    assert "Card number: Invalid credit card number." in answer.text
    assert "E-mail: Invalid email address." in answer.text
    assert "<b>" not in answer.text
    assert "4242" not in answer.text
    assert ccbill.told() == []


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (link() | {"initialPrice": "3.00"}, "Invalid digest."),
        (link() | {"formDigest": "\u00e9"}, "Invalid digest."),
        (link(initialPrice="1.00"), "initialPrice"),
        ({"clientAccnum": "900000"}, "clientSubacc"),
    ],
    ids=["changed", "strange", "cheap", "bare"],
)
def test_a_link_that_was_changed_sells_nothing(
    ccbill: CcbillSimulator, query: dict[str, str], says: str
) -> None:
    assert says in ccbill.http.get(PATH, params=query).text
    answer = pay(ccbill, query=query)
    assert answer.status_code == 400
    assert ccbill.told() == []
