"""Reading what lives at a gateway, a page at a time; it may stop anywhere and go on later."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Database
from tallystick.mirror import customers, store
from tallystick.mirror.model import Progress, Step, Told
from tallystick.payments import linking
from tallystick.payments.mirrored import (
    Mirrored,
    MirroredCustomer,
    MirrorKind,
    MirrorPage,
)
from tallystick.payments.requests import MethodDescription

ASKED_AT_ONCE_MAX: Final = 8
"""Stripe takes 100 reads a second of a live account, 25 of a test account."""


class Source(Protocol):
    """A gateway in which things live: Stripe, and in tests a short list."""

    async def list_page(self, kind: MirrorKind, cursor: str | None) -> MirrorPage:
        """Return objects, newest first, behind the cursor."""
        ...

    async def read(self, kind: MirrorKind, reference: str) -> Mirrored | None:
        """Return an object as it is now; None: it is gone."""
        ...

    async def methods_of(self, customer: str) -> Sequence[MethodDescription]:
        """Return a customer's saved methods."""
        ...


class Mirror:
    """Keeps what lives at one gateway beside our own."""

    def __init__(
        self,
        db: Database,
        gateway: str,
        source: Source,
        clock: Clock,
        *,
        country: str,
        currency: str,
    ) -> None:
        self._db = db
        self.gateway = gateway
        self._source = source
        self._clock = clock
        self._country = country
        self._currency = currency

    async def read_all(self, told: Told, *, restart: bool = False) -> None:
        """Read everything, going on where an earlier reading stopped; `restart`: from the start.

        One that had ended begins anew, so that what changed is seen. Raises Unavailable; what was
        read until then is kept.
        """
        async with self._db.own_transaction(WRITER) as conn:
            before = await store.progress(conn, self.gateway)
            is_over = len(before) == len(MirrorKind) and all(one.is_done for one in before.values())
            if restart or is_over:
                before = {}
        for kind in MirrorKind:
            await self._read_kind(kind, before.get(kind), told)

    async def refresh(self, kind: MirrorKind, reference: str) -> UUID | None:
        """Read one object that the gateway says has changed; return whose it is, None: nobody's.

        A customer that is not known yet is read with it. Raises Unavailable.
        """
        read_at = self._clock()
        seen = await self._source.read(kind, reference)
        if seen is None:
            return None
        if isinstance(seen, MirroredCustomer):
            return await self._keep_customer(seen, await self._source.methods_of(reference))
        if not await self._owners([seen]):
            await self.refresh(MirrorKind.CUSTOMER, seen.customer_token)
        await self._keep(kind, [seen], read_at)
        return (await self._owners([seen])).get(seen.customer_token)

    async def find_charge(self, name: str) -> str | None:
        """Return a mirrored charge by its own name, or by that of its payment."""
        async with self._db.transaction(WRITER) as conn:
            return await store.find_charge(conn, self.gateway, name)

    async def is_on(self) -> bool:
        """Tell whether this gateway was ever read."""
        async with self._db.transaction(WRITER) as conn:
            return await store.is_on(conn, self.gateway)

    async def _read_kind(self, kind: MirrorKind, before: Progress | None, told: Told) -> None:
        if before is None:
            async with self._db.own_transaction(WRITER) as conn:
                await store.begin(conn, self.gateway, kind, self._clock())
            before = Progress(cursor=None, object_count=0, is_done=False)
        count, left_out, cursor, is_done = before.object_count, 0, before.cursor, before.is_done
        while not is_done:
            read_at = self._clock()
            page = await self._source.list_page(kind, cursor)
            kept = await self._keep(kind, page.objects, read_at)
            cursor, is_done = page.cursor, page.cursor is None
            count, left_out = count + kept, left_out + len(page.objects) - kept
            async with self._db.own_transaction(WRITER) as conn:
                done_at = self._clock() if is_done else None
                await store.advance(
                    conn, self.gateway, kind, cursor=cursor, count=kept, done_at=done_at
                )
            told(Step(kind, count, left_out, is_done))
        if before.is_done:
            told(Step(kind, count, 0, is_done=True))

    async def _keep(self, kind: MirrorKind, seen: Sequence[Mirrored], read_at: datetime) -> int:
        """Write a page, and return how many objects of it are somebody's."""
        if kind is MirrorKind.CUSTOMER:
            found = [one for one in seen if isinstance(one, MirroredCustomer)]
            for customer, methods in zip(found, await self._methods_of(found), strict=True):
                await self._keep_customer(customer, methods)
            return len(found)
        owners = await self._owners(seen)
        rows = [
            (owners[one.customer_token], one)
            for one in seen
            if not isinstance(one, MirroredCustomer) and one.customer_token in owners
        ]
        async with self._db.own_transaction(WRITER) as conn:
            await store.put(conn, self.gateway, kind, rows, read_at)
        return len(rows)

    async def _methods_of(
        self, found: Sequence[MirroredCustomer]
    ) -> list[Sequence[MethodDescription]]:
        """Ask for the methods of a page's customers, a few at a time."""
        free = asyncio.Semaphore(ASKED_AT_ONCE_MAX)

        async def ask(customer: MirroredCustomer) -> Sequence[MethodDescription]:
            async with free:
                return await self._source.methods_of(customer.reference)

        return await asyncio.gather(*map(ask, found))

    async def _keep_customer(
        self, customer: MirroredCustomer, methods: Sequence[MethodDescription]
    ) -> UUID:
        now = self._clock()
        async with self._db.own_transaction(WRITER) as conn:
            account_id = await customers.account_for(
                conn,
                self.gateway,
                customer,
                country=self._country,
                currency=self._currency,
                now=now,
            )
            await linking.keep_methods(conn, account_id, self.gateway, methods, now)
        return account_id

    async def _owners(self, seen: Sequence[Mirrored]) -> dict[str, UUID]:
        tokens = {one.customer_token for one in seen if not isinstance(one, MirroredCustomer)}
        async with self._db.own_transaction(WRITER) as conn:
            return await linking.accounts_of_customers(conn, self.gateway, tokens)
