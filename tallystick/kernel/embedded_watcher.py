"""The small process that owns an embedded postgres: it stops it when its last user has gone.

Started detached by embedded.py as `python -m tallystick.kernel.embedded_watcher`, in a session of
its own so that Ctrl-C never reaches it. It imports nothing but the standard library: it lives as
long as the server and should stay a few megabytes.

A user of the server is whoever holds a shared `flock` on `users.lock`. The kernel lets go of that
lock however the user ends, `kill -9` included, so nobody has to say goodbye.
"""

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

LOOK_SECONDS = 0.5
FAST_STOP_SECONDS_MAX = 60.0
IMMEDIATE_STOP_SECONDS_MAX = 10.0
LOG_BYTES_MAX = 10_000_000
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def try_lock(fd: int, how: int) -> bool:
    """Take the flock `how` (LOCK_SH or LOCK_EX) without waiting; False when others hold it."""
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def server_pids(data: Path, name: str) -> list[int]:
    """Return the pids of every live postgres of this data folder, its postmaster first.

    Read from command lines, which are open to everybody: the working folder of another user's
    process is hidden from a root without CAP_SYS_PTRACE, as in a container.
    """
    masters, children = [], []
    for pid, words in _command_lines():
        if words[0].endswith("/postgres") and words[1:3] == ["-D", str(data)]:
            masters.append(pid)
        elif words[0].startswith(f"postgres: {name}:"):
            children.append(pid)
    return masters + children


def _command_lines() -> Iterator[tuple[int, list[str]]]:
    if not Path("/proc/self/cmdline").exists():  # macOS
        yield from _command_lines_of_ps()
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry.name), os.fsdecode((entry / "cmdline").read_bytes()).split("\0")


def _command_lines_of_ps() -> Iterator[tuple[int, list[str]]]:
    listing = ["/bin/ps", "-axww", "-o", "pid=,command="]
    listed = subprocess.run(listing, capture_output=True, check=True).stdout  # noqa: S603 - fixed
    for line in os.fsdecode(listed).splitlines():
        pid, _, command = line.strip().partition(" ")
        program, option, rest = command.strip().partition(" -D ")
        # ps loses the borders between words; a path may hold spaces, and our next option is -c.
        yield int(pid), [program, option.strip(), rest.partition(" -c ")[0]]


def clear_leftovers(data: Path, name: str) -> bool:
    """Stop what an earlier watcher left running on this data folder; True when nothing is left.

    Call only while holding the watcher lock: then no live watcher owns what is found here. The
    stop is an immediate one, which the next start recovers from: a fast one writes pg_control by
    its path, into what may be another cluster by now if the folder was removed and made again.
    """
    for sign in (signal.SIGQUIT, signal.SIGKILL):
        _signal(server_pids(data, name), sign)
        if _gone(data, name, IMMEDIATE_STOP_SECONDS_MAX):
            # After a kill -9 its number may belong to any other process by now, which postgres
            # would take for itself (in a restarted container the numbers even repeat).
            (data / "postmaster.pid").unlink(missing_ok=True)
            return True
    return False


def is_still_at(path: Path, fd: int) -> bool:
    """Tell whether the open file `fd` is the one at `path`: not after the home was removed."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), path.stat())
    return False


def _signal(pids: Sequence[int], sign: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, sign)


def _gone(data: Path, name: str, seconds_max: float) -> bool:
    deadline = time.monotonic() + seconds_max
    while server_pids(data, name):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _tie_to_this_process() -> Callable[[], None] | None:
    """Return what a child runs before exec so that postgres stops at once when its watcher dies."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # backends of a killed postmaster come to us
    watcher = os.getpid()

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)
        if os.getppid() != watcher:
            os._exit(1)

    return tie


def _spawn(command: Sequence[str], run_as: str) -> subprocess.Popen[bytes]:
    uid, gid = (int(part) for part in run_as.split(":")) if run_as else (None, None)
    return subprocess.Popen(  # noqa: S603 - the command was built by embedded.py, no shell reads it
        command,
        stdin=subprocess.DEVNULL,
        user=uid,
        group=gid,
        extra_groups=None if uid is None else [],
        umask=0o077,
        preexec_fn=_tie_to_this_process(),  # noqa: PLW1509 - this process has one thread
    )


def _wake_on_signals() -> int:
    """Make SIGCHLD and SIGUSR1 readable on the returned descriptor; ignore what ends others.

    SIGTERM reaches every process of a service that is being stopped; the users that are still
    answering their last requests need the server until they have gone.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for sign in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sign, lambda *_: None)
    return reader


def _signals_within(reader: int, seconds: float) -> bytes:
    """Return the numbers of the signals that came within `seconds`, at once when one comes."""
    select.select([reader], [], [], seconds)
    with contextlib.suppress(BlockingIOError):
        return os.read(reader, 512)
    return b""


def _bound_log(kept: Path) -> None:
    """Move a log (our stderr) that grew too large into `kept`; postgres appends, so it goes on."""
    if os.fstat(sys.stderr.fileno()).st_size > LOG_BYTES_MAX:
        with contextlib.suppress(OSError):
            kept.unlink(missing_ok=True)
            with kept.open("xb") as copy:  # x: never through a link that somebody put there
                os.fchmod(copy.fileno(), 0o600)
                copy.write(os.pread(sys.stderr.fileno(), LOG_BYTES_MAX, 0))
        os.ftruncate(sys.stderr.fileno(), 0)


def _stop(server: subprocess.Popen[bytes], *, immediate: bool) -> None:
    ways = [
        (signal.SIGINT, FAST_STOP_SECONDS_MAX),
        (signal.SIGQUIT, IMMEDIATE_STOP_SECONDS_MAX),
        (signal.SIGKILL, IMMEDIATE_STOP_SECONDS_MAX),
    ]
    for sign, seconds_max in ways[immediate:]:
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.send_signal(sign)
            server.wait(seconds_max)
            return


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def main(arguments: Sequence[str]) -> None:
    """Run postgres until its last user has gone, its home is removed, or SIGUSR1 asks for an end.

    Arguments: the home, the descriptor that holds the watcher lock, `uid:gid` to run postgres as
    (empty: as ourselves), the socket folder, then the command of postgres.
    """
    home, held, run_as, socket_folder, *command = arguments
    reader = _wake_on_signals()
    users, watcher_lock = os.open(Path(home, "users.lock"), os.O_RDWR), int(held)
    os.pwrite(watcher_lock, str(os.getpid()).encode(), 0)
    server = _spawn(command, run_as)
    signals, lock_file = b"", Path(home, "watcher.lock")
    while server.poll() is None:
        is_gone = not is_still_at(lock_file, watcher_lock)
        if is_gone or signal.SIGUSR1 in signals or try_lock(users, fcntl.LOCK_EX):
            _stop(server, immediate=is_gone)
            break
        _bound_log(Path(home, "postgres.log.1"))
        signals = _signals_within(reader, LOOK_SECONDS)
    folder = Path(socket_folder)
    if is_still_at(lock_file, watcher_lock):
        clear_leftovers(Path(command[command.index("-D") + 1]), folder.name)
    _reap()
    with contextlib.suppress(OSError):
        folder.rmdir()


if __name__ == "__main__":
    main(sys.argv[1:])
