"""Signatures, checked by the library that receivers use."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tallystick.outgoing_webhooks.signing import show_secret, signed_headers

OLD, NEW = b"o" * 32, b"n" * 32
BODY = b'{"type":"invoice.paid","data":{"name":"\xc3\xa9"}}'


@given(st.binary(min_size=24, max_size=64), st.text(min_size=1))
def test_the_receivers_library_takes_what_we_sign(secret: bytes, name: str) -> None:
    body = f'{{"name": "{name.encode().hex()}"}}'.encode()
    headers = dict(signed_headers("msg_1", body, [secret], datetime.now(UTC)))
    assert Webhook(show_secret(secret)).verify(body, headers)


@pytest.mark.parametrize("secret", [OLD, NEW], ids=["old", "new"])
def test_while_a_secret_is_rotated_both_are_good(secret: bytes) -> None:
    headers = dict(signed_headers("msg_1", BODY, [NEW, OLD], datetime.now(UTC)))
    assert Webhook(show_secret(secret)).verify(BODY, headers)
    assert headers["webhook-signature"].count("v1,") == 2


def test_another_secret_or_another_body_is_refused() -> None:
    headers = dict(signed_headers("msg_1", BODY, [NEW], datetime.now(UTC)))
    with pytest.raises(WebhookVerificationError):
        Webhook(show_secret(OLD)).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(show_secret(NEW)).verify(BODY + b" ", headers)
