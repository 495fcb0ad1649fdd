"""Stripe before its simulator."""

import hashlib
import hmac
import ssl
import time
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from tallystick.payments.facts import Delivery
from tallystick.payments.gateways.stripe import StripeGateway, StripeSettings
from tallystick.payments.gateways.stripe.client import CallRules
from tests.contract.gateways.rig import Payer, Rig

SECRET = "whsec_contract_0000"
KEY = "sk_test_contract"
CARDS = {
    Payer.GOOD: "pm_card_visa",
    Payer.REFUSED: "pm_card_chargeCustomerFail",
    Payer.ASKS: "pm_card_authenticationRequired",
}


class StripeRig(Rig):
    """The adapter over the official SDK; the simulator has forgotten all that was before."""

    payers = frozenset(Payer)
    has_network = True
    detaches = True

    def __init__(self, base_url: str) -> None:
        self.gateway = StripeGateway(
            StripeSettings(
                secret_key=KEY,
                publishable_key="pk_test_contract",
                webhook_secrets=(SECRET,),
                base_url=base_url,
                js_url=f"{base_url}/stripe.js",
                rules=CallRules(wait_factor=0),
            )
        )
        no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # plain HTTP: no certificates are read
        self._http = httpx.AsyncClient(base_url=base_url, trust_env=False, verify=no_tls)

    async def begin(self) -> None:
        """Forget what was before."""
        (await self._http.post("/_sim/reset", json={})).raise_for_status()

    async def method(self, customer_token: str, payer: Payer) -> str:
        answer = await self._http.post(
            f"/v1/payment_methods/{CARDS[payer]}/attach",
            data={"customer": customer_token},
            headers={"authorization": f"Bearer {KEY}"},
        )
        return str(answer.json()["id"])

    async def taken(self) -> Sequence[int]:
        charges = await self._look("charges")
        return [charge["amount"] for charge in charges if charge["status"] == "succeeded"]

    async def given_back(self) -> Sequence[int]:
        return [refund["amount"] for refund in await self._look("refunds")]

    async def go_away(self) -> None:
        await self._arm("drop_before")

    async def drop_replies(self) -> None:
        await self._arm("drop_reply")

    async def come_back(self) -> None:
        (await self._http.delete("/_sim/faults")).raise_for_status()

    async def told(self) -> Sequence[Delivery]:
        events = reversed(await self._look("events"))
        return [signed(msgspec.json.encode(event), SECRET) for event in events]

    def forged(self, delivery: Delivery) -> Delivery:
        return signed(delivery.body, "whsec_somebody_elses")

    async def close(self) -> None:
        await super().close()
        await self._http.aclose()

    async def _look(self, family: str) -> list[dict[str, Any]]:
        return list((await self._http.get(f"/_sim/{family}")).json()["data"])

    async def _arm(self, action: str) -> None:
        fault = {"action": action, "path": "/v1/*", "times": None}
        (await self._http.post("/_sim/faults", json=fault)).raise_for_status()


def signed(body: bytes, secret: str) -> Delivery:
    """Sign as Stripe does (https://docs.stripe.com/webhooks#verify-manually)."""
    stamp = str(int(time.time()))
    said = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return Delivery(body=body, headers={"Stripe-Signature": f"t={stamp},v1={said}"})
