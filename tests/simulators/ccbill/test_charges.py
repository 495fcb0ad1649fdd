"""Charges: approved, declined with HTTP 200, refused, unknown, and found again in the list."""

import re
from typing import Any

import httpx
import pytest

from tests.ccbill import ACCNUM, V1, CcbillSimulator, Json, assert_error

SCA = "4000002500003155"
PASSED = {
    "threedsEci": "05",
    "threedsStatus": "Y",
    "threedsSuccess": True,
    "threedsVersion": "2.2.0",
    "threedsDsTransId": "ds-1",
    "threedsAcsTransId": "acs-1",
    "threedsAuthenticationValue": "value",
    "threedsCardToken": "gjeoB5NdJ1r6p0dG",
}


def test_an_approved_charge_has_a_subscription_even_when_it_is_sold_once(
    ccbill: CcbillSimulator,
) -> None:
    told = ccbill.charge(ccbill.token(), "10.50").json()
    assert re.fullmatch(r"9\d{17}", told.pop("subscriptionId"))
    assert len(told.pop("paymentUniqueId")) == 22
    assert told == {
        "declineCode": None,
        "declineText": None,
        "denialId": None,
        "approved": True,
        "sessionId": None,
        "newPaymentTokenId": None,
    }
    (move,) = ccbill.charges_made()
    assert (move["amount"], move["currency"]) == ("10.50", "USD")


def test_v1_writes_the_subscription_as_a_number(ccbill: CcbillSimulator) -> None:
    token = ccbill.token()
    ccbill.accept = V1
    sold = ccbill.charge(token).json()["subscriptionId"]
    assert isinstance(sold, int)
    assert ccbill.charges(token)[0]["subscriptionId"] == sold


@pytest.mark.parametrize(
    ("number", "code", "text", "failure_code"),
    [
        ("4000000000000002", 5, "Do Not Honor", "BE-103"),
        ("4000000000009995", 51, "Insufficient Funds", "BE-111"),
        ("4000000000000069", 54, "Expired Card", "BE-122"),
        ("4000000000009987", 4, "Pick Up Card", "BE-102"),
        ("4000000000000119", 27, "System Error, Please Try Again", "BE-104"),
        (SCA, 57, "Transaction Not Permitted", "BE-105"),
    ],
)
def test_a_decline_is_http_200(
    ccbill: CcbillSimulator, number: str, code: int, text: str, failure_code: str
) -> None:
    token = ccbill.token(number)
    answer = ccbill.charge(token)
    assert answer.status_code == 200
    told = answer.json()
    assert isinstance(told.pop("denialId"), int)
    assert told == {
        "declineCode": code,
        "declineText": text,
        "approved": False,
        "paymentUniqueId": None,
        "sessionId": None,
        "newPaymentTokenId": None,
        "subscriptionId": None,
    }
    assert ccbill.charges_made() == ccbill.charges(token) == []
    (event,) = ccbill.look("events")
    assert event["kind"] == "UpSaleFailure"
    assert event["fields"]["failureCode"] == failure_code
    assert not {"subscriptionId", "last4", "bin", "expDate"} & event["fields"].keys()


def test_old_answers_have_text_where_new_ones_have_not(ccbill: CcbillSimulator) -> None:
    ccbill.configure(old_shapes=True)
    told = ccbill.charge(ccbill.token("4000000000000002")).json()
    assert told["approved"] == "false"
    assert isinstance(told["denialId"], str)


@pytest.mark.parametrize(("price", "code"), [(66.51, 51), ("66.05", 5), (66.27, 27)])
def test_exact_amounts_decline_too(ccbill: CcbillSimulator, price: object, code: int) -> None:
    assert ccbill.charge(ccbill.token(), price).json()["declineCode"] == code


@pytest.mark.parametrize("price", [66.52, 66, 66.06, 66.99])
def test_other_amounts_near_them_are_ordinary(ccbill: CcbillSimulator, price: object) -> None:
    assert ccbill.charge(ccbill.token(), price).json()["approved"] is True


@pytest.mark.parametrize(
    ("price", "status", "code", "charged"),
    [
        (66.90, 500, 100106, 0),
        (66.91, 500, 100103, 1),
        (66.93, 500, 100110, 0),
    ],
)
def test_after_an_error_the_list_tells_whether_it_was_charged(
    ccbill: CcbillSimulator, price: float, status: int, code: int, charged: int
) -> None:
    token = ccbill.token()
    assert_error(ccbill.charge(token, price), status, code)
    assert len(ccbill.charges(token)) == charged
    assert len(ccbill.told()) == charged


