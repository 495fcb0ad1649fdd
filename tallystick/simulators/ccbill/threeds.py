"""What a charge says of the bank's check (3-D Secure), and whether that holds together."""

from decimal import Decimal

from tallystick.simulators.ccbill.errors import invalid
from tallystick.simulators.ccbill.fields import VALUES, Fields

BY_VERSION = {
    "1.0.2": ("threedsXid", "threedsCavv", "threedsCavvAlgorithm"),
    "2.1.0": ("threedsDsTransId", "threedsAcsTransId", "threedsAuthenticationValue"),
    "2.2.0": ("threedsDsTransId", "threedsAcsTransId", "threedsAuthenticationValue"),
}
NEITHER = (
    "Threeds request parameters need to contain either 3DS verification parameters or error "
    "parameters to be valid."
)
CARD_TOKEN_MAX = 16


def passed(fields: Fields) -> bool:
    """Tell whether the check was passed; what is wrong is noted in `fields`.

    Raises CcbillError 400/200000 when there are neither results nor an error.
    """
    if fields.has("threedsError") and fields.text("threedsError", required=False):
        return False
    if not fields.has("threedsEci") and not fields.has("threedsStatus"):
        raise invalid((None, NEITHER))
    fields.text("threedsEci", "0?[012567]")
    status = fields.text("threedsStatus", "[A-Z]")
    version = fields.text("threedsVersion", "|".join(map(_literal, BY_VERSION)))
    fields.text("threedsCardToken", size=CARD_TOKEN_MAX)
    # A check that failed has no authentication value to show.
    for name in BY_VERSION.get(version, ()) if status in ("Y", "A") else ():
        fields.text(name)
    _same_amount(fields)
    return fields.flag("threedsSuccess") and status in ("Y", "A")


def _same_amount(fields: Fields) -> None:
    amount = fields.price("threedsAmount", required=False)
    price = fields.price("initialPrice", required=False) or Decimal(0)
    if amount is not None and amount != price:
        fields.blame("threedsAmount", VALUES)


def _literal(version: str) -> str:
    return version.replace(".", r"\.")
