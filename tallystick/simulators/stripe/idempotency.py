"""`Idempotency-Key`: the first answer again, for 24 hours.

Not kept when the request was refused before anything was done, nor when it met another that was
still running (https://docs.stripe.com/api/idempotent_requests).
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from tallystick.simulators.stripe.errors import Json, idempotency, invalid
from tallystick.simulators.stripe.form import Raw
from tallystick.simulators.stripe.state import State

FAMILY = "_idempotency"
KEPT_SECONDS = 24 * 3600
KEY_MAX = 255


class Claim(msgspec.Struct, frozen=True):
    """A key with the request it was sent with."""

    key: str
    path: str
    parameters: str


def claim(key: str, path: str, raw: Mapping[str, Raw]) -> Claim:
    """Return the key's claim on this request. Raises StripeError when the key is too long."""
    if len(key) > KEY_MAX:
        raise invalid(f"Idempotency keys have up to {KEY_MAX} characters.")
    packed = msgspec.json.encode(raw, order="sorted")
    return Claim(key, path, hashlib.sha256(packed).hexdigest())


class Idempotency:
    """The keys that were used and those in use."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._running: set[str] = set()

    @contextmanager
    def running(self, claim: Claim | None) -> Iterator[None]:
        """Hold the key while its request runs. Raises StripeError 409 when it is held."""
        if claim is None:
            yield
            return
        if claim.key in self._running:
            raise idempotency(
                409,
                "There is currently another in-progress request using this Idempotent Key "
                f"({claim.key}). Please try again later.",
                "idempotency_key_in_use",
            )
        self._running.add(claim.key)
        try:
            yield
        finally:
            self._running.discard(claim.key)

    def kept(self, claim: Claim | None) -> Json | None:
        """Return the kept answer (`status`, `body`, `request_id`) to this very request.

        Raises StripeError when the key was used with another path or other parameters.
        """
        entry = self._state.get(FAMILY, claim.key) if claim else None
        if claim is None or entry is None or self._is_old(entry):
            return None
        if entry["path"] != claim.path:
            raise idempotency(
                400,
                "Keys for idempotent requests can only be used for the same endpoint they were "
                f"first used for ('{claim.path}' vs '{entry['path']}'). Try using a key other "
                f"than '{claim.key}' if you meant to execute a different request.",
            )
        if entry["parameters"] != claim.parameters:
            raise idempotency(
                400,
                "Keys for idempotent requests can only be used with the same parameters they "
                f"were first used with. Try using a key other than '{claim.key}' if you meant "
                "to execute a different request.",
            )
        return entry

    def keep(self, claim: Claim, status: int, body: Json, request_id: str) -> None:
        """Keep the answer; inside the change of the state that the request makes."""
        entry = {
            "path": claim.path,
            "parameters": claim.parameters,
            "status": status,
            "body": body,
            "request_id": request_id,
            "created": self._state.now(),
        }
        self._state.put(FAMILY, claim.key, entry)

    def _is_old(self, entry: Json) -> bool:
        return bool(self._state.now() - entry["created"] >= KEPT_SECONDS)
