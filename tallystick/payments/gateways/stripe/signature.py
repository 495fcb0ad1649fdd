"""The signature of a Stripe webhook (https://docs.stripe.com/webhooks#verify-manually).

`Stripe-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>]`, where v1 is the HMAC-SHA256 of
`<t>.<raw body>` with the endpoint's secret. The SDK checks only that `t` is not too old; a `t`
in the future would pass and could be kept for a replay later.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tallystick.payments.facts import BadSignature

TOLERANCE_S: Final = 300
SIGNATURES_MAX: Final = 16


def check(header: str, body: bytes, secrets: Sequence[str], now: datetime) -> None:
    """Raise BadSignature unless one of the secrets signed these very bytes about now.

    Several secrets are valid while one is being replaced by another.
    """
    stamp, signatures = _parts(header)
    if stamp is None or abs(int(stamp) - now.timestamp()) > TOLERANCE_S:
        raise BadSignature
    for secret in secrets:
        wanted = sign(stamp, body, secret).encode()
        # Compared as bytes: a signature that is not ASCII would make compare_digest raise.
        if any(hmac.compare_digest(wanted, given.encode()) for given in signatures):
            return
    raise BadSignature


def sign(stamp: str, body: bytes, secret: str) -> str:
    """Return the v1 signature of a body at the unix second `stamp`."""
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _parts(header: str) -> tuple[str | None, list[str]]:
    pairs = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in pairs if name == "t"]
    signatures = [value for name, _, value in pairs if name == "v1"][:SIGNATURES_MAX]
    valid = len(stamps) == 1 and stamps[0].isascii() and stamps[0].isdigit()
    return (stamps[0] if valid and len(stamps[0]) <= len("9999999999") else None), signatures
