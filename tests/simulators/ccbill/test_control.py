"""The control routes: every event on demand, faults on requests, setup, seeds and resets."""

import json

import httpx
import pytest

from tallystick.simulators.ccbill.config import KINDS
from tests.ccbill import CcbillSimulator, Json, Receiver, assert_error

NOW_OR_LATER = "2031-05-06"


def last(ccbill: CcbillSimulator) -> Json:
    event: Json = ccbill.look("events")[-1]
    return event


TRIGGERS: tuple[tuple[str, Json, list[str]], ...] = (
    ("renew", {}, ["RenewalSuccess"]),
    ("fail", {}, ["RenewalFailure"]),
    ("cancel", {}, ["Cancellation"]),
    ("expire", {}, ["Expiration"]),
    ("refund", {}, ["Refund", "Cancellation", "Expiration"]),
    ("refund", {"amount": "1.00", "ends": False}, ["Refund"]),
    ("void", {}, ["Void", "Cancellation", "Expiration"]),
    ("chargeback", {}, ["Chargeback"]),
    ("return", {}, ["Return"]),
    ("reactivate", {}, ["UserReactivation"]),
    ("change-date", {"next_renewal_date": NOW_OR_LATER}, ["BillingDateChange"]),
    ("update-customer", {"email": "b@example.com"}, ["CustomerDataUpdate"]),
    ("upgrade", {"initial_price": "20"}, ["UpgradeSuccess", "Cancellation"]),
    ("upgrade", {"failure_code": "BE-103"}, ["UpgradeFailure"]),
    ("cross-sale", {}, ["CrossSaleSuccess"]),
    ("cross-sale", {"failure_code": "BE-111"}, ["CrossSaleFailure"]),
    ("up-sale", {}, ["UpSaleSuccess"]),
    ("up-sale", {"failure_code": "BE-111"}, ["UpSaleFailure"]),
    ("new-sale", {}, ["NewSaleSuccess"]),
    ("new-sale", {"failure_code": "BE-111"}, ["NewSaleFailure"]),
)


@pytest.mark.parametrize(("name", "body", "kinds"), TRIGGERS)
def test_every_kind_of_event_can_be_asked_for(
    ccbill: CcbillSimulator, name: str, body: Json, kinds: list[str]
) -> None:
    sold = ccbill.subscribe(ccbill.token(), 18)
    ccbill.trigger(sold, name, **body)
    assert ccbill.told() == ["UpSaleSuccess", *kinds]
    for event in ccbill.look("events"):
        assert all(isinstance(value, str) for value in event["fields"].values())
        assert event["fields"]["clientSubacc"] == "0000"


def test_these_are_all_of_ccbills_events() -> None:
    assert {kind for _, _, kinds in TRIGGERS for kind in kinds} == set(KINDS)
    assert len(KINDS) == 19


def test_an_amount_and_a_charge_may_be_named(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token(), 18)
    ccbill.trigger(sold, "renew")
    ccbill.trigger(sold, "chargeback", amount="7.25", transaction_id=sold, reason="Fraud")
    told = last(ccbill)["fields"]
    assert (told["amount"], told["transactionId"], told["reason"]) == ("7.25", f"0{sold}", "Fraud")
    ccbill.trigger(sold, "refund", ends=False)
    assert last(ccbill)["fields"]["transactionId"] == f"0{ccbill.charges_made()[1]['id']}"


def test_a_returned_debit_lacks_what_cards_have(ccbill: CcbillSimulator) -> None:
    ccbill.trigger(ccbill.subscribe(ccbill.token()), "return")
    told = last(ccbill)["fields"]
    assert not {"cardType", "expDate", "currency"} & told.keys()
    assert told["currencyCode"] == "840"


def test_a_consumer_may_change_the_card(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token())
    ccbill.trigger(sold, "update-customer", card="5555555555554444", first_name="Anna")
    told = last(ccbill)["fields"]
    assert (told["last4"], told["cardType"], told["firstName"]) == ("4444", "MASTERCARD", "Anna")
    assert told["password"]


def test_a_changed_date_is_the_day_of_the_rebill(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token())
    ccbill.trigger(sold, "change-date", next_renewal_date=NOW_OR_LATER)
    ccbill.advance(days=31)
    assert ccbill.told()[-1] == "BillingDateChange"
    ccbill.advance(days=5000)
    kinds = {event["kind"]: event["fields"] for event in ccbill.look("events")[::-1]}
    assert kinds["RenewalSuccess"]["renewalDate"] == NOW_OR_LATER


