"""Homes on short paths, users of them in processes of their own, and a look at what is left."""

import asyncio
import contextlib
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import asyncpg
import pytest

from tallystick.kernel.embedded import EmbeddedPostgres
from tallystick.kernel.embedded_cluster import Cluster, ServerUser

PROJECT = Path(__file__).parents[2]
HOLDER = Path(__file__).with_name("holder.py")
SECONDS_MAX = 30.0
ROOM_BYTES_MIN = 2_000_000_000


class Holder:
    """A process that holds the server of a home; `words` is what its start said."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.words: list[str] = []

    def dsn(self) -> str:
        """Wait for the address; an error's line fails the test."""
        line = self.answer()
        assert line.startswith("postgresql://"), line
        return line

    def answer(self) -> str:
        """Wait for the address or the error's line, gathering the words before it."""
        assert self.process.stdout
        while True:
            ready, _, _ = select.select([self.process.stdout], [], [], SECONDS_MAX)
            assert ready, "the holder said nothing"
            line = os.read(self.process.stdout.fileno(), 65536).decode()
            said = line.splitlines()
            self.words += [word[2:] for word in said if word.startswith("#")]
            if not said or not said[-1].startswith("#"):
                return said[-1] if said else "it ended"

    def let_go(self) -> None:
        """End it the way a command ends; its pipes must end with it."""
        self.process.communicate(timeout=SECONDS_MAX)

    def kill(self) -> None:
        """End it with SIGKILL; its pipes must end with it."""
        self.process.kill()
        self.process.communicate(timeout=SECONDS_MAX)


