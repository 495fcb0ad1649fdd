"""Whether credits and the books say the same: pure rules over the stream of their records.

Of each account, after its chains (`ledger/records.py`): its row, then, entry by entry, what stands
here (a grant, a line of the usage log, allocations) and what the entry moved.
"""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

import msgspec

from tallystick.credits.amounts import to_credits
from tallystick.kernel.ids import show
from tallystick.ledger.model import CREDITS
from tallystick.ledger.records import BalanceRecord, BookRecord, CreditMoveRecord
from tallystick.ledger.verify import Difference, Verdict

NAMED_MAX: Final = 5
_DEBIT_KINDS: Final = frozenset({"credit_usage", "credit_adjustment", "credit_transfer"})


class CreditAccountRecord(msgspec.Struct, frozen=True, tag="credit_account"):
    """An account's row: what it owes and reserves, beside the sum of its active reservations."""

    account_id: UUID
    owed: int
    reserved: int
    held: int


class GrantClaim(msgspec.Struct, frozen=True):
    """A grant; `taken` is the sum of all allocations that name it."""

    credit_grant_id: UUID
    idempotency_key: str
    amount: int
    remaining: int
    taken: int


class DebitClaim(msgspec.Struct, frozen=True):
    """A line of the usage log."""

    idempotency_key: str
    kind: str
    credits: int


class CreditClaimRecord(msgspec.Struct, frozen=True, tag="credit_claim"):
    """What stands here of one ledger entry; `allocated` is the sum of its allocations."""

    account_id: UUID
    ledger_entry_id: UUID
    allocated: int
    grant: GrantClaim | None
    debit: DebitClaim | None


CreditRecord = CreditAccountRecord | CreditClaimRecord
Record = BookRecord | CreditRecord


class _Account:
    """What was read of one account, in 1/100,000 credits."""

    def __init__(self, account_id: UUID) -> None:
        self.account_id = account_id
        self.kept = 0
        self.row = CreditAccountRecord(account_id, 0, 0, 0)
        self.remaining = 0
        self.overdrawn = 0
        self.paid_back = 0
        self.overdrawing: list[str] = []

    def add(self, claim: CreditClaimRecord) -> None:
        if claim.grant is not None:
            self.remaining += claim.grant.remaining
            self.paid_back += claim.allocated
        if claim.debit is not None and claim.debit.credits > claim.allocated:
            self.overdrawn += claim.debit.credits - claim.allocated
            self.overdrawing.append(show("ledger_entry", claim.ledger_entry_id))
            del self.overdrawing[NAMED_MAX:]

    def differences(self) -> Iterator[Difference]:
        row, shown = self.row, show("account", self.account_id)
        if self.kept != self.remaining - row.owed:
            text = f"{shown} credits: the books say {_c(self.kept)}, the grants have "
            text += f"{_c(self.remaining)} left and {_c(row.owed)} are owed"
            yield self._difference("credit_balance_differs", text)
        if row.owed != self.overdrawn - self.paid_back:
            text = f"{shown} credits: {_c(row.owed)} are owed, {_c(self.overdrawn)} were "
            text += f"overdrawn ({', '.join(self.overdrawing) or 'by nothing'}), "
            text += f"{_c(self.paid_back)} paid back"
            yield self._difference("credit_overdraft_differs", text)
        if row.reserved != row.held:
            text = f"{shown} credits: {_c(row.reserved)} are reserved, "
            text += f"the active reservations hold {_c(row.held)}"
            yield self._difference("credit_reserved_differs", text)

    def _difference(self, code: str, text: str) -> Difference:
        return Difference("integrity", code, self.account_id, text)


class CreditCheck:
    """Reads all records in their order and tells each difference when it is met."""

    def __init__(self) -> None:
        self._account: _Account | None = None
        self._claim: CreditClaimRecord | None = None

    def feed(self, record: Record) -> Iterator[Difference]:
        """Check one more record; those that say nothing of credits are passed over."""
        if isinstance(record, BalanceRecord):
            if record.ledger_account == CREDITS:
                yield from self._enter(record.account_id)
                self._state.kept = -record.balance
        elif isinstance(record, CreditAccountRecord):
            yield from self._enter(record.account_id)
            self._state.row = record
        elif isinstance(record, CreditClaimRecord):
            yield from self._enter(record.account_id)
            yield from self._end_claim()
            self._state.add(record)
            self._claim = record
        elif isinstance(record, CreditMoveRecord):
            yield from self._enter(record.account_id)
            yield from self._move(record)

    def end(self) -> Iterator[Difference]:
        """Check what only the end can tell."""
        yield from self._end_claim()
        if self._account is not None:
            yield from self._account.differences()
        self._account = None

    @property
    def _state(self) -> _Account:
        assert self._account is not None  # noqa: S101 - entered just before
        return self._account

    def _enter(self, account_id: UUID) -> Iterator[Difference]:
        if self._account is None or self._account.account_id != account_id:
            yield from self.end()
            self._account = _Account(account_id)

    def _move(self, move: CreditMoveRecord) -> Iterator[Difference]:
        claim = self._claim
        if claim is None or claim.ledger_entry_id != move.ledger_entry_id:
            yield from self._end_claim()
            yield from differences(None, move)
            return
        self._claim = None
        yield from differences(claim, move)

    def _end_claim(self) -> Iterator[Difference]:
        claim, self._claim = self._claim, None
        if claim is not None:
            yield from differences(claim, None)


