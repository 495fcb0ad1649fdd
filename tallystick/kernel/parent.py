"""A child process that does not outlive the one that started it, however that one ended."""

import os
import signal
import sys
import threading


def end_with_parent() -> None:
    """Stop this process when whoever started it has gone: its standard input is then at an end."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
