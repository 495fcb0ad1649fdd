"""Members that an object shows only when they are asked for by `expand[]`, made from the state."""

from collections.abc import Callable, Mapping

from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.state import State

TIERS = "_tiers"
LINE_ITEMS = "_line_items"


def whole_list(things: list[Json], url: str) -> Json:
    """Return a list that is complete on one page."""
    return {"object": "list", "data": things, "has_more": False, "url": url}


def _tiers(state: State, price: Json) -> list[Json] | None:
    kept = state.get(TIERS, price["id"])
    return kept["tiers"] if kept else None


def _line_items(state: State, session: Json) -> Json:
    kept = state.get(LINE_ITEMS, session["id"]) or {"items": []}
    return whole_list(kept["items"], f"/v1/checkout/sessions/{session['id']}/line_items")


def _payments(state: State, invoice: Json) -> Json:
    made = [one for one in state.newest_first("invoice_payment") if one["invoice"] == invoice["id"]]
    return whole_list(made, f"/v1/invoice_payments?invoice={invoice['id']}")


def _confirmation_secret(state: State, invoice: Json) -> Json | None:
    for payment in _payments(state, invoice)["data"]:
        intent = state.get("payment_intent", payment["payment"].get("payment_intent", ""))
        if intent:
            return {"client_secret": intent["client_secret"], "type": "payment_intent"}
    return None


COMPUTED: Mapping[tuple[str, str], Callable[[State, Json], object]] = {
    ("price", "tiers"): _tiers,
    ("checkout.session", "line_items"): _line_items,
    ("invoice", "payments"): _payments,
    ("invoice", "confirmation_secret"): _confirmation_secret,
}
