import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.ids import PREFIXES, show
from tallystick.kernel.logs import HIDDEN, configure_logs, redact


def with_check_digit(digits: str) -> str:
    """Return the digits and the one that makes their Luhn sum a multiple of ten."""
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[::-2]]
    total = sum(doubled) + sum(int(digit) for digit in digits[-2::-2])
    return f"{digits}{-total % 10}"


card_numbers = st.builds(
    lambda first, rest: with_check_digit(first + rest),
    st.sampled_from(["4", "51", "2221", "34", "36", "6011", "5018"]),
    st.text(alphabet="0123456789", min_size=11, max_size=14),
)
around = st.sampled_from(["", " ", "card ", "3 ", "2026-06-01 ", "=", '"', "number:"])


@pytest.mark.parametrize("secret", [
    "tsk_7gnul5caghmazoqclbychmbusnofweejojvhmdfrqtikyz4tura",
    "tss_7gnul5caghmazoqclbychmbusnofweejojvhmdfrqtikyz4tura",
    "sk_live_51H8abcdefghijkl", "sk_test_51H8abcdefghijkl", "rk_live_51H8abcdefghijkl",
    "whsec_abcdefghijkl", "pi_3abcDEF_secret_xyzXYZ123", "seti_1abcDEF_secret_xyzXYZ123",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "Bearer abc.def", "bearer abcdef",
])  # fmt: skip
def test_no_secret_passes_in_any_value(secret: str) -> None:
    words = secret.rsplit(maxsplit=1)[-1]
    for value in (secret, f"call with {secret} failed", [secret], ({"a": (secret,)},),
                  ValueError(secret), secret.encode()):  # fmt: skip
        assert words not in repr(redact(value))


@pytest.mark.parametrize("name", [
    "password", "new_password", "client_secret", "token", "payment_token", "Authorization",
    "Cookie", "api_key", "card_number", "cvc", "jwt_secret",
])  # fmt: skip
def test_a_field_named_after_a_secret_is_hidden_whole(name: str) -> None:
    assert redact({name: "short"}) == {name: HIDDEN}
    assert redact({"deep": [{name: 12}]}) == {"deep": [{name: HIDDEN}]}


def test_a_secret_field_of_a_struct_is_hidden() -> None:
    class Sample(msgspec.Struct):
        jwt_secret: str
        port: int

    assert redact(Sample("plain words", 80)) == {"jwt_secret": HIDDEN, "port": 80}


def test_the_password_of_a_database_address_is_hidden() -> None:
    text = str(redact("can not reach postgresql://tally:pa55word@db.example/books"))
    assert "pa55word" not in text
    assert "db.example/books" in text


@given(card_numbers, around, st.sampled_from(["", " ", ",", ".", '"', " declined"]))
def test_no_card_number_passes(number: str, before: str, after: str) -> None:
    assert number not in str(redact(f"{before}{number}{after}"))
    assert redact(int(number)) == HIDDEN


@pytest.mark.parametrize("number", [
    "4242 4242 4242 4242", "4242-4242-4242-4242", "3782 822463 10005", "paid 5 4242 4242 4242 4242",
])  # fmt: skip
def test_no_card_number_in_groups_passes(number: str) -> None:
    assert "4242 4242" not in str(redact(number))
    assert HIDDEN in str(redact(number))


@given(st.sampled_from(sorted(PREFIXES)), st.uuids(version=4))
def test_ids_pass(kind: str, value: UUID) -> None:
    for text in (show(kind, value), value, f"invoice {show(kind, value)} was paid"):
        assert redact(text) == text


@given(st.integers(-(10**12), 10**12), st.decimals(allow_nan=False, allow_infinity=False))
def test_amounts_pass(minor: int, quantity: Decimal) -> None:
    at = datetime(2026, 1, 31, 9, tzinfo=UTC)
    fields = {"amount_minor": minor, "quantity": quantity, "at": at, "ok": True, "none": None}
    assert redact(fields) == fields
    assert redact(f"{minor} minor units") == f"{minor} minor units"


def test_names_that_only_resemble_secrets_pass() -> None:
    for text in ("task_manager_started", "risk_score_computed", "api_key_id", "1700000000000"):
        assert redact(text) == text
    assert redact({"api_key_id": "key_1"}) == {"api_key_id": "key_1"}


@pytest.fixture
def untouched_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.usefixtures("untouched_logging")
def test_logs_are_json_lines_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(json=True)
    log = structlog.get_logger()
    log.info("account_made", account_id="acct_1", password="hunter22")
    try:
        int("postgresql://u:hunter22@host/db")
    except ValueError:
        log.exception("it_failed")
        logging.getLogger("library").exception("with tsk_hunter22hunter22")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["account_made", "it_failed", f"with {HIDDEN}"]
    assert lines[0]["account_id"] == "acct_1"
    assert "Traceback" in lines[1]["exception"]
    assert "hunter22" not in json.dumps(lines)
