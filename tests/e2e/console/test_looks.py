"""Every page, in light and dark, on a wide screen and on a phone: readable by everybody."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec
import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # has none
from playwright.async_api import ViewportSize

from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion
from tallystick.credit_notes import disputes
from tallystick.credit_notes import service as notes
from tallystick.credit_notes.model import Grounds, NewNote
from tallystick.credits import grants, packages, service
from tallystick.credits.model import NewGrant, Settings
from tallystick.credits.service import Deduct
from tallystick.invoices import service as invoices
from tallystick.issuers import service as issuers
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import parse, show
from tallystick.kernel.paging import PageRequest
from tallystick.money.amount import Money
from tallystick.payments import service as payments
from tallystick.payments.refund_payment import AskedRefund
from tallystick.plan_migrations import service as plan_migrations
from tallystick.plan_migrations.jobs import PlanMigrations
from tallystick.plan_migrations.model import Status as MigrationStatus
from tallystick.plan_migrations.model import Wanted
from tallystick.pricing.model import FlatPrice
from tallystick.whatif import service as what_ifs
from tallystick.whatif.jobs import WhatIfs
from tallystick.whatif.model import Question, Status
from tests.lost_charges import lose_charge

if TYPE_CHECKING:
    from tests.e2e.conftest import Product
    from tests.e2e.console.conftest import Visit, Visitor

WIDE: ViewportSize = {"width": 1200, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
START = datetime(2025, 1, 31, 9, tzinfo=UTC)
MIDDLE = datetime(2025, 3, 2, tzinfo=UTC)
LATER = datetime(2025, 4, 2, tzinfo=UTC)
MONTH = timedelta(days=30)
Who = Literal["nobody", "owner", "staff", "newcomer", "giant"]


class Cast(msgspec.Struct, frozen=True):
    """Who there is to look at pages: e-mail addresses, and paths that only they know."""

    owner: str
    newcomer: str
    giant: str
    staff: str
    invoice: str
    giant_invoice: str
    account: str
    change: str
    what_if: str
    migration: str
    staff_invoice: str
    issuer: str
    paid_invoice: str
    payment: str


@pytest.fixture(scope="session")
async def cast(product: "Product") -> Cast:
    """A customer with invoices and cards, one with nothing, and one with everything too long."""
    customer = await product.customer()
    await product.save_card(customer)
    await product.save_card(customer, "pm_card_amex")
    for at in (START, MIDDLE, LATER):
        await product.advance(customer, at)
        await product.use(customer, "api_calls", "17500", at)
        await product.use(customer, "storage", "41.5", at)
        await product.use(customer, "seats", "3", at)
    change = await stock_credits(product, customer.account_id)
    paid_invoice, payment = await give_back(product, customer.account_id)
    newcomer = await product.customer(None, autopay=False)
    giant = await product.customer("vast", autopay=False, name="Verwertungs" * 18)
    for at in (START, MIDDLE, LATER):
        await product.advance(giant, at)
        await product.use(giant, "api_calls", "123456789012345.123456789012", at)
    giant_invoice = await product.newest_invoice(giant)
    await lose_an_answer(product, giant.account_id, giant_invoice)
    async with product.services.db.transaction(WRITER) as conn:
        new = NewNote(invoice_id=parse("invoice", giant_invoice), reason="other", text="W" * 500)
        await notes.issue(conn, giant.account_id, new, LATER)
    return Cast(
        owner=customer.owner,
        newcomer=newcomer.owner,
        giant=giant.owner,
        staff=await product.staff(),
        invoice=await product.newest_invoice(customer),
        giant_invoice=giant_invoice,
        account=giant.id,
        change=change,
        what_if=await try_a_plan(product),
        migration=await move_a_plan(product),
        issuer=await an_issuer(product),
        staff_invoice=f"{giant.id}/invoices/{giant_invoice}",
        paid_invoice=paid_invoice,
        payment=payment,
    )


async def give_back(product: "Product", account_id: UUID) -> tuple[str, str]:
    """Refund some of a payment, dispute some; return the paths of its invoice and of itself."""
    async with product.services.db.transaction(WRITER) as conn:
        found = await payments.list_payments(conn, account_id, PageRequest())
    payment = next(one for one in found.items if one.settled_at is not None)
    asked = AskedRefund(reason="A week without service", request_key="looks", amount_minor=500)
    await product.services.payment_refunds.refund(account_id, payment.payment_id, asked)
    grounds = Grounds(
        payment_id=payment.payment_id, code="product_not_received", respond_by=LATER + MONTH
    )
    invoice_id = payment.invoice_ids[0]
    async with product.services.db.transaction(WRITER) as conn:
        await disputes.open_dispute(
            conn, account_id, invoice_id, Money(700, payment.currency),
            gateway="stripe", reference="dp_looks", at=LATER, grounds=grounds,
        )  # fmt: skip
    base = show("account", account_id)
    return (
        f"{base}/invoices/{show('invoice', invoice_id)}",
        f"{base}/payments/{show('payment', payment.payment_id)}",
    )


async def lose_an_answer(product: "Product", account_id: UUID, but: str) -> None:
    """Send a charge of another invoice that nobody can be asked about any more."""
    async with product.services.db.transaction(WRITER) as conn:
        found = await invoices.list_invoices(conn, account_id, None, PageRequest())
    due = next(
        one for one in found.items if one.due.minor > 0 and show("invoice", one.invoice_id) != but
    )
    await lose_charge(product.services.db, due, "paypal", LATER)


async def an_issuer(product: "Product") -> str:
    """Return the id of the issuer that was made of the settings."""
    async with product.services.db.transaction(WRITER) as conn:
        (one, *_) = await issuers.list_issuers(conn)
    return show("issuer", one.issuer_id)


async def try_a_plan(product: "Product") -> str:
    """Try another price on all that was used; return the what-if's id when it is done."""
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal("39.90"))
    draft = NewPlanVersion(
        plan_code="pro", plan_name="Pro", currency="EUR", interval="month", prices=(fee,)
    )
    db, now = product.services.db, datetime.now(UTC)
    async with db.transaction(WRITER) as conn:
        begun = await what_ifs.start(conn, Question(draft=draft, start=START, end=LATER), now)
    status = begun.status
    while status is Status.RUNNING:  # the product's worker may be at it too
        await WhatIfs(db).run_due(now)
        async with db.transaction(WRITER) as conn:
            status = (await what_ifs.get_what_if(conn, begun.what_if_id)).status
    assert status is Status.DONE
    return show("what_if", begun.what_if_id)


