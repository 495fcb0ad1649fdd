"""What staff see of a webhook's body."""

import msgspec
import pytest

from tallystick.webhooks.redaction import HIDDEN, readable


def test_secrets_are_hidden_however_deep() -> None:
    body = {
        "id": "evt_1",
        "data": {"object": {"client_secret": "pi_1_secret_2", "last4": "4242"}},
        "list": [{"apiKey": "k", "Password": "p", "access_token": "t", "cvc": None}],
    }
    assert readable(msgspec.json.encode(body)) == {
        "id": "evt_1",
        "data": {"object": {"client_secret": HIDDEN, "last4": "4242"}},
        "list": [{"apiKey": HIDDEN, "Password": HIDDEN, "access_token": HIDDEN, "cvc": None}],
    }


def test_a_form_is_shown_as_its_fields() -> None:
    form = b"transactionId=012&password=hunter2&email=a%40example.com&empty="
    assert readable(form) == {
        "transactionId": "012",
        "password": HIDDEN,
        "email": "a@example.com",
        "empty": "",
    }


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"no form at all", b"[" * 100_000])
def test_what_is_neither_is_not_shown(body: bytes) -> None:
    assert readable(body) is None
