"""Reading what an account's invoices take besides what is due, using it up, and giving it back."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.catalog import offers
from tallystick.catalog.offer_model import Redemption
from tallystick.invoices import adjustment_store
from tallystick.invoices.adjustments import Adjustment, Kept, OpenAdjustment
from tallystick.invoices.besides import Besides
from tallystick.invoices.compose import Composed
from tallystick.issuers import service as issuers
from tallystick.issuers.model import Issuer
from tallystick.kernel.db import Connection


async def lock_besides(conn: Connection, account_ids: Sequence[UUID]) -> Mapping[UUID, Besides]:
    """Return it for each of these accounts, locked until the transaction ends; a query a sort."""
    coupons = await offers.lock_redemptions(conn, account_ids)
    open_ = await adjustment_store.open_adjustments(conn, account_ids, lock=True)
    return _of_each(account_ids, coupons, open_)


async def read_besides(conn: Connection, account: Account) -> Besides:
    """Return the same without a lock, with what the issuer asks for: for who only shows it."""
    account_id = account.account_id
    coupons = await offers.open_redemptions(conn, [account_id])
    open_ = await adjustment_store.open_adjustments(conn, [account_id], lock=False)
    found = _of_each([account_id], coupons, open_)[account_id]
    return asked_by(found, await issuers.find_issuer_of(conn, account))


async def use_besides(conn: Connection, made: Composed, invoice_id: UUID, at: datetime) -> None:
    """Note what an invoice that is issued at `at` used, and what it leaves to later ones."""
    account_id = made.account.account_id
    await offers.use_redemptions(conn, account_id, made.coupons)
    await adjustment_store.use(conn, account_id, invoice_id, made.used)
    for amount, kind in ((made.kept, made.kind_of_kept), (made.carried, "carried")):
        if not amount.is_zero():
            await adjustment_store.keep(conn, account_id, invoice_id, Kept(amount, kind, at))


def asked_by(besides: Besides, issuer: Issuer | None) -> Besides:
    """Return it with what the issuer of the account's invoices asks for; None: nothing."""
    if issuer is None:
        return besides
    return replace(
        besides, minimum_amounts=issuer.minimum_amounts, skips_zero=issuer.zero_rule == "skip"
    )


def _of_each(
    account_ids: Sequence[UUID],
    coupons: Mapping[UUID, tuple[Redemption, ...]],
    open_: Iterable[OpenAdjustment],
) -> dict[UUID, Besides]:
    left: dict[tuple[UUID, str], list[Adjustment]] = {}
    for one in open_:
        left.setdefault((one.account_id, one.kind), []).append(one.adjustment)
    return {
        account_id: Besides(
            coupons=coupons.get(account_id, ()),
            carried=tuple(left.get((account_id, "carried"), ())),
            credit=tuple(left.get((account_id, "credit"), ())),
        )
        for account_id in account_ids
    }
