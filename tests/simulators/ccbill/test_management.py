"""The subscription management service: its codes, as CSV and XML, and what follows of it."""

import csv
from typing import Any

import pytest

from tests.ccbill import CcbillSimulator

LOGIN = {"clientAccnum": "900000", "username": "simlink", "password": "simlink-secret"}
PATH = "/utils/subscriptionManagement.cgi"


def ask(ccbill: CcbillSimulator, action: str, **query: Any) -> str:
    """Ask, and return the code."""
    answer = ccbill.http.get(PATH, params={**LOGIN, "action": action, **query})
    assert answer.status_code == 200
    header, code = answer.text.splitlines()
    assert header == '"results"'
    return code.strip('"')


def columns(ccbill: CcbillSimulator, action: str, **query: Any) -> dict[str, str]:
    answer = ccbill.http.get(PATH, params={**LOGIN, "action": action, **query})
    (row,) = csv.DictReader(answer.text.splitlines())
    return row


def test_cancelling_lasts_until_what_is_paid_for_is_over(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token())
    assert ask(ccbill, "cancelSubscription", subscriptionId=sold) == "1"
    assert ask(ccbill, "cancelSubscription", subscriptionId=sold) == "0"
    assert ccbill.told() == ["UpSaleSuccess", "Cancellation"]
    ccbill.advance(days=31)
    assert ccbill.told() == ["UpSaleSuccess", "Cancellation", "Expiration"]
    assert len(ccbill.charges_made()) == 1


def test_the_status_is_told_in_columns(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token())
    ccbill.advance(days=31)
    told = columns(ccbill, "viewSubscriptionStatus", subscriptionId=f"0{sold}")
    signup = told.pop("signupDate")
    assert len(signup) == 8
    assert told == {
        "cancelDate": "",
        "chargebacksIssued": "0",
        "timesRebilled": "1",
        "expirationDate": "",
        "recurringSubscription": "1",
        "subscriptionStatus": "2",
        "refundsIssued": "0",
        "voidsIssued": "0",
    }
    ask(ccbill, "cancelSubscription", subscriptionId=sold)
    told = columns(ccbill, "viewSubscriptionStatus", subscriptionId=sold)
    assert told["subscriptionStatus"] == "1"
    assert told["cancelDate"] != ""


def test_the_answer_may_be_xml(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token())
    query = {**LOGIN, "returnXML": "1", "subscriptionId": sold}
    told = ccbill.http.get(PATH, params={**query, "action": "viewSubscriptionStatus"}).text
    assert "<subscriptionStatus>2</subscriptionStatus>" in told
    told = ccbill.http.get(PATH, params={**query, "action": "cancelSubscription"}).text
    assert told.split() == ["<?xml", "version='1.0'", "standalone='yes'?>", "<results>1</results>"]


def test_a_refund_cancels_and_expires_even_when_it_is_a_part(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token(), 18)
    assert ask(ccbill, "refundTransaction", subscriptionId=sold, amount="5.00") == "1"
    assert ccbill.told() == ["UpSaleSuccess", "Refund", "Cancellation", "Expiration"]
    refund = ccbill.look("events")[1]["fields"]
    assert (refund["amount"], refund["currencyCode"]) == ("5.00", "840")
    assert refund["transactionId"] == f"0{sold}"
    assert ask(ccbill, "refundTransaction", subscriptionId=sold, amount="13.01") == "-15"
    assert ask(ccbill, "refundTransaction", subscriptionId=sold, amount="13.00") == "1"
    ccbill.advance(days=60)
    assert len(ccbill.charges_made()) == 1


def test_a_refund_without_an_amount_is_of_the_whole(ccbill: CcbillSimulator) -> None:
    sold = ccbill.charge(ccbill.token(), 25).json()["subscriptionId"]
    assert ask(ccbill, "refundTransaction", subscriptionId=sold) == "1"
    assert ccbill.look("moves")[-1]["amount"] == "25.00"
    assert ask(ccbill, "refundTransaction", subscriptionId=sold) == "-15"


