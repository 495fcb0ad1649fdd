"""What `tallystick payments sweep` does: asks about unclear charges, and names what stays so."""

from typing import Final

import typer

from tallystick.app import open_services
from tallystick.kernel import ids
from tallystick.kernel.db import Actor, acting
from tallystick.money.text import show_money
from tallystick.payments.unclear import WORDS, Unclear
from tallystick.settings import Settings

LOCALE: Final = "en-US"


async def sweep_payments(settings: Settings, dsn: str) -> int:
    """Ask about all, print what is unclear then, oldest first; return how many those are."""
    async with open_services(settings, dsn) as services:
        with acting(Actor("job", "sweep")):
            asked_count = await services.sweep.run_all()
        found = await services.sweep.unclear()
    asked = f"Charges and refunds that gateways were asked about: {asked_count}."
    typer.echo(f"{asked} Unclear now: {found.total}.")
    for one in found.oldest:
        typer.echo(_shown(one))
    if found.total > len(found.oldest):
        typer.echo(f"  … and {found.total - len(found.oldest)} younger ones")
    return found.total


def _shown(one: Unclear) -> str:
    amount = show_money(one.amount, LOCALE)
    return (
        f"  {ids.show('payment', one.payment_id)}: {one.kind} of {amount} through {one.gateway},"
        f" {one.outcome} since {one.since:%Y-%m-%d %H:%M} UTC, asked {one.tried_count} times."
        f" {one.reason}: {WORDS[one.reason]}"
    )
