"""The DataLink report: money moved and subscriptions ended, in a window of Mountain time."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from tallystick.simulators.ccbill.datalink_logins import login
from tallystick.simulators.ccbill.ids import MOUNTAIN, long_form
from tallystick.simulators.ccbill.model import Asked, Move, Subscription
from tallystick.simulators.ccbill.sale_fields import money, person_fields
from tallystick.simulators.ccbill.state import State
from tallystick.simulators.http import Reply, Request

PATH = "/data/main.cgi"
KINDS = ("NEW", "REBILL", "REFUND", "CHARGEBACK", "VOID", "EXPIRE", "CANCELLATION")
LOGIN_FAILED = {
    -1: "Authentication failed.",
    -8: "Authentication failed. IP address is not allowed.",
    -9: "Authentication failed. The user is deactivated.",
    -10: "DataLink is not set up.",
    -12: "Too many failed logins. Wait an hour.",
}
NOTHING = "1"
# A row with the instant that it is ordered by.
Row = tuple[datetime, list[str]]


class Refused(Exception):
    """A report that is not given; the sentence follows `Error:`."""


class Window:
    """What is asked for: which rows, of which time (both ends included)."""

    def __init__(self, query: Mapping[str, str], longest_s: int) -> None:
        """Read the window. Raises Refused."""
        self.start = _time(query.get("startTime", ""))
        self.end = _time(query.get("endTime", ""))
        length = self.end - self.start
        if length < timedelta(0):
            raise Refused("The endTime is before the startTime.")
        if length > timedelta(seconds=longest_s):
            raise Refused("The time range must not be longer than 24 hours.")
        self.kinds = [kind for kind in query.get("transactionTypes", "").split(",") if kind]
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise Refused(f"The transactionTypes are some of {','.join(KINDS)}.")

    def has(self, at: datetime | None) -> bool:
        """Tell whether an instant lies within."""
        return at is not None and self.start <= at.replace(microsecond=0) <= self.end


def report(state: State, request: Request) -> Reply:
    """Return the rows as quoted CSV without a header; `1` when there are none.

    Failures are text with status 200. A report that was given closes the door for an hour.
    """
    query = dict(parse_qsl(request.query))
    try:
        text = _report(state, query, request)
    except Refused as error:
        text = f"Error: {error}\n"
    return Reply(200, text.encode(), {"content-type": "text/plain; charset=utf-8"})


def _report(state: State, query: Mapping[str, str], request: Request) -> str:
    subacc = query.get("clientSubacc")
    user = login(state, query, request.headers, subacc)
    if isinstance(user, int):
        raise Refused(LOGIN_FAILED[user])
    window = Window(query, state.config.datalink_window_s)
    if query.get("testMode") == "1":
        return _written(_made_up(window, query["clientAccnum"], subacc or "0000"))
    accnum = int(query["clientAccnum"])
    _once_an_hour(state, accnum)
    found = [row for row in _rows(state, window, accnum) if not subacc or _is_of(row, subacc)]
    return _written([cells for _, cells in sorted(found, key=lambda row: row[0])])


def _once_an_hour(state: State, accnum: int) -> None:
    asked: Asked | None = state.get("reports", str(accnum))
    gap = timedelta(seconds=state.config.datalink_gap_s)
    if asked and state.now() - asked.at < gap:
        raise Refused("Only one request is allowed every 60 minutes.")
    state.put("reports", str(accnum), Asked(state.now()))


def _rows(state: State, window: Window, accnum: int) -> Iterable[Row]:
    for move in state.moves():
        if move.accnum == accnum and move.kind in window.kinds and window.has(move.at):
            yield move.at, _move_row(state, move)
    for one in state.subscriptions():
        if one.accnum != accnum:
            continue
        if one.expired_at and "EXPIRE" in window.kinds and window.has(one.expired_at):
            yield one.expired_at, _expire_row(one)
        if one.cancelled_at and "CANCELLATION" in window.kinds and window.has(one.cancelled_at):
            cells = [*_head("CANCELLATION", one), _stamp(state, one.cancelled_at)]
            yield one.cancelled_at, cells


def _move_row(state: State, move: Move) -> list[str]:
    sold = state.subscription(move.subscription_id)
    amount = money(state, move.amount, move.currency)
    start = [*_head(move.kind, move), _stamp(state, move.at)]
    if move.kind == "REBILL":
        return [*start, long_form(move.id), amount]
    if move.kind != "NEW" or sold is None:
        return [*start, amount]
    person = person_fields(sold.customer)
    names = ("firstName", "lastName", "username", "password", "address1", "city", "state",
             "postalCode", "country", "email")  # fmt: skip
    terms = sold.terms
    recurring = (
        money(state, terms.recurring_price, terms.currency) if terms.recurring_price else "0"
    )
    return [
        *start,
        *(person[name] for name in names),
        "none",
        "0" if sold.expired_at else "1",
        amount,
        str(terms.initial_period),
        recurring,
        str(terms.recurring_period),
        str(terms.rebills),
    ]


def _expire_row(one: Subscription) -> list[str]:
    days = [f"{at.astimezone(MOUNTAIN):%Y-%m-%d}" if at else "" for at in (one.expired_at,
            one.cancelled_at)]  # fmt: skip
    return [*_head("EXPIRE", one), *days, "Y" if one.batched_failure else "N"]


def _head(kind: str, about: Move | Subscription) -> list[str]:
    known = about.subscription_id if isinstance(about, Move) else about.id
    return [kind, str(about.accnum), f"{about.subacc:04d}", long_form(known)]


def _is_of(row: Row, subacc: str) -> bool:
    return row[1][2] == subacc.rjust(4, "0")


def _stamp(state: State, at: datetime) -> str:
    form = "%Y-%m-%d %H:%M:%S" if state.config.datalink_times == "dashed" else "%Y%m%d%H%M%S"
    return at.astimezone(MOUNTAIN).strftime(form)


def _time(text: str) -> datetime:
    try:
        if len(text) != len("20260105070852"):
            raise ValueError  # noqa: TRY301 one sentence for all that is no time
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=MOUNTAIN)
    except ValueError as error:
        raise Refused("Times are written YYYYMMDDHHMMSS, in Mountain time.") from error


def _made_up(window: Window, accnum: str, subacc: str) -> list[list[str]]:
    """Return rows that nothing stands behind (`testMode=1`)."""
    at = f"{window.start:%Y-%m-%d %H:%M:%S}"
    start = [accnum, subacc.rjust(4, "0"), "0100000000000000001", at]
    rows = {
        "REBILL": ["REBILL", *start, "0100000000000000002", "9.99"],
        "REFUND": ["REFUND", *start, "9.99"],
        "CHARGEBACK": ["CHARGEBACK", *start, "9.99"],
        "VOID": ["VOID", *start, "9.99"],
    }
    return [rows[kind] for kind in window.kinds if kind in rows]


def _written(rows: list[list[str]]) -> str:
    if not rows:
        return NOTHING
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return out.getvalue()
