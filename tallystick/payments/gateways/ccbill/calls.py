"""The calls of CCBill's transaction service, each made once, with the token that it needs."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from tallystick.kernel.errors import NotFound
from tallystick.payments.gateway import no_answer
from tallystick.payments.gateways.ccbill import refusals, wire
from tallystick.payments.gateways.ccbill.client import Answer, CcbillHttp, NoAnswer, NotSent
from tallystick.payments.gateways.ccbill.oauth import Bearers
from tallystick.settings_ccbill import CcbillSettings

_OK: Final = 200
_UNAUTHORIZED: Final = 401
# Decimals as JSON numbers: a price is no text.
_JSON: Final = msgspec.json.Encoder(decimal_format="number")


class CcbillCalls:
    """What is asked of CCBill. A refused bearer is fetched anew, once: nothing was done with it."""

    def __init__(self, http: CcbillHttp, bearers: Bearers, settings: CcbillSettings) -> None:
        self._http = http
        self._bearers = bearers
        self._settings = settings

    async def charge(self, token: str, body: Mapping[str, object], *, with_3ds: bool) -> Answer:
        """Charge a payment token. Raises NotSent, NoAnswer, and Unavailable before it is sent."""
        kind = "threeds/" if with_3ds else ""
        path = f"/transactions/payment-tokens/{kind}{quote(token, safe='')}"
        return await self._send("POST", path, content=_JSON.encode(body))

    async def list_charges(self, token: str) -> frozenset[str]:
        """Return the subscription ids of all charges of a token. Raises NotFound, Unavailable."""
        path = f"/transactions/payment-tokens/{quote(token, safe='')}"
        answer = await self._ask(path, {"clientAccnum": str(self._settings.accnum)})
        if answer.status != _OK:
            raise refusals.error_of(answer, "list_charges")
        listed = wire.read(answer.body, tuple[wire.ListedCharge, ...])
        if listed is None:
            raise no_answer("ccbill")
        found = (wire.plain_id(one.subscriptionId) for one in listed)
        return frozenset(one for one in found if one is not None)

    async def token(self, token: str) -> wire.TokenReply:
        """Return a payment token of our account. Raises NotFound, Conflict, Unavailable."""
        answer = await self._ask(f"/payment-tokens/{quote(token, safe='')}", {})
        if answer.status != _OK:
            raise refusals.error_of(answer, "token")
        found = wire.read(answer.body, wire.TokenReply)
        if found is None:
            raise no_answer("ccbill")
        if wire.number(found.clientAccnum) != self._settings.accnum:
            raise NotFound("gateway_object_missing", "CCBill does not have this object.")
        return found

    async def _ask(self, path: str, query: Mapping[str, str]) -> Answer:
        try:
            return await self._send("GET", path, query=query)
        except (NotSent, NoAnswer) as error:
            raise no_answer("ccbill") from error

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        for is_last in (False, True):
            bearer = await self._bearers.get("backend")
            headers = {
                "accept": self._settings.accept,
                "authorization": f"Bearer {bearer}",
                "content-type": "application/json",
            }
            answer = await self._http.send(
                method, path, headers=headers, query=query, content=content
            )
            if answer.status != _UNAUTHORIZED or is_last:
                return answer
            self._bearers.forget("backend", bearer)
        raise AssertionError  # the loop returns
