"""`python -m tallystick.simulators.ccbill`: run the simulator as a process of its own."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tallystick.kernel.errors import SetupError
from tallystick.simulators.ccbill.app import Options
from tallystick.simulators.ccbill.config import DEFAULT_RETRIES
from tallystick.simulators.ccbill.server import PORT, serve

EXAMPLE = """example:
  python -m tallystick.simulators.ccbill --port 12113 \\
      --webhook-url http://127.0.0.1:8000/api/ccbill/webhook --state ccbill.sqlite

Clients: sim-frontend / sim-frontend-secret and sim-backend / sim-backend-secret; account 900000.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stopped; return the exit code: 1 with one sentence when it can not run."""
    asked = _parser().parse_args(arguments)
    options = Options(
        webhook_url=asked.webhook_url,
        retry_gaps=asked.webhook_retries,
        seed=asked.seed,
        state_path=asked.state,
    )
    try:
        serve(options, asked.port)
    except SetupError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tallystick.simulators.ccbill",
        description="A stand-in for CCBill's API, widget, webhooks and DataLink, on 127.0.0.1.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"0 takes a free one ({PORT})")
    parser.add_argument("--webhook-url", help="where to send events, as JSON")
    parser.add_argument(
        "--webhook-retries",
        type=_seconds,
        default=DEFAULT_RETRIES,
        help="seconds before each try, by comma (0, 30, 300, then 24 times 3600)",
    )
    parser.add_argument("--seed", type=int, help="makes the ids come again (chosen by chance)")
    parser.add_argument("--state", type=Path, help="a file that keeps everything over restarts")
    return parser


def _seconds(value: str) -> tuple[float, ...]:
    return tuple(float(gap) for gap in value.split(",") if gap.strip())


if __name__ == "__main__":
    sys.exit(main())
