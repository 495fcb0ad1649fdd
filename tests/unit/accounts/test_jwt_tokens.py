import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tallystick.accounts.jwt_tokens import JwtSettings, JwtVerifier
from tallystick.accounts.key_set import BODY_BYTES_MAX, FETCH_EVERY, FRESH, KeySet
from tallystick.kernel.errors import NotSignedIn, SetupError, Unavailable

SECRET = "0123456789abcdef" * 4  # long enough for HS512 too
SHARED = JwtSettings(secret=SECRET, issuer="https://id.example", audience="billing")
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Issuer(Protocol):
    """The server of conftest.py."""

    url: str
    status: int
    body: bytes
    headers: dict[str, str]
    asked_count: int

    def close(self) -> None: ...


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 6, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


def claims(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    whole = {
        "sub": "user-1", "iss": "https://id.example", "aud": "billing", "iat": now,
        "exp": now + timedelta(minutes=5),
    } | changes  # fmt: skip
    return {name: value for name, value in whole.items() if value is not None}


def signed(
    key: Any = SECRET, algorithm: str = "HS256", kid: str | None = None, **changes: Any
) -> str:
    headers = {"kid": kid} if kid else None
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers)


def published(*keys: tuple[str | None, PrivateKey], **extra: str) -> bytes:
    listed = []
    for kid, key in keys:
        kind: Any = jwt.algorithms.RSAAlgorithm
        if isinstance(key, ec.EllipticCurvePrivateKey):
            kind = jwt.algorithms.ECAlgorithm
        data = json.loads(kind.to_jwk(key.public_key())) | extra
        data.pop("key_ops", None)
        listed.append(data | ({"kid": kid} if kid else {}))
    return json.dumps({"keys": listed}).encode()


def by_url(issuer: Issuer, http: httpx.AsyncClient, clock: Hands | None = None) -> JwtVerifier:
    settings = JwtSettings(jwks_url=issuer.url, issuer="https://id.example", audience="billing")
    return JwtVerifier(settings, KeySet(issuer.url, http, clock or Hands()))


async def refused(verifier: JwtVerifier, token: str) -> bool:
    with pytest.raises(NotSignedIn) as caught:
        await verifier.subject(token)
    return caught.value.code == "invalid_token"


async def test_a_good_token_names_its_subject() -> None:
    assert await JwtVerifier(SHARED).subject(signed()) == "user-1"
    assert await JwtVerifier(SHARED).subject(signed(aud=["other", "billing"])) == "user-1"


@pytest.mark.parametrize("changes", [
    {"iss": "https://evil.example"}, {"iss": None}, {"aud": "another"}, {"aud": None},
    {"aud": ["a", "b"]}, {"exp": None}, {"sub": None}, {"sub": 7},
    {"exp": datetime(2020, 1, 1, tzinfo=UTC)}, {"exp": "soon"},
    {"nbf": datetime(2999, 1, 1, tzinfo=UTC)}, {"iat": datetime(2999, 1, 1, tzinfo=UTC)},
], ids=str)  # fmt: skip
async def test_a_token_with_a_wrong_or_missing_claim_is_refused(changes: dict[str, Any]) -> None:
    assert await refused(JwtVerifier(SHARED), signed(**changes))


async def test_clocks_may_differ_by_half_a_minute() -> None:
    verifier, now = JwtVerifier(SHARED), datetime.now(UTC)
    assert await verifier.subject(signed(exp=now - timedelta(seconds=20)))
    assert await verifier.subject(signed(nbf=now + timedelta(seconds=20)))
    assert await refused(verifier, signed(exp=now - timedelta(seconds=40)))
    assert await refused(verifier, signed(nbf=now + timedelta(seconds=40)))


async def test_a_token_signed_with_another_secret_is_refused() -> None:
    assert await refused(JwtVerifier(SHARED), signed("another" * 8))


