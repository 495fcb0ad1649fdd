"""How numbers look, and that no issuer can give one text twice."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tallystick.issuers.formats import (
    can_collide,
    continues,
    format_problems,
    may_follow,
    series_period,
    show_number,
)
from tallystick.issuers.model import DocumentKind, Issuer, Numbered, NumberReset, NumberRule

ISSUER: Final = Issuer(
    issuer_id=UUID(int=1),
    code="ACME",
    legal_name="Acme Ltd",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def rule(text: str, reset: NumberReset = "yearly", kind: DocumentKind = "invoice") -> NumberRule:
    return NumberRule(kind=kind, format=text, reset=reset)


def wanted(given: NumberRule, year: int = 2026, month: int = 3, *, test: bool = False) -> Numbered:
    issuer = replace(ISSUER, number_reset=given.reset)
    name = "invoice_format" if given.kind == "invoice" else "credit_note_format"
    return Numbered(replace(issuer, **{name: given.format}), given.kind, year, month, test)


@pytest.mark.parametrize(("text", "number", "shown"), [
    ("INV-{year}-{number:06}", 1, "INV-2026-000001"),
    ("INV-{year}-{number:06}", 999_999, "INV-2026-999999"),
    ("INV-{year}-{number:06}", 1_000_000, "INV-2026-1000000"),
    ("{issuer}-{yyyy}{mm}-{number}", 7, "ACME-202603-7"),
    ("{number}/{year}", 12, "12/2026"),
    ("{year}.{number:012}", 5, "2026.000000000005"),
])  # fmt: skip
def test_a_number_is_shown_as_the_format_says(text: str, number: int, shown: str) -> None:
    assert show_number(wanted(rule(text)), number) == shown


def test_a_test_clocks_number_says_so() -> None:
    assert show_number(wanted(rule("R{year}-{number}"), test=True), 3) == "TEST-R2026-3"


@pytest.mark.parametrize(
    ("reset", "period"), [("yearly", "2026"), ("monthly", "2026-03"), ("never", "")]
)
def test_a_series_is_of_the_time_in_which_its_numbers_go_on(
    reset: NumberReset, period: str
) -> None:
    assert series_period(wanted(rule("{year}{mm}-{number}", reset))) == period


@pytest.mark.parametrize(("text", "reset", "code"), [
    ("INV-{year}", "yearly", "number_once"),
    ("{number}-{year}-{number}", "yearly", "number_once"),
    ("", "never", "number_once"),
    ("INV-{number}", "yearly", "year_missing"),
    ("INV-{year}-{number}", "monthly", "month_missing"),
    ("INV-{mm}-{number}", "monthly", "year_missing"),
    ("INV {year} {number}", "yearly", "invalid_format"),
    ("INV-{year}-{number!r}", "yearly", "invalid_format"),
    ("INV-{year}-{number.__class__}", "yearly", "invalid_format"),
    ("INV-{year:04}-{number}", "yearly", "invalid_format"),
    ("INV-{yy}-{number}", "yearly", "invalid_format"),
    ("Ä-{year}-{number}", "yearly", "invalid_format"),
    ("INV-{year}-{number:00}", "yearly", "out_of_range"),
    ("INV-{year}-{number:013}", "yearly", "out_of_range"),
    ("TEST-{year}-{number}", "yearly", "invalid_format"),
    ("test-{year}-{number}", "yearly", "invalid_format"),
    ("x" * 60 + "{year}{number}", "yearly", "invalid_length"),
])  # fmt: skip
def test_a_format_that_is_not_safe_is_refused(text: str, reset: NumberReset, code: str) -> None:
    assert [fault.code for fault in format_problems("f", rule(text, reset), "ACME")] == [code]


def test_an_issuer_can_not_be_called_so_that_real_numbers_look_like_tests() -> None:
    faults = format_problems("f", rule("{issuer}-{year}-{number}"), "TEST")
    assert [fault.code for fault in faults] == ["invalid_format"]


PLACES: Final = ("{year}", "{yyyy}", "{mm}", "{issuer}")
TEXTS: Final = st.text("AI1-/", max_size=2)


@st.composite
def good_rules(draw: st.DrawFn) -> NumberRule:
    number = draw(st.sampled_from(["{number}", "{number:03}"]))
    before = draw(st.lists(st.one_of(st.sampled_from(PLACES), TEXTS), max_size=3))
    behind = draw(st.lists(st.one_of(st.sampled_from(PLACES), TEXTS), max_size=3))
    resets: tuple[NumberReset, ...] = ("yearly", "monthly", "never")
    kinds: tuple[DocumentKind, ...] = ("invoice", "credit_note")
    return rule(
        "".join([*before, number, *behind]),
        draw(st.sampled_from(resets)),
        draw(st.sampled_from(kinds)),
    )


TAKEN: Final = st.tuples(st.integers(2025, 2027), st.integers(1, 12), st.integers(1, 1200))


@given(good_rules(), TAKEN, TAKEN)
def test_two_numbers_of_one_format_never_read_the_same(
    one: NumberRule, first: tuple[int, int, int], second: tuple[int, int, int]
) -> None:
    if list(format_problems("f", one, "ACME")):
        return
    (year, month, number), (other_year, other_month, other) = first, second
    mine, theirs = wanted(one, year, month), wanted(one, other_year, other_month)
    if show_number(mine, number) == show_number(theirs, other):
        assert (series_period(mine), number) == (series_period(theirs), other)


@given(good_rules(), good_rules(), TAKEN, TAKEN)
def test_two_formats_that_can_not_collide_never_read_the_same(
    one: NumberRule,
    other: NumberRule,
    first: tuple[int, int, int],
    second: tuple[int, int, int],
) -> None:
    if not can_collide(one, other, "ACME"):
        shown = show_number(wanted(one, *first[:2]), first[2])
        assert shown != show_number(wanted(other, *second[:2]), second[2])


@pytest.mark.parametrize(("new", "old", "may"), [
    (rule("INV-{year}-{number}"), rule("INV-{year}-{number:06}"), True),
    (rule("INV-{yyyy}-{number}"), rule("INV-{year}-{number}"), True),
    (rule("RE-{year}-{number}"), rule("INV-{year}-{number}"), True),
    (rule("INV-{year}-{number}", "never"), rule("INV-{year}-{number}"), False),
    (rule("INV-{year}{mm}-{number}"), rule("INV-{year}-{number}"), False),
    (rule("INV-{year}-{number}", kind="credit_note"), rule("INV-{year}-{number}"), False),
    (rule("A1{number}", "never"), rule("A{number}", "never"), False),
    (rule("{number}-A", "never"), rule("{number}-B", "never"), True),
])  # fmt: skip
def test_a_format_may_follow_one_whose_numbers_it_goes_on_with_or_can_not_repeat(
    new: NumberRule, old: NumberRule, *, may: bool
) -> None:
    assert may_follow(new, [old], "ACME") is may
    assert continues(new, old) <= may