def test_what_came_back_to_life_is_billed_again(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token())
    ccbill.trigger(sold, "expire")
    ccbill.trigger(sold, "reactivate")
    assert "timestamp" not in last(ccbill)["fields"]
    ccbill.advance(days=31)
    assert ccbill.told()[-1] == "RenewalSuccess"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/_sim/subscriptions/1/renew", {}, 404),
        ("/_sim/subscriptions/{sold}/explode", {}, 404),
        ("/_sim/subscriptions/{sold}/fail", {"failure_code": "BE-1"}, 400),
        ("/_sim/subscriptions/{sold}/refund", {"amont": "1"}, 400),
        ("/_sim/subscriptions/{sold}/refund", {"transaction_id": "7"}, 400),
        ("/_sim/subscriptions/{sold}/refund", {"amount": "9" * 40}, 400),
        ("/_sim/subscriptions/{sold}/refund", {"amount": "1.001"}, 400),
        ("/_sim/subscriptions/{sold}/upgrade", {"initial_price": "-1"}, 400),
        ("/_sim/subscriptions/{sold}/update-customer", {"card": "4242424242424242"}, 400),
        ("/_sim/clock/advance", {"seconds": -1}, 400),
        ("/_sim/faults", {"action": "explode"}, 400),
        ("/_sim/nothing", {}, 404),
    ],
)
def test_a_wrong_wish_is_refused_and_changes_nothing(
    ccbill: CcbillSimulator, path: str, body: Json, status: int
) -> None:
    sold = ccbill.subscribe(ccbill.token())
    answer = ccbill.http.post(path.format(sold=sold), json=body)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert ccbill.told() == ["UpSaleSuccess"]


def test_a_page_can_not_control_it(ccbill: CcbillSimulator) -> None:
    asked = ccbill.http.post("/_sim/reset", content=b"{}", headers={"content-type": "text/plain"})
    assert asked.status_code == 415
    assert ccbill.http.get("/_sim/nothing").status_code == 404


@pytest.mark.parametrize(
    "setup",
    [
        {"salty": "x"},
        {"peers": ["everywhere"]},
        {"webhooks": [{"url": f"http://127.0.0.1/{n}"} for n in range(5)]},
        {"price_limits": {"*": ["a", "b"]}},
        {"webhook_retries_s": []},
        {"webhooks": [{"url": "http://127.0.0.1/", "events": ["Renewal"]}]},
    ],
    ids=lambda setup: str(setup)[:40],
)
def test_a_wrong_setup_is_refused_whole(ccbill: CcbillSimulator, setup: Json) -> None:
    before = ccbill.http.get("/_sim/config").json()
    assert ccbill.http.put("/_sim/config", json={"salt": "new", **setup}).status_code == 400
    assert ccbill.http.get("/_sim/config").json() == before
    assert ccbill.configure(price_limits={"*": [1, 2.5]})["price_limits"] == {"*": ["1", "2.5"]}


def test_faults_meet_requests(ccbill: CcbillSimulator) -> None:
    token = ccbill.token()
    path = f"/transactions/payment-tokens/{token}"
    charge = {"method": "POST", "path": "/transactions/*"}
    ccbill.fault("status", status=503, code=100100, **charge)
    assert_error(ccbill.charge(token), 503, 100100)
    ccbill.fault("drop", **charge)
    with pytest.raises(httpx.RemoteProtocolError):
        ccbill.charge(token)
    assert ccbill.charges(token) == []
    ccbill.fault("delay", delay_ms=1, **charge)
    assert ccbill.charge(token).status_code == 200
    ccbill.fault("drop_reply", **charge)
    with pytest.raises(httpx.RemoteProtocolError):
        ccbill.charge(token)
    ccbill.fault("timeout", delay_ms=10, **charge)
    with pytest.raises(httpx.RemoteProtocolError):
        ccbill.charge(token)
    ccbill.fault("status_after", code=100103, **charge)
    assert_error(ccbill.charge(token), 500, 100103)
    ccbill.fault("truncate", **charge)
    with pytest.raises(json.JSONDecodeError):
        ccbill.charge(token).json()
    assert len(ccbill.charges(token)) == 5
    seen = [one for one in ccbill.look("requests") if one["path"] == path]
    assert [one["fault"] for one in seen if one["method"] == "POST"] == [
        "status", "drop", "delay", "drop_reply", "timeout", "status_after", "truncate",
    ]  # fmt: skip


def test_faults_are_listed_counted_and_cleared(ccbill: CcbillSimulator) -> None:
    token = ccbill.token()
    ccbill.fault("status", path="/transactions/*", skip=1, times=2)
    assert [ccbill.charge(token).status_code for _ in range(4)] == [200, 500, 500, 200]
    ccbill.fault("status", path="/transactions/*", times=None)
    assert len(ccbill.look("faults")) == 1
    ccbill.http.delete("/_sim/faults")
    assert ccbill.charge(token).status_code == 200


def test_the_same_seed_gives_the_same_ids(ccbill: CcbillSimulator) -> None:
    def run() -> tuple[str, str]:
        token = ccbill.token()
        return token, ccbill.charge(token).json()["subscriptionId"]

    ccbill.reset(7)
    first = run()
    ccbill.reset(7)
    assert run() == first
    ccbill.reset()
    assert run() != first


def test_a_reset_forgets_all(ccbill: CcbillSimulator, receiver: Receiver) -> None:
    ccbill.notify(receiver.url)
    ccbill.charge(ccbill.token())
    receiver.wait(1)
    ccbill.advance(days=10)
    ccbill.reset()
    assert ccbill.look("events") == ccbill.look("tokens") == ccbill.look("requests") == []
    assert ccbill.http.get("/_sim/config").json()["webhooks"] == []
    assert abs(ccbill.http.get("/_sim/clock").json()["ahead_s"]) < 1