async def test_a_changed_payload_is_refused() -> None:
    header, _, signature = signed().split(".")
    payload = jwt.utils.base64url_encode(json.dumps({"sub": "admin"}).encode()).decode()
    assert await refused(JwtVerifier(SHARED), f"{header}.{payload}.{signature}")


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
async def test_another_algorithm_than_the_configured_one_is_refused(algorithm: str) -> None:
    assert await refused(JwtVerifier(SHARED), signed(SECRET, algorithm))


async def test_a_token_without_a_signature_is_refused(
    issuer: Issuer, http: httpx.AsyncClient
) -> None:
    issuer.body = published(("one", RSA_KEY))
    token = jwt.encode(claims(), "", algorithm="none", headers={"kid": "one"})
    assert await refused(JwtVerifier(SHARED), token)
    assert await refused(by_url(issuer, http), token)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "a.b", "." * 10, "eyJ" * 4000, "\u2603.a.b"])
async def test_what_is_no_token_is_refused(token: str) -> None:
    assert await refused(JwtVerifier(SHARED), token)


async def test_tokens_of_published_keys_are_taken(issuer: Issuer, http: httpx.AsyncClient) -> None:
    issuer.body = published(("one", RSA_KEY), ("two", EC_KEY))
    verifier = by_url(issuer, http)
    assert await verifier.subject(signed(RSA_KEY, "RS256", "one"))
    assert await verifier.subject(signed(EC_KEY, "ES256", "two"))
    assert await refused(verifier, signed(OTHER_RSA_KEY, "RS256", "one"))
    assert await refused(verifier, signed(EC_KEY, "ES256", "one"))
    assert await refused(verifier, signed(RSA_KEY, "RS512", "one"))
    assert await refused(verifier, signed(RSA_KEY, "PS256", "one"))


async def test_a_published_key_is_never_taken_as_a_shared_secret(
    issuer: Issuer, http: httpx.AsyncClient
) -> None:
    """The old attack: sign with HS256, using the public key's text as the secret."""
    issuer.body = published(("one", RSA_KEY))
    verifier = by_url(issuer, http)
    for secret in (SECRET.encode(), issuer.body):
        assert await refused(verifier, forged(secret, kid="one"))


def forged(secret: bytes, kid: str) -> str:
    parts = ({"alg": "HS256", "typ": "JWT", "kid": kid}, claims(iat=None, exp=9_999_999_999))
    text = b".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts
    )
    signature = hmac.new(secret, text, hashlib.sha256).digest()
    return f"{text.decode()}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


async def test_the_forgery_of_that_test_is_a_good_token_where_its_secret_is_the_secret() -> None:
    assert await JwtVerifier(SHARED).subject(forged(SECRET.encode(), "one")) == "user-1"


async def test_a_token_without_a_key_id_needs_the_set_to_have_one_key(
    issuer: Issuer, http: httpx.AsyncClient
) -> None:
    issuer.body = published((None, RSA_KEY))
    assert await by_url(issuer, http).subject(signed(RSA_KEY, "RS256"))
    issuer.body = published(("one", RSA_KEY), ("two", EC_KEY))
    assert await refused(by_url(issuer, http), signed(RSA_KEY, "RS256"))


@pytest.mark.parametrize("extra", [{"use": "enc"}, {"alg": "RS512"}, {"kty": "oct"}], ids=str)
async def test_keys_for_other_uses_are_left_out(
    issuer: Issuer, http: httpx.AsyncClient, extra: dict[str, str]
) -> None:
    issuer.body = published(("one", RSA_KEY), **extra)
    assert await refused(by_url(issuer, http), signed(RSA_KEY, "RS256", "one"))


async def test_the_keys_are_fetched_once_for_many_tokens(
    issuer: Issuer, http: httpx.AsyncClient
) -> None:
    issuer.body = published(("one", RSA_KEY))
    verifier = by_url(issuer, http)
    for _ in range(5):
        await verifier.subject(signed(RSA_KEY, "RS256", "one"))
    assert issuer.asked_count == 1


