import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from tallystick.accounts.tokens import (
    API_KEY_PREFIX,
    SESSION_PREFIX,
    csrf_matches,
    csrf_token,
    new_token,
    token_hash,
)
from tallystick.kernel.logs import HIDDEN, redact


def test_a_key_is_its_prefix_and_all_32_random_bytes() -> None:
    first = new_token(API_KEY_PREFIX, lambda count: bytes(range(count)))
    assert first == "tsk_aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq"
    assert first != new_token(API_KEY_PREFIX, lambda count: bytes(range(count))[:-1] + b"\x00")


def test_no_two_tokens_are_the_same() -> None:
    assert len({new_token(SESSION_PREFIX) for _ in range(1000)}) == 1000


def test_only_the_hash_of_a_token_is_kept() -> None:
    assert token_hash("tsk_x") == hashlib.sha256(b"tsk_x").digest()


def test_tokens_never_reach_the_logs() -> None:
    for prefix in (API_KEY_PREFIX, SESSION_PREFIX):
        assert redact(f"used {new_token(prefix)}") == f"used {HIDDEN}"


def test_the_csrf_token_is_bound_to_the_cookie() -> None:
    expected = hmac.new(b"tss_x", b"csrf", hashlib.sha256).hexdigest()
    assert csrf_token("tss_x") == expected
    assert csrf_matches("tss_x", expected)
    assert not csrf_matches("tss_y", expected)


@given(st.text(max_size=80))
def test_no_other_text_matches(given: str) -> None:
    assert not csrf_matches("tss_x", given)
    assert token_hash(given) != token_hash(f"{given}x")
