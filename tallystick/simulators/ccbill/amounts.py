"""Exact initial prices that make a charge go wrong (invented), with a card that is approved."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from tallystick.simulators.ccbill.declines import (
    DO_NOT_HONOR,
    INSUFFICIENT_FUNDS,
    SYSTEM_ERROR,
    Decline,
)

Mishap = Literal[
    "nothing_done",
    "error_after",
    "slow_reply",
    "velocity",
    "webhook_first",
    "webhook_never",
    "webhook_thrice",
    "webhook_differs",
    "webhook_late",
]
DECLINED: Mapping[Decimal, Decline] = {
    Decimal("66.51"): INSUFFICIENT_FUNDS,
    Decimal("66.05"): DO_NOT_HONOR,
    Decimal("66.27"): SYSTEM_ERROR,
}
MISHAPS: Mapping[Decimal, Mishap] = {
    Decimal("66.90"): "nothing_done",
    Decimal("66.91"): "error_after",
    Decimal("66.92"): "slow_reply",
    Decimal("66.93"): "velocity",
    Decimal("66.94"): "webhook_first",
    Decimal("66.95"): "webhook_never",
    Decimal("66.96"): "webhook_thrice",
    Decimal("66.97"): "webhook_differs",
    Decimal("66.98"): "webhook_late",
}
# What a webhook says too much of a charge of 66.97.
DIFFERENCE = Decimal("1.00")
