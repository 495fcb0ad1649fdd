from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.errors import NotFound
from tallystick.kernel.ids import PREFIXES, Rising, new_id, parse, show, uuid7

kinds = st.sampled_from(sorted(PREFIXES))
instants = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone itself
    max_value=datetime(9999, 1, 1),  # noqa: DTZ001 - likewise
    timezones=st.just(UTC),
)


@given(kinds, st.uuids())
def test_a_shown_id_is_read_back(kind: str, value: UUID) -> None:
    assert parse(kind, show(kind, value)) == value


@given(kinds, kinds, st.uuids())
def test_an_id_of_another_kind_is_not_found(kind: str, other: str, value: UUID) -> None:
    if kind != other:
        with pytest.raises(NotFound) as caught:
            parse(other, show(kind, value))
        assert caught.value.code == f"{other}_not_found"


@given(kinds, st.text(max_size=40))
def test_any_other_text_is_not_found_and_nothing_worse(kind: str, text: str) -> None:
    with pytest.raises(NotFound):
        parse(kind, text)
    with pytest.raises(NotFound):
        parse(kind, f"{PREFIXES[kind]}_{text[:25]}")


@given(kinds, st.text(alphabet="0123456789abcdefghjkmnpqrstvwxyzilouA", min_size=26, max_size=26))
def test_an_id_has_one_spelling(kind: str, letters: str) -> None:
    text = f"{PREFIXES[kind]}_{letters}"
    try:
        value = parse(kind, text)
    except NotFound:
        return
    assert show(kind, value) == text


@given(instants, st.integers(min_value=1, max_value=10**12), st.data())
def test_ids_sort_by_time_inside_and_outside(
    at: datetime, later_ms: int, data: st.DataObject
) -> None:
    try:
        after = at + timedelta(milliseconds=later_ms)
    except OverflowError:
        return

    def random(bits: int) -> int:
        return data.draw(st.integers(min_value=0, max_value=2**bits - 1))

    first, second = uuid7(at, random), uuid7(after, random)
    assert first < second
    assert show("invoice", first) < show("invoice", second)


@given(instants)
def test_an_id_carries_its_millisecond_exactly(at: datetime) -> None:
    value = uuid7(at)
    assert value.version == 7
    assert value.variant == "specified in RFC 4122"
    assert value.int >> 80 == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=30),
    st.sampled_from([0, 2**74 - 1, 2**74 - 2**31]),
)
def test_ids_of_one_process_rise_whatever_its_clock_does(steps_ms: list[int], tail: int) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)

    def now() -> datetime:
        nonlocal at
        at += timedelta(milliseconds=steps_ms.pop(0))
        return at

    count = len(steps_ms)
    make = Rising(now, lambda bits: tail if bits == 74 else 2**bits - 1)
    ids = [make() for _ in range(count)]
    assert ids == sorted(set(ids))
    assert all(one.version == 7 and one.variant == "specified in RFC 4122" for one in ids)


def test_new_ids_rise() -> None:
    ids = [new_id() for _ in range(2000)]
    assert ids == sorted(set(ids))


def test_the_specifications_example_is_written_the_same() -> None:
    # TypeID specification 0.3, valid.json: "valid-uuidv7".
    value = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    assert show("invoice", value) == "inv_01h455vb4pex5vsknk084sn02q"


def test_no_two_kinds_share_a_prefix() -> None:
    assert len(set(PREFIXES.values())) == len(PREFIXES)
