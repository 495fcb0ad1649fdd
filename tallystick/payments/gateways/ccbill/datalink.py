"""DataLink: what CCBill has in its books, by windows of a day at most and once an hour."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import structlog

from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.errors import BadInput, TallystickError, TooMany
from tallystick.money.amount import Money
from tallystick.money.errors import MoneyError
from tallystick.payments.gateway import no_answer, not_configured
from tallystick.payments.gateways.ccbill import extract_store as store
from tallystick.payments.gateways.ccbill.client import Answer, CcbillHttp, NoAnswer, NotSent
from tallystick.payments.gateways.ccbill.datalink_rows import (
    NEW,
    REBILL,
    REVERSALS,
    ExtractFailed,
    Line,
    read_extract,
)
from tallystick.payments.gateways.ccbill.mountain import write_time
from tallystick.payments.requests import Transaction, TransactionPage
from tallystick.settings_ccbill import CcbillSettings

log = structlog.get_logger()

WINDOW_MAX: Final = timedelta(hours=24)
GAP: Final = timedelta(minutes=60)
_OK: Final = 200
_KINDS: Final = {NEW: "charge", REBILL: "charge", "REFUND": "refund", "VOID": "refund"}


class DataLink:
    """Asks for extracts; `default_currency` is what a line is in when nobody here knows better."""

    def __init__(
        self,
        db: Database,
        http: CcbillHttp,
        settings: CcbillSettings,
        clock: Clock,
        default_currency: str,
    ) -> None:
        self._db = db
        self._http = http
        self._settings = settings
        self._clock = clock
        self._default_currency = default_currency

    async def list_transactions(self, start: datetime, end: datetime) -> TransactionPage:
        """Return what moved money in [start, end), a day at most. Raises as `extract`."""
        lines = await self.extract(start, end, (NEW, REBILL, *REVERSALS))
        ids = {line.subscription_id for line in lines}
        async with self._db.own_transaction(WRITER) as conn:
            currencies = await store.currencies_of(conn, ids)
        moved = [self._transaction(line, currencies.get(line.subscription_id)) for line in lines]
        inside = [one for one in moved if one is not None and start <= one.created_at < end]
        return TransactionPage(tuple(inside), None)

    async def may_have_sold(self, amount: Money, start: datetime, end: datetime) -> bool | None:
        """Tell whether there is a sale of this price in [start, end) that is not ours; None: ?."""
        try:
            lines = await self.extract(start, min(end, self._clock()), (NEW,))
        except TallystickError:
            return None
        price = amount.to_decimal()
        ids = {line.subscription_id for line in lines if line.amount == price}
        async with self._db.own_transaction(WRITER) as conn:
            return bool(ids - await store.ours(conn, ids))

    async def extract(
        self, start: datetime, end: datetime, kinds: tuple[str, ...]
    ) -> tuple[Line, ...]:
        """Return the lines of these kinds in the window.

        Raises BadInput for a longer window, TooMany within an hour of the last request, whoever
        made it, and Unavailable.
        """
        if not timedelta() < end - start <= WINDOW_MAX:
            raise BadInput.field(
                "end", "window_too_long", "must be within 24 hours after the start"
            )
        if not self._settings.datalink_configured:
            raise not_configured("ccbill")
        await self._take_turn()
        try:
            answer = await self._http.send(
                "GET", "/data/main.cgi", query=self._query(start, end, kinds)
            )
        except (NotSent, NoAnswer) as error:
            raise no_answer("ccbill") from error
        try:
            return _read(answer)
        except ExtractFailed as error:
            # Its words may quote the login, so they go nowhere.
            log.warning("ccbill_extract_failed", status=answer.status)
            raise no_answer("ccbill") from error

    async def _take_turn(self) -> None:
        now = self._clock()
        async with self._db.own_transaction(WRITER) as conn:
            asked_at = await store.take_turn(conn, self._settings.datalink_username or "", now, GAP)
        if asked_at is not None:
            wait = int((asked_at + GAP - now).total_seconds()) + 1
            raise TooMany(
                "datalink_waits",
                "DataLink answers once an hour; ask again later.",
                extra={"retry_after": wait},
            )

    def _query(self, start: datetime, end: datetime, kinds: tuple[str, ...]) -> dict[str, str]:
        settings = self._settings
        return {
            "startTime": write_time(start),
            "endTime": write_time(end),
            "transactionTypes": ",".join(kinds),
            "clientAccnum": str(settings.accnum),
            "clientSubacc": f"{settings.subacc:04d}",
            "username": settings.datalink_username or "",
            "password": settings.datalink_password or "",
        }

    def _transaction(self, line: Line, currency: str | None) -> Transaction | None:
        try:
            amount = Money.from_decimal(
                line.amount or Decimal(0), currency or self._default_currency
            )
        except MoneyError:
            log.exception("ccbill_line_unreadable", kind=line.kind)
            return None
        is_back = line.kind in REVERSALS
        stamp = write_time(line.at)
        own = line.transaction_id or line.subscription_id
        return Transaction(
            reference=f"{own}:{line.kind}:{stamp}" if is_back else own,
            kind=_KINDS.get(line.kind, "dispute"),
            amount=-amount if is_back else amount,
            fee=None,
            net=None,
            created_at=line.at,
            references=(charge_name(line.subscription_id, line.transaction_id),),
        )


def _read(answer: Answer) -> tuple[Line, ...]:
    if answer.status != _OK:
        raise ExtractFailed
    return read_extract(answer.body.decode("utf-8", "replace"))


def charge_name(subscription_id: str, transaction_id: str | None) -> str:
    """Return our name of a charge: of a sale its subscription, of a rebill both ids.

    A refund is asked for by subscription alone, so a rebill's name has to carry it.
    """
    if transaction_id is None or transaction_id == subscription_id:
        return subscription_id
    return f"{subscription_id}/{transaction_id}"
