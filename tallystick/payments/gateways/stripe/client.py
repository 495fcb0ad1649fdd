"""The official SDK, made when it is first needed, and its answers as structs of ours."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from tallystick.payments.gateway import no_answer
from tallystick.payments.gateways.stripe.outcomes import ours, outcome_of_error
from tallystick.payments.outcomes import Outcome, Unknown

if TYPE_CHECKING:
    import stripe

NETWORK_RETRIES_MAX: Final = 2
TIMEOUT_S: Final = 20

T = TypeVar("T")
Call = Callable[["stripe.StripeClient"], Awaitable["stripe.StripeObject"]]
"""One request; what the SDK returns is read by our own structs, so its types stay in here."""


class StripeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Keys and addresses; `webhook_secrets` are several while one is being replaced."""

    secret_key: str
    publishable_key: str
    webhook_secrets: tuple[str, ...]
    base_url: str = "https://api.stripe.com"
    js_url: str = "https://js.stripe.com/endive/stripe.js"

    @property
    def livemode(self) -> bool:
        """Whether the key is of the mode where money is real."""
        return self.secret_key.startswith(("sk_live_", "rk_live_"))


class StripeCalls:
    """Calls Stripe and reads what it says."""

    def __init__(self, settings: StripeSettings) -> None:
        self._settings = settings
        self._client: stripe.StripeClient | None = None
        self._transport: stripe.HTTPXClient | None = None

    async def fetch(self, call: Call, kind: type[T]) -> T:
        """Return the answer; raises Unavailable or NotFound when there is none."""
        client = await self._connect()
        import stripe  # noqa: PLC0415 - loaded by `_connect`; the package starts without it

        try:
            return _convert(await call(client), kind)
        except stripe.StripeError as error:
            raise ours(error) from error
        except msgspec.ValidationError as error:
            raise no_answer("stripe") from error

    async def outcome(self, call: Call, kind: type[T], read: Callable[[T], Outcome]) -> Outcome:
        """Return what came of asking for money; a failure is an outcome too."""
        client = await self._connect()
        import stripe  # noqa: PLC0415 - loaded by `_connect`; the package starts without it

        try:
            return read(_convert(await call(client), kind))
        except stripe.StripeError as error:
            return outcome_of_error(error)
        except msgspec.ValidationError:
            return Unknown("unreadable_answer")

    async def close(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            await self._transport.close_async()  # type: ignore[no-untyped-call]  # the SDK's gap

    async def _connect(self) -> "stripe.StripeClient":
        if self._client is None:
            # 0.8 s, once; in a thread, so that other requests go on meanwhile.
            await asyncio.to_thread(importlib.import_module, "stripe")
            self._client = self._client or self._make()
        return self._client

    def _make(self) -> "stripe.StripeClient":
        import stripe  # noqa: PLC0415 - loaded by `_connect`; the package starts without it

        base = self._settings.base_url
        self._transport = stripe.HTTPXClient(timeout=TIMEOUT_S)
        return stripe.StripeClient(
            self._settings.secret_key,
            # All four: a call of a family left out would go to Stripe, past a simulator.
            base_addresses={"api": base, "connect": base, "files": base, "meter_events": base},
            max_network_retries=NETWORK_RETRIES_MAX,
            http_client=self._transport,
        )


def _convert(answer: "stripe.StripeObject", kind: type[T]) -> T:
    return msgspec.convert(answer.to_dict(), kind)
