"""Charging a token once: CCBill knows no idempotency keys, so no charge is ever sent again.

Before a charge is sent a row says so, with the charges that the token had until then. Without an
answer the token's charges are listed: one that is new is ours, for a token has one live charge at
a time (a unique index). One that stays away is looked for in DataLink, and only then, or after a
day, it counts as never charged. A webhook may tell earlier, and is believed later too.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from tallystick.kernel.clock import Clock
from tallystick.kernel.db import Connection, Database, account_scope
from tallystick.kernel.errors import Conflict, NotFound, TallystickError, Unavailable
from tallystick.money.amount import Money
from tallystick.payments.gateways.ccbill import charge_store as store
from tallystick.payments.gateways.ccbill import declines, refusals, wire
from tallystick.payments.gateways.ccbill.amounts import code_of, read_amount
from tallystick.payments.gateways.ccbill.calls import CcbillCalls
from tallystick.payments.gateways.ccbill.charge_store import ChargeRow
from tallystick.payments.gateways.ccbill.client import Answer, NoAnswer, NotSent
from tallystick.payments.outcomes import Declined, Outcome, Succeeded, Unknown
from tallystick.payments.requests import Authentication, Charge

log = structlog.get_logger()

TOKEN_WAIT: Final = 20
TOKEN_WAIT_S: Final = 0.25
"""For so many waits a charge waits for another one of its token; then the sweep takes it up."""
LISTED_WITHIN: Final = timedelta(minutes=15)
"""A charge that went through is in its token's list by then; before, an empty list says nothing."""
LOST_AFTER: Final = timedelta(minutes=2)
GIVEN_UP_AFTER: Final = timedelta(days=1)
_OK: Final = 200
_GONE: Final = Declined("payment_method_missing", hard=True)
_NEVER: Final = Declined("never_charged")
_BUSY: Final = Unknown("gateway_busy")


class Sales(Protocol):
    """Whoever can tell which sales CCBill has in its books."""

    async def may_have_sold(self, amount: Money, start: datetime, end: datetime) -> bool | None:
        """Tell whether there is a sale of this price in [start, end) that is not ours; None: ?."""


