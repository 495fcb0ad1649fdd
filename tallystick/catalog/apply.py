"""A whole catalogue at once: read as one value, or put in force as one change.

Nothing is deleted: what is there and not in the wanted catalogue stays and is named. What differs
becomes a new version; a meter, and the kind of a feature, never change.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from tallystick.catalog import features, offers, service
from tallystick.catalog.compare import (
    Action,
    Catalog,
    Change,
    Kind,
    Outcome,
    as_add_on,
    as_coupon,
    as_feature,
    as_meter,
    as_plan,
    details,
    ordered,
)
from tallystick.catalog.faults import raise_any, under
from tallystick.catalog.feature_model import NewFeature
from tallystick.catalog.meter_checks import make_meter
from tallystick.catalog.model import Meter, NewMeter, NewPlanVersion
from tallystick.catalog.offer_checks import check_add_on, check_coupon
from tallystick.catalog.offer_model import NewAddOn, NewCoupon
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, FieldError
from tallystick.kernel.ids import HOUSE

MakeMeter = Callable[[Connection, NewMeter, datetime], Awaitable[Meter]]
_NEW: Final = "is there already, another one; a meter or a feature never changes: use a new code"


async def read_catalog(conn: Connection) -> Catalog:
    """Return all that is counted and sold now."""
    return Catalog(
        meters=tuple(as_meter(one) for one in await service.list_meters(conn)),
        features=tuple(as_feature(one) for one in await features.list_features(conn)),
        plans=tuple(as_plan(one) for one in await service.list_plans(conn)),
        add_ons=tuple(as_add_on(one) for one in await offers.list_add_ons(conn)),
        coupons=tuple(as_coupon(one) for one in await offers.list_coupons(conn)),
    )


async def apply_catalog(
    conn: Connection, wanted: Catalog, now: datetime, make_new_meter: MakeMeter
) -> Outcome:
    """Make, or sell anew, what differs from what is there; return what that was.

    `make_new_meter` is `metering.service.create_meter`, which also counts the events that are
    there. Under the writer's scope, in one transaction, which the caller rolls back to only see
    what would change. Raises BadInput with every fault of the file, such as
    `plans[1].prices[0].unit`.
    """
    applying = _Applying(conn, await read_catalog(conn), now, make_new_meter)
    for at, meter in enumerate(wanted.meters):
        await applying.one(f"meters[{at}]", applying.meter(meter))
    for at, feature in enumerate(wanted.features):
        await applying.one(f"features[{at}]", applying.feature(feature))
    for at, plan in enumerate(wanted.plans):
        await applying.one(f"plans[{at}]", applying.plan(plan))
    for at, add_on in enumerate(wanted.add_ons):
        await applying.one(f"add_ons[{at}]", applying.add_on(add_on))
    for at, coupon in enumerate(wanted.coupons):
        await applying.one(f"coupons[{at}]", applying.coupon(coupon))
    raise_any(applying.wrong)
    return Outcome(changes=tuple(applying.changes), unlisted=tuple(applying.unlisted()))


class _Applying:
    """One application of a file: what was there, what changes, and what is wrong so far."""

    def __init__(
        self, conn: Connection, there: Catalog, now: datetime, make_new_meter: MakeMeter
    ) -> None:
        self._conn = conn
        self._now = now
        self._make_new_meter = make_new_meter
        self._meters = {one.code: one for one in there.meters}
        self._features = {one.code: one for one in there.features}
        self._plans = {one.plan_code: one for one in there.plans}
        self._add_ons = {one.code: one for one in there.add_ons}
        self._coupons = {one.code: one for one in there.coupons}
        self._seen: set[tuple[Kind, str]] = set()
        self.changes: list[Change] = []
        self.wrong: list[FieldError] = []
        self._wrong_here: list[FieldError] = []

    async def one(self, path: str, work: Awaitable[None]) -> None:
        """Do one part of the file; what is wrong with it is told with all the rest."""
        with self._noting(path):
            await work

    async def meter(self, new: NewMeter) -> None:
        """Make a meter, or see that it is as it was."""
        made = make_meter(new, HOUSE, self._now)
        was = self._meters.get(self._once("meter", new.code))
        if was is None:
            await self._make_new_meter(self._conn, new, self._now)
            self._note("meter", new.code, "add")
        elif as_meter(made) != was:
            self._refuse(details(was, as_meter(made)))

    async def feature(self, new: NewFeature) -> None:
        """Make a feature, or give it another name."""
        named = replace(new, name=new.code if new.name is None else new.name)
        was = self._features.get(self._once("feature", new.code))
        if was is None:
            await features.create_feature(self._conn, new, self._now)
            self._note("feature", new.code, "add")
        elif replace(named, name=was.name) != was:
            self._refuse(details(was, replace(named, name=was.name)))
        elif named.name is not None and named.name != was.name:
            await features.rename_feature(self._conn, new.code, named.name)
            self._note("feature", new.code, "rename", details(was, named))

    async def plan(self, new: NewPlanVersion) -> None:
        """Sell a plan, or a new version of it."""
        checked = ordered(await service.check_version(self._conn, new))
        was = self._plans.get(self._once("plan", new.plan_code))
        if was != checked:
            await service.create_plan_version(self._conn, checked, self._now)
            self._sold("plan", new.plan_code, details(was, checked) if was else None)

    async def add_on(self, new: NewAddOn) -> None:
        """Sell an add-on, or a new version of it."""
        known = await features.features_by_codes(self._conn, new.features)
        checked = check_add_on(new, known)
        was = self._add_ons.get(self._once("add_on", checked.code))
        if was != checked:
            await offers.create_add_on(self._conn, checked, self._now)
            self._sold("add_on", checked.code, details(was, checked) if was else None)

    async def coupon(self, new: NewCoupon) -> None:
        """Let a coupon be redeemed, or a new version of it."""
        checked = check_coupon(new)
        was = self._coupons.get(self._once("coupon", checked.code))
        if was != checked:
            await offers.create_coupon(self._conn, checked, self._now)
            self._sold("coupon", checked.code, details(was, checked) if was else None)

    def unlisted(self) -> Iterator[tuple[Kind, str]]:
        """Yield what is there and not in the file."""
        there: dict[Kind, list[str]] = {
            "meter": list(self._meters),
            "feature": list(self._features),
            "plan": list(self._plans),
            "add_on": list(self._add_ons),
            "coupon": list(self._coupons),
        }
        for kind, codes in there.items():
            yield from ((kind, code) for code in codes if (kind, code) not in self._seen)

    def _once(self, kind: Kind, code: str) -> str:
        """Return the code; raise BadInput when the file has named it before."""
        if (kind, code) in self._seen:
            raise BadInput.field("code", "code_repeated", "stands in the file already")
        self._seen.add((kind, code))
        return code

    def _sold(self, kind: Kind, code: str, differs: tuple[str, ...] | None) -> None:
        if differs is None:
            self._note(kind, code, "add")
        else:
            self._note(kind, code, "new_version", differs)

    def _note(self, kind: Kind, code: str, action: Action, told: tuple[str, ...] = ()) -> None:
        self.changes.append(Change(kind=kind, code=code, action=action, details=told))

    def _refuse(self, differs: tuple[str, ...]) -> None:
        for line in differs:
            field, _, values = line.partition(": ")
            self._wrong_here.append(FieldError(field, "unchangeable", f"{_NEW} ({values})"))

    @contextmanager
    def _noting(self, path: str) -> Iterator[None]:
        self._wrong_here = []
        try:
            yield
        except BadInput as error:
            self._wrong_here.extend(error.errors)
        in_words = [replace(one, field=one.field.removeprefix("plan_")) for one in self._wrong_here]
        self.wrong.extend(under(path, in_words))
