"""What a bank's refusal is called: in a REST reply, and in a webhook."""

import msgspec


class Decline(msgspec.Struct, frozen=True):
    """A refusal. `code` and `text` stand in a reply, `failure_*` in a webhook.

    A form denies at once when it is `hard`, and after three tries otherwise.
    """

    code: int
    text: str
    failure_code: str
    failure_reason: str
    hard: bool = False


DO_NOT_HONOR = Decline(5, "Do Not Honor", "BE-103", "Do Not Honor")
# BE-111 is assumed: it stands in no table that we have seen.
INSUFFICIENT_FUNDS = Decline(51, "Insufficient Funds", "BE-111", "Insufficient Funds")
EXPIRED_CARD = Decline(54, "Expired Card", "BE-122", "Expired Card", hard=True)
PICK_UP = Decline(4, "Pick Up Card", "BE-102", "Pick Up Card", hard=True)
SYSTEM_ERROR = Decline(27, "System Error, Please Try Again", "BE-104", "System Error")
NOT_PERMITTED = Decline(57, "Transaction Not Permitted", "BE-105", "Invalid Transaction", hard=True)
DECLINES = {
    decline.failure_code: decline
    for decline in (
        DO_NOT_HONOR,
        INSUFFICIENT_FUNDS,
        EXPIRED_CARD,
        PICK_UP,
        SYSTEM_ERROR,
        NOT_PERMITTED,
    )
}
