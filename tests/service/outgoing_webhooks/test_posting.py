"""One request: checked addresses, a time limit, no redirect, little read."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from tallystick.outgoing_webhooks.posting import ANSWER_BYTES_MAX, Post

if TYPE_CHECKING:
    from tests.service.outgoing_webhooks.conftest import Listener

PUBLIC, LOOPBACK = "93.184.216.34", "127.0.0.1"


class Names:
    """A name server that gives another answer each time it is asked."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> tuple[str, ...]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def port_of(listener: "Listener") -> str:
    return listener.base.rpartition(":")[2]


async def test_a_success_is_told_with_its_status_and_text(listener: "Listener", post: Post) -> None:
    answer = await post(f"{listener.base}/hook?a=b", {"webhook-id": "msg_1"}, b"{}")
    assert (answer.status_code, answer.text, answer.error) == (200, "", None)
    (heard,) = listener.heard
    assert (heard.path, heard.body) == ("/hook?a=b", b"{}")
    assert heard.headers["webhook-id"] == "msg_1"
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["host"] == listener.base.removeprefix("http://")


async def test_a_redirect_is_an_answer_and_not_followed(listener: "Listener", post: Post) -> None:
    listener.answers["/from"] = (
        f"HTTP/1.1 307 X\r\nlocation: {listener.base}/to\r\ncontent-length: 0\r\n\r\n".encode()
    )
    assert (await post(f"{listener.base}/from", {}, b"{}")).status_code == 307
    assert [heard.path for heard in listener.heard] == ["/from"]


async def test_of_an_endless_answer_one_kilobyte_is_read(listener: "Listener", post: Post) -> None:
    endless = b"HTTP/1.1 500 X\r\ncontent-length: 999999999\r\n\r\n" + b"\0\xff" + b"x" * 5000
    listener.answers["/big"] = endless
    answer = await post(f"{listener.base}/big", {}, b"{}")
    assert answer.status_code == 500
    assert answer.text == "\ufffd\ufffd" + "x" * (ANSWER_BYTES_MAX - 2)


async def test_an_endpoint_that_never_answers_is_given_up(listener: "Listener") -> None:
    listener.hold["/slow"] = asyncio.Event()
    post = Post(private=True, seconds_max=0.05)
    answer = await post(f"{listener.base}/slow", {}, b"{}")
    assert (answer.status_code, answer.error) == (None, "timeout")
    await post.close()


async def test_an_endpoint_that_trickles_is_given_up(listener: "Listener") -> None:
    """The limit is for the whole, not for each byte."""
    listener.answers["/drip"] = b"HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\nx"
    post = Post(private=True, seconds_max=0.05)
    assert (await post(f"{listener.base}/drip", {}, b"{}")).error == "timeout"
    await post.close()


async def test_who_hangs_up_or_talks_nonsense_is_told_apart(
    listener: "Listener", post: Post
) -> None:
    listener.answers["/nonsense"] = b"SMTP ready\r\n\r\n"
    assert (await post(f"{listener.base}/nonsense", {}, b"{}")).error == "connection_lost"
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert (await post(f"http://127.0.0.1:{port}/", {}, b"{}")).error == "connection_lost"
    assert (await post(f"https://127.0.0.1:{port}/", {}, b"{}")).error == "connection_failed"
    server.close()
    await server.wait_closed()
    assert (await post(f"http://127.0.0.1:{port}/", {}, b"{}")).error == "connection_failed"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "127.1"])
async def test_an_inner_address_is_refused_however_it_is_written(
    listener: "Listener", host: str
) -> None:
    post = Post()
    answer = await post(f"http://{host}:{port_of(listener)}/", {}, b"{}")
    assert answer.error == "address_not_allowed"
    assert listener.connections == 0
    await post.close()


async def test_one_inner_address_among_others_is_refused(listener: "Listener") -> None:
    post = Post(resolve=Names((PUBLIC, LOOPBACK)))
    answer = await post(f"http://example.test:{port_of(listener)}/", {}, b"{}")
    assert (answer.error, listener.connections) == ("address_not_allowed", 0)
    await post.close()


async def test_a_name_is_asked_once_and_checked_each_time(listener: "Listener") -> None:
    """DNS rebinding: the check and the connection must not hear different answers."""
    names = Names((LOOPBACK,), (PUBLIC,))
    post = Post(private=True, resolve=names)
    url = f"http://example.test:{port_of(listener)}/hook"
    assert (await post(url, {}, b"{}")).status_code == 200
    assert names.asked == ["example.test"]
    await post.close()


async def test_a_name_that_turns_to_an_inner_address_is_refused_then(
    listener: "Listener", monkeypatch: pytest.MonkeyPatch
) -> None:
    """First a public answer, then this machine: what was fine a moment ago is checked again."""
    tried: list[str] = []

    async def connect(_: object, host: str, *__: object, **___: object) -> None:
        tried.append(host)
        raise ConnectionRefusedError

    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", connect)
    names = Names((PUBLIC,), (LOOPBACK,))
    post = Post(resolve=names)
    url = f"http://example.test:{port_of(listener)}/hook"
    with pytest.raises(ConnectionRefusedError):
        await post(url, {}, b"{}")
    assert tried == [PUBLIC]
    assert (await post(url, {}, b"{}")).error == "address_not_allowed"
    assert tried == [PUBLIC]
    await post.close()


async def test_a_name_without_an_address_is_told(post: Post) -> None:
    assert (await post("http://nowhere.invalid/", {}, b"{}")).error == "name_not_found"
