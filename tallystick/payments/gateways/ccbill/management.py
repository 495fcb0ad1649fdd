"""CCBill's subscription management service: cancel, give back, look at a subscription.

It answers a number: 1 is yes, -7 and every lost answer is "nobody knows" (ccbill.com/doc, "CCBill
API"; the codes from public programs). It knows no keys either, so whoever moves money with it
looks before and after.
"""

import csv
import io
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import structlog

from tallystick.kernel.errors import NotFound, Unavailable
from tallystick.money.amount import Money
from tallystick.payments.gateway import no_answer, not_configured
from tallystick.payments.gateways.ccbill.client import CcbillHttp, NoAnswer, NotSent
from tallystick.payments.gateways.ccbill.wire import number
from tallystick.payments.requests import SubscriptionView
from tallystick.settings_ccbill import CcbillSettings

log = structlog.get_logger()

PATH: Final = "/utils/subscriptionManagement.cgi"
_OK: Final = 200


class Said(StrEnum):
    """What the service's number means."""

    DONE = "done"
    REFUSED = "refused"
    MISSING = "missing"
    LATER = "later"
    UNKNOWN = "unknown"


_CODES: Final[Mapping[str, Said]] = {
    "1": Said.DONE,
    "0": Said.REFUSED,
    "-1": Said.LATER,
    "-2": Said.MISSING,
    "-3": Said.MISSING,
    "-4": Said.MISSING,
    "-5": Said.REFUSED,
    "-6": Said.REFUSED,
    "-7": Said.UNKNOWN,
    "-8": Said.LATER,
    "-9": Said.LATER,
    "-10": Said.LATER,
    "-11": Said.REFUSED,
    "-12": Said.LATER,
    "-15": Said.REFUSED,
    "-16": Said.REFUSED,
    "-23": Said.REFUSED,
    "-24": Said.REFUSED,
}


class Management:
    """The actions of the service that are used."""

    def __init__(self, http: CcbillHttp, settings: CcbillSettings) -> None:
        self._http = http
        self._settings = settings

    async def cancel(self, subscription_id: str) -> None:
        """Let it be rebilled no more; again changes nothing. Raises NotFound, Unavailable."""
        said = await self._act("cancelSubscription", subscription_id)
        if said is Said.MISSING:
            raise NotFound("gateway_object_missing", "CCBill does not have this object.")
        if said is Said.DONE:
            return
        # One that was cancelled before may be refused: what counts is whether it renews.
        if said is Said.REFUSED and not (await self.view(subscription_id)).renews:
            return
        raise no_answer("ccbill")

    async def refund(self, subscription_id: str, amount: Money) -> Said:
        """Give back so much, once per call; the subscription ends with it. Raises NotSent."""
        more = {"amount": str(amount.to_decimal())}
        return await self._act("refundTransaction", subscription_id, more)

    async def view(self, subscription_id: str) -> SubscriptionView:
        """Return a subscription as it is. Raises NotFound, Unavailable."""
        query = self._query("viewSubscriptionStatus", subscription_id)
        try:
            answer = await self._http.send("GET", PATH, query=query)
        except (NotSent, NoAnswer) as error:
            raise no_answer("ccbill") from error
        text = answer.body.decode("utf-8", "replace")
        said = read_result(text)
        if said is Said.MISSING:
            raise NotFound("gateway_object_missing", "CCBill does not have this object.")
        found = None if answer.status != _OK else read_view(text)
        if found is None:
            log.error("ccbill_view_failed", status=answer.status, said=said)
            raise no_answer("ccbill")
        return found

    async def _act(
        self, action: str, subscription_id: str, more: Mapping[str, str] | None = None
    ) -> Said:
        query = {**self._query(action, subscription_id), **(more or {})}
        try:
            answer = await self._http.send("GET", PATH, query=query)
        except NoAnswer:
            return Said.UNKNOWN
        if answer.status != _OK:
            return Said.UNKNOWN
        said = read_result(answer.body.decode("utf-8", "replace"))
        if said is not Said.DONE:
            log.warning("ccbill_management_refused", action=action, said=said)
        return said

    def _query(self, action: str, subscription_id: str) -> dict[str, str]:
        settings = self._settings
        if not settings.datalink_configured:
            raise not_configured("ccbill")
        name = "clientSubacc" if settings.datalink_of_subacc else "usingSubacc"
        return {
            "clientAccnum": str(settings.accnum),
            name: f"{settings.subacc:04d}",
            "username": settings.datalink_username or "",
            "password": settings.datalink_password or "",
            "action": action,
            "subscriptionId": subscription_id,
        }


def need_configured(settings: CcbillSettings) -> None:
    """Raise Unavailable without a DataLink user."""
    if not settings.datalink_configured:
        raise Unavailable(
            "gateway_unavailable", "Set CCBILL_DATALINK_USERNAME to refund or cancel at CCBill."
        )


def read_result(text: str) -> Said:
    """Return what an answer of the form `"results"` newline `"1"` means."""
    rows = [row for row in csv.reader(io.StringIO(text.strip())) if row]
    is_result = rows[:1] == [["results"]] and len(rows) > 1
    return _CODES.get(rows[1][0].strip(), Said.UNKNOWN) if is_result else Said.UNKNOWN


def read_view(text: str) -> SubscriptionView | None:
    """Return a status of the form header line, value line; None when it is none."""
    rows = [row for row in csv.reader(io.StringIO(text.strip())) if row]
    if len(rows) < 2 or "subscriptionStatus" not in rows[0]:  # noqa: PLR2004 - header and values
        return None
    said = dict(zip(rows[0], rows[1], strict=False))
    status = number(said.get("subscriptionStatus"))
    is_active = status is not None and status >= 1
    return SubscriptionView(
        is_active=is_active,
        # 2: active; 1: active, and cancelled (the second one from memory, so the date counts too).
        renews=status == 2 and not (said.get("cancelDate") or "").strip(),  # noqa: PLR2004
        refund_count=number(said.get("refundsIssued")) or 0,
        void_count=number(said.get("voidsIssued")) or 0,
        chargeback_count=number(said.get("chargebacksIssued")) or 0,
        rebill_count=number(said.get("timesRebilled")) or 0,
    )