def test_a_reply_that_never_came_may_stand_for_a_charge(ccbill: CcbillSimulator) -> None:
    token = ccbill.token()
    ccbill.bearer(("sim-backend", "sim-backend-secret"))
    ccbill.http.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.ReadTimeout):
        ccbill.charge(token, 66.92)
    ccbill.http.timeout = httpx.Timeout(20)
    assert len(ccbill.charges(token)) == 1
    ccbill.configure(slow_reply_s=0)
    assert ccbill.charge(token, 66.92).json()["approved"] is True


@pytest.mark.parametrize(
    ("members", "field", "message"),
    [
        ({"initialPrice": None}, "initialPrice", "Attribute required."),
        ({"initialPrice": 2.94}, "initialPrice", "Must be 2.95 to 100.00 USD."),
        ({"initialPrice": 100.01}, "initialPrice", "Must be 2.95 to 100.00 USD."),
        ({"initialPrice": 10.005}, "initialPrice", "Problem with the attribute digit format."),
        ({"initialPrice": "ten"}, "initialPrice", "Problem with the attribute data type."),
        ({"initialPrice": True}, "initialPrice", "Problem with the attribute data type."),
        ({"initialPrice": "NaN"}, "initialPrice", "Problem with the attribute data type."),
        ({"initialPeriod": 1}, "initialPeriod", "Must be 2 to 365 days."),
        ({"initialPeriod": 366}, "initialPeriod", "Must be 2 to 365 days."),
        ({"initialPeriod": None}, "initialPeriod", "Attribute required."),
        ({"recurringPeriod": 31, "recurringPrice": 5}, "recurringPeriod", "one of 30, 60, 90"),
        ({"recurringPeriod": 30}, "recurringPrice", "Attribute required."),
        ({"recurringPrice": 5}, "recurringPeriod", "Attribute required."),
        ({"recurringPeriod": 30, "recurringPrice": 1}, "recurringPrice", "Must be 2.95"),
        ({"currencyCode": 999}, "currencyCode", "Problem with the attribute values."),
        ({"passThroughInfo": {}}, "passThroughInfo", "Problem with the attribute data type."),
        ({"passThroughInfo": [1]}, "passThroughInfo[0]", "Problem with the attribute data type."),
    ],
)
def test_prices_and_periods_out_of_range_charge_nothing(
    ccbill: CcbillSimulator, members: Json, field: str, message: str
) -> None:
    token = ccbill.token()
    answer = ccbill.charge(token, **{"price": 10, **members})
    assert_error(answer, 400, 200000)
    (wrong,) = answer.json()["errors"]
    assert wrong["field"] == field
    assert message in wrong["message"]
    assert ccbill.told() == []


def test_limits_are_the_merchants_own(ccbill: CcbillSimulator) -> None:
    ccbill.configure(
        price_limits={"*": ["1.00", "500.00"]}, initial_period_min=1, recurring_periods=[31]
    )
    recurring = {"recurringPrice": 499, "recurringPeriod": 31, "rebills": 99, "initialPeriod": 1}
    assert ccbill.charge(ccbill.token(), 499.99, **recurring).json()["approved"] is True


@pytest.mark.parametrize(
    ("code", "price", "written"),
    [(36, "7.5", "7.50"), ("036", 7.5, "7.50"), ("392", 1500, "1500.00"), (978, 9, "9.00")],
)
def test_currencies_come_as_numbers_or_text(
    ccbill: CcbillSimulator, code: object, price: object, written: str
) -> None:
    assert ccbill.charge(ccbill.token(), price, currencyCode=code).json()["approved"] is True
    fields = ccbill.look("events")[0]["fields"]
    assert fields["billedInitialPrice"] == written
    assert fields["billedCurrencyCode"] == str(code).rjust(3, "0")
    assert fields["accountingCurrencyCode"] == "840"


def test_yen_may_come_without_decimals(ccbill: CcbillSimulator) -> None:
    ccbill.configure(yen_decimals=False)
    ccbill.charge(ccbill.token(), 1500, currencyCode="392")
    assert ccbill.look("events")[0]["fields"]["billedInitialPrice"] == "1500"


