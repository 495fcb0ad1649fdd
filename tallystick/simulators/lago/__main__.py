"""`python -m tallystick.simulators.lago`: run the simulator as a process of its own."""

import argparse
import sys
from collections.abc import Sequence

from tallystick.kernel.errors import SetupError
from tallystick.simulators.lago.server import PORT, serve

EXAMPLE = """example:
  python -m tallystick.simulators.lago --port 12112
  LAGO_API_URL=http://127.0.0.1:12112 LAGO_API_KEY=any tallystick worker
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stopped; return the exit code: 1 with one sentence when it can not run."""
    parser = argparse.ArgumentParser(
        prog="python -m tallystick.simulators.lago",
        description="A stand-in for Lago's usage routes, on 127.0.0.1 alone.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"0 takes a free one ({PORT})")
    try:
        serve(parser.parse_args(arguments).port)
    except SetupError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
