"""Asking whether VAT numbers are somebody's, at a stand-in for VIES."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, AccountChange, NewAccount
from tallystick.documents.document import Party
from tallystick.issuers import service as issuers
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.taxes import service
from tallystick.taxes.model import NewTaxRate, NumberCheck
from tallystick.taxes.online import NumberChecks
from tallystick.taxes.outlook import taxes_today

NOW = datetime(2030, 1, 1, tzinfo=UTC)
GERMAN, FRENCH = "DE136695976", "FR40303265045"


class Register(ThreadingHTTPServer):
    """Knows some numbers; may be away, or talk nonsense."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.known: set[str] = set()
        self.asked: list[str] = []
        self.nonsense: bytes | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Asked(BaseHTTPRequestHandler):
    server: Register

    def do_POST(self) -> None:  # the name that http.server calls
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = told["countryCode"] + told["vatNumber"]
        self.server.asked.append(number)
        answer = json.dumps({"valid": number in self.server.known}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.nonsense or answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def register() -> Iterator[Register]:
    server = Register()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def account(db: Database, number: str | None, country: str = "DE") -> Account:
    new = NewAccount(
        name="A", email="a@example.com", currency="EUR", country=country, tax_number=number
    )
    async with db.transaction(WRITER) as conn:
        return await accounts.create_account(conn, new, NOW)


async def check(db: Database, of: Account) -> NumberCheck | None:
    async with db.transaction(account_scope(of.account_id)) as conn:
        return await service.number_check(conn, of.account_id)


async def outcome(db: Database, of: Account) -> str | None:
    found = await check(db, of)
    return None if found is None else found.outcome


async def test_numbers_are_confirmed_or_refused_once(db: Database, register: Register) -> None:
    register.known = {GERMAN}
    good, bad = await account(db, GERMAN), await account(db, FRENCH, "FR")
    await account(db, None)
    await account(db, "CHE107787577", "CH")
    assert await outcome(db, good) == "unknown"
    work = NumberChecks(db, register.url)
    assert await work.run_due(NOW) == 2
    assert (await outcome(db, good), await outcome(db, bad)) == ("confirmed", "refused")
    assert await work.run_due(NOW + timedelta(days=89)) == 0
    assert sorted(register.asked) == [GERMAN, FRENCH]
    assert await work.run_due(NOW + timedelta(days=90)) == 2


@pytest.mark.parametrize("nonsense", [b"<html>", b"{}", b'{"errorWrappers": []}', b'{"valid": 1}'])
async def test_no_answer_takes_nothing_back_and_is_asked_for_again(
    db: Database, register: Register, nonsense: bytes
) -> None:
    register.known = {GERMAN}
    of = await account(db, GERMAN)
    work = NumberChecks(db, register.url)
    await work.run_due(NOW)
    later = NOW + timedelta(days=90)
    register.nonsense = nonsense
    await work.run_due(later)
    found = await check(db, of)
    assert found is not None
    assert (found.outcome, found.checked_at, found.try_count) == ("confirmed", NOW, 1)
    assert found.next_check_at == later + timedelta(seconds=2)


async def test_a_register_that_is_away_leaves_numbers_unknown(db: Database) -> None:
    of = await account(db, GERMAN)
    assert await NumberChecks(db, "http://127.0.0.1:9").run_due(NOW) == 1
    assert await outcome(db, of) == "unknown"


async def test_another_number_is_asked_for_anew_and_none_is_forgotten(
    db: Database, register: Register
) -> None:
    of = await account(db, FRENCH, "FR")
    work = NumberChecks(db, register.url)
    await work.run_due(NOW)
    assert await outcome(db, of) == "refused"
    async with db.transaction(account_scope(of.account_id)) as conn:
        change = AccountChange(country="DE", tax_number=GERMAN)
        await accounts.update_account(conn, of.account_id, change)
    assert await outcome(db, of) == "unknown"
    assert await work.run_due(NOW) == 1
    async with db.transaction(account_scope(of.account_id)) as conn:
        await accounts.update_account(conn, of.account_id, AccountChange(tax_number=None))
    assert await check(db, of) is None


async def test_a_refused_number_pays_tax_from_then_on(db: Database, register: Register) -> None:
    of = await account(db, GERMAN)
    async with db.transaction(WRITER) as conn:
        issuer = await issuers.follow_settings(conn, Party("Seller"), NOW)
        told = {"country": "FR", "vat_number": FRENCH}
        await issuers.change_issuer(conn, issuer.issuer_id, told)
        rate = NewTaxRate(
            country="FR", name="VAT", percent=Decimal(20), valid_from=date(2014, 1, 1),
            source="a test", looked_up_on=date(2026, 1, 1),
        )  # fmt: skip
        await service.add_rate(conn, rate, NOW)
        before = await taxes_today(conn, of, NOW)
    assert [tax.category for tax in before.taxes] == ["AE"]
    await NumberChecks(db, register.url).run_due(NOW)
    async with db.transaction(WRITER) as conn:
        found = await taxes_today(conn, of, NOW)
    assert [(tax.name, tax.percent) for tax in found.taxes] == [("VAT", Decimal(20))]
    assert (found.tax_number, found.number_check and found.number_check.outcome) == (
        GERMAN, "refused")  # fmt: skip
