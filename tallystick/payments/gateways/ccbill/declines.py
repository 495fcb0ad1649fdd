"""CCBill's decline codes as ours (help.mymember.site lists them; no table of CCBill's is public).

The REST reply has numbers, the webhook `BE-nnn`. Hard ones never try the card again.
"""

from collections.abc import Mapping
from typing import Final

from tallystick.payments.declines import GENERIC
from tallystick.payments.outcomes import Declined

_FAILED: Final = "processing_error"
_CARD: Final = "incorrect_number"
# REST `declineCode` -> (ours, hard).
NUMBERS: Final[Mapping[int, tuple[str, bool]]] = {
    1: (GENERIC, False),
    2: ("expired_card", True),
    4: (GENERIC, True),
    5: (GENERIC, False),
    7: (GENERIC, True),
    22: (_FAILED, False),
    27: (_FAILED, False),
    51: ("insufficient_funds", False),
    54: ("expired_card", True),
    57: ("card_not_supported", True),
    65: ("limit_exceeded", False),
    93: (GENERIC, True),
}
# Webhook `failureCode` without `BE-` -> (ours, hard). 111 is assumed: it is in no list.
FAILURES: Final[Mapping[int, tuple[str, bool]]] = {
    100: (GENERIC, False),
    101: (_FAILED, False),
    102: (GENERIC, True),
    103: (GENERIC, False),
    104: (_FAILED, False),
    105: ("card_not_supported", True),
    106: ("amount_not_chargeable", False),
    107: (_CARD, True),
    108: (_CARD, True),
    110: (GENERIC, False),
    111: ("insufficient_funds", False),
    112: (_CARD, True),
    115: (GENERIC, False),
    116: (_FAILED, False),
    118: (GENERIC, True),
    119: ("limit_exceeded", False),
    120: (GENERIC, False),
    121: (_FAILED, False),
    122: ("expired_card", True),
    123: (_FAILED, False),
    124: (_FAILED, False),
    125: (_FAILED, False),
    126: (GENERIC, True),
    128: ("incorrect_cvc", True),
    129: ("incorrect_address", True),
    130: (_FAILED, False),
    131: (GENERIC, True),
    132: (GENERIC, True),
    135: (GENERIC, False),
    136: ("currency_not_supported", False),
    137: (_FAILED, False),
    140: (_FAILED, False),
    900: (GENERIC, False),
}


def of_reply(code: int | None) -> Declined:
    """Return a REST reply's refusal; an unknown number is a plain decline."""
    ours, hard = NUMBERS.get(code or 0, (GENERIC, False))
    return Declined(ours, hard=hard)


def of_failure(code: str | None) -> Declined:
    """Return a webhook's refusal: `BE-103`; an unknown one is a plain decline."""
    digits = (code or "").upper().removeprefix("BE-").strip()
    known = FAILURES.get(int(digits)) if digits.isascii() and digits.isdigit() else None
    ours, hard = known or (GENERIC, False)
    return Declined(ours, hard=hard)