def test_a_charge_of_today_is_voided_whole(ccbill: CcbillSimulator) -> None:
    first = ccbill.charge(ccbill.token(), 25).json()["subscriptionId"]
    assert ask(ccbill, "voidOrRefundTransaction", subscriptionId=first, amount="5") == "1"
    assert (ccbill.look("moves")[-1]["kind"], ccbill.look("moves")[-1]["amount"]) == (
        "VOID",
        "25.00",
    )
    later = ccbill.charge(ccbill.token(), 25).json()["subscriptionId"]
    ccbill.advance(hours=25)
    assert ask(ccbill, "voidTransaction", subscriptionId=later) == "0"
    assert ask(ccbill, "voidOrRefundTransaction", subscriptionId=later, amount="5") == "1"
    assert ccbill.look("moves")[-1]["kind"] == "REFUND"
    assert ccbill.told()[-3:] == ["Refund", "Cancellation", "Expiration"]


def test_an_earlier_sale_is_charged_again(ccbill: CcbillSimulator) -> None:
    sold = ccbill.charge(ccbill.token(), 25).json()["subscriptionId"]
    terms = {"newClientAccnum": 900000, "newClientSubacc": 2, "initialPeriod": 30}
    asked = {**terms, "subscriptionId": sold, "initialPrice": "9.50"}
    told = columns(ccbill, "chargeByPreviousTransactionId", **asked)
    assert told["approved"] == "1"
    event = ccbill.look("events")[-1]
    assert event["kind"] == "UpSaleSuccess"
    assert event["fields"]["originalSubscriptionId"] == f"0{sold}"
    assert event["fields"]["subscriptionId"] == told["subscriptionId"]
    asked["initialPrice"] = "66.51"
    assert columns(ccbill, "chargeByPreviousTransactionId", **asked)["declineCode"] == "51"
    asked["initialPrice"] = "0.50"
    assert ask(ccbill, "chargeByPreviousTransactionId", **asked) == "-5"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"username": ""}, "-1"),
        ({"clientAccnum": "912345"}, "-1"),
        ({"clientSubacc": "0000"}, "-1"),
        ({"subscriptionId": ""}, "-2"),
        ({"subscriptionId": "abc"}, "-2"),
        ({"subscriptionId": "924313501000000999"}, "-3"),
        ({"usingSubacc": "7"}, "-4"),
        ({"action": "refundTransaction", "amount": "much"}, "-5"),
        ({"action": "refundTransaction", "amount": "-1"}, "-5"),
        ({"action": "deleteEverything"}, "-6"),
    ],
)
def test_each_refusal_has_its_code(
    ccbill: CcbillSimulator, query: dict[str, str], code: str
) -> None:
    sold = ccbill.subscribe(ccbill.token())
    asked = {"action": "cancelSubscription", "subscriptionId": sold, **query}
    assert ask(ccbill, **asked) == code
    assert ccbill.told() == ["UpSaleSuccess"]


def test_logins_and_setup_have_codes_too(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token())
    one_off = ccbill.charge(ccbill.token()).json()["subscriptionId"]

    def code(subscription: str = sold, **query: str) -> str:
        return ask(ccbill, "cancelSubscription", subscriptionId=subscription, **query)

    assert code(one_off) == "-2"
    ccbill.configure(peers=["198.51.100.0/24"])
    assert code() == "-8"
    user = {"username": "simlink", "password": "simlink-secret"}
    ccbill.configure(peers=None, datalink_users=[{**user, "active": False}])
    assert code() == "-9"
    ccbill.configure(datalink_users=[{**user, "actions": ["viewSubscriptionStatus"]}])
    assert code() == "-9"
    ccbill.configure(datalink_users=[])
    assert code() == "-10"
    ccbill.configure(datalink_users=[user])
    assert [code(password="x") for _ in range(4)] == ["-1", "-1", "-1", "-12"]
    assert code() == "-12"
    ccbill.advance(hours=1.1)
    assert code() == "1"


def test_an_internal_error_may_have_done_it_all_the_same(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token())
    ccbill.fault("status_after", path=PATH, code=-7)
    assert ask(ccbill, "cancelSubscription", subscriptionId=sold) == "-7"
    assert ccbill.told()[-1] == "Cancellation"
    ccbill.fault("status", path=PATH, status=503)
    query = {**LOGIN, "action": "cancelSubscription", "subscriptionId": sold}
    assert ccbill.http.get(PATH, params=query).status_code == 503
