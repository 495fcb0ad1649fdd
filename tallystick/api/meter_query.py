"""Usage of a meter over time, by windows and groups: the shape of OpenMeter's query."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import msgspec
from litestar import get
from litestar.params import QueryParameter

from tallystick.accounts.model import Account, Principal
from tallystick.api.answers import plain
from tallystick.api.openapi_parts import PERCENTILE
from tallystick.api.services import Services
from tallystick.api.subjects import named_account
from tallystick.catalog import service as catalog
from tallystick.catalog.model import Meter
from tallystick.kernel.db import Connection, account_scope
from tallystick.kernel.errors import BadInput
from tallystick.kernel.ids import show
from tallystick.metering import service as metering
from tallystick.metering.model import TEXT_LENGTH_MAX
from tallystick.metering.reads import GroupTotal, WindowTotal
from tallystick.metering.windows import WindowSize
from tallystick.subscriptions.periods import zone

SUBJECTS_MAX: Final = 100
PERCENTILES_MAX: Final = 20
PERCENTILES: Final = ("50", "95")
SUBJECT: Final = "subject"
"""Also a group, as with OpenMeter; every row has one anyway."""

Subjects = Annotated[
    list[Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_LENGTH_MAX)]] | None,
    QueryParameter(
        name="subject",
        max_items=SUBJECTS_MAX,
        description="Whose usage: ids of accounts, or your own for them. Left out: the key's own.",
    ),
]
Groups = Annotated[
    list[Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_LENGTH_MAX)]] | None,
    QueryParameter(
        name="groupBy",
        description="Properties of the meter's `group_by`; `subject`.",
    ),
]
Start = Annotated[
    datetime | None, QueryParameter(name="from", description="Left out: since the first event.")
]
End = Annotated[datetime | None, QueryParameter(name="to", description="Exclusive. Left out: now.")]
Size = Annotated[
    WindowSize | None, QueryParameter(name="windowSize", description="Left out: one window.")
]
Zone = Annotated[
    str | None,
    QueryParameter(
        name="windowTimeZone",
        max_length=64,
        schema_extra={"format": "iana-time-zone"},
        description="IANA name; days begin at its midnight. Left out: the account's own.",
    ),
]
Percentiles = Annotated[
    list[Annotated[str, msgspec.Meta(pattern=PERCENTILE)]] | None,
    QueryParameter(
        name="percentile",
        max_items=PERCENTILES_MAX,
        description="0 to 100, such as 99.9",
    ),
]


class MeterRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a subject used in [windowStart, windowEnd); `groupBy` holds null for events without."""

    value: Decimal
    window_start: datetime
    window_end: datetime
    subject: str
    group_by: dict[str, str | None]


class MeterQueryAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Rows in order of subject, window and group; windows without usage are absent."""

    from_: datetime | None = msgspec.field(name="from")
    to: datetime
    window_size: WindowSize | None
    data: list[MeterRow]


class PercentileRow(msgspec.Struct, frozen=True, kw_only=True):
    """A value that an event of the subject had, by nearest rank; null without events."""

    subject: str
    percentile: str
    value: Decimal | None


class PercentilesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles of the events in [from, to)."""

    from_: datetime | None = msgspec.field(name="from")
    to: datetime
    data: list[PercentileRow]


class _Asked(msgspec.Struct, frozen=True):
    """One subject's part of a question; `start` None: it never used the meter."""

    subject: str
    account: Account
    start: datetime | None
    end: datetime


@get(
    "/api/v1/meters/{meter_code:str}/query",
    opt={"permission": "billing:read"},
    tags=["Usage"],
    summary="Usage of a meter",
)
async def query_meter(
    *,
    meter_code: str,
    services: Services,
    principal: Principal,
    subject: Subjects = None,
    group_by: Groups = None,
    since: Start = None,
    until: End = None,
    window_size: Size = None,
    time_zone: Zone = None,
) -> MeterQueryAnswer:
    """Return what was used, exact to the last event, by subject, window and group.

    A single window is rounded as the meter says, smaller ones are not.
    """
    given_zone = None if time_zone is None else _zone(time_zone)
    groups = [name for name in group_by or () if name != SUBJECT]
    meter, asked = await _asked(services, principal, meter_code, subject, since=since, until=until)
    rows: list[MeterRow] = []
    for one in asked:
        async with services.db.transaction(account_scope(one.account.account_id)) as conn:
            local = given_zone or zone(one.account.timezone)
            rows.extend(await _rows(conn, one, meter, groups, size=window_size, local=local))
    start, end = _span(asked)
    return MeterQueryAnswer(from_=start, to=end, window_size=window_size, data=rows)


