"""Finance looks at an invoice, and finalizes, voids, writes off, sends or credits it."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from tallystick.accounts.model import Account
from tallystick.documents.document import Party
from tallystick.invoices import drafts, service
from tallystick.invoices.draft_lines import NewLine
from tallystick.invoices.model import Invoice, Status
from tallystick.invoices.terms import Terms
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import show
from tallystick.kernel.paging import PageRequest
from tallystick.mail.service import list_mails
from tallystick.money.amount import Money
from tallystick.settings import Settings

from .conftest import NOW, World, opened


@pytest.fixture
async def mailing(dsn: str, tmp_path: Path) -> AsyncIterator[World]:
    settings = Settings(home=tmp_path, mail_url=tmp_path.as_uri(), mail_from="b@ours.example")
    async for one in opened(settings, dsn):
        yield one


async def billed(world: World, *, is_final: bool = True) -> tuple[Account, Invoice, str]:
    """Write an invoice over two lines; return its account, it, and its page."""
    account = await world.account()
    lines = [NewLine(description=name, amount=Money(minor, "EUR"))
             for name, minor in (("Work", 10000), ("Travel", 2500))]  # fmt: skip
    async with world.services.db.transaction(WRITER) as conn:
        invoice = await drafts.write_invoice(
            conn, account, lines, Terms(), is_final=is_final, finalize_at=None,
            seller=Party("Seller"), at=NOW,
        )  # fmt: skip
    shown = show("invoice", invoice.invoice_id)
    return (
        account,
        invoice,
        f"/staff/accounts/{show('account', account.account_id)}/invoices/{shown}",
    )


async def status(world: World, account_id: UUID, invoice_id: UUID) -> Status:
    async with world.services.db.transaction(WRITER) as conn:
        return (await service.get_invoice(conn, account_id, invoice_id)).status


async def test_support_looks_and_is_offered_nothing(world: World) -> None:
    _, invoice, path = await billed(world)
    await world.enter(await world.person(staff_role="support"))
    page = (await world.http.get(path)).text
    assert invoice.number is not None
    assert invoice.number in page
    assert "€125.00" in page
    assert f"{path}/void" not in page
    assert (await world.http.get(f"{path}/void")).status_code == 403
    assert (await world.post(f"{path}/void", reason="no", rebill="false")).status_code == 403
    assert (await world.http.get(f"{path}/pdf")).content.startswith(b"%PDF")


async def test_a_draft_becomes_final_or_is_thrown_away(world: World) -> None:
    await world.enter(await world.person(staff_role="finance"))
    account, invoice, path = await billed(world, is_final=False)
    page = (await world.http.get(path)).text
    assert f"{path}/finalize" in page
    assert f"{path}/void" not in page
    assert "gets its number" in (await world.http.get(f"{path}/finalize")).text
    done = await world.post(f"{path}/finalize")
    assert done.headers["location"] == f"{path}?done=finalize"
    assert "The invoice is final." in (await world.http.get(done.headers["location"])).text
    refused = await world.post(f"{path}/discard")
    assert refused.status_code == 409
    assert 'role="alert"' in refused.text
    _, _, other = await billed(world, is_final=False)
    assert (await world.post(f"{other}/discard")).status_code == 303
    assert (await world.http.get(other)).status_code == 404
    assert await status(world, account.account_id, invoice.invoice_id) is Status.OPEN


async def test_an_invoice_is_written_off_reopened_and_voided(world: World) -> None:
    await world.enter(await world.person(staff_role="finance"))
    account, invoice, path = await billed(world)
    for step, after in (("write-off", Status.UNCOLLECTIBLE), ("reopen", Status.OPEN)):
        assert (await world.post(f"{path}/{step}", reason="Because")).status_code == 303
        assert await status(world, account.account_id, invoice.invoice_id) is after
    refused = await world.post(f"{path}/void", reason="Wrong <b>", rebill="maybe")
    assert refused.status_code == 422
    assert "Wrong &lt;b&gt;</textarea>" in refused.text
    assert (await world.post(f"{path}/void", reason=" ", rebill="true")).status_code == 422
    assert (await world.post(f"{path}/void", reason="Wrong", rebill="true")).status_code == 303
    page = (await world.http.get(path)).text
    for word in ("Voided", "billed anew", "Written off", "Reopened", "Because"):
        assert word in page
    async with world.services.db.transaction(WRITER) as conn:
        found = await service.list_invoices(conn, account.account_id, Status.OPEN, PageRequest())
    assert [one.total for one in found.items] == [invoice.total]


async def test_a_credit_note_is_shown_before_it_is_issued_once(world: World) -> None:
    await world.enter(await world.person(staff_role="finance"))
    account, invoice, path = await billed(world)
    form = (await world.http.get(f"{path}/credit-note")).text
    line = show("invoice_line", invoice.lines[1].invoice_line_id)
    assert line in form
    told = {"key": "k1", "extent": "lines", "use": "rest_credit", "reason": "order_change",
            "text": "As agreed", "line": line, f"amount_{line}": "5.00"}  # fmt: skip
    shown = (await world.post(f"{path}/credit-note", **told, do="preview")).text
    assert "€5.00" in shown
    assert "Off what is due" in shown
    async with world.services.db.transaction(WRITER) as conn:
        before = await service.get_invoice(conn, account.account_id, invoice.invoice_id)
    assert before.credited.minor == 0
    again = (await world.post(f"{path}/credit-note", **told, do="edit")).text
    assert 'value="5.00"' in again
    assert "As agreed</textarea>" in again
    for _ in range(2):
        done = await world.post(f"{path}/credit-note", **told, do="issue")
        assert done.headers["location"] == f"{path}?done=credit-note"
    async with world.services.db.transaction(WRITER) as conn:
        after = await service.get_invoice(conn, account.account_id, invoice.invoice_id)
    assert (after.credited.minor, after.due.minor) == (500, 12000)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amount": "999.00"}, "lines[0].amount"),
        ({"amount": "a lot"}, "a lot"),
        ({"use": "gift"}, "becomes"),
        ({"reason": "mood"}, "reasons"),
        ({"extent": "lines", "line": ""}, "lines"),
    ],
    ids=["more-than-the-line", "no-amount", "no-use", "no-reason", "no-line"],
)
async def test_a_credit_note_that_can_not_be_is_asked_for_again(
    world: World, change: dict[str, str], said: str
) -> None:
    await world.enter(await world.person(staff_role="finance"))
    _, invoice, path = await billed(world)
    line = show("invoice_line", invoice.lines[1].invoice_line_id)
    told = {"key": "k1", "extent": "lines", "use": "rest_credit", "reason": "other", "text": "x",
            "line": line}  # fmt: skip
    changed = {
        f"amount_{line}" if name == "amount" else name: text for name, text in change.items()
    }
    answer = await world.post(f"{path}/credit-note", **{**told, **changed}, do="preview")
    assert answer.status_code == 422
    assert said in answer.text


async def test_an_invoice_is_mailed_once_for_each_form(mailing: World) -> None:
    await mailing.enter(await mailing.person(staff_role="finance"))
    account, _, path = await billed(mailing)
    assert f"{path}/send" in (await mailing.http.get(path)).text
    assert "a@atelier.example" in (await mailing.http.get(f"{path}/send")).text
    wrong = await mailing.post(f"{path}/send", key="a", to="nobody")
    assert wrong.status_code == 422
    for _ in range(2):
        sent = await mailing.post(f"{path}/send", key="a", to="x@y.example\nz@y.example")
        assert sent.status_code == 303
    async with mailing.services.db.transaction(WRITER) as conn:
        found = await list_mails(conn, account.account_id, None, PageRequest())
    assert [one.addresses for one in found.items if one.request_key == "console:a"] == [
        ("x@y.example", "z@y.example")]  # fmt: skip


async def test_a_customer_has_an_invoice_sent_and_finds_all_as_zip(mailing: World) -> None:
    account, invoice, _ = await billed(mailing)
    await mailing.enter(await mailing.person((account.account_id, "owner")))
    path = f"/billing/invoices/{show('invoice', invoice.invoice_id)}"
    assert "Send by e-mail" in (await mailing.http.get(path)).text
    sent = await mailing.post(f"{path}/send", key="b")
    assert "on its way to a@atelier.example" in (
        await mailing.http.get(sent.headers["location"])).text  # fmt: skip
    assert "exports/invoices.zip" in (await mailing.http.get("/billing/invoices")).text


async def test_without_mail_nobody_is_offered_it(world: World) -> None:
    account, invoice, path = await billed(world)
    await world.enter(await world.person((account.account_id, "owner")))
    own = f"/billing/invoices/{show('invoice', invoice.invoice_id)}"
    assert "Send by e-mail" not in (await world.http.get(own)).text
    assert (await world.post(f"{own}/send", key="b")).status_code == 503
    await world.enter(await world.person(staff_role="finance"))
    assert (await world.http.get(f"{path}/send")).status_code == 404


async def test_a_form_without_the_token_changes_nothing(world: World) -> None:
    await world.enter(await world.person(staff_role="finance"))
    account, invoice, path = await billed(world)
    answer = await world.http.post(f"{path}/write-off", data={"reason": "x"})
    assert answer.status_code == 403
    assert await status(world, account.account_id, invoice.invoice_id) is Status.OPEN


async def test_the_account_leads_to_its_invoices_and_drafts(world: World) -> None:
    await world.enter(await world.person(staff_role="support"))
    _, _, path = await billed(world, is_final=False)
    base = path.rsplit("/invoices/", 1)[0]
    page = (await world.http.get(base)).text
    assert path in page
    assert "1 draft" in page
    assert path in (await world.http.get(f"{base}/invoices?status=draft")).text
    assert "No invoice is open" in (await world.http.get(f"{base}/invoices?status=open")).text