async def move_a_plan(product: "Product") -> str:
    """Preview a dearer version for everybody on a plan that no other test sells; return its id."""
    db, now = product.services.db, datetime.now(UTC)
    cheap, dear = (
        NewPlanVersion(
            plan_code="loft", plan_name="Loft", currency="EUR", interval="month",
            prices=(FlatPrice(currency="EUR", code="fee", amount=Decimal(amount)),),
        )
        for amount in ("49.90", "59.90")
    )  # fmt: skip
    async with db.transaction(WRITER) as conn:
        await catalog.create_plan_version(conn, cheap, START)
    await product.customer("loft", autopay=False)
    async with db.transaction(WRITER) as conn:
        to = await catalog.create_plan_version(conn, dear, now)
        wanted = Wanted(
            plan_code="loft", to_plan_version_id=to.plan_version_id, when="period_end",
            notice_days=30, reason="New prices from spring on",
        )  # fmt: skip
        begun = await plan_migrations.start(conn, wanted, now)
    work, status = PlanMigrations(db, product.services.seller), begun.status
    while status is MigrationStatus.PREVIEWING:  # the product's worker may be at it too
        await work.run_due(now)
        async with db.transaction(WRITER) as conn:
            found = await plan_migrations.get_migration(conn, begun.plan_migration_id)
            status = found.status
    return show("plan_migration", begun.plan_migration_id)


