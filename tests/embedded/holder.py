"""A user of an embedded server, in a process of its own.

Prints what the start says as `# words`, then the address, or `! code: sentence`; lets go when its
standard input ends.
"""

import signal
import sys
from pathlib import Path

from tallystick.kernel.embedded import EmbeddedPostgres
from tallystick.kernel.errors import SetupError


def say(line: str) -> None:
    """Write one line, whole and at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(home: str) -> None:
    """Hold the server of `home` until the standard input ends."""
    # Tests may run as a shell's background job, whose children are started with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        server = EmbeddedPostgres.start(Path(home), progress=lambda words: say(f"# {words}"))
    except SetupError as error:
        say(f"! {error.code}: {error.detail}")
        return
    say(server.dsn)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main(sys.argv[1])
