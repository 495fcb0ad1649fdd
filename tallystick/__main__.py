"""`python -m tallystick`, and the command `tallystick`."""

import sys

from tallystick.cli import cli
from tallystick.kernel.errors import TallystickError
from tallystick.money.errors import MoneyError


def main() -> None:
    """Run the command line; an error of ours is one sentence and exit code 1."""
    try:
        cli()
    except (TallystickError, MoneyError) as error:
        print(f"tallystick: {error}", file=sys.stderr)  # noqa: T201 - this is what the user reads
        sys.exit(1)


if __name__ == "__main__":
    main()
