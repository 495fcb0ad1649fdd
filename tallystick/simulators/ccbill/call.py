"""One REST request on its way through the simulator, and the routes that take it."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from tallystick.simulators.ccbill.amounts import Mishap
from tallystick.simulators.ccbill.model import ClientKind
from tallystick.simulators.ccbill.state import State

MEDIA_TYPES = {
    f"application/vnd.mcn.transaction-service.api.v.{version}+json": version
    for version in (1, 2, 3)
}


class Call(msgspec.Struct, frozen=True):
    """A request that is understood; `version` is the API's, as `Accept` names it."""

    state: State
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    version: int

    def subscription_id(self, identifier: str) -> int | str:
        """Return an id as this version writes it: a number in v1, text from v2 on."""
        return int(identifier) if self.version == 1 else identifier


class Answer(msgspec.Struct, frozen=True):
    """What a handler answers, and what is to go wrong with it now that it is done."""

    value: object
    mishap: Mishap | None = None


Handler = Callable[[Call], Answer]


class Route(msgspec.Struct, frozen=True):
    """A method and path, who may ask, and who answers. Pages may call those marked `page`."""

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    clients: frozenset[ClientKind]
    page: bool = False
    versions: frozenset[int] = frozenset({1, 2})

    def match(self, path: str) -> dict[str, str] | None:
        """Return the path's ids when this route has it."""
        pattern, parts = self.path.split("/"), path.rstrip("/").split("/")
        if len(pattern) != len(parts):
            return None
        pairs = list(zip(pattern, parts, strict=True))
        if any(name != part for name, part in pairs if not name.startswith("{")):
            return None
        return {name.strip("{}"): part for name, part in pairs if name.startswith("{") and part}
