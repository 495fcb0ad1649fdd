"""Asks the EU's VIES whether VAT numbers are somebody's: optional, in the background.

Nothing waits for it. A number that is refused counts as none on later invoices, an issued one stays
as it is; without an answer the form of the number decides, and it is asked again later.
https://ec.europa.eu/taxation_customs/vies/#/technical-information
"""

from datetime import datetime, timedelta
from typing import Final

import httpx
import msgspec
import structlog
from msgspec.structs import replace

from tallystick.accounts.tax_numbers import EU_COUNTRIES
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.due import WallKind, retry_after
from tallystick.taxes import store
from tallystick.taxes.model import CheckOutcome, NumberCheck

NAME: Final = "tax_numbers"
BATCH_MAX: Final = 10
TIMEOUT_S: Final = 10.0
LEASE: Final = timedelta(minutes=10)
ASK_AGAIN: Final = timedelta(days=90)
_PREFIX_LENGTH: Final = 2

log = structlog.get_logger()


class _Answer(msgspec.Struct, frozen=True):
    """What we need of an answer; one without `valid` says that a register is away."""

    valid: bool


class NumberChecks:
    """The work of the kind `tax_numbers`; `url` is where VIES is, or a stand-in."""

    def __init__(self, db: Database, url: str) -> None:
        self._db = db
        self._url = f"{url}/check-vat-number"

    def kind(self) -> WallKind:
        """Return the work as the worker takes it."""
        return WallKind(NAME, self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Ask for the numbers that are due, a few of them, and return how many that were.

        No transaction is open while the register is asked.
        """
        async with self._db.transaction(WRITER) as conn:
            due = await store.claim_checks(conn, EU_COUNTRIES, now, now + LEASE, BATCH_MAX)
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            for check in due:
                checked = after(check, await self._ask(client, check), now)
                async with self._db.transaction(WRITER) as conn:
                    await store.save_check(conn, checked)
        return len(due)

    async def _ask(self, client: httpx.AsyncClient, check: NumberCheck) -> CheckOutcome:
        number = check.tax_number
        asked = {"countryCode": number[:_PREFIX_LENGTH], "vatNumber": number[_PREFIX_LENGTH:]}
        try:
            answer = await client.post(self._url, json=asked)
            answer.raise_for_status()
            is_valid = msgspec.json.decode(answer.content, type=_Answer).valid
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            log.warning("tax_number_unanswered", error=type(error).__name__)
            return "unknown"
        return "confirmed" if is_valid else "refused"


def after(check: NumberCheck, told: CheckOutcome, now: datetime) -> NumberCheck:
    """Return what is known after an answer: no answer takes nothing back. Pure."""
    if told == "unknown":
        tries = check.try_count + 1
        return replace(check, try_count=tries, next_check_at=retry_after(now, tries))
    return replace(check, outcome=told, checked_at=now, try_count=0, next_check_at=now + ASK_AGAIN)
