"""CCBill's answers in our words: errors by (status, code), declines, numbers, DataLink's lines."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from tallystick.money.amount import Money
from tallystick.payments.declines import DECLINES
from tallystick.payments.gateways.ccbill import amounts, datalink_rows, declines, management
from tallystick.payments.gateways.ccbill.charging import outcome_of
from tallystick.payments.gateways.ccbill.client import Answer
from tallystick.payments.gateways.ccbill.datalink import charge_name
from tallystick.payments.gateways.ccbill.mountain import read_time, write_time
from tallystick.payments.gateways.ccbill.wire import number, plain_id
from tallystick.payments.outcomes import Declined, Outcome, Succeeded, Unknown
from tallystick.settings_ccbill import CcbillSettings

PRICE = Money(1800, "USD")
INVALID, BUSY = Declined("payment_request_invalid"), Declined("processing_error")
FAILED = Unknown("gateway_failed")


def answered(status: int, **body: object) -> Outcome:
    return outcome_of(Answer(status, json.dumps(body).encode()), PRICE)


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (400, 100100, INVALID), (500, 100100, FAILED), (400, 200000, INVALID),
        (400, 100102, Declined("payment_method_missing", hard=True)),
        (404, 100101, Declined("payment_method_missing", hard=True)),
        (400, 100106, INVALID), (500, 100106, FAILED), (500, 100103, FAILED),
        (500, 100107, INVALID), (500, 100109, INVALID), (500, 100110, BUSY), (500, 100111, BUSY),
        (500, 100113, Declined("authentication_failed")), (500, 987654, FAILED),
        (403, 100020, INVALID), (406, 100015, INVALID), (415, 100004, INVALID),
        (405, 130000, INVALID), (404, 130000, INVALID), (502, None, FAILED), (401, None, INVALID),
    ],
)  # fmt: skip
def test_errors_are_known_by_status_and_code(
    status: int, code: int | None, outcome: Outcome
) -> None:
    assert answered(status, errorCode=code) == outcome
    assert answered(status, errorCode=str(code)) == outcome


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({"approved": True, "subscriptionId": "925014201000000206"},
         Succeeded("925014201000000206", PRICE)),
        ({"approved": True, "subscriptionId": 925014201000000206},
         Succeeded("925014201000000206", PRICE)),
        ({"approved": "true", "subscriptionId": "0925014201000000206"},
         Succeeded("925014201000000206", PRICE)),
        ({"approved": False, "declineCode": 27}, BUSY),
        ({"approved": "false", "declineCode": "51"}, Declined("insufficient_funds")),
        ({"approved": False, "errorCode": 54}, Declined("expired_card", hard=True)),
        ({"approved": False, "declineCode": 12345}, Declined("card_declined")),
        ({"approved": None}, Unknown("unreadable_answer")),
        ({"approved": "maybe", "subscriptionId": "1"}, Unknown("unreadable_answer")),
        ({"approved": True, "subscriptionId": None}, Unknown("unreadable_answer")),
        ({"approved": True, "subscriptionId": "0"}, Unknown("unreadable_answer")),
        ({"approved": 1, "subscriptionId": "1"}, Unknown("unreadable_answer")),
    ],
)  # fmt: skip
def test_http_200_is_a_yes_only_with_an_id(body: dict[str, object], outcome: Outcome) -> None:
    assert answered(200, **body) == outcome


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"approved": true', b"\xff"])
def test_half_an_answer_says_nothing(body: bytes) -> None:
    assert outcome_of(Answer(200, body), PRICE) == Unknown("unreadable_answer")


def test_every_decline_has_words_for_customers() -> None:
    codes = [*declines.NUMBERS.values(), *declines.FAILURES.values()]
    assert {code for code, _ in codes} <= set(DECLINES)
    assert declines.of_failure("BE-103") == declines.of_failure("103") == Declined("card_declined")
    for odd in (None, "", "BE-", "BE-99999", "abc"):
        assert declines.of_failure(odd) == Declined("card_declined")


def test_ids_are_text_and_numbers_are_bounded() -> None:
    assert plain_id("0926005102000000049") == plain_id(926005102000000049) == "926005102000000049"
    for odd in (None, "", "0", "x1", "-1", "1.0", True, "\u0661"):
        assert plain_id(odd) is None
    assert (number("0000"), number(7), number("1" * 10), number(None)) == (0, 7, None, None)


def test_limits_count_inwards_in_minor_units() -> None:
    limits = (("USD", Decimal("2.95"), Decimal("100.00")), ("JPY", Decimal("300.5"), Decimal(9000)))
    found = amounts.limits_of(CcbillSettings(price_limits=limits))
    assert found == {"USD": (295, 10_000), "JPY": (301, 9000)}
    said = [amounts.refusal(Money(minor, "USD"), found) for minor in (294, 295, 10_000, 10_001)]
    assert said == ["amount_too_small", None, None, "amount_too_large"]
    assert amounts.refusal(Money(500, "CHF"), found) == "currency_not_supported"
    assert amounts.refusal(Money(1, "EUR"), found) is None


def test_mountain_time_knows_no_summer() -> None:
    for month in (1, 7):
        at = datetime(2026, month, 5, 14, 8, 52, tzinfo=UTC)
        assert write_time(at) == f"20260{month}05070852"
        assert read_time(f"2026-0{month}-05 07:08:52") == at == read_time(write_time(at))
    assert read_time("yesterday") is None
    assert read_time(None) is None


SALE = (
    '"NEW","900000","0000","0926005102000000049","2026-01-05 07:08:52","Ann","Lee","ann1",'
    '"hunter2","1 Main St","Tempe","AZ","85281","US","a@example.com","none","1","18.00","30",'
    '"18.00","30","99"'
)


def test_datalinks_lines_are_read_without_a_header_and_without_people() -> None:
    rows = (
        SALE,
        '"REBILL","900000","0000","0926005102000000049","20260204031109","092603510200777","18"',
        '"REFUND","900000","0000","0926005102000000049","2026-02-05 00:00:00","4.00"',
        '"EXPIRE","900000","0000","0926005102000000049","2026-03-06","2026-02-10","N"',
    )
    text = "\n".join(rows)
    lines = datalink_rows.read_extract(text)
    assert [line.kind for line in lines] == ["NEW", "REBILL", "REFUND", "EXPIRE"]
    moved = [Decimal("18.00"), Decimal(18), Decimal("4.00"), None]
    assert [line.amount for line in lines] == moved
    assert lines[0].at == datetime(2026, 1, 5, 14, 8, 52, tzinfo=UTC)
    assert charge_name(lines[1].subscription_id, lines[1].transaction_id) == (
        "926005102000000049/92603510200777"
    )
    assert "hunter2" not in repr(msgspec.to_builtins(lines))


@pytest.mark.parametrize("text", ["1", '"1"', "", "  1\n"])
def test_a_lonely_one_is_no_line(text: str) -> None:
    assert datalink_rows.read_extract(text) == ()


@pytest.mark.parametrize(
    "text",
    ["Error: bad", "Authentication failed.", "<html>", '"NEW","1"', SALE.replace("18.00", "x", 1)],
)
def test_what_is_no_extract_is_a_failure(text: str) -> None:
    with pytest.raises(datalink_rows.ExtractFailed):
        datalink_rows.read_extract(text)


def test_the_management_service_answers_numbers() -> None:
    said = {code: management.read_result(f'"results"\n"{code}"\n') for code in (1, 0, -3, -7, -12)}
    assert [one.value for one in said.values()] == [
        "done",
        "refused",
        "missing",
        "unknown",
        "later",
    ]
    for odd in ("", "1", '"results"', '"results"\n"99"', "<html>"):
        assert management.read_result(odd) is management.Said.UNKNOWN
    assert management.read_view('"results"\n"-3"\n') is None
