"""Payments by hand: no network, no payers, nothing is taken by itself."""

from tallystick.payments.gateways.manual import ManualGateway
from tests.contract.gateways.rig import Rig


class ManualRig(Rig):
    """The adapter alone."""

    def __init__(self) -> None:
        self.gateway = ManualGateway()
