"""Balanced or refused: what an entry must be before it reaches the database."""

import re
from collections import Counter
from typing import Final

from tallystick.kernel.errors import BadInput
from tallystick.ledger.model import CREDIT, CREDIT_ACCOUNTS, MONEY_ACCOUNTS, Entry, Posting

AMOUNT_MAX: Final = 2**63 - 1  # what a bigint column holds
POSTINGS_MAX: Final = 1000
_CLEARING: Final = re.compile(r"clearing:[a-z][a-z0-9_]*")
_UNIT: Final = re.compile(r"[A-Z]{3}")


class BadEntry(BadInput):
    """An entry that can not be posted: unbalanced, empty, or with a posting that says nothing."""


def check_entry(entry: Entry) -> None:
    """Raise BadEntry unless the entry may be posted.

    It has 2 to 1,000 postings on known ledger accounts, none of them zero, and they sum to zero in
    each unit.
    """
    if not 2 <= len(entry.postings) <= POSTINGS_MAX:  # noqa: PLR2004 -- one alone never balances
        raise BadEntry("ledger_entry_size", f"An entry has 2 to {POSTINGS_MAX} postings.")
    for posting in entry.postings:
        _check_posting(posting)
    sums: Counter[str] = Counter()
    for posting in entry.postings:
        sums[posting.unit] += posting.amount
    off = {unit: total for unit, total in sums.items() if total}
    if off:
        raise BadEntry(
            "ledger_entry_unbalanced",
            f"The postings of {entry.idempotency_key} do not sum to zero: {off}.",
        )


def _check_posting(posting: Posting) -> None:
    name, unit = posting.ledger_account, posting.unit
    if unit != CREDIT and not _UNIT.fullmatch(unit):
        raise BadEntry("ledger_unit_malformed", f"{unit!r} is no upper-case currency code.")
    known = CREDIT_ACCOUNTS if unit == CREDIT else MONEY_ACCOUNTS
    if name not in known and not (unit != CREDIT and _CLEARING.fullmatch(name)):
        raise BadEntry("ledger_account_unknown", f"There is no ledger account {name!r} in {unit}.")
    if posting.amount == 0 or abs(posting.amount) > AMOUNT_MAX:
        raise out_of_range()


def out_of_range() -> BadEntry:
    """Return the error for an amount, or a balance behind it, that no bigint holds."""
    return BadEntry(
        "ledger_amount_out_of_range",
        "A posting moves between 1 and 2^63 - 1 minor units, and leaves no balance beyond that.",
    )
