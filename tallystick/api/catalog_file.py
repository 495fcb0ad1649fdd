"""A catalogue as a file: what stands in it is what the routes of staff take, under five names."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from tallystick.api.admin_catalog import NewPlan, new_version
from tallystick.api.admin_features import FeatureBody
from tallystick.api.admin_offers import AddOnBody, CouponBody, new_add_on, new_coupon
from tallystick.api.meters import MeterBody, new_meter
from tallystick.api.strict import Body, decode
from tallystick.catalog.compare import Catalog
from tallystick.catalog.faults import raise_any, under
from tallystick.catalog.feature_model import NewFeature
from tallystick.catalog.model import NewPlanVersion
from tallystick.kernel.errors import BadInput, FieldError

B = TypeVar("B")
N = TypeVar("N")


class CatalogBody(Body, frozen=True, kw_only=True):
    """All that is counted and sold; each part as its route takes it."""

    meters: tuple[MeterBody, ...] = ()
    features: tuple[FeatureBody, ...] = ()
    plans: tuple[NewPlan, ...] = ()
    add_ons: tuple[AddOnBody, ...] = ()
    coupons: tuple[CouponBody, ...] = ()


def parse_catalog(document: Any) -> Catalog:
    """Return the catalogue that a document (dicts, lists, texts) describes.

    Raises BadInput with every fault that can be seen without a database, each with its path.
    """
    body: CatalogBody = decode(msgspec.json.encode(document), CatalogBody)
    wrong: list[FieldError] = []
    catalog = Catalog(
        meters=tuple(_each("meters", body.meters, new_meter, wrong)),
        features=tuple(_each("features", body.features, _feature, wrong)),
        plans=tuple(_each("plans", body.plans, _plan, wrong)),
        add_ons=tuple(_each("add_ons", body.add_ons, new_add_on, wrong)),
        coupons=tuple(_each("coupons", body.coupons, new_coupon, wrong)),
    )
    raise_any(wrong)
    return catalog


def _each(
    name: str, bodies: Sequence[B], read: Callable[[B], N], wrong: list[FieldError]
) -> Iterator[N]:
    for at, body in enumerate(bodies):
        try:
            yield read(body)
        except BadInput as error:
            wrong.extend(under(f"{name}[{at}]", error.errors))


def _feature(body: FeatureBody) -> NewFeature:
    return NewFeature(code=body.code, kind=body.kind, name=body.name, meter=body.meter)


def _plan(body: NewPlan) -> NewPlanVersion:
    if body.draft:
        raise BadInput.field("draft", "unexpected", "a file says what is sold; leave it out")
    return new_version(body)
