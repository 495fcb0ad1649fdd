"""CCBill's webhooks as they come: who sends them, in which of three forms, and what may be kept.

There is no signature. The addresses are CCBill's (when that is enforced), the main account is ours,
and what is stored is one form for all: text fields, ids without leading zeros, no password.
"""

import hashlib
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import parse_qsl

import msgspec
import structlog

from tallystick.kernel.errors import BadInput
from tallystick.payments.facts import BadSignature, Delivery, Receipt
from tallystick.payments.gateways.ccbill.wire import number, plain_id
from tallystick.settings_ccbill import CcbillSettings

log = structlog.get_logger()

Fields = dict[str, str]
FIELDS_MAX: Final = 256
FORMS: Final = frozenset({"application/x-www-form-urlencoded", "application/x-www-form-encoded"})
IDS: Final = ("subscriptionId", "transactionId", "originalSubscriptionId")
# What tells one event from another: a sale and its chargeback share the transaction's id.
KEY: Final = (
    "eventType", "clientAccnum", "clientSubacc", "subscriptionId", "transactionId", "timestamp",
)  # fmt: skip
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def receipt_of(delivery: Delivery, settings: CcbillSettings) -> Receipt:
    """Return what may be stored of a webhook.

    Raises BadSignature for an address that is not CCBill's, BadInput `invalid_payload` or
    `webhook_not_ours`.
    """
    need_source(delivery.peer, settings)
    fields = canonical(read_fields(delivery), delivery.query)
    if fields.get("clientAccnum") != str(settings.accnum):
        raise BadInput("webhook_not_ours", "This webhook is about another account of CCBill.")
    body = _ENCODER.encode(fields)
    return Receipt(event_id(fields), fields["eventType"], body, is_exact=True)


def need_source(peer: str | None, settings: CcbillSettings) -> None:
    """Raise BadSignature unless the address is one of CCBill's, where that is enforced."""
    if not settings.webhook_ip_enforce:
        return
    try:
        address = ip_address(peer or "")
    except ValueError:
        address = None
    mapped = getattr(address, "ipv4_mapped", None) or address
    if mapped is None or not any(mapped in ip_network(one) for one in settings.webhook_networks):
        log.warning("ccbill_webhook_refused", peer=peer)
        raise BadSignature


def read_fields(delivery: Delivery) -> Fields:
    """Return the body's fields as text, whichever of CCBill's forms it has."""
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return _read_json(delivery.body)
    if kind in FORMS:
        return _read_form(delivery.body)
    raise _unreadable()


def canonical(fields: Fields, query: Mapping[str, str]) -> Fields:
    """Return one form for all: the event's type from the query, equal ids, and no password.

    Raises BadInput `invalid_payload` where query and body disagree.
    """
    kept = {name: value for name, value in fields.items() if "password" not in name.lower()}
    for name in ("eventType", "clientAccnum", "clientSubacc"):
        told = [value for value in (query.get(name), fields.get(name)) if value]
        if len({_plain(name, value) for value in told}) > 1:
            raise _unreadable()
        if told:
            kept[name] = _plain(name, told[0])
    for name in IDS:
        if name in kept:
            kept[name] = plain_id(kept[name]) or kept[name]
    if not kept.get("eventType"):
        raise _unreadable()
    kept.pop("eventGroupType", None)
    return kept


def event_id(fields: Mapping[str, str]) -> str:
    """Return the name of an event: CCBill gives none, so it is made of what tells it apart."""
    parts = "|".join(fields.get(name, "").strip() for name in KEY)
    return f"{fields['eventType'][:64]}:{hashlib.sha256(parts.encode()).hexdigest()[:32]}"


def _plain(name: str, value: str) -> str:
    if name == "eventType":
        return value.strip()
    found = number(value)
    return value.strip() if found is None else str(found)


def _read_json(body: bytes) -> Fields:
    try:
        given = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        if len(given) > FIELDS_MAX:
            raise _unreadable()
        return {name: _text(bytes(value)) for name, value in given.items() if value != b"null"}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable() from error


def _text(value: bytes) -> str:
    """Return a JSON value as text: a number keeps its digits, `18.00` stays `18.00`."""
    return msgspec.json.decode(value, type=str) if value[:1] == b'"' else value.decode()


def _read_form(body: bytes) -> Fields:
    try:
        text = body.decode()
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise _unreadable() from error
    if not pairs:
        raise _unreadable()
    return dict(pairs)


def _unreadable() -> BadInput:
    return BadInput("invalid_payload", "The webhook can not be read.")
