"""Who may die, in which order, and what is there afterwards: a server for its users, or nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tallystick.kernel.embedded_watcher import _command_lines_of_ps, server_pids

if TYPE_CHECKING:
    from tests.embedded.conftest import World


async def test_two_at_once_share_one_server_until_the_second_has_gone(world: "World") -> None:
    home = world.folder / "home"  # the first start of all: only one of them may prepare it
    holders = [world.hold(home), world.hold(home)]
    one, other = (holder.dsn() for holder in holders)
    assert one == other
    assert sum("Preparing" in word for holder in holders for word in holder.words) == 1
    postmaster = world.postmaster(home)
    holders[0].let_go()
    assert await world.ask(other, "SELECT 1") == 1
    assert world.postmaster(home) == postmaster
    holders[1].let_go()
    assert world.running(home) == []


@pytest.mark.skipif(not Path("/bin/ps").exists(), reason="ps is not installed")
def test_servers_are_found_where_there_is_no_proc_too(world: "World") -> None:
    home = world.ready_home()
    world.start(home)
    data = str(home / "postgres-data")
    found = {pid for pid, words in _command_lines_of_ps() if words[1:] == ["-D", data]}
    assert world.postmaster(home) in found
    (name,) = {line.split()[1].rstrip(":") for line in world.running(home) if "walwriter" in line}
    assert set(server_pids(home / "postgres-data", name)) == set(world.servers(home))


def test_a_process_that_only_speaks_of_a_server_is_left_alone(world: "World") -> None:
    home = world.ready_home()
    words = f"/bin/postgres -D {home}/postgres-data -c fsync=on"
    with subprocess.Popen([sys.executable, "-c", "input()", words], stdin=subprocess.PIPE) as other:
        world.start(home).stop()
        assert other.poll() is None
        other.communicate(b"\n")


def test_many_at_once_each_get_an_answer(world: "World") -> None:
    home = world.ready_home()
    holders = [world.hold(home) for _ in range(5)]
    assert len({holder.dsn() for holder in holders}) == 1
    assert len(world.watchers(home)) == 1
    for holder in holders:
        holder.kill()
    world.wait_for_the_end(home)


async def test_the_server_ends_when_its_user_is_killed(world: "World") -> None:
    home = world.ready_home()
    holder = world.hold(home)
    await world.ask(holder.dsn(), "CREATE TABLE kept AS SELECT 7 AS n")
    holder.kill()
    world.wait_for_the_end(home)
    assert await world.ask(world.start(home).dsn, "SELECT n FROM kept") == 7


async def test_a_start_right_after_a_kill_finds_the_server_or_a_new_one(world: "World") -> None:
    home = world.ready_home()
    for _ in range(3):
        holder = world.hold(home)
        assert await world.ask(holder.dsn(), "SELECT 1") == 1
        holder.kill()


async def test_a_killed_server_comes_back_to_who_still_uses_it(world: "World") -> None:
    home = world.ready_home()
    server = world.start(home)
    await world.ask(server.dsn, "CREATE TABLE kept AS SELECT 7 AS n")
    killed = world.servers(home)
    world.kill(*killed)
    assert await world.ask(server.dsn, "SELECT n FROM kept") == 7
    assert not set(world.servers(home)) & set(killed)


async def test_a_killed_postmaster_leaves_no_children_in_the_way(world: "World") -> None:
    home = world.ready_home()
    server = world.start(home)
    world.kill(world.postmaster(home))
    assert await world.ask(server.dsn, "SELECT 1") == 1


async def test_no_server_stays_without_its_watcher(world: "World") -> None:
    home = world.ready_home()
    holder = world.hold(home)
    holder.dsn()
    watchers = world.watchers(home)
    os.kill(holder.process.pid, signal.SIGSTOP)  # so that nobody starts another one
    world.kill(*watchers)
    world.wait_for_the_end(home)
    holder.kill()
    assert await world.ask(world.start(home).dsn, "SELECT 1") == 1


async def test_a_killed_watcher_is_replaced_while_there_are_users(world: "World") -> None:
    home = world.ready_home()
    server = world.start(home)
    killed = world.watchers(home)
    world.kill(*killed)
    world.wait_until(lambda: set(world.watchers(home)) - set(killed))
    assert await world.ask(server.dsn, "SELECT 1") == 1


async def test_everything_killed_at_once_is_no_obstacle(world: "World") -> None:
    home = world.ready_home()
    holder = world.hold(home)
    await world.ask(holder.dsn(), "CREATE TABLE kept AS SELECT 7 AS n")
    world.kill(holder.process.pid, *world.watchers(home), *world.servers(home))
    assert await world.ask(world.start(home).dsn, "SELECT n FROM kept") == 7


@pytest.mark.parametrize("pid", [os.getpid(), 1, 4_000_000], ids=["ours", "init", "nobody"])
async def test_a_number_left_behind_by_a_killed_server_is_not_believed(
    world: "World", pid: int
) -> None:
    home = world.ready_home()
    (home / "postgres-data/postmaster.pid").write_text(f"{pid}\n{home}/postgres-data\n0\n5432\n")
    assert await world.ask(world.start(home).dsn, "SELECT 1") == 1


async def test_a_first_start_killed_midway_leaves_nothing_in_the_way(world: "World") -> None:
    home = world.folder / "home"
    holder = world.hold(home)
    world.wait_until(lambda: list(home.glob("postgres-new-*/base")))
    holder.kill()
    assert not (home / "postgres-data").exists()
    assert await world.ask(world.start(home).dsn, "SELECT 1") == 1
    world.wait_until(lambda: not [line for line in world.running(home) if "initdb" in line])
    world.start(home)


def test_drafts_of_killed_starts_are_removed(world: "World") -> None:
    home = world.ready_home()
    (home / "postgres-new-old/base").mkdir(parents=True)
    world.start(home)
    assert list(home.glob("postgres-new-*")) == []


async def test_an_interrupt_of_the_foreground_does_not_reach_the_server(world: "World") -> None:
    home = world.ready_home()
    first, second = world.hold(home), world.hold(home)
    dsn = first.dsn()
    second.dsn()
    postmaster = world.postmaster(home)
    os.killpg(first.process.pid, signal.SIGINT)  # what Ctrl-C sends
    assert first.process.wait(30) != 0
    assert await world.ask(dsn, "SELECT 1") == 1
    assert world.postmaster(home) == postmaster


def test_a_pipe_behind_a_command_ends_with_the_command(world: "World") -> None:
    home = world.ready_home()
    first, second = world.hold(home), world.hold(home)
    first.dsn()
    second.dsn()
    first.kill()  # reads its output to the end; the watcher that it may have started lives on
    assert len(world.servers(home)) > 1


async def test_a_home_that_is_removed_while_in_use_can_be_made_again(world: "World") -> None:
    home = world.ready_home()
    holder = world.hold(home)
    holder.dsn()
    world.run("rm", "-rf", home)
    server = world.start(home)
    assert await world.ask(server.dsn, "SELECT 1") == 1
    holder.kill()
    assert await world.ask(server.dsn, "SELECT 1") == 1


async def test_the_server_outlives_a_signal_meant_for_the_whole_service(world: "World") -> None:
    home = world.ready_home()
    server = world.start(home)
    (watcher,) = world.watchers(home)
    os.kill(watcher, signal.SIGTERM)
    os.kill(watcher, signal.SIGHUP)
    postmaster = world.postmaster(home)
    assert await world.ask(server.dsn, "SELECT pg_sleep(1.2) IS NULL OR true") is True
    assert world.postmaster(home) == postmaster


def test_letting_go_of_one_of_two_holds_in_a_process_keeps_the_server(world: "World") -> None:
    home = world.ready_home()
    first, second = world.start(home), world.start(home)
    first.stop()
    assert len(world.servers(home)) > 1
    second.stop()
    assert world.running(home) == []
    assert not Path(second.dsn.partition("host=")[2].partition("&")[0]).exists()
