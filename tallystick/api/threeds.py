"""3-D Secure at CCBill: what its script brings of the payer's bank, passed on and kept nowhere."""

from typing import Annotated, Final

import msgspec

from tallystick.api.strict import Body
from tallystick.payments.requests import Authentication

Said = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, pattern="^[ -~]+$")]
PREFIX: Final = "threeds"


def _ccbills(name: str) -> str:
    """Return CCBill's name of a field: `ds_trans_id` is `threedsDsTransId`."""
    return PREFIX + "".join(word.title() for word in name.split("_"))


class Threeds(Body, frozen=True, kw_only=True, rename=_ccbills):
    """The result of `authenticateCustomer`, as CCBill's script gives it; used for one charge.

    Without `threedsAmount` and `threedsCurrency`: those are the charge's own.
    """

    eci: Said | None = None
    status: Said | None = None
    success: bool | None = None
    version: Said | None = None
    xid: Said | None = None
    cavv: Said | None = None
    cavv_algorithm: Said | None = None
    ds_trans_id: Said | None = None
    acs_trans_id: Said | None = None
    authentication_value: Said | None = None
    client_transaction_id: Said | None = None
    card_token: Said | None = None
    sdk_trans_id: Said | None = None
    error: Said | None = None
    error_detail: Said | None = None
    error_code: Said | None = None
    error_response: Said | None = None


def authentication_of(threeds: Threeds | None) -> Authentication | None:
    """Return what goes along with the first call; None without any."""
    if threeds is None:
        return None
    given = {name: getattr(threeds, name) for name in threeds.__struct_fields__}
    return Authentication(
        {_ccbills(name): value for name, value in given.items() if value is not None}
    )
