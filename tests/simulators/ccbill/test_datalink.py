"""DataLink: the report of a window, its limits and its refusals in text."""

import csv
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.ccbill import CcbillSimulator, assert_error

MOUNTAIN = timezone(timedelta(hours=-7))
ALL = "NEW,REBILL,REFUND,CHARGEBACK,VOID,EXPIRE,CANCELLATION"
LOGIN = {"clientAccnum": "900000", "username": "simlink", "password": "simlink-secret"}


def now(ccbill: CcbillSimulator) -> datetime:
    """The simulated time, in Mountain time."""
    text = ccbill.http.get("/_sim/clock").json()["now"]
    return datetime.fromisoformat(text).astimezone(MOUNTAIN)


def ask(ccbill: CcbillSimulator, hours: float = 23, **query: Any) -> str:
    """Ask for what happened within the last hours."""
    end = now(ccbill) + timedelta(seconds=1)
    times = {
        "startTime": f"{end - timedelta(hours=hours):%Y%m%d%H%M%S}",
        "endTime": f"{end:%Y%m%d%H%M%S}",
        "transactionTypes": ALL,
    }
    headers = query.pop("headers", {})
    answer = ccbill.http.get("/data/main.cgi", params=LOGIN | times | query, headers=headers)
    assert answer.status_code == 200
    return answer.text


def rows(ccbill: CcbillSimulator, **query: Any) -> list[list[str]]:
    text = ask(ccbill, **query)
    assert text.startswith('"')
    return list(csv.reader(text.splitlines()))


@pytest.fixture(autouse=True)
def many_reports(request: pytest.FixtureRequest, ccbill: CcbillSimulator) -> None:
    """Reports may be fetched again at once, but where a test is about that."""
    if "once_an_hour" not in request.node.name:
        ccbill.configure(datalink_gap_s=0)


def test_nothing_is_a_one(ccbill: CcbillSimulator) -> None:
    assert ask(ccbill) == "1"


def test_a_sale_and_its_rebill_are_told_with_their_amounts(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token(), 18, clientSubacc=3)
    (new,) = rows(ccbill)
    assert new[:4] == ["NEW", "900000", "0003", f"0{sold}"]
    assert datetime.strptime(new[4], "%Y-%m-%d %H:%M:%S").replace(tzinfo=MOUNTAIN)
    assert new[5:7] == ["Ann", "Lee"]
    assert new[16:] == ["1", "18.00", "30", "18.00", "30", "99"]
    assert len(new) == 22
    ccbill.advance(days=30, seconds=1)
    (rebill,) = rows(ccbill)
    move = ccbill.charges_made()[1]
    assert rebill[:4] == ["REBILL", "900000", "0003", f"0{sold}"]
    assert rebill[5:] == [f"0{move['id']}", "18.00"]


def test_reversals_and_endings_are_told(ccbill: CcbillSimulator) -> None:
    sold = ccbill.subscribe(ccbill.token(), 18)
    ccbill.trigger(sold, "refund", amount="5.00")
    found = rows(ccbill, transactionTypes="REFUND,CANCELLATION,EXPIRE")
    assert [row[0] for row in found] == ["REFUND", "CANCELLATION", "EXPIRE"]
    assert found[0][5:] == ["5.00"]
    day = f"{now(ccbill):%Y-%m-%d}"
    assert found[2][4:] == [day, day, "N"]


def test_a_batched_failure_is_marked(ccbill: CcbillSimulator) -> None:
    ccbill.configure(rebill_retry_days=[])
    ccbill.subscribe(ccbill.token("4000000000000341"))
    ccbill.advance(days=30, seconds=1)
    assert rows(ccbill)[0][-1] == "Y"


def test_a_window_has_only_its_own(ccbill: CcbillSimulator) -> None:
    ccbill.charge(ccbill.token())
    ccbill.charge(ccbill.token(), clientSubacc=4)
    assert len(rows(ccbill)) == 2
    assert len(rows(ccbill, clientSubacc="4")) == 1
    assert ask(ccbill, transactionTypes="REFUND") == "1"
    ccbill.advance(days=2)
    assert ask(ccbill) == "1"


def test_times_may_be_digits(ccbill: CcbillSimulator) -> None:
    ccbill.configure(datalink_times="digits")
    ccbill.charge(ccbill.token())
    assert rows(ccbill)[0][4].isdecimal()


def test_it_is_asked_once_an_hour(ccbill: CcbillSimulator) -> None:
    ccbill.charge(ccbill.token())
    assert len(rows(ccbill)) == 1
    assert ask(ccbill).startswith("Error: Only one request")
    assert ask(ccbill, testMode="1").startswith('"REBILL"')
    ccbill.advance(minutes=60)
    assert len(rows(ccbill)) == 1


def test_a_refused_report_does_not_close_the_door_for_once_an_hour(ccbill: CcbillSimulator) -> None:
    assert ask(ccbill, hours=25).startswith("Error: ")
    assert ask(ccbill, password="x").startswith("Error: ")
    assert ask(ccbill) == "1"


@pytest.mark.parametrize(
    "query",
    [
        {"hours": 24.1},
        {"hours": -1},
        {"startTime": "yesterday"},
        {"endTime": "20261301000000"},
        {"transactionTypes": "NEW,SALE"},
        {"transactionTypes": ""},
    ],
)
def test_a_wrong_window_is_an_error_in_text(ccbill: CcbillSimulator, query: Any) -> None:
    assert ask(ccbill, **query).startswith("Error: ")


def test_three_failed_logins_lock_for_an_hour(ccbill: CcbillSimulator) -> None:
    token = ccbill.token()
    for _ in range(3):
        assert "Authentication failed" in ask(ccbill, password="wrong")
    assert ask(ccbill).startswith("Error: Too many failed logins")
    assert_error(ccbill.charge(token), 500, 100109)
    ccbill.advance(minutes=61)
    assert ask(ccbill) == "1"


def test_the_callers_address_must_be_on_the_list(ccbill: CcbillSimulator) -> None:
    ccbill.configure(peers=["198.51.100.0/24"])
    assert "IP address" in ask(ccbill)
    assert ask(ccbill, headers={"x-sim-peer": "198.51.100.7"}) == "1"


def test_a_user_of_a_sub_account_names_it(ccbill: CcbillSimulator) -> None:
    ccbill.configure(datalink_users=[{"username": "u", "password": "p", "client_subacc": 3}])
    refused = ask(ccbill, username="u", password="p")
    assert refused.startswith("Error: Authentication failed")
    assert ask(ccbill, username="u", password="p", clientSubacc="0003") == "1"
