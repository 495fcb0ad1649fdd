"""Webhooks: what they look like, and how they are sent, repeated, lost and turned about."""

import re

import pytest

from tests.ccbill import CcbillSimulator, Receiver


@pytest.fixture
def told(ccbill: CcbillSimulator, receiver: Receiver) -> Receiver:
    """A receiver that is told of everything, as JSON."""
    ccbill.notify(receiver.url)
    return receiver


def test_a_charge_of_a_token_is_an_up_sale(ccbill: CcbillSimulator, told: Receiver) -> None:
    extras = [{"name": "payment_id", "value": "pay_1"}]
    sold = ccbill.charge(ccbill.token(), 10.5, passThroughInfo=extras).json()["subscriptionId"]
    told.wait(1)
    (posted,) = told.posted
    assert posted.headers["content-type"] == "application/json"
    assert posted.query == {
        "clientAccnum": "900000",
        "clientSubacc": "0000",
        "eventType": "UpSaleSuccess",
        "eventGroupType": "Subscription",
    }
    fields = posted.fields
    assert "eventType" not in fields
    assert all(isinstance(value, str) for value in fields.values())
    assert fields["subscriptionId"] == fields["transactionId"] == f"0{sold}"
    assert len(fields["subscriptionId"]) == 19
    assert fields["clientSubacc"] == "0000"
    assert fields["payment_id"] == "pay_1"
    assert fields["billedInitialPrice"] == fields["subscriptionInitialPrice"] == "10.50"
    assert fields["accountingInitialPrice"] == "10.5"
    assert fields["source"] == "API"
    assert fields["password"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", fields["timestamp"])
    assert "nextRenewalDate" not in fields
    assert "accountingRecurringPrice" not in fields


def test_a_subscription_says_when_it_renews(ccbill: CcbillSimulator, told: Receiver) -> None:
    ccbill.subscribe(ccbill.token(), 18)
    told.wait(1)
    fields = told.posted[0].fields
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", fields["nextRenewalDate"])
    whole = "$18.00(USD) for 30 days then $18.00(USD) recurring every 30 days"
    assert fields["priceDescription"] == whole
    assert (fields["rebills"], fields["recurringPeriod"]) == ("99", "30")


def test_pass_through_may_come_back_with_a_prefix(ccbill: CcbillSimulator, told: Receiver) -> None:
    ccbill.configure(pass_through_prefix="X-")
    ccbill.charge(ccbill.token(), passThroughInfo=[{"name": "payment_id", "value": "7"}])
    told.wait(1)
    assert told.posted[0].fields["X-payment_id"] == "7"


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-encoded", "application/x-www-form-urlencoded"]
)
def test_a_form_says_the_same(ccbill: CcbillSimulator, receiver: Receiver, kind: str) -> None:
    ccbill.notify(receiver.url, format="form", content_type=kind)
    ccbill.charge(ccbill.token(), clientSubacc=12)
    receiver.wait(1)
    (posted,) = receiver.posted
    assert posted.headers["content-type"] == kind
    assert posted.query["clientSubacc"] == posted.fields["clientSubacc"] == "0012"
    assert posted.fields == ccbill.look("events")[0]["fields"]


def test_each_url_hears_of_its_own_events(ccbill: CcbillSimulator, receiver: Receiver) -> None:
    ccbill.configure(
        webhooks=[
            {"url": f"{receiver.url}?who=failures", "events": ["UpSaleFailure"]},
            {"url": f"{receiver.url}?who=five", "client_subacc": 5},
        ]
    )
    ccbill.charge(ccbill.token())
    ccbill.charge(ccbill.token(), clientSubacc=5)
    ccbill.charge(ccbill.token(), 66.51)
    receiver.wait(2)
    assert {(one.query["who"], one.kind) for one in receiver.posted} == {
        ("failures", "UpSaleFailure"),
        ("five", "UpSaleSuccess"),
    }
    assert len(ccbill.look("deliveries")) == 2