class Charging:
    """Carries out charges and finds out about them."""

    def __init__(self, db: Database, calls: CcbillCalls, sales: Sales, clock: Clock) -> None:
        self._db = db
        self._calls = calls
        self._sales = sales
        self._clock = clock

    async def charge(self, charge: Charge, request: dict[str, Any]) -> Outcome:
        """Charge once per key; `request` is what CCBill is sent, but for the authentication."""
        row = ChargeRow(
            account_id=charge.account_id,
            idempotency_key=charge.key,
            payment_token_id=charge.method_token,
            state="waiting",
            request=request,
            authenticated=charge.authentication is not None,
            created_at=self._clock(),
        )
        async with self._db.own_transaction(account_scope(row.account_id)) as conn:
            is_new = await store.insert(conn, row)
        if is_new:
            return await self._send(row, charge, charge.authentication)
        return await self.look_up(charge, request, self._clock())

    async def look_up(self, charge: Charge, request: dict[str, Any], now: datetime) -> Outcome:
        """Say what became of a charge; one that was never sent is sent now, with its own key."""
        async with self._db.own_transaction(account_scope(charge.account_id)) as conn:
            row = await store.find(conn, charge.account_id, charge.key)
        if row is None:
            return await self.charge(charge, request)
        if row.outcome is not None:
            return row.outcome
        if row.state == "sent":
            return await self._search(row, charge.amount, now)
        if now - row.created_at > GIVEN_UP_AFTER:
            # Nobody who pressed a button yesterday expects to be charged today.
            return await self._finish(row, _NEVER)
        return await self._send(row, charge, charge.authentication)

    async def _send(
        self, row: ChargeRow, charge: Charge, authentication: Authentication | None
    ) -> Outcome:
        if row.authenticated and authentication is None:
            # What the bank said is kept nowhere, so the payer has to be asked again.
            return await self._finish(row, Declined("authentication_required"))
        if not await self._claim(row):
            return _BUSY
        try:
            before = await self._calls.list_charges(row.payment_token_id)
        except TallystickError as error:
            return await self._not_listed(row, error)
        async with self._db.own_transaction(account_scope(row.account_id)) as conn:
            if not await store.mark_sent(conn, row, before, self._clock()):
                return _BUSY
        return await self._post(row, charge.amount, authentication)

    async def _post(
        self, row: ChargeRow, amount: Money, authentication: Authentication | None
    ) -> Outcome:
        body = row.request
        if authentication is not None:
            body = {
                **body,
                "threedsAmount": body["initialPrice"],
                "threedsCurrency": body["currencyCode"],
                **authentication.values,
            }
        try:
            answer = await self._calls.charge(
                row.payment_token_id, body, with_3ds=authentication is not None
            )
        except (NotSent, Unavailable):
            async with self._db.own_transaction(account_scope(row.account_id)) as conn:
                await store.release(conn, row)
            return Unknown("no_answer")
        except NoAnswer:
            return Unknown("no_answer")
        outcome = outcome_of(answer, amount)
        return outcome if isinstance(outcome, Unknown) else await self._finish(row, outcome)

    async def _not_listed(self, row: ChargeRow, error: TallystickError) -> Outcome:
        """Return what a token means whose charges can not be listed; nothing was sent."""
        if isinstance(error, NotFound | Conflict):
            return await self._finish(row, _GONE)
        async with self._db.own_transaction(account_scope(row.account_id)) as conn:
            await store.release(conn, row)
        return Unknown("no_answer")

    async def _claim(self, row: ChargeRow) -> bool:
        """Hold the token; another charge of it is waited for, or looked into if it is lost."""
        for wait in range(TOKEN_WAIT):
            async with self._db.own_transaction(account_scope(row.account_id)) as conn:
                if await store.claim(conn, row):
                    return True
                is_freed = await self._free(conn, row)
                others = [] if is_freed or wait else await store.live(conn, row)
            for other in others:
                await self._search_lost(other)
            if wait and not is_freed:
                await asyncio.sleep(TOKEN_WAIT_S)
        return False

    async def _search_lost(self, row: ChargeRow) -> None:
        """Find a charge that holds the token and has had no answer for longer than a call takes.

        Its own attempt may look for it no more, when a person has to.
        """
        now = self._clock()
        if row.sent_at is None or now - row.sent_at < LOST_AFTER:
            return
        asked = read_amount(
            str(row.request["initialPrice"]), code_of(row.request["currencyCode"], None)
        )
        if asked is not None:
            await self._search(row, asked, now)

    async def _free(self, conn: Connection, row: ChargeRow) -> bool:
        """Let go of a charge that holds the token and of which a webhook has told all."""
        for other in await store.live(conn, row):
            outcome = await store.told(conn, other)
            if outcome is not None:
                await store.finish(conn, other, outcome)
                return True
        return False

    async def _search(self, row: ChargeRow, amount: Money, now: datetime) -> Outcome:
        """Find a charge among its token's: the one that is new and no other's."""
        try:
            listed = await self._calls.list_charges(row.payment_token_id)
        except TallystickError:
            return Unknown("no_answer")
        async with self._db.own_transaction(account_scope(row.account_id)) as conn:
            others = await store.known_ids(conn, row, listed)
        new = listed - set(row.before_ids or ()) - others
        if len(new) > 1:
            log.error("ccbill_charge_unclear", payment_key=row.idempotency_key, count=len(new))
            return Unknown("charge_unclear")
        if new:
            return await self._finish(row, Succeeded(next(iter(new)), amount))
        return await self._missing(row, amount, now)

    async def _missing(self, row: ChargeRow, amount: Money, now: datetime) -> Outcome:
        """Decide whether a charge that its token does not list was never made."""
        sent_at = row.sent_at or row.created_at
        if now - sent_at < LISTED_WITHIN:
            return Unknown("not_listed_yet")
        early, late = sent_at - timedelta(minutes=5), sent_at + LISTED_WITHIN
        is_sold = await self._sales.may_have_sold(amount, early, late)
        if is_sold:
            log.error("ccbill_sale_of_nobody", payment_key=row.idempotency_key)
            return Unknown("charge_unclear")
        if is_sold is None and now - sent_at < GIVEN_UP_AFTER:
            return Unknown("not_listed_yet")
        log.warning("ccbill_never_charged", payment_key=row.idempotency_key)
        return await self._finish(row, _NEVER)

    async def _finish(self, row: ChargeRow, outcome: Outcome) -> Outcome:
        async with self._db.own_transaction(account_scope(row.account_id)) as conn:
            await store.finish(conn, row, outcome)
        return outcome


def outcome_of(answer: Answer, amount: Money) -> Outcome:
    """Return what the answer to a charge means; only a clear yes with an id is money."""
    if answer.status != _OK:
        return refusals.outcome_of(answer)
    reply = wire.read(answer.body, wire.ChargeReply)
    if reply is None:
        return Unknown("unreadable_answer")
    approved, reference = wire.is_approved(reply), wire.plain_id(reply.subscriptionId)
    if approved is False:
        return declines.of_reply(wire.number(reply.declineCode) or wire.number(reply.errorCode))
    if approved and reference is not None:
        return Succeeded(reference, amount)
    return Unknown("unreadable_answer")
