"""Whatever is wished for, answered, lost, pressed at once or paid late: collected once, booked."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from tallystick.accounts import service as accounts
from tallystick.kernel.db import WRITER, Database, open_database
from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.payments import method_store, methods
from tallystick.payments.gateway import Gateway
from tallystick.payments.once import OneTime
from tallystick.payments.outcomes import (
    Declined,
    NeedsAction,
    Outcome,
    Succeeded,
    Unknown,
)
from tallystick.payments.requests import Capabilities, Card, Charge, MethodDescription
from tests.service.payments.conftest import Endpoint, World

Answer = Literal["yes", "no", "never", "part", "more", "ask", "lost", "lost_untaken"]
ANSWERS = st.sampled_from(
    ["yes", "yes", "no", "never", "part", "more", "ask", "lost", "lost_untaken"]
)
MINOR = st.integers(2, 5000)
TRIES = 60

# One row an account; what each column counts must be nothing.
APART = """
SELECT
  (SELECT coalesce(sum(amount), 0) FROM ledger_postings
   WHERE account_id = $1 AND ledger_account = 'receivable')
  - (SELECT coalesce(sum(total_minor - paid_minor), 0) FROM invoices
     WHERE account_id = $1 AND status IN ('open', 'paid')) AS receivable,
  (SELECT coalesce(sum(amount), 0) FROM ledger_postings
   WHERE account_id = $1 AND ledger_account = 'clearing:stripe')
  - (SELECT coalesce(sum(received_minor), 0) FROM payments WHERE account_id = $1) AS received,
  (SELECT -coalesce(sum(amount), 0) FROM ledger_postings
   WHERE account_id = $1 AND ledger_account = 'prepaid')
  + (SELECT coalesce(sum(paid_minor), 0) FROM invoices
     WHERE account_id = $1 AND status IN ('open', 'paid'))
  - (SELECT coalesce(sum(received_minor), 0) FROM payments WHERE account_id = $1) AS shared_out,
  (SELECT count(*) FROM payments p WHERE account_id = $1 AND amount_minor <>
     (SELECT sum(amount_minor) FROM payment_invoices i
      WHERE i.account_id = $1 AND i.payment_id = p.payment_id)) AS parts,
  (SELECT count(*) FROM payments p WHERE account_id = $1 AND received_minor <
     (SELECT sum(paid_minor) FROM payment_invoices i
      WHERE i.account_id = $1 AND i.payment_id = p.payment_id)) AS given,
  (SELECT count(*) FROM invoices i WHERE account_id = $1 AND paid_minor > total_minor) AS over,
  (SELECT count(*) FROM payment_invoices JOIN payments USING (account_id, payment_id)
   WHERE account_id = $1
     AND live <> (status IN ('pending', 'pending_approval', 'processing'))) AS live
"""
OVER = """
SELECT coalesce(sum(amount), 0)::bigint FROM ledger_postings JOIN ledger_entries e
    USING (account_id, ledger_entry_id)