class World:
    """What one test makes; all of it has ended when the test has."""

    def __init__(self, folder: Path, ready: Path | None) -> None:
        self.folder = folder
        self._ready = ready
        self._servers: list[EmbeddedPostgres] = []
        self._holders: list[Holder] = []
        self._homes: set[Path] = set()

    def ready_home(self, name: str = "home") -> Path:
        """A home whose data folder is made already."""
        home = self.folder / name
        subprocess.run(["cp", "-a", str(self._ready), str(home)], check=True)
        return home

    def owners(self, home: Path) -> set[str]:
        """Whose the processes of a home are."""
        owners = set()
        for pid, _ in self._lines(home):
            with contextlib.suppress(OSError):  # some live for a moment only
                owners.add(Path(f"/proc/{pid}").owner())
        return owners

    def run(self, *command: str | Path) -> bool:
        """Run a command of the system; False when it failed."""
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def start(self, home: Path, said: list[str] | None = None) -> EmbeddedPostgres:
        """Start in this process; let go of at the end."""
        self._homes.add(home)
        words = [] if said is None else said
        self._servers.append(server := EmbeddedPostgres.start(home, progress=words.append))
        return server

    def hold(self, home: Path, user: str | None = None, before: Sequence[str] = ()) -> Holder:
        """Start in a process and a group of its own; `before` goes before its command."""
        self._homes.add(home)
        environment = {"PYTHONPATH": str(PROJECT), "PATH": os.environ["PATH"]}
        process = subprocess.Popen(
            [*before, *become(user), sys.executable, str(HOLDER), str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env=environment,
        )
        self._holders.append(holder := Holder(process))
        return holder

    def kill(self, *pids: int) -> None:
        """End any processes with SIGKILL; one that has just ended will do."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def postmaster(self, home: Path) -> int:
        """The number of the first process of a home's server."""
        return int((home / "postgres-data/postmaster.pid").read_text().split()[0])

    def watchers(self, home: Path) -> list[int]:
        """The numbers of a home's watchers: one, or none while nothing runs."""
        return [pid for pid, line in self._lines(home) if "embedded_watcher" in line]

    def servers(self, home: Path) -> list[int]:
        """The numbers of all processes of a home's server."""
        return [pid for pid, line in self._lines(home) if "embedded_watcher" not in line]

    def running(self, home: Path) -> list[str]:
        """The command lines of all that lives for a home: watcher, server, an initdb."""
        return [line for _, line in self._lines(home)]

    def _lines(self, home: Path) -> Iterator[tuple[int, str]]:
        marks = (f"{os.path.realpath(home)}/", f"postgres: {socket_folder(home).name}:")
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it ended; the line of a zombie is empty
                line = os.fsdecode((entry / "cmdline").read_bytes()).replace("\0", " ")
                if any(mark in line for mark in marks):
                    yield int(entry.name), line

    def wait_until(self, what: Callable[[], object]) -> None:
        """Ask until it is so."""
        deadline = time.monotonic() + SECONDS_MAX
        while not what():
            assert time.monotonic() < deadline, f"it never came: {what}"
            time.sleep(0.02)

    def wait_for_the_end(self, home: Path) -> None:
        """Until nothing of the home runs."""
        self.wait_until(lambda: not self.running(home))

    async def ask(self, dsn: str, sql: str) -> object:
        """One value, over a connection of its own; tries again while a server comes back."""
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            try:
                conn = await asyncpg.connect(dsn)
                break
            except (OSError, asyncpg.PostgresError):
                assert time.monotonic() < deadline, "the server never came back"
                await asyncio.sleep(0.02)
        try:
            return await conn.fetchval(sql)
        finally:
            await conn.close()

    def close(self) -> list[str]:
        """End everything; return what did not end by itself."""
        for holder in self._holders:
            holder.kill()
        for server in self._servers:
            server.stop()
        left = []
        for home in self._homes:
            with contextlib.suppress(AssertionError):
                self.wait_for_the_end(home)
            left += self.running(home)
            self.kill(*(pid for pid, _ in self._lines(home)))
        return left


def socket_folder(home: Path) -> Path:
    """Where the socket of a home lies."""
    nobody = ServerUser(uid=0, gid=0, name=None)
    return Cluster(home=Path(os.path.realpath(home)), user=nobody).socket_folder


def become(user: str | None) -> list[str]:
    """What goes before a command to run it as an ordinary user, who can not become root again.

    The interpreter may lie below a closed folder such as /root; the right to read and pass
    (nothing else) then comes along, or the interpreter would not start.
    """
    if user is None:
        return []
    entry = pwd.getpwnam(user)
    plain = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    rights = "-all,+dac_read_search"
    reading = [*plain, f"--inh-caps={rights}", f"--ambient-caps={rights}"]
    for words in (plain, [*reading, f"--bounding-set={rights}"]):
        # Twice: the interpreter must be reachable from inside too, for the watcher.
        again = "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'import msgspec'])"
        command = [*words, sys.executable, "-c", again]
        with contextlib.suppress(FileNotFoundError):
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return words
    pytest.skip(f"the user {user} can not reach {sys.executable}")


@pytest.fixture(scope="session")
def ready() -> Iterator[Path]:
    """A home that was started once; tests work on copies of it."""
    folder = _short_folder()
    home = folder / "ready"
    EmbeddedPostgres.start(home).stop()
    yield home
    shutil.rmtree(folder)


@pytest.fixture
def world(ready: Path) -> Iterator[World]:
    """A folder of its own, and nothing left running after the test."""
    world = World(_short_folder(), ready)
    yield world
    left = world.close()
    shutil.rmtree(world.folder, ignore_errors=True)
    assert left == []


def _short_folder() -> Path:
    """Make a private folder on a short path, in memory where there is room: a copy takes 0.05 s."""
    memory, disk = Path("/dev/shm"), Path("/tmp")  # noqa: S108 - mkdtemp makes it private
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM_BYTES_MIN
    folder = Path(tempfile.mkdtemp(prefix="tsk-", dir=memory if roomy else disk))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def socket_folder_of() -> Callable[[Path], Path]:
    """Where the socket of a home lies, as a function for tests."""
    return socket_folder