async def stock_credits(product: "Product", account_id: UUID) -> str:
    """Give credits of three kinds, sell packages, use some; return the id of one use."""
    new = (
        NewGrant(source="plan", units=50_000_000, priority=50, expires_at=LATER + MONTH,
                 cap_at=LATER + MONTH / 2, cap_units=10_000_000, reason="Credits of the plan"),
        NewGrant(source="promotion", units=2_500_000, priority=10, expires_at=LATER + MONTH,
                 reason="Welcome"),
        NewGrant(source="purchase", units=100_000_000, reason="Credits bought"),
    )  # fmt: skip
    async with product.services.db.transaction(WRITER) as conn:
        for number, one in enumerate(new):
            await grants.grant(conn, account_id, one, key=f"g{number}", at=LATER)
        for code, units, minor in (("small", 50_000_000, 900), ("large", 500_000_000, 7900)):
            package = packages.NewPackage(
                code=code, name=f"{code.capitalize()} package", units=units, currency="EUR",
                amount_minor=minor, expires_after_days=365,
            )  # fmt: skip
            await packages.create_package(conn, package, START)
        wanted = Settings(overdraft_max=2_000_000)
        await service.set_settings(conn, account_id, wanted, LATER)
    used = [
        await product.services.credits.deduct(
            Deduct(
                account_id=account_id, key=f"u{number}", at=LATER, model="large",
                operation=("write_article", "draw_image")[number % 2],
                credits=Decimal(number + 1) / 4 + 20, quantity=Decimal(1500 * (number + 1)),
            )
        )
        for number in range(4)
    ]  # fmt: skip
    return show("ledger_entry", used[1].ledger_entry_id)


PLAIN_PAGES = (
    "/billing/usage",
    "/billing/credits",
    "/billing/invoices",
    "/billing/payment-methods",
)
PAGES: tuple[tuple[str, Who, str], ...] = (
    ("sign-in", "nobody", "/sign-in"),
    ("settings", "nobody", "/docs/settings"),
    ("usage", "owner", "/billing/usage"),
    ("invoices", "owner", "/billing/invoices"),
    ("invoice", "owner", "/billing/invoices/{invoice}"),
    ("credits", "owner", "/billing/credits"),
    ("credit-changes", "owner", "/billing/credits?show=changes"),
    ("credit-change", "owner", "/billing/credits/changes/{change}"),
    ("methods", "owner", "/billing/payment-methods"),
    ("missing", "owner", "/billing/nothing-here"),
    ("usage-empty", "newcomer", "/billing/usage"),
    ("credits-empty", "newcomer", "/billing/credits"),
    ("invoices-empty", "newcomer", "/billing/invoices"),
    ("methods-empty", "newcomer", "/billing/payment-methods"),
    ("usage-giant", "giant", "/billing/usage"),
    ("invoices-giant", "giant", "/billing/invoices"),
    ("invoice-giant", "giant", "/billing/invoices/{giant_invoice}"),
    ("credit-notes-empty", "newcomer", "/billing/credit-notes"),
    ("credit-notes-giant", "giant", "/billing/credit-notes"),
    ("accounts", "staff", "/staff/accounts"),
    ("account-giant", "staff", "/staff/accounts/{account}"),
    ("what-ifs", "staff", "/staff/what-ifs"),
    ("what-if", "staff", "/staff/what-ifs/{what_if}"),
    ("plan-migrations", "staff", "/staff/plan-migrations"),
    ("staff-invoices", "staff", "/staff/accounts/{account}/invoices"),
    ("staff-invoice", "staff", "/staff/accounts/{staff_invoice}"),
    ("staff-void", "staff", "/staff/accounts/{staff_invoice}/void"),
    ("credit-note-form", "staff", "/staff/accounts/{staff_invoice}/credit-note"),
    ("staff-billing", "staff", "/staff/billing"),
    ("staff-credit-notes", "staff", "/staff/credit-notes"),
    ("staff-refunds", "staff", "/staff/refunds"),
    ("staff-refunds-made", "staff", "/staff/refunds?which=made"),
    ("staff-disputes", "staff", "/staff/disputes"),
    ("staff-refund-payment", "staff", "/staff/accounts/{payment}/refund"),
    ("staff-invoice-paid", "staff", "/staff/accounts/{paid_invoice}"),
    ("staff-unclear", "staff", "/staff/unclear-payments"),
    ("staff-mails", "staff", "/staff/mails"),
    ("staff-reports", "staff", "/staff/reports?from=2025-01&to=2026-01"),
    ("issuers", "staff", "/staff/issuers"),
    ("issuer", "staff", "/staff/issuers/{issuer}"),
    ("plan-migration", "staff", "/staff/plan-migrations/{migration}"),
)


