"""Staff see where billing stands, what is to be paid back, revenue, and who issues."""

from decimal import Decimal

from tallystick.accounts.tokens import csrf_token
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion
from tallystick.credit_notes import service as notes
from tallystick.credit_notes.model import NewNote
from tallystick.invoices.service import settle
from tallystick.issuers import service as issuers
from tallystick.issuers.model import Issuer
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import new_id, show
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import service as subscriptions

from .conftest import NOW, World
from .test_staff_invoice_pages import billed

NEW = new_id()
SQUARE = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9"/></svg>'
)


async def test_billing_shows_drafts_and_what_could_not_be_billed_with_its_reason(
    world: World,
) -> None:
    await world.enter(await world.person(staff_role="support"))
    assert "There is none" in (await world.http.get("/staff/billing")).text
    account, _, _ = await billed(world, is_final=False)
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(10))
    plan = NewPlanVersion(
        plan_code="pro", plan_name="Pro", currency="EUR", interval="month", prices=(fee,)
    )
    async with world.services.db.transaction(WRITER) as conn:
        version = await catalog.create_plan_version(conn, plan, NOW)
        made = await subscriptions.subscribe(conn, account, version, NOW)
        await subscriptions.park(conn, made, "The meter is gone <b>", NOW)
    page = (await world.http.get("/staff/billing")).text
    assert "<dt>Drafts</dt><dd>1</dd>" in page
    assert "The meter is gone &lt;b&gt;" in page
    assert show("account", account.account_id) in page


async def test_a_refund_is_listed_until_finance_says_that_it_was_paid(world: World) -> None:
    account, invoice, path = await billed(world)
    async with world.services.db.transaction(WRITER) as conn:
        await settle(conn, account.account_id, invoice.invoice_id, invoice.total, NOW)
        new = NewNote(invoice_id=invoice.invoice_id, reason="duplicate", rest="refund")
        note = await notes.issue(conn, account.account_id, new, NOW)
    await world.enter(await world.person(staff_role="finance"))
    whose = f"account_id={show('account', account.account_id)}"
    listed = (await world.http.get(f"/staff/refunds?{whose}")).text
    assert "€125.00" in listed
    refund = listed.split('href="/staff/refunds/', 1)[1].split('"', 1)[0]
    assert "€125.00 to Atelier" in (await world.http.get(f"/staff/refunds/{refund}")).text
    refused = await world.post(f"/staff/refunds/{refund}", reference=" ")
    assert (refused.status_code, 'role="alert"' in refused.text) == (422, True)
    done = await world.post(f"/staff/refunds/{refund}", reference="SEPA-1")
    after = (await world.http.get(done.headers["location"])).text
    assert "The refund is booked." in after
    assert "Nothing is to be paid back" in after
    for address in (f"/staff/credit-notes?{whose}", "/staff/credit-notes", path):
        assert str(note.number) in (await world.http.get(address)).text
    base = path.rsplit("/invoices/", 1)[0]
    shown = show("credit_note", note.credit_note_id)
    pdf = await world.http.get(f"{base}/credit-notes/{shown}/pdf")
    assert pdf.content.startswith(b"%PDF")


async def test_nobody_elses_lists_are_shown_and_customers_see_none(world: World) -> None:
    account = await world.account()
    await world.enter(await world.person((account.account_id, "owner")))
    for path in ("billing", "credit-notes", "refunds", "disputes", "mails", "reports", "issuers"):
        assert (await world.http.get(f"/staff/{path}")).status_code == 403
    await world.enter(await world.person(staff_role="support"))
    for path in ("credit-notes", "refunds", "disputes", "mails"):
        answer = await world.http.get(f"/staff/{path}", params={"account_id": "acct_wrong"})
        assert answer.status_code == 404
        assert "There is" in (await world.http.get(f"/staff/{path}")).text or path in {
            "refunds", "disputes",
        }  # fmt: skip


async def test_revenue_stands_in_a_table_and_as_bars(world: World) -> None:
    account, _, _ = await billed(world)
    await world.enter(await world.person(staff_role="support"))
    page = (await world.http.get("/staff/reports?from=2026-10&to=2026-12")).text
    assert "Nov 2026" in page
    assert "€125.00" in page
    assert 'height="100.0"' in page
    assert "exports/journal.csv" in page
    assert "exports/usage.csv" not in page
    whose = show("account", account.account_id)
    own = (await world.http.get(f"/staff/reports?account_id={whose}")).text
    assert "exports/usage.csv" in own
    refused = await world.http.get("/staff/reports?from=2026-12&to=2026-11")
    assert refused.status_code == 422
    assert "later month" in refused.text
    assert (await world.http.get("/staff/reports?from=soon")).status_code == 422
    csv = await world.http.get("/api/v1/admin/billing/exports/journal.csv",
                               params={"from": "2026-01-01", "to": "2026-12-01"})  # fmt: skip
    assert csv.status_code == 200


async def test_an_issuer_is_changed_with_its_logo_by_admins_alone(world: World) -> None:
    one = Issuer(issuer_id=NEW, code="OURS", legal_name="Ours Ltd", created_at=NOW)
    async with world.services.db.transaction(WRITER) as conn:
        await issuers.create_issuer(conn, one)
    path = f"/staff/issuers/{show('issuer', NEW)}"
    await world.enter(await world.person(staff_role="finance"))
    assert "Ours Ltd" in (await world.http.get("/staff/issuers")).text
    assert f'action="{path}"' not in (await world.http.get(path)).text
    assert (await world.post(path, legal_name="Theirs")).status_code == 403
    await world.enter(await world.person(staff_role="admin"))
    told = {"legal_name": "Ours SAS", "address": "1 rue\r\n75001 Paris", "country": "fr",
            "locale": "fr-FR", "payment_due_days": "30", "grace_hours": "0",
            "invoice_format": "F-{year}-{number:04}", "credit_note_format": "A-{year}-{number:04}",
            "number_reset": "yearly", "zero_rule": "issue",
            "iban": "FR76 3000 6000 0112 3456 7890 189"}  # fmt: skip
    wrong = await world.post(path, **{**told, "country": "xx", "payment_due_days": "soon"})
    assert wrong.status_code == 422
    assert 'id="payment_due_days-error"' in wrong.text
    assert "75001 Paris</textarea>" in wrong.text
    assert (await world.post(path, **told)).status_code == 303
    async with world.services.db.transaction(WRITER) as conn:
        after = await issuers.get_issuer(conn, NEW)
    assert (after.address, after.country, after.payment_due_days, after.city) == (
        ("1 rue", "75001 Paris"), "FR", 30, None)  # fmt: skip
    assert after.iban == "FR7630006000011234567890189"
    token = {"csrf_token": csrf_token(world.http.cookies["session_token"])}
    for content, status in ((b"nothing", 422), (SQUARE, 303)):
        files = {"logo": ("logo.svg", content, "image/svg+xml")}
        answer = await world.http.post(f"{path}/logo", data=token, files=files)
        assert answer.status_code == status
    assert f"{show('issuer', NEW)}/logo" in (await world.http.get(path)).text
    assert (await world.post(f"{path}/logo/remove")).status_code == 303
    assert "None is printed" in (await world.http.get(path)).text
