"""Payment tokens: what makes one, what is refused and how, and how long they last."""

from typing import Any

import pytest

from tests.ccbill import (
    ACCNUM,
    BACKEND,
    CUSTOMER,
    FRONTEND,
    V1,
    V2,
    VISA,
    CcbillSimulator,
    Json,
    assert_error,
)

MAKE = "/payment-tokens/merchant-only"
VERIFY = "/payment-tokens/merchant-only-verify"
V3 = "application/vnd.mcn.transaction-service.api.v.3+json"


def card(**members: Any) -> Json:
    given = {"cardNum": VISA, "expMonth": "03", "expYear": "2040", "nameOnCard": "Ann Lee"}
    return {"paymentInfo": {"creditCardPaymentInfo": {**given, **members}}}


def customer(**members: Any) -> Json:
    return {"customerInfo": {**CUSTOMER, **members}}


def test_a_card_becomes_a_token_and_is_never_seen_again(ccbill: CcbillSimulator) -> None:
    answer = ccbill.call("POST", MAKE, FRONTEND, json=ccbill.token_body())
    assert answer.headers["content-type"] == V2
    made = answer.json()
    assert len(made.pop("paymentTokenId")) == 32
    assert len(made.pop("createdDatetime")) == len("2024-11-08T12:22:51")
    assert made == {
        "programParticipationId": None,
        "originalPaymentTokenId": None,
        "clientAccnum": ACCNUM,
        "clientSubacc": 0,
        "timeToLive": 2147483647,
        "validNumberOfUse": 2147483647,
        "subscriptionId": "0",
        "paymentInfoId": None,
    }
    assert VISA not in ccbill.http.get("/_sim/tokens").text


def test_a_token_is_read_by_both_clients(ccbill: CcbillSimulator) -> None:
    token = ccbill.token()
    for client in (FRONTEND, BACKEND):
        assert ccbill.call("GET", f"/payment-tokens/{token}", client).json()["clientSubacc"] == 0
    ccbill.accept = V3
    assert ccbill.call("GET", f"/payment-tokens/{token}").status_code == 200
    answer = ccbill.call("GET", f"/payment-tokens/{'0' * 32}")
    assert_error(answer, 404, 100101)


def test_ids_are_numbers_in_v1_and_text_in_v2(ccbill: CcbillSimulator) -> None:
    ccbill.accept = V1
    answer = ccbill.call("POST", MAKE, FRONTEND, json=ccbill.token_body())
    assert answer.headers["content-type"] == V1
    assert answer.json()["subscriptionId"] == 0


def test_verify_tells_what_the_bank_thinks(ccbill: CcbillSimulator) -> None:
    def ask(number: str, **members: Any) -> tuple[str, str]:
        body = ccbill.token_body(**card(**{"cardNum": number, "cvv2": "123", **members}))
        told = ccbill.call("POST", VERIFY, FRONTEND, json=body).json()
        return told["cvv2Response"], told["avsResponse"]

    assert ask(VISA) == ("M", "Y")
    assert ask(VISA, cvv2="999") == ("N", "Y")
    assert ask("4000000000000127") == ("N", "Y")
    answer = ccbill.call("POST", VERIFY, FRONTEND, json=ccbill.token_body(**card()))
    assert answer.json()["errors"] == [
        {"field": "paymentInfo.creditCardPaymentInfo.cvv2", "message": "Attribute required."}
    ]


def test_an_earlier_sale_becomes_a_token_without_a_card(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token())
    body = {"clientAccnum": ACCNUM, "clientSubacc": 0, "subscriptionId": f"0{sold}"}
    made = ccbill.call("POST", MAKE, FRONTEND, json=body).json()
    assert made["subscriptionId"] == sold
    assert ccbill.charge(made["paymentTokenId"]).json()["approved"] is True
    assert ccbill.look("events")[-1]["fields"]["originalSubscriptionId"] == f"0{sold}"
    body["subscriptionId"] = "924313501000000999"
    answer = ccbill.call("POST", MAKE, FRONTEND, json=body)
    assert answer.json()["errors"][0]["message"] == "Invalid Subscription ID."


