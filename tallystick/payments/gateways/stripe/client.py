"""The official SDK, made when it is first needed, and its answers as structs of ours."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from tallystick.kernel.errors import Unavailable
from tallystick.payments.breaker import Breaker
from tallystick.payments.gateway import no_answer
from tallystick.payments.gateways.stripe.outcomes import members, ours, outcome_of_error
from tallystick.payments.gateways.stripe.wire import LastError
from tallystick.payments.outcomes import Outcome, Unknown

if TYPE_CHECKING:
    import stripe

    from tallystick.payments.gateways.stripe.transport import Transport

_TOO_MANY: Final = 429
_SERVER_FAILED: Final = 500
T = TypeVar("T")
Call = Callable[["stripe.StripeClient"], Awaitable["stripe.StripeObject"]]
"""One request; what the SDK returns is read by our own structs, so its types stay in here."""


class CallRules(msgspec.Struct, frozen=True, kw_only=True):
    """How patiently Stripe is called; seconds. docs/settings.md tells of them.

    The longest call: three tries of 5 + 20 s, and waits of 3 s between, stays below the lease of
    an attempt (`lifecycle.LEASE`).
    """

    retries_max: int = 2
    """By the SDK: no answer, 409 and 5xx, with the same idempotency key, after 0.5 s or more."""
    connect_s: float = 5.0
    read_s: float = 20.0
    pool_s: float = 5.0
    """For a free connection: when all are busy for so long, nothing is sent."""
    connections_max: int = 32
    keep_alive_s: float = 60.0
    busy_waits_s: tuple[float, ...] = (0.5, 1.0)
    """Before each new try after 429, half of it for sure and the rest by chance."""
    wait_factor: float = 1.0
    """Waits are so much longer; a simulator needs none of them."""


class StripeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Keys and addresses; `webhook_secrets` are several while one is being replaced."""

    secret_key: str
    publishable_key: str
    webhook_secrets: tuple[str, ...]
    base_url: str = "https://api.stripe.com"
    js_url: str = "https://js.stripe.com/endive/stripe.js"
    rules: CallRules = CallRules()

    @property
    def livemode(self) -> bool:
        """Whether the key is of the mode where money is real."""
        return self.secret_key.startswith(("sk_live_", "rk_live_"))


class Failed(msgspec.Struct, frozen=True):
    """How a call failed, in Stripe's own codes; `status` None: no answer that could be read.

    `was_sent` False: the circuit is open. `name` says it where Stripe gives no code.
    """

    name: str
    status: int | None = None
    said: LastError = LastError()
    was_sent: bool = True


class StripeCalls:
    """Calls Stripe and reads what it says; while the circuit is open nothing is sent."""

    def __init__(self, settings: StripeSettings, breaker: Breaker) -> None:
        self._settings = settings
        self._breaker = breaker
        self._client: stripe.StripeClient | None = None
        self._transport: Transport | None = None

    async def fetch(self, call: Call, kind: type[T]) -> T:
        """Return the answer; raises Unavailable or NotFound when there is none."""
        client = await self._connect()
        import stripe  # noqa: PLC0415 - loaded by `_connect`; the package starts without it

        try:
            return _convert(await self._send(call, client), kind)
        except stripe.StripeError as error:
            raise ours(error) from error
        except msgspec.ValidationError as error:
            raise no_answer("stripe") from error

    async def outcome(self, call: Call, kind: type[T], read: Callable[[T], Outcome]) -> Outcome:
        """Return what came of asking for money; a failure is an outcome too.

        Unknown `gateway_unavailable`: nothing was sent.
        """
        client = await self._connect()
        import stripe  # noqa: PLC0415 - loaded by `_connect`; the package starts without it

        try:
            return read(_convert(await self._send(call, client), kind))
        except stripe.StripeError as error:
            return outcome_of_error(error)
        except Unavailable as error:
            return Unknown(error.code)
        except msgspec.ValidationError:
            return Unknown("unreadable_answer")

    async def ask(self, call: Call, kind: type[T]) -> T | Failed:
        """Return the answer, or how it failed, for whoever has to tell refusals apart."""
        client = await self._connect()
        import stripe  # noqa: PLC0415 - loaded by `_connect`; the package starts without it

        try:
            return _convert(await self._send(call, client), kind)
        except stripe.StripeError as error:
            name = "no_answer" if error.http_status is None else f"http_{error.http_status}"
            return Failed(name, error.http_status, members(error))
        except Unavailable as error:
            return Failed(error.code, was_sent=False)
        except msgspec.ValidationError:
            return Failed("unreadable_answer")

    async def close(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            await self._transport.close_async()

    async def _send(self, call: Call, client: "stripe.StripeClient") -> "stripe.StripeObject":
        """Send, unless the circuit is open, and note what that says of Stripe."""
        import stripe  # noqa: PLC0415 - loaded by `_connect`; the package starts without it

        if not self._breaker.admits():
            raise no_answer("stripe")
        try:
            answer = await call(client)
        except stripe.StripeError as error:
            if is_failure(error.http_status):
                self._breaker.failed()
            else:
                self._breaker.answered()
            raise
        self._breaker.answered()
        return answer

    async def _connect(self) -> "stripe.StripeClient":
        if self._client is None:
            # 0.8 s, once; in a thread, so that other requests go on meanwhile.
            await asyncio.to_thread(importlib.import_module, "stripe")
            self._client = self._client or self._make()
        return self._client

    def _make(self) -> "stripe.StripeClient":
        import stripe  # noqa: PLC0415 - loaded by `_connect`; the package starts without it

        from tallystick.payments.gateways.stripe.transport import (  # noqa: PLC0415 - needs the SDK
            Transport,
        )

        base, rules = self._settings.base_url, self._settings.rules
        self._transport = Transport(rules, tls=base.startswith("https:"))
        return stripe.StripeClient(
            self._settings.secret_key,
            # All four: a call of a family left out would go to Stripe, past a simulator.
            base_addresses={"api": base, "connect": base, "files": base, "meter_events": base},
            max_network_retries=rules.retries_max,
            http_client=self._transport,
        )


def is_failure(status: int | None) -> bool:
    """Tell whether that is no answer: none came, one of a broken server, or "too many requests"."""
    return status is None or status == _TOO_MANY or status >= _SERVER_FAILED


def _convert(answer: "stripe.StripeObject", kind: type[T]) -> T:
    return msgspec.convert(answer.to_dict(), kind)
