"""One line of the result."""

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """What was measured, its value, and its ratio to what it is compared with."""

    what: str
    value: str
    ratio: str
    per_second: float = 0.0
