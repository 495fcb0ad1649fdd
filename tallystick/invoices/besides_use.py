"""Reading what an account's invoices take besides what is due, using it up, and giving it back."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from tallystick.accounts.model import Account
from tallystick.catalog import offers
from tallystick.catalog.offer_model import Redemption
from tallystick.invoices import adjustment_store
from tallystick.invoices.adjustments import Adjustment, Kept, OpenAdjustment
from tallystick.invoices.besides import Besides
from tallystick.invoices.compose import Composed
from tallystick.invoices.grace import grace_of
from tallystick.invoices.late_usage import Late, read_late
from tallystick.invoices.usage_changes import settle_usage_change
from tallystick.issuers import service as issuers
from tallystick.issuers.model import Issuer
from tallystick.kernel.db import Connection
from tallystick.money.amount import Money


async def lock_besides(
    conn: Connection, accounts: Collection[Account], now: datetime, late_window: timedelta | None
) -> Mapping[UUID, Besides]:
    """Return it for each of these accounts, locked until the transaction ends; a query a sort.

    With usage of closed periods that changed, if they ended within the window; None: without.
    """
    account_ids = [account.account_id for account in accounts]
    coupons = await offers.lock_redemptions(conn, account_ids)
    open_ = await adjustment_store.open_adjustments(conn, account_ids, lock=True)
    late = (
        {}
        if late_window is None
        else await read_late(conn, account_ids, now, late_window, lock=True)
    )
    return _of_each(accounts, coupons, open_, late, await issuers.known_issuers(conn, accounts))


async def read_besides(
    conn: Connection, account: Account, late: Mapping[UUID, Late] | None = None
) -> Besides:
    """Return the same without a lock, with what the issuer asks for: for who only shows it.

    Usage that changed is not read: `late` is what is known of it.
    """
    account_id = account.account_id
    coupons = await offers.open_redemptions(conn, [account_id])
    open_ = await adjustment_store.open_adjustments(conn, [account_id], lock=False)
    issuer = await issuers.known_issuers(conn, [account])
    return _of_each([account], coupons, open_, late or {}, issuer)[account_id]


async def use_besides(conn: Connection, made: Composed, invoice_id: UUID, at: datetime) -> None:
    """Note what an invoice that is issued at `at` used, and what it leaves to later ones."""
    account_id = made.account.account_id
    await offers.use_redemptions(conn, account_id, made.coupons)
    await adjustment_store.use(conn, account_id, invoice_id, made.used)
    for change in made.changes:
        await settle_usage_change(conn, change)
    for amount, kind in ((made.kept, made.kind_of_kept), (made.carried, "carried")):
        if not amount.is_zero():
            await adjustment_store.keep(conn, account_id, invoice_id, Kept(amount, kind, at))


def _of_each(
    accounts: Collection[Account],
    coupons: Mapping[UUID, tuple[Redemption, ...]],
    open_: Iterable[OpenAdjustment],
    late: Mapping[UUID, Late],
    issued_by: Mapping[UUID, Issuer | None],
) -> dict[UUID, Besides]:
    left: dict[tuple[UUID, str], list[Adjustment]] = {}
    for one in open_:
        left.setdefault((one.account_id, one.kind), []).append(one.adjustment)
    found: dict[UUID, Besides] = {}
    for account in accounts:
        account_id = account.account_id
        changed, issuer = late.get(account_id), issued_by.get(account_id)
        found[account_id] = Besides(
            coupons=coupons.get(account_id, ()),
            carried=tuple(left.get((account_id, "carried"), ())),
            credit=tuple(left.get((account_id, "credit"), ())),
            late=changed.lines if changed else (),
            changes=changed.changes if changed else (),
            minimum_amounts=_minimums(account, issuer),
            skips_zero=issuer is not None and issuer.zero_rule == "skip",
            grace=grace_of(account, issuer),
        )
    return found


def _minimums(account: Account, issuer: Issuer | None) -> Mapping[str, Decimal]:
    """Return what the issuer asks for; in the account's currency, what the account says."""
    said = issuer.minimum_amounts if issuer else {}
    own = account.minimum_amount_minor
    if own is None:
        return said
    return {**said, account.currency: Money(own, account.currency).to_decimal()}
