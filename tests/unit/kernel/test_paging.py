from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.errors import BadInput
from tallystick.kernel.paging import (
    After,
    PageRequest,
    make_page,
    page_request,
    read_cursor,
    write_cursor,
)

positions = st.builds(After, at=st.datetimes(timezones=st.just(UTC)), id=st.uuids())
START = datetime(2026, 1, 1, tzinfo=UTC)


@given(positions)
def test_a_cursor_is_read_back_to_the_microsecond(after: After) -> None:
    text = write_cursor(after)
    assert read_cursor(text) == after
    assert page_request(1, 20, text).after == after


@given(positions)
def test_a_cursor_is_safe_in_a_url(after: After) -> None:
    assert write_cursor(after).replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=64) | st.binary(min_size=20, max_size=28).map(lambda raw: raw.hex()))
def test_a_text_that_is_no_cursor_is_bad_input_and_nothing_worse(text: str) -> None:
    try:
        after = read_cursor(text)
    except BadInput:
        return
    assert read_cursor(write_cursor(after)) == after


@pytest.mark.parametrize(
    "text", ["x", "AAAA", "=" * 32, "é" * 32, "f" + "_" * 31, "A" * 31, "A" * 33]
)
def test_a_damaged_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_cursor(text)
    assert caught.value.errors[0].code == "invalid_cursor"


@pytest.mark.parametrize(("page", "limit", "field"), [
    (0, 20, "page"), (-1, 20, "page"), (1_000_001, 20, "page"),
    (1, 0, "limit"), (1, 101, "limit"), (1, -5, "limit"),
])  # fmt: skip
def test_a_page_out_of_bounds_names_its_field(page: int, limit: int, field: str) -> None:
    with pytest.raises(BadInput) as caught:
        page_request(page, limit, None)
    assert [error.field for error in caught.value.errors] == [field]


def test_rows_before_a_page_are_counted_by_number_and_not_by_cursor() -> None:
    assert PageRequest(page=3, limit=20).offset == 40
    assert PageRequest(page=3, limit=20, after=After(START, UUID(int=1))).offset == 0


@given(st.integers(0, 30), st.integers(1, 10))
def test_pages_by_cursor_show_every_row_once(row_count: int, limit: int) -> None:
    rows = [UUID(int=number) for number in range(row_count, 0, -1)]
    seen: list[UUID] = []
    request = PageRequest(limit=limit)
    while True:
        last = request.after
        rest = [row for row in rows if last is None or row < last.id]
        page = make_page(rest[: limit + 1], row_count, request, lambda row: After(START, row))
        seen += page.items
        if page.next_cursor is None:
            break
        request = page_request(1, limit, page.next_cursor)
    assert seen == rows


@given(st.integers(0, 1000), st.integers(1, 100))
def test_the_number_of_pages_holds_all_rows_and_none_is_empty(total: int, limit: int) -> None:
    none: list[UUID] = []
    pages = make_page(none, total, PageRequest(limit=limit), lambda row: After(START, row))
    assert pages.total_pages * limit >= total > (pages.total_pages - 1) * limit - (total == 0)
