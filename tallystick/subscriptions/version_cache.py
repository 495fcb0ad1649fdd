"""Versions of plans, read once for each process: they never change but for their status."""

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from tallystick.catalog import service as catalog
from tallystick.catalog.model import PlanVersion
from tallystick.kernel.db import Connection

VERSIONS_MAX: Final = 10_000


class VersionCache:
    """Ten thousand versions at most; then it begins anew."""

    def __init__(self) -> None:
        self._versions: dict[UUID, PlanVersion] = {}

    async def read(self, conn: Connection, ids: Collection[UUID]) -> Mapping[UUID, PlanVersion]:
        """Return at least these versions; what their status is now is not told."""
        if len(self._versions) > VERSIONS_MAX:
            self._versions.clear()
        for plan_version_id in ids:
            if plan_version_id not in self._versions:
                version = await catalog.get_plan_version(conn, plan_version_id)
                self._versions[plan_version_id] = version
        return self._versions
