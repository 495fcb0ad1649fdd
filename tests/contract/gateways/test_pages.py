"""Pages of the gateway: one per key, also when an answer is lost; opening one takes nothing."""

from typing import Literal

import pytest

from tallystick.kernel.errors import Unavailable
from tests.contract.gateways.rig import Rig, a_page

MODES: tuple[Literal["payment"], Literal["setup"]] = ("payment", "setup")


@pytest.mark.parametrize("mode", MODES)
async def test_a_page_is_opened_once_for_a_key_and_takes_nothing_by_itself(
    rig: Rig, mode: Literal["payment", "setup"]
) -> None:
    if mode not in rig.gateway.capabilities.checkout:
        return
    request = a_page(await rig.charge(), mode)
    page = await rig.gateway.start_checkout(request)
    assert page.url.startswith("http")
    assert await rig.gateway.start_checkout(request) == page
    other = await rig.gateway.start_checkout(a_page(await rig.charge(), mode))
    assert other.reference != page.reference
    assert list(await rig.taken()) == []


async def test_a_page_whose_answer_was_lost_is_the_same_page_when_it_is_asked_for_again(
    rig: Rig,
) -> None:
    can = rig.gateway.capabilities
    if "payment" not in can.checkout or can.keeps_keys is None:
        return
    request = a_page(await rig.charge(), "payment")
    await rig.drop_replies()
    with pytest.raises(Unavailable):
        await rig.gateway.start_checkout(request)
    await rig.come_back()
    page = await rig.gateway.start_checkout(request)
    assert await rig.gateway.start_checkout(request) == page
