"""Signatures by Standard Webhooks 1.0 (https://www.standardwebhooks.com, "Signature scheme").

Signed is `{webhook-id}.{webhook-timestamp}.{body}` with HMAC-SHA256; the header holds `v1,` and the
signature in base 64 for each secret that is in force, separated by spaces.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what every secret begins with
SECRET_BYTES: Final = 32


def show_secret(secret: bytes) -> str:
    """Write a secret as the receiver's library wants it: `whsec_` and base 64."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signed_headers(
    message_id: str, body: bytes, secrets: Sequence[bytes], at: datetime
) -> Mapping[str, str]:
    """Return the headers that prove who sent `body`, and when."""
    stamp = str(int(at.timestamp()))
    content = b".".join((message_id.encode(), stamp.encode(), body))
    signatures = [
        base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
        for secret in secrets
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
