"""OAuth: two clients, each for its own half of the API."""

import pytest

from tests.ccbill import BACKEND, FRONTEND, VISA, CcbillSimulator, assert_error

PATH = "/ccbill-auth/oauth/token"


@pytest.mark.parametrize("client", [FRONTEND, BACKEND])
def test_each_client_gets_a_token_for_a_while(
    ccbill: CcbillSimulator, client: tuple[str, str]
) -> None:
    answer = ccbill.oauth(client)
    assert answer.status_code == 200
    told = answer.json()
    assert told["token_type"] == "bearer"
    assert told["expires_in"] == 3600
    assert told["access_token"] != ccbill.oauth(client).json()["access_token"]


def test_the_grant_may_stand_in_the_query(ccbill: CcbillSimulator) -> None:
    query = {"grant_type": "client_credentials"}
    assert ccbill.http.post(PATH, auth=BACKEND, params=query).status_code == 200


@pytest.mark.parametrize(
    "client", [("sim-backend", "wrong"), ("nobody", "sim-backend-secret"), ("", "")]
)
def test_a_bad_client_is_401(ccbill: CcbillSimulator, client: tuple[str, str]) -> None:
    answer = ccbill.oauth(client)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    ccbill.configure(oauth_error_body=False)
    assert ccbill.oauth(client).content == b""


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_another_grant_is_400(ccbill: CcbillSimulator, body: dict[str, str], error: str) -> None:
    answer = ccbill.http.post(PATH, auth=BACKEND, data=body)
    assert answer.status_code == 400
    assert answer.json()["error"] == error


def test_json_is_not_a_form(ccbill: CcbillSimulator) -> None:
    asked = {"grant_type": "client_credentials"}
    assert ccbill.http.post(PATH, auth=BACKEND, json=asked).status_code == 400


def test_a_page_of_another_origin_can_not_ask_for_one(ccbill: CcbillSimulator) -> None:
    origin = {"origin": "http://shop.example", "access-control-request-method": "POST"}
    asked = ccbill.http.request("OPTIONS", PATH, headers=origin)
    assert asked.status_code == 405
    answer = ccbill.http.post(
        PATH, auth=FRONTEND, data={"grant_type": "client_credentials"}, headers=origin
    )
    found = [name for name in (*asked.headers, *answer.headers) if "access-control" in name]
    assert found == []


def test_a_token_is_refused_when_its_time_is_over(ccbill: CcbillSimulator) -> None:
    token = ccbill.token()
    ccbill.configure(token_lifetime_s=60)
    assert ccbill.charge(token).status_code == 200
    old = {"authorization": f"Bearer {ccbill.bearer(BACKEND)}"}
    ccbill.advance(seconds=61)
    answer = ccbill.call("POST", f"/transactions/payment-tokens/{token}", headers=old, json={})
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_token"
    assert len(ccbill.charges_made()) == 1


def test_each_client_is_for_its_own_half(ccbill: CcbillSimulator) -> None:
    body = ccbill.token_body(VISA)
    made = ccbill.call("POST", "/payment-tokens/merchant-only", BACKEND, json=body)
    charged = ccbill.call(
        "POST",
        f"/transactions/payment-tokens/{ccbill.token()}",
        FRONTEND,
        json={"clientAccnum": 900000, "clientSubacc": 0, "initialPrice": 5, "initialPeriod": 2},
    )
    for answer in (made, charged):
        assert_error(answer, 403, 100020)
    assert ccbill.charges_made() == []