@get(
    "/api/v1/meters/{meter_code:str}/percentiles",
    opt={"permission": "billing:read"},
    tags=["Usage"],
    summary="Percentiles of a meter",
)
async def query_percentiles(
    *,
    meter_code: str,
    services: Services,
    principal: Principal,
    subject: Subjects = None,
    percentile: Percentiles = None,
    since: Start = None,
    until: End = None,
) -> PercentilesAnswer:
    """Return values of single events by nearest rank (50 and 95 unless asked for others)."""
    meter, asked = await _asked(services, principal, meter_code, subject, since=since, until=until)
    wanted = percentile or [*PERCENTILES]
    rows: list[PercentileRow] = []
    for one in asked:
        async with services.db.transaction(account_scope(one.account.account_id)) as conn:
            values = await metering.percentiles(
                conn, one.account.account_id, meter, one.start or one.end, one.end,
                shares=[Decimal(text).scaleb(-2) for text in wanted],
            )  # fmt: skip
        rows.extend(
            PercentileRow(subject=one.subject, percentile=text, value=value)
            for text, value in zip(wanted, values, strict=True)
        )
    start, end = _span(asked)
    return PercentilesAnswer(from_=start, to=end, data=rows)


async def _asked(
    services: Services,
    principal: Principal,
    meter_code: str,
    subjects: Sequence[str] | None,
    *,
    since: datetime | None,
    until: datetime | None,
) -> tuple[Meter, list[_Asked]]:
    """Return the meter, and for each subject the time that is asked about."""
    wall, found = services.clock(), []
    async with services.db.reading() as conn:
        meter = await catalog.get_meter(conn, meter_code)
    for subject in dict.fromkeys(subjects) if subjects else (None,):
        named = await named_account(services.db, principal, subject, wall)
        account_id = named.account.account_id
        async with services.db.reading() as conn:
            start = since or await metering.first_use(conn, account_id, meter)
        end = until or named.now
        if start is not None and start > end:
            raise BadInput.field("to", "ends_before_start", "must not be before `from`")
        name = subject or named.account.external_id or show("account", account_id)
        found.append(_Asked(name, named.account, start, end))
    return meter, found


async def _rows(
    conn: Connection,
    one: _Asked,
    meter: Meter,
    groups: Sequence[str],
    *,
    size: WindowSize | None,
    local: ZoneInfo,
) -> list[MeterRow]:
    if one.start is None:
        return []
    account_id, start, end = one.account.account_id, one.start, one.end
    if size is None:
        totals = await metering.grouped_totals(conn, account_id, meter, start, end, group_by=groups)
        return [_row(one, start, end, total) for total in totals]
    windows = await metering.windows(
        conn, account_id, meter, start, end, size=size, zone=local, group_by=groups
    )
    return [_row(one, window.start, window.end, window) for window in windows]


def _row(one: _Asked, start: datetime, end: datetime, total: GroupTotal | WindowTotal) -> MeterRow:
    return MeterRow(
        value=Decimal(plain(total.quantity)),
        window_start=start,
        window_end=end,
        subject=one.subject,
        group_by=dict(total.dimensions),
    )


def _span(asked: Sequence[_Asked]) -> tuple[datetime | None, datetime]:
    starts = [one.start for one in asked if one.start is not None]
    return min(starts, default=None), max(one.end for one in asked)


def _zone(name: str) -> ZoneInfo:
    try:
        return zone(name)
    except BadInput as error:
        raise BadInput.field(
            "windowTimeZone", "unknown_timezone", error.errors[0].message
        ) from None


ROUTES: Final = (query_meter, query_percentiles)