WHERE account_id = $1 AND e.kind = 'payment_over' AND ledger_account = 'receivable'
"""


class Scripted(Gateway):
    """A gateway that answers as it is told, and remembers what it really took by key."""

    name = "stripe"
    capabilities = Capabilities(charges_saved_methods=True, keeps_keys=timedelta(days=1))

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.taken: dict[str, Money] = {}
        self.asks: dict[str, Charge] = {}
        self.extra: Counter[UUID] = Counter()

    async def charge(self, charge: Charge) -> Outcome:
        if charge.key in self.taken:
            return Succeeded(charge.key, self.taken[charge.key])
        await asyncio.sleep(0)
        said = self.script.pop(0) if self.script else "yes"
        if said in {"no", "never"}:
            return Declined("card_declined", hard=said == "never", reference=charge.key)
        if said == "ask":
            self.asks[charge.key] = charge
            return NeedsAction(charge.key)
        if said == "lost_untaken":
            return Unknown("no_answer")
        changed = {"part": charge.amount.minor // 2, "more": charge.amount.minor + 77}
        self.take(charge, Money(changed.get(said, charge.amount.minor), charge.amount.currency))
        taken = Succeeded(charge.key, self.taken[charge.key])
        return Unknown("no_answer") if said == "lost" else taken

    def take(self, charge: Charge, amount: Money) -> None:
        assert charge.key not in self.taken
        self.taken[charge.key] = amount
        self.extra[charge.account_id] += max(amount.minor - charge.amount.minor, 0)

    async def look_up(self, charge: Charge, reference: str | None, now: datetime) -> Outcome:
        del reference, now
        if charge.key in self.taken:
            return Succeeded(charge.key, self.taken[charge.key])
        if charge.key in self.asks:
            return NeedsAction(charge.key)
        return Declined("never_charged")

    async def cancel(self, reference: str, key: str) -> Outcome:
        del key
        if reference in self.taken:
            return Succeeded(reference, self.taken[reference])
        self.asks.pop(reference, None)
        return Declined("cancelled", reference=reference)


class Payments(RuleBasedStateMachine):
    """One account that owes, pays and presses, and a gateway of moods."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    db: ClassVar[Database]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize(autopay=st.booleans(), fallback=st.booleans())
    def begin(self, autopay: bool, fallback: bool) -> None:  # noqa: FBT001
        self.gateway, self.pressed = Scripted(), 0
        self.invoices: list[UUID] = []
        self.world = World(self.db, "http://127.0.0.1:9", Endpoint(), [self.gateway])

        async def work() -> UUID:
            account: UUID = await self.world.account(autopay=autopay)
            now = self.world.clock()
            async with self.db.transaction(WRITER) as conn:
                await accounts.set_autopay(conn, account, enabled=autopay, fallback=fallback)
                await method_store.link(conn, account, "stripe", f"cus_{account}", now)
                for at in (1, 2):
                    card = Card("visa", f"424{at}", 12, 2199)
                    saved = MethodDescription(f"pm_{at}_{account}", f"cus_{account}", "card", card)
                    await methods.save(conn, account, "stripe", saved, now)
            return account

        self.account: UUID = self.run(work())

    async def tried(self, work: Coroutine[Any, Any, Any]) -> None:
        with suppress(Conflict):  # what is refused changes nothing; the invariants look
            await work

    def key(self) -> str:
        self.pressed += 1
        return f"press-{self.pressed}"

    @rule(minor=MINOR)
    def owe(self, minor: int) -> None:
        self.invoices.append(self.run(self.world.invoice(self.account, minor)))

    @rule(script=st.lists(ANSWERS, max_size=3), presses=st.integers(1, 4))
    def press_balance(self, script: list[Answer], presses: int) -> None:
        self.gateway.script = script
        pay = self.world.collector.pay_balance
        work = [self.tried(pay(self.account, request_key=self.key())) for _ in range(presses)]
        self.run(_together(work))

    @rule(at=st.integers(0, 9), share=st.integers(1, 3), script=st.lists(ANSWERS, max_size=1))
    def pay_one(self, at: int, share: int, script: list[Answer]) -> None:
        if not self.invoices:
            return
        invoice_id, self.gateway.script = self.invoices[at % len(self.invoices)], script
        due = self.run(self.world.get_invoice(self.account, invoice_id)).due.minor
        part = due // share if share > 1 and due >= share else None
        pay = self.world.collector.pay_invoice(
            self.account, invoice_id, request_key=self.key(), amount_minor=part
        )
        self.run(self.tried(pay))

    @rule(minor=MINOR, script=st.lists(ANSWERS, max_size=1))
    def charge_once(self, minor: int, script: list[Answer]) -> None:
        self.gateway.script = script
        asked = OneTime(amount=Money(minor, "USD"))
        charge = self.world.once.charge(self.account, asked, request_key=self.key())
        self.run(self.tried(charge))

    @rule(script=st.lists(ANSWERS, max_size=3), at_once=st.booleans())
    def work(self, script: list[Answer], at_once: bool) -> None:  # noqa: FBT001
        """What the worker does: events, due wishes; maybe twice beside each other."""
        self.gateway.script = script
        self.run(_together([self.world.round() for _ in range(1 + at_once)]))

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.world.ahead += timedelta(hours=hours)

    @rule(at=st.integers(0, 9))
    def confirm(self, at: int) -> None:
        """The payer confirms a page that still waits; nobody tells us yet."""
        if self.gateway.asks:
            charge = self.gateway.asks.pop(sorted(self.gateway.asks)[at % len(self.gateway.asks)])
            self.gateway.take(charge, charge.amount)

    @rule(times=st.integers(1, 3))
    def tell(self, times: int) -> None:
        """Webhooks of all that was taken, again and beside each other."""
        self.run(_together([self._news() for _ in range(times)]))

    async def _news(self) -> None:
        async with self.db.transaction(WRITER) as conn:
            rows = await conn.fetch(
                "SELECT payment_attempt_id, idempotency_key FROM payment_attempts "
                "WHERE account_id = $1",
                self.account,
            )
        for row in rows:
            key = row["idempotency_key"]
            if key in self.gateway.taken:
                news = Succeeded(key, self.gateway.taken[key])
                await self.world.tries.record(self.account, row["payment_attempt_id"], news)

    @invariant()
    def documents_and_books_agree(self) -> None:
        async def read() -> tuple[dict[str, int], int]:
            async with self.db.transaction(WRITER) as conn:
                (row,) = await conn.fetch(APART, self.account)
                return dict(row), await conn.fetchval(OVER, self.account)

        apart, over = self.run(read())
        assert not any(apart.values()), apart
        # Nothing is over but what the gateway took beyond what it was asked for.
        assert over <= self.gateway.extra[self.account]

    def teardown(self) -> None:
        """When all is told and looked at, what the gateway took is what the books have of it."""
        if not hasattr(self, "account"):
            return
        self.gateway.script = []
        for _ in range(TRIES):
            self.world.ahead += timedelta(hours=25)
            if not self.run(self.world.round()):
                break
        owed, held = self.run(self.world.balances(self.account))
        assert owed >= 0
        assert held == sum(amount.minor for amount in self.gateway.taken.values())
        self.documents_and_books_agree()


async def _together(works: list[Coroutine[Any, Any, Any]]) -> None:
    for failed in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(failed, BaseException):
            raise failed


def test_what_is_paid_and_what_the_books_say_agree_whatever_happens(dsn: str) -> None:
    loop = Payments.loop = asyncio.new_event_loop()

    async def begin() -> None:
        Payments.db = await open_database(dsn, connections_max=6)

    try:
        loop.run_until_complete(begin())
        run_machine(
            Payments,
            settings=settings(
                max_examples=20, stateful_step_count=16,
                suppress_health_check=list(HealthCheck), deadline=None,
            ),
        )  # fmt: skip
        loop.run_until_complete(Payments.db.close())
    finally:
        loop.close()