def test_an_older_version_lacks_fields(ccbill: CcbillSimulator, receiver: Receiver) -> None:
    ccbill.notify(receiver.url, versions={"UpSaleSuccess": 1}, client_subacc=0)
    ccbill.configure(event_type_in_body=True, webhook_forwarded_for="64.38.212.9")
    ccbill.charge(ccbill.token())
    receiver.wait(1)
    (posted,) = receiver.posted
    assert "bin" not in posted.fields
    assert posted.fields["eventType"] == "UpSaleSuccess"
    assert posted.headers["x-forwarded-for"] == "64.38.212.9"


def test_it_is_told_again_until_a_200(ccbill: CcbillSimulator, told: Receiver) -> None:
    told.statuses = [500, 204, 200]
    ccbill.charge(ccbill.token())
    told.wait(1)
    (waiting,) = ccbill.look("deliveries")
    assert waiting["status"] == "pending"
    ccbill.advance(seconds=31)
    told.wait(2)
    ccbill.advance(minutes=6)
    told.wait(3)
    ccbill.advance(hours=2)
    (done,) = ccbill.until("deliveries", lambda found: found[0]["status"] == "delivered")
    assert [one["status_code"] for one in done["attempts"]] == [500, 204, 200]
    assert len(told.posted) == 3


def test_it_is_given_up_at_last(ccbill: CcbillSimulator, told: Receiver) -> None:
    ccbill.configure(webhook_retries_s=[0, 0])
    told.statuses = [500, 500]
    ccbill.charge(ccbill.token())
    told.wait(2)
    (delivery,) = ccbill.until("deliveries", lambda found: found[0]["status"] == "given_up")
    number = delivery["n"]
    assert ccbill.http.post(f"/_sim/deliveries/{number}/resend", json={}).status_code == 200
    told.wait(3)
    assert told.posted[2].body == told.posted[0].body
    assert ccbill.http.post("/_sim/deliveries/999/resend", json={}).status_code == 404


def test_the_webhook_may_come_before_the_reply(ccbill: CcbillSimulator, told: Receiver) -> None:
    ccbill.charge(ccbill.token(), 66.94)
    assert told.kinds() == ["UpSaleSuccess"]


def test_the_webhook_may_never_come(ccbill: CcbillSimulator, told: Receiver) -> None:
    ccbill.charge(ccbill.token(), 66.95)
    ccbill.charge(ccbill.token(), 10)
    told.wait(1)
    assert [one.fields["billedInitialPrice"] for one in told.posted] == ["10.00"]
    assert len(ccbill.told()) == 2


def test_the_webhook_may_come_three_times(ccbill: CcbillSimulator, told: Receiver) -> None:
    ccbill.charge(ccbill.token(), 66.96)
    told.wait(3)
    assert len({one.body for one in told.posted}) == 1


def test_the_webhook_may_tell_another_amount(ccbill: CcbillSimulator, told: Receiver) -> None:
    ccbill.charge(ccbill.token(), 66.97)
    told.wait(1)
    assert told.posted[0].fields["billedInitialPrice"] == "67.97"
    assert ccbill.charges_made()[0]["amount"] == "66.97"


def test_the_webhook_may_come_after_the_first_rebills(
    ccbill: CcbillSimulator, told: Receiver
) -> None:
    ccbill.subscribe(ccbill.token(), 66.98)
    assert ccbill.look("deliveries")[0]["status"] == "held"
    ccbill.advance(days=30, seconds=1)
    told.wait(2)
    assert told.kinds() == ["RenewalSuccess", "UpSaleSuccess"]


def test_faults_turn_webhooks_about(ccbill: CcbillSimulator, told: Receiver) -> None:
    def charge(price: int) -> None:
        ccbill.charge(ccbill.token(), price)

    ccbill.fault("reorder", event="UpSale*")
    charge(10)
    charge(11)
    told.wait(2)
    ccbill.fault("duplicate", copies=3)
    charge(12)
    told.wait(5)
    ccbill.fault("never")
    charge(13)
    ccbill.fault("late", delay_ms=60_000)
    charge(14)
    ccbill.fault("hold", times=2)
    charge(15)
    charge(16)
    ccbill.advance(seconds=61)
    told.wait(6)
    body = {"order": "reversed"}
    assert ccbill.http.post("/_sim/deliveries/release", json=body).json() == {"released": 2}
    told.wait(8)
    prices = [one.fields["billedInitialPrice"][:2] for one in told.posted]
    assert prices == ["11", "10", "12", "12", "12", "14", "16", "15"]
