"""What docs/webhooks.md tells receivers to run takes what we sign, and nothing else."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tallystick.outgoing_webhooks.signing import show_secret, signed_headers

PAGE = Path(__file__).parents[3] / "docs" / "webhooks.md"
OLD, NEW, BODY = b"o" * 32, b"n" * 32, b'{"type":"invoice.paid"}'
IsGenuine = Callable[[str, Mapping[str, str], bytes], bool]


@pytest.fixture(scope="module")
def is_genuine() -> IsGenuine:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own page
    found: IsGenuine = names["is_genuine"]
    return found


def test_what_we_sign_is_taken_with_either_secret(is_genuine: IsGenuine) -> None:
    headers = signed_headers("msg_1", BODY, [NEW, OLD], datetime.now(UTC))
    assert is_genuine(show_secret(NEW), headers, BODY)
    assert is_genuine(show_secret(OLD), headers, BODY)


def test_another_secret_body_id_or_time_is_not(is_genuine: IsGenuine) -> None:
    now = datetime.now(UTC)
    headers = signed_headers("msg_1", BODY, [NEW], now)
    assert not is_genuine(show_secret(OLD), headers, BODY)
    assert not is_genuine(show_secret(NEW), headers, BODY + b" ")
    assert not is_genuine(show_secret(NEW), {**headers, "webhook-id": "msg_2"}, BODY)
    late = signed_headers("msg_1", BODY, [NEW], now - timedelta(minutes=6))
    assert not is_genuine(show_secret(NEW), late, BODY)
