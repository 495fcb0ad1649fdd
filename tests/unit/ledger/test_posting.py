from datetime import UTC, datetime

import pytest

from tallystick.ledger.model import RECEIVABLE, REVENUE, TAX_PAYABLE, Entry, Posting, clearing
from tallystick.ledger.posting import BadEntry, check_entry

AT = datetime(2026, 1, 31, tzinfo=UTC)


def entry(*postings: Posting) -> Entry:
    return Entry("key", "invoice_issued", "inv_1", "Invoice", AT, postings)


def test_a_balanced_entry_of_three_postings_passes() -> None:
    check_entry(
        entry(
            Posting(RECEIVABLE, "EUR", 12000),
            Posting(REVENUE, "EUR", -10000),
            Posting(TAX_PAYABLE, "EUR", -2000),
        )
    )


def test_units_are_balanced_each_by_itself() -> None:
    mixed = entry(Posting(RECEIVABLE, "EUR", 100), Posting(REVENUE, "USD", -100))
    with pytest.raises(BadEntry) as caught:
        check_entry(mixed)
    assert caught.value.code == "ledger_entry_unbalanced"
    check_entry(
        entry(*mixed.postings, Posting(REVENUE, "EUR", -100), Posting("prepaid", "USD", 100))
    )


@pytest.mark.parametrize(
    ("posting", "code"),
    [
        (Posting("pocket", "EUR", 1), "ledger_account_unknown"),
        (Posting("clearing:", "EUR", 1), "ledger_account_unknown"),
        (Posting(RECEIVABLE, "eur", 1), "ledger_unit_malformed"),
        (Posting(RECEIVABLE, "EUR", 0), "ledger_amount_out_of_range"),
        (Posting(RECEIVABLE, "EUR", 2**63), "ledger_amount_out_of_range"),
    ],
)
def test_a_posting_that_says_nothing_true_is_refused(posting: Posting, code: str) -> None:
    against = Posting(REVENUE, posting.unit, -posting.amount)
    with pytest.raises(BadEntry) as caught:
        check_entry(entry(posting, against))
    assert caught.value.code == code


def test_an_entry_of_one_posting_is_refused() -> None:
    with pytest.raises(BadEntry) as caught:
        check_entry(entry(Posting(RECEIVABLE, "EUR", 1)))
    assert caught.value.code == "ledger_entry_size"


def test_each_gateway_clears_on_a_ledger_account_of_its_own() -> None:
    assert clearing("stripe") == "clearing:stripe"
    check_entry(entry(Posting(clearing("stripe"), "EUR", 5), Posting(RECEIVABLE, "EUR", -5)))
