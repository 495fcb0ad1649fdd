"""Time: rebills, failures with their retries, expirations and chargebacks, each in its turn."""

from datetime import date, timedelta

from tests.ccbill import CcbillSimulator, Json


def fields(ccbill: CcbillSimulator, kind: str) -> list[Json]:
    return [event["fields"] for event in ccbill.look("events") if event["kind"] == kind]


def test_a_subscription_is_billed_again_on_its_days(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token(), 18, initialPrice=5, initialPeriod=7)
    promised = fields(ccbill, "UpSaleSuccess")[0]["nextRenewalDate"]
    ccbill.advance(days=7 + 30 + 30, seconds=1)
    renewals = fields(ccbill, "RenewalSuccess")
    days = [date.fromisoformat(one["renewalDate"]) for one in renewals]
    assert f"{days[0]:%Y-%m-%d}" == promised
    assert [day - days[0] for day in days] == [timedelta(days=n) for n in (0, 30, 60)]
    first = renewals[0]
    assert first["subscriptionId"] == f"0{sold}"
    assert first["transactionId"] not in (f"0{sold}", renewals[1]["transactionId"])
    assert (first["billedAmount"], first["billedCurrencyCode"]) == ("18.00", "840")
    assert first["nextRenewalDate"] == renewals[1]["renewalDate"]
    assert first["timestamp"].startswith(first["renewalDate"])
    assert "bin" not in first
    assert [one["amount"] for one in ccbill.charges_made()] == ["5.00", "18.00", "18.00", "18.00"]


def test_a_renewals_day_may_have_a_time(ccbill: CcbillSimulator) -> None:
    ccbill.configure(renewal_times=True)
    ccbill.subscribe(ccbill.token())
    ccbill.advance(days=31)
    (renewal,) = fields(ccbill, "RenewalSuccess")
    assert renewal["renewalDate"] == renewal["timestamp"]


def test_it_ends_after_its_last_rebill(ccbill: CcbillSimulator) -> None:
    ccbill.subscribe(ccbill.token(), rebills=2)
    ccbill.advance(days=300)
    assert ccbill.told()[1:] == ["RenewalSuccess", "RenewalSuccess", "Expiration"]
    assert "nextRenewalDate" not in fields(ccbill, "RenewalSuccess")[-1]


def test_what_is_sold_once_expires_after_its_period(ccbill: CcbillSimulator) -> None:
    ccbill.charge(ccbill.token())
    ccbill.advance(days=29)
    assert ccbill.told() == ["UpSaleSuccess"]
    ccbill.advance(days=2)
    assert ccbill.told() == ["UpSaleSuccess", "Expiration"]


def test_a_lifetime_never_expires(ccbill: CcbillSimulator) -> None:
    ccbill.charge(ccbill.token(), lifeTimeSubscription=True)
    assert fields(ccbill, "UpSaleSuccess")[0]["lifeTimePrice"] == "10.50"
    ccbill.advance(days=4000)
    assert ccbill.told() == ["UpSaleSuccess"]


def test_a_failed_rebill_is_tried_again_and_expires_at_last(ccbill: CcbillSimulator) -> None:
    ccbill.configure(rebill_retry_days=[1, 3])
    ccbill.subscribe(ccbill.token("4000000000000341"))
    ccbill.advance(days=40)
    assert ccbill.told()[1:] == ["RenewalFailure"] * 3 + ["Expiration"]
    failures = fields(ccbill, "RenewalFailure")
    assert failures[0]["failureCode"] == "BE-103"
    assert failures[0]["nextRetryDate"] == failures[1]["renewalDate"]
    assert failures[1]["nextRetryDate"] == failures[2]["renewalDate"]
    assert "nextRetryDate" not in failures[2]
    assert not {"billedAmount", "amount"} & failures[0].keys()
    assert len(ccbill.charges_made()) == 1


def test_a_retry_may_succeed(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token())
    ccbill.trigger(sold, "fail", failure_code="BE-111")
    ccbill.advance(days=1, seconds=1)
    assert ccbill.told()[1:] == ["RenewalFailure", "RenewalSuccess"]
    assert fields(ccbill, "RenewalFailure")[0]["failureReason"] == "Insufficient Funds"


def test_a_dispute_comes_two_days_later(ccbill: CcbillSimulator) -> None:
    sold = ccbill.charge(ccbill.token("4000000000000259"), 20).json()["subscriptionId"]
    ccbill.advance(days=1.9)
    assert ccbill.told() == ["UpSaleSuccess"]
    ccbill.advance(days=0.2)
    told = fields(ccbill, "Chargeback")[0]
    assert (told["amount"], told["transactionId"]) == ("20.00", f"0{sold}")
    assert told["reason"].startswith("Charged Back on ")
    assert told["last4"] == "0259"


def test_all_that_is_due_happens_in_order(ccbill: CcbillSimulator) -> None:
    for price in (10, 11, 12):
        ccbill.subscribe(ccbill.token(), price)
        ccbill.advance(days=1)
    ccbill.advance(days=60)
    renewals = fields(ccbill, "RenewalSuccess")
    assert [one["billedAmount"][:2] for one in renewals] == ["10", "11", "12", "10", "11", "12"]
    stamps = [one["timestamp"] for one in renewals]
    assert stamps == sorted(stamps)
