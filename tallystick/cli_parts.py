"""What all commands share."""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from tallystick.settings import Settings


def settings_with(overrides: dict[str, object]) -> "Settings":
    """Return the settings of the environment, and of the options that were given."""
    from tallystick.settings import read_settings

    given = {name: str(value) for name, value in overrides.items() if value is not None}
    return read_settings({**os.environ, **given}, os.geteuid())


def say(text: str) -> None:
    """Write a line that is no result to the standard error."""
    typer.echo(text, err=True)


def instant_of(text: str) -> datetime:
    """Read a day or an instant, in UTC unless it says otherwise. Raises BadParameter."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("must be like 2026-11-20 or 2026-11-20T08:00:00Z") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
