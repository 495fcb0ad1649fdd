"""What all commands share."""

import os
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