@pytest.mark.parametrize(
    ("members", "field", "message"),
    [
        (card(cardNum="4242424242424241"), "cardNum", "Invalid credit card number."),
        (card(cardNum="4242424242424242"), "cardNum", "Invalid credit card number."),
        (card(expMonth="13"), "expMonth", "Problem with the attribute values."),
        (card(expYear="2001"), "expYear", "Invalid expiration year."),
        (card(nameOnCard="A"), "nameOnCard", "Problem with the attribute values."),
        (customer(email="ann"), "customerInfo.email", "Invalid email address."),
        (customer(zipcode="!"), "customerInfo.zipcode", "Invalid postal code."),
        (customer(customerFname="Zo\u00eb"), "customerFname", "Unsupported characters."),
        (customer(customerLname=None), "customerInfo.customerLname", "Attribute required."),
        (customer(address1="x" * 51), "customerInfo.address1", "Problem with attribute size."),
        ({"timeToLive": -1}, "timeToLive", "Problem with the attribute values."),
        ({"clientSubacc": "x"}, "clientSubacc", "Problem with the attribute data type."),
        ({"clientAccnum": None}, "clientAccnum", "Attribute required."),
        ({"subscriptionId": "x"}, "subscriptionId", "Invalid Subscription ID."),
        (
            {"customerInfo": None},
            "subscriptionId",
            "Customer and Payment Information required for zero Subscription ID.",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_field(
    ccbill: CcbillSimulator, members: Json, field: str, message: str
) -> None:
    answer = ccbill.call("POST", MAKE, FRONTEND, json=ccbill.token_body(**members))
    assert_error(answer, 400, 200000)
    assert answer.headers["content-type"] == "application/vnd.com.cwie.error.v1+json"
    told = answer.json()
    assert told["generalMessage"] == "Validation failed!"
    assert told["url"] == MAKE
    assert len(told["id"]) == 36
    assert told["timestamp"]
    (wrong,) = told["errors"]
    assert wrong["field"].endswith(field)
    assert wrong["message"] == message
    assert ccbill.look("tokens") == []


def test_another_merchant_or_an_inactive_sub_account_is_refused(ccbill: CcbillSimulator) -> None:
    body = ccbill.token_body(clientAccnum=912345)
    assert_error(ccbill.call("POST", MAKE, FRONTEND, json=body), 400, 100100)
    ccbill.configure(inactive_subaccs=[7])
    answer = ccbill.call("POST", MAKE, FRONTEND, json=ccbill.token_body(subacc=7))
    assert answer.json()["errors"][0]["message"] == "Program is Inactive."


def test_a_token_is_over_after_its_uses(ccbill: CcbillSimulator) -> None:
    token = ccbill.token(validNumberOfUse=2)
    assert [ccbill.charge(token).status_code for _ in range(3)] == [200, 200, 400]
    assert_error(ccbill.charge(token), 400, 100102)
    assert len(ccbill.charges(token)) == 2


def test_a_token_is_over_after_its_hours(ccbill: CcbillSimulator) -> None:
    token = ccbill.token(timeToLive=2)
    ccbill.advance(hours=1.9)
    assert ccbill.charge(token).status_code == 200
    ccbill.advance(hours=0.2)
    assert_error(ccbill.charge(token), 400, 100102)


def test_the_bank_may_want_to_be_asked(ccbill: CcbillSimulator) -> None:
    path = "/payment-tokens/threeds-required"
    query = {"clientAccnum": ACCNUM, "clientSubacc": 0, "currencyCode": "978"}
    for first6, last4, required in (("411111", "1111", False), ("400000", "3155", True)):
        asked = {**query, "bin": first6, "last4": last4}
        answer = ccbill.call(
            "GET", path, FRONTEND, params=asked, headers={"widget-version": "1.9.0"}
        )
        assert answer.json() == {"required": required, "amount": 0}
    token = ccbill.token("4000002500003155")
    asked_by_token = ccbill.call("GET", f"/payment-tokens/{token}/threeds-required")
    assert asked_by_token.json()["required"] is True
    answer = ccbill.call("GET", path, FRONTEND, params={**query, "bin": "4111"})
    assert [wrong["field"] for wrong in answer.json()["errors"]] == ["bin", "last4"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("POST", MAKE, {"accept": "application/json"}, 406, 100015),
        ("POST", MAKE, {"accept": V3}, 406, 100015),
        ("POST", MAKE, {"content-type": "text/plain"}, 415, 100004),
        ("PUT", MAKE, {}, 405, 130000),
        ("GET", "/ccbill-auth/oauth/token", {}, 405, 130000),
        ("GET", "/transactions", {}, 404, 130000),
        ("POST", "/payment-tokens/target-client", {}, 405, 130000),
    ],
)
def test_a_request_that_is_not_understood_has_its_own_code(
    ccbill: CcbillSimulator,
    *,
    method: str,
    path: str,
    headers: dict[str, str],
    status: int,
    code: int,
) -> None:
    answer = ccbill.call(method, path, FRONTEND, headers=headers, content=b"{}")
    assert_error(answer, status, code)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"x"'])
def test_a_broken_body_is_a_400(ccbill: CcbillSimulator, body: bytes) -> None:
    kind = {"content-type": "application/json"}
    answer = ccbill.call("POST", MAKE, FRONTEND, headers=kind, content=body)
    assert_error(answer, 400, 200000)


def test_pages_may_make_tokens_but_never_charge(ccbill: CcbillSimulator) -> None:
    origin = {"origin": "http://shop.example"}
    asked = ccbill.http.request("OPTIONS", MAKE, headers=origin)
    assert asked.headers["access-control-allow-origin"] == "*"
    assert "authorization" in asked.headers["access-control-allow-headers"]
    made = ccbill.call("POST", MAKE, FRONTEND, json=ccbill.token_body(), headers=origin)
    assert made.headers["access-control-allow-origin"] == "*"
    refused = ccbill.call("POST", MAKE, FRONTEND, json={}, headers=origin)
    assert refused.headers["access-control-allow-origin"] == "*"
    charge = f"/transactions/payment-tokens/{made.json()['paymentTokenId']}"
    asked = ccbill.http.request("OPTIONS", charge, headers=origin)
    assert asked.status_code == 405
    assert "access-control-allow-origin" not in asked.headers
