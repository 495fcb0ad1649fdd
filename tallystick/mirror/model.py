"""The mirror's own values."""

from collections.abc import Callable

import msgspec

from tallystick.payments.mirrored import MirrorKind


class Progress(msgspec.Struct, frozen=True):
    """How far a kind was read; `cursor` None: at the newest, or done."""

    cursor: str | None
    object_count: int
    is_done: bool


class Step(msgspec.Struct, frozen=True):
    """What one page brought: so many of its kind by now, so many of nobody that is known."""

    kind: MirrorKind
    object_count: int
    left_out: int
    is_done: bool


Told = Callable[[Step], None]
