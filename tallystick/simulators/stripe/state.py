"""All that the simulator remembers: Stripe's objects under their own names and ids."""

from collections.abc import Callable

from tallystick.simulators.objects import Objects
from tallystick.simulators.state_store import StateFile
from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.ids import Ids

# Seconds since 1970, UTC, as Stripe's `created`.
Clock = Callable[[], int]


class State(Objects[Json]):
    """Objects by family and key, with the simulator's clock and its ids."""

    def __init__(self, clock: Clock, ids: Ids, file: StateFile | None = None) -> None:
        super().__init__(file)
        self.now = clock
        self.ids = ids

    def save(self, thing: Json) -> Json:
        """Make or replace an API object under its own `object` and `id`."""
        return self.put(thing["object"], thing["id"], thing)
