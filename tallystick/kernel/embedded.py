"""An own PostgreSQL without installing one: the first command starts it, the last one stops it.

Who takes part:

    this process    holds a shared flock on users.lock for as long as it uses the server
    the watcher     embedded_watcher.py, one a home; holds watcher.lock; postgres is its child
    postgres        listens on a Unix socket alone and asks the system who connects (peer)

Starting is serialised by start.lock; who comes second finds the watcher and joins. If the watcher
or postgres dies, the first user that notices (about a second) starts both again.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import structlog

from tallystick.kernel import embedded_cluster as files
from tallystick.kernel.embedded_cluster import Cluster, Programs, Progress
from tallystick.kernel.embedded_watcher import clear_leftovers, is_still_at, try_lock
from tallystick.kernel.errors import SetupError

log = structlog.get_logger()

START_SECONDS_MAX = 300.0  # recovery after a kill -9 replays up to a gigabyte of log
STOP_SECONDS_MAX = 80.0  # a little more than the watcher gives a fast and an immediate shutdown
QUIET_SECONDS = 1.0
PAUSE_SECONDS = 0.02
GUARD_SECONDS = 1.0
GUARD_SECONDS_MAX = 60.0
ROOT_HOMES = Path("/var/lib/tallystick")
SOCKET = ".s.PGSQL.5432"
AUTHENTICATION_OK = b"R\0\0\0\x08\0\0\0\0"
SERVER_SETTINGS = (
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "log_error_verbosity=terse",  # the detail line of an error shows the values of a row
    "log_checkpoints=off",
)


def default_home(environ: Mapping[str, str], uid: int) -> Path:
    """Return the home: TALLYSTICK_HOME, else `~/.tallystick`, else for root below /var/lib.

    The server of a root runs as another user, who may not enter /root; so each HOME of root has
    a folder in /var/lib/tallystick, named after it. Raises SetupError when neither is set.
    """
    if named := environ.get("TALLYSTICK_HOME"):
        return Path(named)
    own = environ.get("HOME")
    if uid == 0:
        return ROOT_HOMES / _name_of(own or "/root")
    if not own:
        raise SetupError("home_unknown", "Neither HOME nor TALLYSTICK_HOME is set: set one.")
    return Path(own, ".tallystick")


def _name_of(home: str) -> str:
    if home.rstrip("/") == "/root":
        return "root"
    readable = re.sub(r"[^A-Za-z0-9]+", "-", home).strip("-")[-40:]
    return f"{readable}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:8]}"


def _say_nothing(_words: str) -> None:
    pass


class EmbeddedPostgres:
    """One user's hold on the server of a home. While any process holds one, the server runs.

    `dsn` names the database `tallystick` as its owner, a superuser of this private cluster; it
    stays the same over restarts, and holds no password.
    """

    def __init__(self, cluster: Cluster, users_lock: int) -> None:
        self.dsn = cluster.dsn
        self._cluster = cluster
        self._users_lock = users_lock
        self._let_go = threading.Event()
        self._guard = threading.Thread(target=self._watch_the_watcher, daemon=True)
        self._guard.start()

    @classmethod
    def start(cls, home: Path, *, progress: Progress = _say_nothing) -> "EmbeddedPostgres":
        """Start the server of `home`, or join the one that runs; return when it answers.

        Blocks (use a thread under asyncio). `progress` gets a few words for whatever takes longer
        than a second. Raises SetupError with one sentence when the machine does not allow it.
        """
        cluster = files.open_home(home, progress)
        with files.plain_errors(cluster.home), _start_lock(cluster, progress):
            users_lock = _open_lock(cluster, "users.lock")
            try:
                # Held exclusively only while the last server is being stopped.
                _wait_for_lock(users_lock, fcntl.LOCK_SH, cluster, progress)
                _serve(cluster, progress, may_create=True)
            except BaseException:
                os.close(users_lock)
                raise
        return cls(cluster, users_lock)

    def stop(self) -> None:
        """Let go. The last holder returns when postgres has stopped. A second call does nothing."""
        if self._let_go.is_set():
            return
        self._let_go.set()
        self._guard.join()
        try:
            # Nobody else: newcomers wait at this lock until the server is down.
            if try_lock(self._users_lock, fcntl.LOCK_EX):
                _end_watcher(self._cluster)
        finally:
            os.close(self._users_lock)

    def _watch_the_watcher(self) -> None:
        pause = GUARD_SECONDS
        while not self._let_go.wait(pause):
            if not is_still_at(self._cluster.home / "users.lock", self._users_lock):
                log.warning("postgres_home_removed", home=str(self._cluster.home))
                return
            try:
                self._heal()
                pause = GUARD_SECONDS
            except (SetupError, OSError) as error:
                pause = min(2 * pause, GUARD_SECONDS_MAX)
                log.warning("postgres_not_restarted", error=str(error))

    def _heal(self) -> None:
        """Start the server again if its watcher has gone; leave it to others who are at it."""
        home = self._cluster.home
        lock = os.open(home / "start.lock", os.O_RDWR | os.O_NOFOLLOW)
        try:
            if try_lock(lock, fcntl.LOCK_EX) and not _watcher_lives(self._cluster):
                log.warning("postgres_gone", home=str(home))
                _serve(self._cluster, _say_nothing, may_create=False)
                log.info("postgres_restarted", home=str(home))
        finally:
            os.close(lock)


@contextlib.contextmanager
def _start_lock(cluster: Cluster, progress: Progress) -> Iterator[None]:
    lock = _open_lock(cluster, "start.lock")
    try:
        _wait_for_lock(lock, fcntl.LOCK_EX, cluster, progress)
        yield
    finally:
        os.close(lock)


def _open_lock(cluster: Cluster, name: str) -> int:
    path = cluster.home / name
    try:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CREAT, 0o600)
        files.give(path, cluster.user)
        return lock


def _wait_for_lock(lock: int, how: int, cluster: Cluster, progress: Progress) -> None:
    for _ in _moments(START_SECONDS_MAX, "Waiting for another start or stop to finish", progress):
        if try_lock(lock, how):
            return
    raise SetupError(
        "home_busy",
        f"Another process has been starting or stopping PostgreSQL in {cluster.home} for "
        f"{START_SECONDS_MAX:.0f} seconds: end it and try again.",
    )


def _moments(seconds_max: float, words: str, progress: Progress) -> Iterator[None]:
    """Yield now and then for at most `seconds_max`; say `words` once when it takes long."""
    began_at = time.monotonic()
    said, pause = False, PAUSE_SECONDS
    while (passed := time.monotonic() - began_at) < seconds_max:
        yield
        if passed > QUIET_SECONDS and not said:
            progress(words)
            said, pause = True, 10 * PAUSE_SECONDS
        time.sleep(pause)


def _serve(cluster: Cluster, progress: Progress, *, may_create: bool) -> None:
    """Make sure that a watcher runs and its server answers. Hold the start and a users lock."""
    has_spawned = False
    for _ in _moments(START_SECONDS_MAX, "Waiting for PostgreSQL to be ready", progress):
        if _watcher_lives(cluster):
            if _answers(cluster):
                return
        elif has_spawned:
            raise files.server_failure(cluster, cluster.log.read_text(errors="replace"))
        else:  # perhaps only now: the end of a killed one takes a moment
            _spawn(cluster, progress, may_create=may_create)
            has_spawned = True
    raise SetupError(
        "postgres_not_answering",
        f"PostgreSQL in {cluster.home} runs, yet does not answer at {cluster.socket_folder}: "
        f"look into {cluster.log}; another container that uses the same home must be stopped.",
    )


def _spawn(cluster: Cluster, progress: Progress, *, may_create: bool) -> None:
    """Prepare whatever is missing and start the watcher, which takes the lock over from us."""
    lock = _open_lock(cluster, "watcher.lock")
    try:
        _wait_for_lock(lock, fcntl.LOCK_EX, cluster, progress)
        files.clear_drafts(cluster.home)
        _clear(cluster)
        programs = files.find_programs(cluster, progress)
        if may_create:
            files.ensure_data(cluster, programs, progress)
        _spawn_watcher(cluster, programs, lock)
    finally:
        os.close(lock)


def _clear(cluster: Cluster) -> None:
    if not clear_leftovers(cluster.data, cluster.socket_folder.name):
        raise SetupError(
            "postgres_stuck",
            f"An old PostgreSQL on {cluster.data} can not be stopped: end it, then start again.",
        )


def _watcher_lives(cluster: Cluster) -> bool:
    """Ask only while holding the start lock, or another one who asks looks like a watcher."""
    lock = _open_lock(cluster, "watcher.lock")
    try:
        return not try_lock(lock, fcntl.LOCK_EX)
    finally:
        os.close(lock)


def _spawn_watcher(cluster: Cluster, programs: Programs, watcher_lock: int) -> None:
    os.ftruncate(watcher_lock, 0)
    server = _server_command(cluster, programs)
    _make_socket_folder(cluster)
    run_as = f"{cluster.user.uid}:{cluster.user.gid}" if cluster.user.is_other else ""
    words = [str(cluster.home), str(watcher_lock), run_as, str(cluster.socket_folder)]
    python = [sys.executable, "-S", "-m"]  # -S: it needs the standard library alone
    command = [*python, "tallystick.kernel.embedded_watcher", *words]
    watcher = subprocess.Popen(  # noqa: S603 - ourselves
        [*command, *server],
        stdin=subprocess.DEVNULL,
        stdout=(output := _new_log(cluster)),
        stderr=output,
        pass_fds=[watcher_lock],
        start_new_session=True,
        cwd=Path(__file__).parents[2],  # where -m finds this package, wherever it is installed
        env=files.server_environment(),
    )
    os.close(output)
    threading.Thread(target=watcher.wait, daemon=True).start()  # so that it leaves no zombie


def _new_log(cluster: Cluster) -> int:
    """Open an empty log; the one of the run before stays as `.1`."""
    with contextlib.suppress(FileNotFoundError):
        cluster.log.replace(cluster.log.with_name(cluster.log.name + ".1"))
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL
    return os.open(cluster.log, flags, 0o600)


def _server_command(cluster: Cluster, programs: Programs) -> list[str]:
    settings = [
        *SERVER_SETTINGS,
        f"unix_socket_directories={cluster.socket_folder}",
        f"cluster_name={cluster.socket_folder.name}",
        f"hba_file={_write(cluster, 'pg_hba.conf', _host_rules())}",
        f"ident_file={_write(cluster, 'pg_ident.conf', _user_map(cluster))}",
    ]
    postgres = [str(programs.bin / "postgres"), "-D", str(cluster.data)]
    return postgres + [word for setting in settings for word in ("-c", setting)]


def _host_rules() -> str:
    return (
        "# Written by Tallystick at every start: the system's users in pg_ident.conf, nobody else\n"
        "local all all peer map=tallystick\n"
        "local replication all peer map=tallystick\n"
    )


def _user_map(cluster: Cluster) -> str:
    """Let in the user that the server runs as, and root, who can become that user anyway."""
    names = {name for name in ("root", cluster.user.name) if name}
    return "".join(f'tallystick "{name}" all\n' for name in sorted(names))


def _write(cluster: Cluster, name: str, text: str) -> Path:
    path = cluster.home / name
    draft = path.with_name(f"{name}.new")
    draft.unlink(missing_ok=True)
    with draft.open("x") as file:
        file.write(text)
    draft.chmod(0o600)
    files.give(draft, cluster.user)
    return draft.replace(path)


def _make_socket_folder(cluster: Cluster) -> None:
    """Make the private folder of the socket; refuse one that another user put there first."""
    folder, user = cluster.socket_folder, cluster.user
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise SetupError(
            "socket_folder_unwritable",
            f"{folder} can not be made ({error.strerror}): PostgreSQL needs room for a socket in "
            f"{folder.parent}; make it writable, or name a server in DATABASE_URL.",
        ) from error
    status = folder.lstat()
    if not folder.is_dir() or folder.is_symlink() or status.st_uid not in (user.uid, os.geteuid()):
        raise SetupError(
            "socket_folder_taken",
            f"{folder} belongs to somebody else: remove it, then start again.",
        )
    folder.chmod(0o700)
    files.give(folder, user)
    for left in (SOCKET, f"{SOCKET}.lock"):  # of a killed server, whose number may be in use again
        (folder / left).unlink(missing_ok=True)


def _answers(cluster: Cluster) -> bool:
    """Whether the server lets us in: it answers a start-up message with AuthenticationOk.

    https://www.postgresql.org/docs/18/protocol-message-formats.html (StartupMessage)
    """
    words = b"user\0tallystick\0database\0tallystick\0\0"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(cluster.socket_folder / SOCKET))
            client.sendall(struct.pack("!II", len(words) + 8, 3 << 16) + words)
            answer = client.recv(len(AUTHENTICATION_OK))
            client.sendall(b"X\0\0\0\4")
        except OSError:
            return False
    return answer == AUTHENTICATION_OK


def _end_watcher(cluster: Cluster) -> None:
    """Ask the watcher to stop its server and wait for its end. Hold users.lock exclusively."""
    for _ in _moments(STOP_SECONDS_MAX, "", _say_nothing):
        if not _watcher_lives(cluster):
            return
        pid = (cluster.home / "watcher.lock").read_text()
        try:
            os.kill(int(pid), signal.SIGUSR1)
        except PermissionError:  # root's watcher; it looks by itself as soon as we have let go
            return
        except (ProcessLookupError, ValueError):  # it is ending, or just beginning
            continue
