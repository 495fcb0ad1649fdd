"""CCBill's webhooks: three forms, one event; who may send them; what is never kept."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from tallystick.api.peers import peer_of
from tallystick.kernel.errors import BadInput
from tallystick.money.amount import Money
from tallystick.payments.facts import (
    BadSignature,
    ChargeReported,
    ChargeReturned,
    ChargeSeen,
    Delivery,
    DisputeReported,
    Fact,
    Ignored,
    Receipt,
    RefundReported,
    RenewalFailed,
    RenewalMoved,
    SubscriptionCanceled,
    SubscriptionEnded,
    SubscriptionRenewed,
)
from tallystick.payments.gateways.ccbill.deliveries import receipt_of
from tallystick.payments.gateways.ccbill.events import KINDS, read_event
from tallystick.payments.outcomes import Declined, Succeeded
from tallystick.settings_ccbill import CcbillSettings

OURS = CcbillSettings(backend_id="b", backend_secret="s", accnum=999999)
ENFORCED = CcbillSettings(
    backend_id="b", backend_secret="s", accnum=999999, webhook_ip_enforce=True
)
ACCOUNT, ATTEMPT = UUID(int=1), UUID(int=2)
SUB = "926005102000000049"
HEAD = {
    "subscriptionId": f"0{SUB}", "clientAccnum": "999999", "clientSubacc": "0000",
    "timestamp": "2026-01-05 07:08:52",
}  # fmt: skip
SALE = {
    **HEAD,
    "transactionId": f"0{SUB}", "billedInitialPrice": "18.00", "billedCurrencyCode": "840",
    "billedCurrency": "USD", "accountingInitialPrice": "18.0", "accountingCurrencyCode": "840",
    "subscriptionInitialPrice": "18.00", "subscriptionCurrencyCode": "840", "username": "ann1",
    "password": "hunter2", "initialPrice": "99.00",
    "X-tallystick_account": str(ACCOUNT), "X-tallystick_attempt": str(ATTEMPT),
}  # fmt: skip
REFUSED = {
    **{name: value for name, value in SALE.items() if name != "subscriptionId"},
    "failureCode": "BE-103", "failureReason": "Do Not Honor",
}  # fmt: skip
BACK = {
    **HEAD,
    "transactionId": f"0{SUB}", "amount": "18.00", "currency": "USD", "currencyCode": "840",
    "billedAmount": "77.00", "accountingAmount": "18.00", "accountingCurrencyCode": "840",
    "reason": "Charged Back on 03/01/2026",
}  # fmt: skip
RENEWED = {
    **HEAD,
    "transactionId": "0926035102000000777", "billedAmount": "18.00", "billedCurrencyCode": "840",
    "accountingAmount": "18.00", "accountingCurrencyCode": "840",
    "renewalDate": "2026-02-04", "nextRenewalDate": "2026-03-06",
}  # fmt: skip
NOT_RENEWED = {
    **HEAD,
    "transactionId": "0926035102000000778", "renewalDate": "2026-02-04 03:11:09",
    "nextRetryDate": "2026-02-05", "failureCode": "BE-111",
}  # fmt: skip
CHARGED = Succeeded(SUB, Money(1800, "USD"))


def delivery(kind: str | None, fields: dict[str, Any], form: str = "json", **more: Any) -> Delivery:
    query = {"clientAccnum": "999999", "clientSubacc": "0000", "eventGroupType": "Subscription"}
    if kind is not None:
        query["eventType"] = kind
    is_json = form == "json"
    body = json.dumps(fields).encode() if is_json else urlencode(fields).encode()
    content_type = "application/json" if is_json else f"application/x-www-form-{form}"
    values = {"body": body, "headers": {"Content-Type": content_type}, "query": query, **more}
    return Delivery(**values)


def receipt(kind: str, fields: dict[str, Any], form: str = "json", **more: Any) -> Receipt:
    return receipt_of(delivery(kind, fields, form, **more), OURS)


def fact(kind: str, fields: dict[str, Any]) -> Fact:
    return read_event(receipt(kind, fields).body).fact


def without(fields: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name not in names}


async def test_json_and_both_forms_are_one_event() -> None:
    forms = [receipt("UpSaleSuccess", SALE, form) for form in ("json", "urlencoded", "encoded")]
    assert len({one.event_id for one in forms}) == 1
    assert len({one.body for one in forms}) == 1
    assert all(one.is_exact for one in forms)


@pytest.mark.parametrize("kind", KINDS)
async def test_each_of_the_nineteen_events_is_read(kind: str) -> None:
    samples = {**SALE, **NOT_RENEWED, **RENEWED, **BACK, "nextRenewalDate": "2026-03-12"}
    told = fact(kind, samples)
    assert told != Ignored("unknown_kind")
    assert len(KINDS) == 19


async def test_what_each_event_means() -> None:
    told = {
        kind: fact(kind, fields)
        for kind, fields in {
            "UpSaleSuccess": SALE, "UpSaleFailure": REFUSED, "RenewalSuccess": RENEWED,
            "RenewalFailure": NOT_RENEWED, "Cancellation": HEAD, "Expiration": HEAD,
            "BillingDateChange": {**HEAD, "nextRenewalDate": "2026-03-20"}, "Refund": BACK,
            "Chargeback": BACK, "Void": BACK, "Return": without(BACK, "currency"),
            "UserReactivation": {**without(HEAD, "timestamp"), "nextRenewalDate": "2026-03-12"},
            "CustomerDataUpdate": HEAD, "SomethingNew": HEAD,
        }.items()
    }  # fmt: skip
    ours = (ACCOUNT, ATTEMPT, str(ACCOUNT))
    assert told["UpSaleSuccess"] == ChargeReported(*ours, CHARGED)
    assert told["UpSaleFailure"] == ChargeReported(*ours, Declined("card_declined"))
    assert told["RenewalSuccess"] == SubscriptionRenewed(
        SUB, f"{SUB}/926035102000000777", Money(1800, "USD"), mountain(2, 4), mountain(3, 6),
        Money(1800, "USD"),
    )  # fmt: skip
    retry = RenewalFailed(
        SUB, "insufficient_funds", datetime(2026, 2, 4, 10, 11, 9, tzinfo=UTC), mountain(2, 5)
    )
    assert told["RenewalFailure"] == retry
    at = datetime(2026, 1, 5, 14, 8, 52, tzinfo=UTC)
    assert told["Cancellation"] == SubscriptionCanceled(SUB, at)
    assert told["Expiration"] == SubscriptionEnded(SUB, at)
    assert told["BillingDateChange"] == RenewalMoved(SUB, mountain(3, 20))
    assert told["UserReactivation"] == RenewalMoved(SUB, mountain(3, 12))
    for kind, shape in {
        "Refund": RefundReported, "Void": RefundReported, "Chargeback": DisputeReported,
        "Return": ChargeReturned,
    }.items():  # fmt: skip
        back = told[kind]
        assert isinstance(back, shape)
        assert isinstance(back, RefundReported | DisputeReported | ChargeReturned)
        assert (back.charge_reference, back.amount) == (SUB, Money(1800, "USD"))
    assert told["CustomerDataUpdate"] == Ignored("kept_by_the_gateway")
    assert told["SomethingNew"] == Ignored("unknown_kind")


def mountain(month: int, day: int) -> datetime:
    """The first second of a day in Phoenix."""
    return datetime(2026, month, day, 7, tzinfo=UTC)


async def test_a_sale_without_ids_of_ours_is_found_by_its_subscription() -> None:
    bare = without(SALE, "X-tallystick_account", "X-tallystick_attempt")
    assert fact("NewSaleSuccess", bare) == ChargeSeen(SUB, CHARGED)
    plain = {**bare, "tallystick_account": str(ACCOUNT), "tallystick_attempt": str(ATTEMPT)}
    assert isinstance(fact("NewSaleSuccess", plain), ChargeReported)
    assert fact("NewSaleFailure", without(bare, "subscriptionId")) == Ignored(
        "refused_sale_of_nobody"
    )


@pytest.mark.parametrize("kind", ["CrossSaleSuccess", "UpgradeSuccess"])
async def test_a_sale_that_followed_another_does_not_pass_for_that_one(kind: str) -> None:
    other = {**SALE, "subscriptionId": "0926005102000000999", "originalSubscriptionId": f"0{SUB}"}
    assert isinstance(fact(kind, other), ChargeSeen)


@pytest.mark.parametrize(
    ("text", "code", "money"),
    [
        ("1500", "392", Money(1500, "JPY")),
        ("1500.00", "392", Money(1500, "JPY")),
        ("20.00", "036", Money(2000, "AUD")),
        ("20.00", "36", Money(2000, "AUD")),
        ("18.0", "978", Money(1800, "EUR")),
    ],
)
async def test_amounts_are_read_in_their_own_currency(text: str, code: str, money: Money) -> None:
    sale = without({**SALE, "billedInitialPrice": text, "billedCurrencyCode": code},
                   "subscriptionInitialPrice")  # fmt: skip
    told = fact("UpSaleSuccess", sale)
    assert isinstance(told, ChargeReported)
    assert told.outcome == Succeeded(SUB, money)


async def test_a_sale_billed_in_another_currency_counts_by_the_merchants_price() -> None:
    told = fact("UpSaleSuccess", {**SALE, "billedInitialPrice": "16.80",
                                  "billedCurrencyCode": "978"})  # fmt: skip
    assert isinstance(told, ChargeReported)
    assert told.outcome == CHARGED


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("UpSaleSuccess", without(SALE, "billedInitialPrice")),
        ("UpSaleSuccess", {**SALE, "billedInitialPrice": "18.005"}),
        ("UpSaleSuccess", {**SALE, "billedInitialPrice": "NaN"}),
        ("UpSaleSuccess", {**SALE, "billedInitialPrice": "-18.00"}),
        ("UpSaleSuccess", {**SALE, "billedInitialPrice": "1e999999"}),
        ("Refund", without(BACK, "amount")),
        ("Refund", {**BACK, "currencyCode": "999"}),
        ("RenewalSuccess", without(RENEWED, "billedAmount")),
        ("Expiration", without(HEAD, "subscriptionId")),
        ("BillingDateChange", HEAD),
    ],
)
async def test_what_is_missing_is_never_made_up(kind: str, fields: dict[str, str]) -> None:
    with pytest.raises(BadInput) as raised:
        fact(kind, fields)
    assert raised.value.code == "invalid_payload"


async def test_18_and_19_digits_and_zero_filled_accounts_are_the_same_event() -> None:
    short = {**SALE, "subscriptionId": SUB, "transactionId": SUB, "clientSubacc": "0"}
    assert receipt("UpSaleSuccess", short) == receipt("UpSaleSuccess", SALE)
    as_numbers = {**short, "subscriptionId": int(SUB), "clientAccnum": 999999}
    assert receipt("UpSaleSuccess", as_numbers) == receipt("UpSaleSuccess", SALE)


async def test_a_sale_and_its_chargeback_with_one_transaction_id_are_two() -> None:
    assert receipt("UpSaleSuccess", SALE).event_id != receipt("Chargeback", BACK).event_id
    later = {**BACK, "timestamp": "2026-01-05 07:08:53"}
    assert receipt("Refund", BACK).event_id != receipt("Refund", later).event_id


async def test_the_same_key_with_other_fields_is_another_body() -> None:
    first, second = receipt("Refund", BACK), receipt("Refund", {**BACK, "amount": "9.00"})
    assert first.event_id == second.event_id
    assert first.body != second.body


@pytest.mark.parametrize("form", ["json", "urlencoded"])
async def test_a_consumers_password_is_never_kept(form: str) -> None:
    body = receipt("UpSaleSuccess", {**SALE, "X-Password": "hunter2"}, form).body
    assert b"hunter2" not in body
    assert b"ann1" in body


async def test_the_type_stands_in_the_query_and_the_body_must_not_say_another() -> None:
    same = receipt_of(delivery("UpSaleSuccess", {**SALE, "eventType": "UpSaleSuccess"}), OURS)
    assert same == receipt("UpSaleSuccess", SALE)
    in_body = delivery(None, {**SALE, "eventType": "UpSaleSuccess"})
    assert receipt_of(in_body, OURS) == same
    for wrong in (
        delivery("UpSaleSuccess", {**SALE, "eventType": "Refund"}),
        delivery("UpSaleSuccess", {**SALE, "clientAccnum": "999998"}),
        delivery(None, SALE),
    ):
        with pytest.raises(BadInput) as raised:
            receipt_of(wrong, OURS)
        assert raised.value.code == "invalid_payload"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"[]", "application/json"),
        (b"{", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"\xff\xfe=1", "application/x-www-form-encoded"),
        (b"", "application/x-www-form-urlencoded"),
        (b"{}", "text/plain"),
        (b"{}", "multipart/form-data"),
        (b"&".join(b"a%d=1" % n for n in range(300)), "application/x-www-form-urlencoded"),
    ],
)
async def test_what_can_not_be_read_is_refused_with_400(body: bytes, content_type: str) -> None:
    sent = Delivery(body=body, headers={"content-type": content_type}, query={"eventType": "Void"})
    with pytest.raises(BadInput) as raised:
        receipt_of(sent, OURS)
    assert raised.value.code == "invalid_payload"


async def test_another_main_account_is_refused() -> None:
    sent = delivery("Void", {**BACK, "clientAccnum": "900001"})
    sent = Delivery(body=sent.body, headers=sent.headers, query={"eventType": "Void"})
    with pytest.raises(BadInput) as raised:
        receipt_of(sent, OURS)
    assert raised.value.code == "webhook_not_ours"


@pytest.mark.parametrize(
    ("peer", "is_in"),
    [
        ("64.38.212.1", True), ("64.38.215.254", True), ("64.38.240.9", True),
        ("64.38.241.77", True), ("::ffff:64.38.241.77", True), ("64.38.213.1", False),
        ("192.0.2.1", False), ("127.0.0.1", False), ("", False), (None, False), ("nobody", False),
    ],
)  # fmt: skip
async def test_only_ccbills_addresses_are_let_in_where_that_is_enforced(
    peer: str | None, *, is_in: bool
) -> None:
    sent = delivery("Void", BACK, peer=peer)
    assert receipt_of(sent, OURS).kind == "Void"
    if is_in:
        assert receipt_of(sent, ENFORCED).kind == "Void"
    else:
        with pytest.raises(BadSignature):
            receipt_of(sent, ENFORCED)


@pytest.mark.parametrize(
    ("host", "forwarded", "trusted", "peer"),
    [
        # Nobody is trusted: whoever connected it is, whatever he says.
        ("192.0.2.1", ["64.38.212.7"], [], "192.0.2.1"),
        # Our proxy adds who it saw, on the right; what stands left of that anybody may have sent.
        ("10.0.0.1", ["198.51.100.9"], ["10.0.0.0/8"], "198.51.100.9"),
        ("10.0.0.1", ["64.38.212.7, 198.51.100.9"], ["10.0.0.0/8"], "198.51.100.9"),
        ("10.0.0.1", ["64.38.212.7", "198.51.100.9"], ["10.0.0.0/8"], "198.51.100.9"),
        ("10.0.0.1", ["64.38.212.7, 10.0.0.2"], ["10.0.0.0/8"], "64.38.212.7"),
        # A trusted host that names nobody, or nonsense, is itself, or nobody.
        ("10.0.0.1", [], ["10.0.0.0/8"], "10.0.0.1"),
        ("10.0.0.1", ["64.38.212.7, unknown"], ["10.0.0.0/8"], None),
        ("10.0.0.1", [""], ["10.0.0.0/8"], None),
        ("::ffff:10.0.0.1", ["2001:db8::1"], ["10.0.0.0/8"], "2001:db8::1"),
        (None, ["64.38.212.7"], ["0.0.0.0/0"], None),
    ],
)
async def test_a_forged_forwarded_header_does_not_pass(
    host: str | None, forwarded: list[str], trusted: list[str], peer: str | None
) -> None:
    assert peer_of(host, forwarded, trusted) == peer