def differences(
    claim: CreditClaimRecord | None, move: CreditMoveRecord | None
) -> Iterator[Difference]:
    """Tell where what stands here of an entry is not what the entry did."""
    if claim is not None and claim.grant is not None:
        yield from _remainder(claim, claim.grant)
    if move is None:
        if claim is not None:
            text = f"{_named(claim)}: no such entry moves credits"
            yield _of(claim, "completeness", "credit_entry_missing", text)
        return
    if claim is not None and claim.grant is not None:
        yield from _grant(claim, claim.grant, move)
    elif move.kind == "credit_grant":
        yield _missing(move, "credit_grant_missing", "it gave no grant that is here")
    if claim is not None and claim.debit is not None:
        yield from _debit(claim, claim.debit, move)
    elif move.kind in _DEBIT_KINDS:
        yield _missing(move, "credit_usage_missing", "it is not in the usage log")
    elif move.kind != "credit_grant" and (claim is None or claim.grant is None):
        yield from _taken(claim, move)


def _taken(claim: CreditClaimRecord | None, move: CreditMoveRecord) -> Iterator[Difference]:
    """Tell where what was taken back, or lapsed, does not come from grants to the last unit."""
    if claim is None:
        text = f"it moved {_c(move.amount)}, and no grant says so"
        yield _missing(move, "credit_allocation_missing", text)
    elif claim.allocated != move.amount:
        text = f"{_named(claim)}: its entry ({move.kind}) takes {_c(move.amount)}, "
        text += f"its allocations {_c(claim.allocated)}"
        yield _of(claim, "integrity", "credit_allocation_differs", text)


def _remainder(claim: CreditClaimRecord, grant: GrantClaim) -> Iterator[Difference]:
    if grant.remaining != grant.amount - grant.taken:
        text = f"{_named(claim)}: of {_c(grant.amount)} were {_c(grant.taken)} taken, "
        text += f"and {_c(grant.remaining)} are left"
        yield _of(claim, "integrity", "credit_remainder_differs", text)


def _grant(
    claim: CreditClaimRecord, grant: GrantClaim, move: CreditMoveRecord
) -> Iterator[Difference]:
    said = f"credits:grant:{grant.idempotency_key}", "credit_grant", -grant.amount
    if said != (move.idempotency_key, move.kind, move.amount):
        text = f"{_named(claim)}: it gives {_c(grant.amount)}, its entry ({move.kind}, "
        text += f"{move.idempotency_key}) {_c(-move.amount)}"
        yield _of(claim, "integrity", "credit_grant_differs", text)


def _debit(
    claim: CreditClaimRecord, debit: DebitClaim, move: CreditMoveRecord
) -> Iterator[Difference]:
    said = f"credits:{debit.kind}:{debit.idempotency_key}", f"credit_{debit.kind}", debit.credits
    if said != (move.idempotency_key, move.kind, move.amount):
        text = f"{_named(claim)}: it takes {_c(debit.credits)}, its entry ({move.kind}, "
        text += f"{move.idempotency_key}) {_c(move.amount)}"
        yield _of(claim, "integrity", "credit_usage_differs", text)
    if claim.allocated > debit.credits:
        text = (
            f"{_named(claim)}: it takes {_c(debit.credits)}, its allocations {_c(claim.allocated)}"
        )
        yield _of(claim, "integrity", "credit_allocation_differs", text)


def _of(claim: CreditClaimRecord, verdict: Verdict, code: str, text: str) -> Difference:
    return Difference(verdict, code, claim.account_id, text)


def _missing(move: CreditMoveRecord, code: str, text: str) -> Difference:
    where = f"{show('account', move.account_id)} {show('ledger_entry', move.ledger_entry_id)}"
    return Difference("completeness", code, move.account_id, f"{where} ({move.kind}): {text}")


def _named(claim: CreditClaimRecord) -> str:
    parts = [show("account", claim.account_id), show("ledger_entry", claim.ledger_entry_id)]
    if claim.grant is not None:
        parts.append(f"grant {show('credit_grant', claim.grant.credit_grant_id)}")
    if claim.debit is not None:
        parts.append(f"{claim.debit.kind} {claim.debit.idempotency_key}")
    return " ".join(parts)


def _c(units: int) -> str:
    """Write 1/100,000 credits as credits: `12.5`."""
    return f"{to_credits(units).normalize():f}"
