"""CCBill before its simulator; its adapter keeps our keys in the database: CCBill knows none."""

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import msgspec
from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.kernel.db import WRITER, Database
from tallystick.payments.facts import Delivery
from tallystick.payments.gateways.ccbill import CcbillGateway
from tests.contract.gateways.rig import Payer, Rig
from tests.service.ccbill.conftest import ACCEPT, ACCNUM, settings_for

CARDS = {Payer.GOOD: "4111111111111111", Payer.REFUSED: "4000000000000002"}
PEER, STRANGER = "64.38.212.7", "203.0.113.9"


class CcbillRig(Rig):
    """The adapter over HTTP and PostgreSQL; the simulator has forgotten all that was before."""

    payers = frozenset(CARDS)
    has_network = True

    def __init__(self, db: Database, base_url: str) -> None:
        settings = replace(settings_for(base_url), webhook_ip_enforce=True)
        self._db = db
        self._ahead = timedelta()
        self._ccbill = CcbillGateway(db, settings, lambda: datetime.now(UTC) + self._ahead)
        self.gateway = self._ccbill
        no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # plain HTTP: no certificates are read
        self._http = httpx.AsyncClient(base_url=base_url, trust_env=False, verify=no_tls)

    async def begin(self) -> None:
        """Forget what was before."""
        (await self._http.post("/_sim/reset", json={})).raise_for_status()
        async with self._db.pool.acquire() as conn:
            await conn.execute("SET ROLE NONE")
            await conn.execute("DELETE FROM ccbill_extracts")
            await conn.execute("SET ROLE tallystick_writer")

    async def next_hour(self) -> None:
        self._ahead += timedelta(minutes=61)
        await self._http.post("/_sim/clock/advance", json={"seconds": 61 * 60})

    async def account_id(self) -> UUID:
        new = NewAccount(name="Ada", email="ada@example.com", currency="USD", country="US")
        async with self._db.transaction(WRITER) as conn:
            return (await accounts.create_account(conn, new, datetime.now(UTC))).account_id

    async def method(self, customer_token: str, payer: Payer) -> str:  # noqa: ARG002 - no customers
        bearer = (await self._ccbill.page_token()).token
        card = {"cardNum": CARDS[payer], "expMonth": "03", "expYear": "2031", "nameOnCard": "Ada B"}
        who = {"customerFname": "Ada", "customerLname": "Byron", "email": "ada@example.com"}
        answer = await self._http.post(
            "/payment-tokens/merchant-only",
            headers={"authorization": f"Bearer {bearer}", "accept": ACCEPT},
            json={
                "clientAccnum": ACCNUM,
                "clientSubacc": 0,
                "subscriptionId": 0,
                "customerInfo": {**who, "country": "US", "zipcode": "85281"},
                "paymentInfo": {"creditCardPaymentInfo": card},
            },
        )
        return str(answer.json()["paymentTokenId"])

    async def taken(self) -> Sequence[int]:
        return [_minor(move) for move in await self._look("moves") if move["of"] is None]

    async def given_back(self) -> Sequence[int]:
        return [abs(_minor(move)) for move in await self._look("moves") if move["of"] is not None]

    async def go_away(self) -> None:
        await self._arm("drop")

    async def drop_replies(self) -> None:
        # What it reads before it sends comes through: a token's charges, a sale's refunds so far.
        await self._arm("drop_reply", path="/transactions/*", method="POST")
        await self._arm("drop_reply", path="/utils/*", skip=1)

    async def come_back(self) -> None:
        (await self._http.delete("/_sim/faults")).raise_for_status()

    async def told(self) -> Sequence[Delivery]:
        events = (await self._look("events"))[::-1]
        return [
            Delivery(
                body=msgspec.json.encode(event["fields"]),
                headers={"content-type": "application/json"},
                query={"eventType": event["kind"], "clientAccnum": str(event["accnum"])},
                peer=PEER,
            )
            for event in events
        ]

    def forged(self, delivery: Delivery) -> Delivery:
        return replace(delivery, peer=STRANGER)

    async def close(self) -> None:
        await super().close()
        await self._http.aclose()

    async def _look(self, family: str) -> list[dict[str, Any]]:
        return list((await self._http.get(f"/_sim/{family}")).json()["data"])

    async def _arm(self, action: str, **where: object) -> None:
        fault = {"action": action, "times": None, **where}
        (await self._http.post("/_sim/faults", json=fault)).raise_for_status()


def _minor(move: dict[str, Any]) -> int:
    return int(Decimal(str(move["amount"])) * 100)
