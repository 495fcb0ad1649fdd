"""What a gateway tells of objects that live there; what is ours goes on to payments."""

from tallystick.mirror.service import Mirror
from tallystick.payments.facts import (
    ChargeReturned,
    DisputeReported,
    GatewayEvent,
    MirrorChanged,
    ObjectChanged,
    RefundReported,
)
from tallystick.payments.mirrored import MirrorKind
from tallystick.payments.news import News
from tallystick.payments.verdicts import Handled, Parked, Skipped, Verdict


class MirrorNews:
    """Keeps the mirror in step; everything else is told to who stands behind it."""

    def __init__(self, mirror: Mirror, behind: News) -> None:
        self._mirror = mirror
        self._behind = behind

    async def apply(self, gateway: str, event: GatewayEvent) -> Verdict:
        """Apply an event. Raises Unavailable when the gateway has to be asked and is away."""
        if gateway != self._mirror.gateway or not await self._mirror.is_on():
            return await self._behind.apply(gateway, event)
        if isinstance(event.fact, MirrorChanged):
            return await self._changed(event.fact.kind, event.fact.reference)
        verdict = await self._behind.apply(gateway, event)
        if isinstance(verdict, Parked):
            return await self._of_mirrored(event) or verdict
        return verdict

    async def _changed(self, kind: MirrorKind, reference: str) -> Verdict:
        account_id = await self._mirror.refresh(kind, reference)
        return Skipped("not_mirrored") if account_id is None else Handled(account_id)

    async def _of_mirrored(self, event: GatewayEvent) -> Verdict | None:
        """Follow what went back of a charge that is not ours: nothing of it is in our books."""
        fact = event.fact
        match fact:
            case RefundReported() | DisputeReported() | ChargeReturned():
                name = fact.charge_reference
            case ObjectChanged():
                name = fact.reference
            case _:
                return None
        charge = await self._mirror.find_charge(name)
        return None if charge is None else await self._changed(MirrorKind.CHARGE, charge)
