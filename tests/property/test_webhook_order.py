"""Whatever fails, and whoever dies: each event arrives, and an object's events in their order."""

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid4

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tallystick.kernel import outbox
from tallystick.kernel.db import WRITER, Connection, Database, account_scope, open_database
from tallystick.outgoing_webhooks import endpoints
from tallystick.outgoing_webhooks.endpoints import EndpointRules
from tallystick.outgoing_webhooks.jobs import Sender
from tallystick.outgoing_webhooks.model import Answer, Leased, NewEndpoint
from tallystick.outgoing_webhooks.urls import Reach

RULES = EndpointRules(Reach(), ("invoice.paid",))
SECOND = timedelta(seconds=1)
# What an endpoint does with a request: 0 dies while it is being sent, None never answers.
DOINGS = st.sampled_from([200, 200, 200, 500, 503, None, 0])


class Told(msgspec.Struct, frozen=True):
    invoice_id: UUID
    number: int


class ProcessDiedError(Exception):
    """Stands for a process that is killed between sending and writing down."""


class Order(RuleBasedStateMachine):
    loop: ClassVar[asyncio.AbstractEventLoop]
    db: ClassVar[Database]

    @initialize()
    def begin(self) -> None:
        self.account, self.ahead, self.number = uuid4(), timedelta(), 0
        self.objects = [uuid4() for _ in range(3)]
        self.doings: list[int | None] = []
        self.told: dict[str, list[int]] = {}
        self.arrived: dict[tuple[str, str], list[int]] = {}
        self.senders = [
            Sender(self.db, self.clock, self.body, self.post, chance=lambda: 0.0) for _ in range(2)
        ]
        self.run(self.make_endpoints())

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def make_endpoints(self) -> None:
        async with self.db.transaction(WRITER) as conn:
            await conn.execute("DELETE FROM webhook_endpoints")
            for host in ("a", "b"):
                new = NewEndpoint(url=f"https://{host}.example/")
                await endpoints.create(conn, self.account, new, RULES, self.clock())

    async def body(self, _conn: Connection, event: Leased) -> bytes:
        return event.payload

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        assert headers["webhook-id"]
        doing = self.doings.pop() if self.doings else 200
        event = msgspec.json.decode(body, type=Told)
        await asyncio.sleep(0)
        if doing != 503:  # not even looked at
            seen = self.arrived.setdefault((url, str(event.invoice_id)), [])
            if event.number not in seen:
                seen.append(event.number)
        if doing == 0:
            raise ProcessDiedError
        return Answer(duration=SECOND, status_code=doing, error=None if doing else "timeout")

    @rule(which=st.integers(0, 2), count=st.integers(1, 3))
    def tell(self, which: int, count: int) -> None:
        async def tell() -> None:
            async with self.db.transaction(account_scope(self.account)) as conn:
                for _ in range(count):
                    self.number += 1
                    told = Told(self.objects[which], self.number)
                    self.told.setdefault(str(told.invoice_id), []).append(told.number)
                    await outbox.append(conn, self.account, "invoice.paid", told)

        self.run(tell())

    @rule(doings=st.lists(DOINGS, max_size=6), both=st.booleans())
    def send(self, doings: list[int | None], both: bool) -> None:  # noqa: FBT001 - Hypothesis
        self.doings = doings

        async def send() -> None:
            senders = self.senders[: 2 if both else 1]
            await asyncio.gather(*(sender.run_due(self.clock()) for sender in senders))

        self.run(send())

    @rule(wait=st.sampled_from([SECOND * 6, SECOND * 130, SECOND * 1900, SECOND * 20_000]))
    def wait(self, wait: timedelta) -> None:
        self.ahead += wait

    @invariant()
    def events_arrive_in_their_order(self) -> None:
        for (_, key), numbers in getattr(self, "arrived", {}).items():
            assert numbers == self.told[key][: len(numbers)]

    def teardown(self) -> None:
        """Nobody fails any more: all that was told arrives, unless it was given up."""
        if not hasattr(self, "told"):
            return
        for _ in range(60):
            self.doings = []
            self.run(self.senders[0].run_due(self.clock()))
            self.ahead += timedelta(hours=7)
        for host in ("a", "b"):
            for key, numbers in self.told.items():
                assert self.arrived[f"https://{host}.example/", key] == numbers


def test_an_objects_events_arrive_in_their_order_whatever_fails(dsn: str) -> None:
    Order.loop = asyncio.new_event_loop()
    Order.db = Order.loop.run_until_complete(open_database(dsn, connections_max=6))
    try:
        run_state_machine_as_test(
            Order,
            settings=settings(
                max_examples=15,
                stateful_step_count=15,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    finally:
        Order.loop.run_until_complete(Order.db.close())
        Order.loop.close()
