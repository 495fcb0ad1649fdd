"""Whether an account may use a feature, looked up for all who ask at once.

Two statements for hundreds of requests, and of a metered feature one more for each: what is used.
What can change is read anew each time; versions of plans and meters never change.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import count

import msgspec

from tallystick.accounts.model import Account
from tallystick.catalog import features
from tallystick.catalog import service as catalog
from tallystick.catalog.currencies import priced_in
from tallystick.catalog.feature_model import Feature, FeatureOverride
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.kernel.db import Connection, Database
from tallystick.kernel.group_commit import GroupCommitter
from tallystick.kernel.ids import unknown
from tallystick.subscriptions import service
from tallystick.subscriptions.access import Given, counted, giving
from tallystick.subscriptions.entitlements import Entitlement, entitle
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.version_cache import VersionCache


class Question(msgspec.Struct, frozen=True):
    """What an account has of a feature at `at`, its present. `number` tells questions apart."""

    number: int
    account: Account
    code: str
    at: datetime


class Found(msgspec.Struct, frozen=True):
    """What the account has before anything is used, and of which plans; None: no such feature."""

    entitlement: Entitlement | None
    of: tuple[Given, ...] = ()


class AccessLookup:
    """Answers in batches over a connection of its own."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._versions = VersionCache()
        self._meters: dict[str, Meter] = {}
        self._numbers = count()
        self._reader: GroupCommitter[Question, Found] = GroupCommitter(
            db, self._read, key=lambda asked: asked.number, repeat=_never, busy_code="usage_busy"
        )

    async def find(self, account: Account, code: str, at: datetime) -> Entitlement:
        """Return what the account has of the feature, with what is used of it.

        Raises NotFound `feature_not_found`, Unavailable; Conflict `usage_archived`.
        """
        found = await self._reader.submit(Question(next(self._numbers), account, code, at))
        one = found.entitlement
        if one is None:
            raise unknown("feature")
        if not one.allowed or one.feature.meter is None:
            return one
        async with self._db.reading() as conn:
            meter = await self._meter(conn, one.feature.meter)
            return await counted(conn, account, one, of=found.of, meter=meter, at=at)

    async def close(self) -> None:
        """Answer those who wait, and end the connection."""
        await self._reader.close()

    async def _meter(self, conn: Connection, code: str) -> Meter:
        if code not in self._meters:
            self._meters[code] = await catalog.get_meter(conn, code)
        return self._meters[code]

    async def _read(self, conn: Connection, asked: Sequence[Question]) -> Sequence[Found]:
        account_ids = {one.account.account_id for one in asked}
        known, own = await features.given_features(conn, {one.code for one in asked}, account_ids)
        running = await service.giving_subscriptions(conn, account_ids)
        wanted = {on.plan_version_id for each in running.values() for on in each}
        plans = await self._versions.read(conn, wanted)
        answers = []
        for one in asked:
            account_id = one.account.account_id
            feature, override = known.get(one.code), own.get((account_id, one.code))
            on = [
                (each, priced_in(plans[each.plan_version_id], each.currency))
                for each in running.get(account_id, ())
            ]
            answers.append(_found(feature, override, on, one.at))
        return answers


def _found(
    feature: Feature | None,
    own: FeatureOverride | None,
    on: Sequence[tuple[Subscription, PlanVersion]],
    at: datetime,
) -> Found:
    if feature is None:
        return Found(None)
    of = giving(on, {feature.code: feature.kind}, at)
    plans = [plan for _, plan in of]
    (entitlement,) = entitle([feature], plans, () if own is None else (own,), at)
    return Found(entitlement, of)


def _never(_first: Question, _again: Question, _answer: Found) -> None:
    return None
