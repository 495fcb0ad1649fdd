"""The rigs, each in its turn under every test."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Final
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from tallystick.kernel.db import Database, open_database
from tallystick.simulators.ccbill.server import running as running_ccbill
from tallystick.simulators.stripe.server import running
from tests.conftest import other_database
from tests.contract.gateways.ccbill_rig import CcbillRig
from tests.contract.gateways.manual_rig import ManualRig
from tests.contract.gateways.rig import Rig
from tests.contract.gateways.stripe_rig import StripeRig


@pytest.fixture(scope="session")
def stripe_simulator() -> Iterator[str]:
    """The address of Stripe's simulator."""
    with running() as base_url:
        yield base_url


@pytest.fixture(scope="session")
def ccbill_contract() -> Iterator[str]:
    """The address of CCBill's simulator."""
    with running_ccbill() as base_url:
        yield base_url


@pytest.fixture(scope="session")
async def rooms(server_dsn: str, template: str) -> AsyncIterator[Database]:
    """One database for all tests: accounts are new in each."""
    name = f"test_contract_{uuid4().hex[:16]}"
    conn = await asyncpg.connect(server_dsn)
    await conn.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
    db = await open_database(other_database(server_dsn, name), connections_max=2)
    yield db
    await db.close()
    await conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await conn.close()


class Simulators(msgspec.Struct, frozen=True):
    """Where the simulators are, and a database for adapters that need one."""

    stripe: str
    ccbill: str
    db: Database


@pytest.fixture(scope="session")
def simulators(stripe_simulator: str, ccbill_contract: str, rooms: Database) -> Simulators:
    """All that rigs are made of."""
    return Simulators(stripe_simulator, ccbill_contract, rooms)


async def _stripe(on: Simulators) -> Rig:
    rig = StripeRig(on.stripe)
    await rig.begin()
    return rig


async def _ccbill(on: Simulators) -> Rig:
    rig = CcbillRig(on.db, on.ccbill)
    await rig.begin()
    return rig


async def _manual(_: Simulators) -> Rig:
    return ManualRig()


RIGS: Final[Mapping[str, Callable[[Simulators], Awaitable[Rig]]]] = {
    "stripe": _stripe,
    "ccbill": _ccbill,
    "manual": _manual,
}


@pytest.fixture(params=list(RIGS))
async def rig(request: pytest.FixtureRequest, simulators: Simulators) -> AsyncIterator[Rig]:
    """One gateway before its simulator, in which nothing has happened yet."""
    made = await RIGS[request.param](simulators)
    yield made
    await made.close()
