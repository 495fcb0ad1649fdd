"""`python -m tallystick.simulators.stripe`: run the simulator as a process of its own."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tallystick.kernel.errors import SetupError
from tallystick.simulators.stripe.app import Options
from tallystick.simulators.stripe.deliveries import RETRY_GAPS
from tallystick.simulators.stripe.server import PORT, serve

EXAMPLE = """example:
  python -m tallystick.simulators.stripe --port 8420 \\
      --webhook-url http://127.0.0.1:8000/api/stripe/webhook --webhook-secret whsec_demo \\
      --state stripe.sqlite

Any key that begins with sk_test_ is a secret key, with pk_test_ a publishable one.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stopped; return the exit code: 1 with one sentence when it can not run."""
    asked = _parser().parse_args(arguments)
    options = Options(
        webhook_url=asked.webhook_url,
        webhook_secret=asked.webhook_secret,
        webhook_events=tuple(asked.webhook_events),
        retry_gaps=asked.webhook_retries,
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
        prog="python -m tallystick.simulators.stripe",
        description="A stand-in for Stripe's API, webhooks and page script, on 127.0.0.1 alone.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    gaps = ",".join(f"{gap:g}" for gap in RETRY_GAPS)
    parser.add_argument("--port", type=int, default=PORT, help=f"0 takes a free one ({PORT})")
    parser.add_argument("--webhook-url", help="where to send events")
    parser.add_argument(
        "--webhook-secret", default="whsec_simulator", help="signs them (whsec_simulator)"
    )
    parser.add_argument(
        "--webhook-events", type=_names, default=["*"], help="types to send, by comma (all)"
    )
    parser.add_argument(
        "--webhook-retries",
        type=_seconds,
        default=RETRY_GAPS,
        help=f"seconds between tries, by comma ({gaps})",
    )
    parser.add_argument("--state", type=Path, help="a file that keeps everything over restarts")
    return parser


def _names(value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]


def _seconds(value: str) -> tuple[float, ...]:
    return tuple(float(gap) for gap in _names(value))


if __name__ == "__main__":
    sys.exit(main())