def test_a_new_token_may_come_with_the_charge(ccbill: CcbillSimulator) -> None:
    token = ccbill.token(validNumberOfUse=1)
    fresh = ccbill.charge(token, createNewPaymentToken=True).json()["newPaymentTokenId"]
    assert fresh != token
    read = ccbill.call("GET", f"/payment-tokens/{fresh}").json()
    assert read["originalPaymentTokenId"] == token
    assert ccbill.charge(fresh).json()["approved"] is True


def test_the_list_has_one_line_for_each_charge(ccbill: CcbillSimulator) -> None:
    token = ccbill.token()
    first = ccbill.charge(token).json()["subscriptionId"]
    second = ccbill.charge(token, clientSubacc=3).json()["subscriptionId"]
    ccbill.charge(token, 66.51)
    ccbill.charge(ccbill.token())
    line = {"clientAccnum": ACCNUM, "clientSubacc": 0, "subscriptionId": first}
    other = {**line, "clientSubacc": 3, "subscriptionId": second}
    assert ccbill.charges(token) == [line, other]
    assert ccbill.charges(token, clientSubacc=3) == [other]
    path = f"/transactions/payment-tokens/{'0' * 32}"
    answer = ccbill.call("GET", path, params={"clientAccnum": ACCNUM})
    assert_error(answer, 404, 100101)


def test_the_banks_check_opens_the_threeds_endpoint(ccbill: CcbillSimulator) -> None:
    token = ccbill.token(SCA)
    told = ccbill.charge(token, threeds={**PASSED, "threedsAmount": 10.5}).json()
    assert told["approved"] is True
    (event,) = ccbill.look("events")
    assert event["fields"]["threeDSecure"] == "AUTH_SUCCESS"


@pytest.mark.parametrize(
    "change",
    [
        {"threedsStatus": "N", "threedsSuccess": False},
        {"threedsError": "timeout"},
    ],
)
def test_a_check_that_failed_is_declined(ccbill: CcbillSimulator, change: Json) -> None:
    told = ccbill.charge(ccbill.token(SCA), threeds={**PASSED, **change}).json()
    assert told["declineCode"] == 57


def without(*names: str) -> Json:
    return {name: value for name, value in PASSED.items() if name not in names}


@pytest.mark.parametrize(
    ("threeds", "field"),
    [
        ({}, None),
        ({**PASSED, "threedsEci": "3"}, "threedsEci"),
        ({**PASSED, "threedsCardToken": "x" * 17}, "threedsCardToken"),
        ({**PASSED, "threedsVersion": "3.0.0"}, "threedsVersion"),
        ({**PASSED, "threedsAmount": 11}, "threedsAmount"),
        (without("threedsDsTransId"), "threedsDsTransId"),
        ({**PASSED, "threedsVersion": "1.0.2", "threedsXid": "x", "threedsCavv": "c"},
         "threedsCavvAlgorithm"),
    ],
)  # fmt: skip
def test_results_of_the_check_must_hold_together(
    ccbill: CcbillSimulator, threeds: Json, field: str | None
) -> None:
    answer = ccbill.charge(ccbill.token(SCA), threeds=threeds)
    assert_error(answer, 400, 200000)
    assert [wrong["field"] for wrong in answer.json()["errors"]] == [field]
    assert ccbill.charges_made() == []


def test_a_charge_needs_datalink_and_an_address_that_is_allowed(ccbill: CcbillSimulator) -> None:
    token = ccbill.token()
    ccbill.configure(peers=["198.51.100.0/24"])
    assert_error(ccbill.charge(token), 500, 100107)
    path = f"/transactions/payment-tokens/{token}"
    body = {"clientAccnum": ACCNUM, "clientSubacc": 0, "initialPrice": 5, "initialPeriod": 2}
    sent: Any = {"json": body, "headers": {"x-sim-peer": "198.51.100.9"}}
    assert ccbill.call("POST", path, **sent).status_code == 200
    ccbill.configure(peers=None, datalink_users=[])
    assert_error(ccbill.charge(token), 500, 100106)
    user = {"username": "u", "password": "p", "active": False}
    ccbill.configure(datalink_users=[user])
    assert_error(ccbill.charge(token), 500, 100108)
