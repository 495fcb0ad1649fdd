"""What `tallystick stripe-meters summaries` does: both sides of usage as a table."""

import sys
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.table import Table

from tallystick.accounts import service as accounts
from tallystick.app import open_services
from tallystick.kernel.db import STAFF
from tallystick.kernel.errors import SetupError
from tallystick.kernel.ids import unknown
from tallystick.kernel.logs import configure_logs
from tallystick.money.exact import plain, total
from tallystick.payments.gateways.stripe import stripe_of
from tallystick.settings import Settings
from tallystick.stripe_meters.model import Sides
from tallystick.stripe_meters.summaries import read_sides

WIDTH: Final = 120
"""Columns of the table where it is no terminal's width."""


async def show_summaries(
    settings: Settings, dsn: str, account: str, meter: str, span: tuple[datetime, datetime]
) -> None:
    """Show one account's hours of a meter in [start, end).

    Raises SetupError `stripe_missing`, NotFound `account_not_found`, and what `read_sides` does.
    """
    configure_logs(json=settings.log_json, level="ERROR")
    async with open_services(settings, dsn) as services:
        stripe = stripe_of(services.gateways)
        if stripe is None:
            raise SetupError("stripe_missing", "Set STRIPE_SECRET_KEY to read what Stripe counted.")
        async with services.db.transaction(STAFF) as conn:
            found = await accounts.find_by_subjects(conn, [account])
        if account not in found:
            raise unknown("account")
        whose = found[account].account_id
        sides = await read_sides(services.db, stripe.meters, whose, meter, span)
    _show(sides, meter)


def _show(sides: Sides, meter: str) -> None:
    table = Table("Hour (UTC)", title=f"{meter}: sent, and counted by {sides.meter.reference}")
    for name in ("Sent", "Events", "Not done", "Stripe"):
        table.add_column(name, justify="right")
    for one in sides.hours:
        theirs = "none" if one.theirs is None else plain(one.theirs)
        hour = f"{one.hour:%Y-%m-%d %H:%M}"
        figures = (plain(one.sent), str(one.sent_count), str(one.open_count), theirs)
        table.add_row(hour, *figures)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(table)
    if sides.meter.formula == "sum":
        sent = plain(total(one.sent for one in sides.hours))
        theirs = plain(total(one.theirs for one in sides.hours if one.theirs is not None))
        console.print(f"Hours: {len(sides.hours)}. Sent: {sent}. At Stripe: {theirs}.")