@pytest.mark.parametrize(("name", "who", "path"), PAGES, ids=[name for name, _, _ in PAGES])
async def test_a_page_is_readable_by_everybody(
    visit: "Visit", cast: Cast, name: str, who: Who, path: str
) -> None:
    """Axe finds nothing in light and dark, wide and narrow; 360 px need no sideways scrolling."""
    visitor = await visit()
    if who != "nobody":
        await visitor.enter(getattr(cast, who))
    if name == "missing":
        visitor.expects(404)
    await visitor.goto(path.format_map(msgspec.structs.asdict(cast)))
    await open_all(visitor)
    for width in (WIDE, PHONE):
        await visitor.page.set_viewport_size(width)
        for scheme in SCHEMES:
            await visitor.page.emulate_media(color_scheme=scheme)
            await visitor.picture(f"{name}-{width['width']}-{scheme}")
            assert await violations(visitor) == []
        assert await width_of(visitor) <= width["width"]


async def test_the_card_form_is_readable_by_everybody(visit: "Visit", cast: Cast) -> None:
    visitor = await visit()
    await visitor.enter(cast.owner)
    await visitor.goto("/billing/payment-methods")
    await visitor.page.set_viewport_size(PHONE)
    await visitor.page.get_by_role("button", name="Add a card").click()
    await visitor.page.get_by_label("Card number").wait_for()
    for scheme in (*SCHEMES, SCHEMES[0]):  # switched while the form is open
        await visitor.page.emulate_media(color_scheme=scheme)
        await visitor.picture(f"card-form-360-{scheme}")
        assert await violations(visitor) == []
    assert await width_of(visitor) <= PHONE["width"]


async def test_a_printed_invoice_shows_how_amounts_came_about(visit: "Visit", cast: Cast) -> None:
    visitor = await visit()
    await visitor.enter(cast.owner)
    await visitor.goto(f"/billing/invoices/{cast.invoice}")
    assert not await visitor.page.get_by_text("10,000 of 10,000 included").is_visible()
    await visitor.page.emulate_media(media="print")
    await visitor.picture("invoice-print")
    assert await visitor.page.get_by_text("10,000 of 10,000 included").is_visible()
    assert not await visitor.page.get_by_role("button", name="Sign out").is_visible()


async def test_large_text_does_not_push_a_page_sideways(visit: "Visit", cast: Cast) -> None:
    """WCAG 1.4.4 and 1.4.10: text at twice its size on a narrow window."""
    visitor = await visit(viewport=PHONE)
    await visitor.enter(cast.owner)
    for path in PLAIN_PAGES:
        await visitor.goto(path)
        await visitor.page.evaluate(
            "document.documentElement.style.setProperty('font-size','200%')"
        )
        await visitor.picture(f"large-{path.rsplit('/', 1)[1]}")
        assert await width_of(visitor) <= PHONE["width"]


async def open_all(visitor: "Visitor") -> None:
    """Open whatever opens."""
    await visitor.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")


async def width_of(visitor: "Visitor") -> int:
    width: int = await visitor.page.evaluate("document.documentElement.scrollWidth")
    return width


async def violations(visitor: "Visitor") -> list[str]:
    """Return what axe finds, a line each."""
    found = await Axe().run(visitor.page)
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]