async def test_an_unknown_key_id_is_looked_for_at_most_once_a_minute(
    issuer: Issuer, http: httpx.AsyncClient
) -> None:
    issuer.body = published(("one", RSA_KEY))
    clock = Hands()
    verifier = by_url(issuer, http, clock)
    await verifier.subject(signed(RSA_KEY, "RS256", "one"))
    issuer.body = published(("one", RSA_KEY), ("new", EC_KEY))
    for number in range(5):
        assert await refused(verifier, signed(EC_KEY, "ES256", f"x{number}"))
    assert issuer.asked_count == 1
    clock.at += FETCH_EVERY
    assert await verifier.subject(signed(EC_KEY, "ES256", "new"))
    assert issuer.asked_count == 2


async def test_a_withdrawn_key_is_refused_once_the_set_is_read_anew(
    issuer: Issuer, http: httpx.AsyncClient
) -> None:
    issuer.body = published(("one", RSA_KEY))
    clock = Hands()
    verifier = by_url(issuer, http, clock)
    await verifier.subject(signed(RSA_KEY, "RS256", "one"))
    issuer.body = published(("two", EC_KEY))
    clock.at += FRESH
    assert await refused(verifier, signed(RSA_KEY, "RS256", "one"))


@pytest.mark.parametrize("fault", ["down", "error", "garbage", "too_large", "redirect"])
async def test_the_old_keys_stay_in_use_while_the_url_gives_none(
    issuer: Issuer, http: httpx.AsyncClient, fault: str
) -> None:
    issuer.body = published(("one", RSA_KEY))
    clock = Hands()
    verifier = by_url(issuer, http, clock)
    await verifier.subject(signed(RSA_KEY, "RS256", "one"))
    break_it(issuer, fault)
    clock.at += FRESH
    for _ in range(3):
        assert await verifier.subject(signed(RSA_KEY, "RS256", "one"))
    assert issuer.asked_count <= 2


@pytest.mark.parametrize("fault", ["down", "error", "garbage", "too_large", "redirect"])
async def test_without_any_keys_it_is_our_side_that_is_not_ready(
    issuer: Issuer, http: httpx.AsyncClient, fault: str
) -> None:
    break_it(issuer, fault)
    clock = Hands()
    verifier = by_url(issuer, http, clock)
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            await verifier.subject(signed(RSA_KEY, "RS256", "one"))
        assert caught.value.code == "jwks_unavailable"
    assert issuer.asked_count <= 1
    if fault != "down":
        issuer.status, issuer.body = 200, published(("one", RSA_KEY))
        clock.at += FETCH_EVERY
        assert await verifier.subject(signed(RSA_KEY, "RS256", "one"))


def break_it(issuer: Issuer, fault: str) -> None:
    """Let the server fail in one way."""
    if fault == "down":
        issuer.close()
    elif fault == "error":
        issuer.status = 500
    elif fault == "redirect":
        issuer.status, issuer.headers = 302, {"Location": "http://127.0.0.1:9/"}
    else:
        issuer.body = b"{}" if fault == "garbage" else b" " * (BODY_BYTES_MAX + 1)


@pytest.mark.parametrize("settings", [
    JwtSettings(issuer="i", audience="a"),
    JwtSettings(secret=SECRET, jwks_url="https://x", issuer="i", audience="a"),
    JwtSettings(secret="short", issuer="i", audience="a"),
    JwtSettings(secret=SECRET, issuer="", audience="a"),
    JwtSettings(secret=SECRET, issuer="i", audience=""),
    JwtSettings(jwks_url="https://x", issuer="i", audience="a"),
])  # fmt: skip
def test_settings_that_do_not_fit_together_are_refused(settings: JwtSettings) -> None:
    with pytest.raises(SetupError):
        JwtVerifier(settings)
