"""Which events are read next, for which meters."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tallystick.lago_sync.marks import Stretch, next_stretch, with_new
from tallystick.metering.walk import START
from tallystick.metering.walk_model import Position

METERS = [UUID(int=number) for number in range(4)]
POSITIONS = st.builds(
    Position,
    st.integers(0, 3),
    st.sampled_from([UUID(int=1), UUID(int=2)]),
    st.sampled_from([UUID(int=1), UUID(int=2)]),
)


def test_without_meters_nothing_is_read() -> None:
    assert next_stretch({}) is None


def test_a_new_meter_begins_at_the_beginning_and_catches_up_alone() -> None:
    there = Position(9, METERS[0], METERS[0])
    marks = with_new({METERS[0]: there}, frozenset(METERS[:2]))
    assert next_stretch(marks) == Stretch(frozenset({METERS[1]}), START, there)


@given(st.dictionaries(st.sampled_from(METERS), POSITIONS, min_size=1))
def test_all_meters_end_up_together_without_passing_an_event(
    marks: dict[UUID, Position],
) -> None:
    marks = dict(marks)
    for _ in METERS:
        stretch = next_stretch(marks)
        assert stretch is not None
        assert stretch.after == min(marks.values())
        assert stretch.upto is None or all(
            mark <= stretch.after or mark >= stretch.upto for mark in marks.values()
        )
        if stretch.upto is not None:
            marks |= dict.fromkeys(stretch.meter_ids, stretch.upto)
    assert len(set(marks.values())) == 1
