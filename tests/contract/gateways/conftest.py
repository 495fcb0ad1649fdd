"""The rigs, each in its turn under every test."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Final

import pytest

from tallystick.simulators.stripe.server import running
from tests.contract.gateways.manual_rig import ManualRig
from tests.contract.gateways.rig import Rig
from tests.contract.gateways.stripe_rig import StripeRig


@pytest.fixture(scope="session")
def stripe_simulator() -> Iterator[str]:
    """The address of Stripe's simulator."""
    with running() as base_url:
        yield base_url


async def _stripe(request: pytest.FixtureRequest) -> Rig:
    rig = StripeRig(request.getfixturevalue("stripe_simulator"))
    await rig.begin()
    return rig


async def _manual(_: pytest.FixtureRequest) -> Rig:
    return ManualRig()


RIGS: Final[Mapping[str, Callable[[pytest.FixtureRequest], Awaitable[Rig]]]] = {
    "stripe": _stripe,
    "manual": _manual,
}


@pytest.fixture(params=list(RIGS))
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """One gateway before its simulator, in which nothing has happened yet."""
    made = await RIGS[request.param](request)
    yield made
    await made.close()
