"""All that the simulator remembers: Stripe's objects under their own names and ids."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tallystick.simulators.objects import Objects
from tallystick.simulators.state_store import StateFile
from tallystick.simulators.stripe.clock import Clock
from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.ids import Ids

# Called with the call that an event comes from and the object it is about.
Reaction = Callable[[Any, Json], None]


class State(Objects[Json]):
    """Objects by family and key, with the simulator's clock and its ids."""

    def __init__(self, clock: Clock, ids: Ids, file: StateFile | None = None) -> None:
        super().__init__(file)
        self.now = clock
        self.ids = ids
        # Where the last request reached us: links in what happens by itself begin with it.
        self.reached_at = "http://127.0.0.1"
        # What else happens when an event is recorded: a session completes, an invoice is paid.
        self.reactions: Mapping[str, Sequence[Reaction]] = {}

    def save(self, thing: Json) -> Json:
        """Make or replace an API object under its own `object` and `id`."""
        return self.put(thing["object"], thing["id"], thing)
