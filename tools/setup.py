"""Make .venv: pinned packages, checked by hash, and the command .venv/bin/tallystick.

With the word `develop` also what tests, checks and benchmarks need, which is ten times as much.

Runs on a bare Python 3.11+ with its standard library alone. Each fault ends in one sentence.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
STAMP = VENV / "setup-of"
OLDEST = (3, 11)
LOCKS = {"run": "requirements.lock", "develop": "requirements-dev.lock"}


class SetupFailedError(Exception):
    """What is wrong and what to do, in one sentence."""


def main() -> int:
    """Bring .venv up to date; quick when it is."""
    try:
        check_python()
        purpose = "develop" if "develop" in sys.argv[1:] else "run"
        if is_ready(purpose):
            return 0
        make_venv()
        install(LOCKS[purpose])
        STAMP.write_text(fingerprint(purpose))
    except SetupFailedError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"setup: {error.filename} can not be written; check its owner.", file=sys.stderr)
        return 1
    print("setup: done", file=sys.stderr)
    return 0


def check_python() -> None:
    """Refuse a Python that is too old."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        raise SetupFailedError(f"Python 3.11 or newer is needed; this is {found}.")


def is_ready(purpose: str) -> bool:
    """Tell whether .venv holds what this purpose needs; one for developing runs the product too."""
    done = STAMP.read_text() if STAMP.is_file() else ""
    return done in {fingerprint(purpose), fingerprint("develop")}


def fingerprint(purpose: str) -> str:
    """Return a hash over all that decides what is installed, and where."""
    digest = hashlib.sha256(f"{sys.version}{ROOT}".encode())
    for name in (LOCKS[purpose], "tools/uv.lock", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def make_venv() -> None:
    """Make the virtual environment with pip in it; one that works is kept."""
    if run([str(BIN / "python"), "-m", "pip", "--version"])[0] == 0:
        return
    step("making .venv")
    if run([sys.executable, "-m", "venv", "--clear", str(VENV)])[0] == 0:
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        step("installing Debian's python3-venv, which this Python lacks")
        run(["apt-get", "update", "-qq"])
        run(["apt-get", "install", "-y", "-qq", "python3-venv"])
        if run([sys.executable, "-m", "venv", "--clear", str(VENV)])[0] == 0:
            return
    raise SetupFailedError(
        "this Python can not make virtual environments; install its venv module "
        "(Debian and Ubuntu: apt install python3-venv) and run the command again."
    )


def install(lock: str) -> None:
    """Install the packages that a lock file pins, and this project."""
    environment = dict(os.environ, VIRTUAL_ENV=str(VENV), UV_NO_PROGRESS="1")
    if not os.access(Path.home(), os.W_OK):
        environment["UV_CACHE_DIR"] = str(VENV / "cache")
    pip = [str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    uv = str(BIN / "uv")
    step("installing the installer")
    check([*pip, "--require-hashes", "-r", str(ROOT / "tools" / "uv.lock")], environment)
    step("installing packages (about a minute on a first run)")
    sync = [uv, "pip", "sync", "--quiet", "--require-hashes", str(ROOT / lock)]
    check(sync, environment)
    step("installing tallystick")
    project = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    check([uv, "pip", "install", "--quiet", *project], environment)


def check(command: list[str], environment: dict[str, str]) -> None:
    """Run a step of the installation; turn its failure into a sentence that says what to do."""
    code, output = run(command, environment)
    if code != 0 and "certificate" in output.lower():
        # Behind a company's proxy the machine trusts more than the installer brings along.
        code, output = run(command, {**environment, "UV_SYSTEM_CERTS": "true"})
    if code == 0:
        return
    log = ROOT / ".venv" / "setup.log"
    log.write_text(output)
    lowered = output.lower()
    if "no space left" in lowered:
        raise SetupFailedError("the disk is full; 2 GB are enough.")
    if "gcc" in lowered or "compiler" in lowered or "command 'cc' failed" in lowered:
        raise SetupFailedError(
            "a package has no ready-made wheel for this machine and could not be compiled; "
            "install a C compiler (Debian and Ubuntu: apt install build-essential python3-dev) "
            f"and run the command again. Details: {log}"
        )
    if "hash" in lowered and "mismatch" in lowered:
        raise SetupFailedError(f"a package is not the one that was pinned. Details: {log}")
    raise SetupFailedError(
        f"packages could not be installed; is the package index reachable from here? Details: {log}"
    )


def run(command: list[str], environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command and return its exit code and all that it said."""
    try:
        done = subprocess.run(  # noqa: S603 - commands of ours, no shell
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        return 127, str(error)
    return done.returncode, done.stdout


def step(what: str) -> None:
    """Say what is being done."""
    print(f"setup: {what} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
