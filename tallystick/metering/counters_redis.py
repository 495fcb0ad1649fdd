"""Counters on Redis: how much of each meter is used, shared by all processes and quick to ask.

A counter is a hash under a key of its account and meter: `epoch`, `taken` (how often it was raised
since it was filled) and one field per window with what is used in it. It is filled with exact
totals out of the database, lives for `LIFE_MS` from then, and is filled anew by the next who asks:
so long can usage that came in by `/events` stay unseen by it.

Nothing of it has to last. What it lets pass is written to the database only while the counter's
row there names the same epoch (`decide.py`), and each begin of an epoch is followed by exact
totals. The keys carry the server's `run_id`: what a restarted server brings back from its disk, or
a replica that took over late, is not found. Numbers are strings of 24 digits before the point and
12 behind it, because Lua's own are floats.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from hashlib import sha1
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tallystick.metering.counters_store import Key
from tallystick.metering.decide import Seed, Span, Taken
from tallystick.metering.limits import Ask, Slot, judge

log = structlog.get_logger()

LIFE_MS: Final = 2_000
TIMEOUT_S: Final = 0.5
PAUSE_S: Final = 1.0
"""How long a server that failed is left alone."""
BATCH_MAX: Final = 200
WHOLE_DIGITS: Final = 24
DECIMALS: Final = 12
_LIMBS: Final = """
local function plus(a, b)
  local out, carry = {}, 0
  for at = 28, 1, -9 do
    local sum = tonumber(string.sub(a, at, at + 8)) + tonumber(string.sub(b, at, at + 8)) + carry
    carry = math.floor(sum / 1000000000)
    out[(at + 8) / 9] = string.format('%09d', sum - carry * 1000000000)
  end
  return table.concat(out)
end
"""
# KEYS: one per check. ARGV, three per check: window, quantity, hard limit ('' for a soft one).
# Answers {'cold'}, or 'taken' or 'refused', the epochs and what was used in each window before. A
# refusal stands only if nothing was taken since the filling: what was taken may not be written.
TAKE: Final = (
    _LIMBS
    + """
local used, epochs, fits, clean = {}, {}, true, true
for at = 1, #KEYS do
  local found = redis.call('HMGET', KEYS[at], 'epoch', 'taken', ARGV[at * 3 - 2])
  if not found[1] or found[1] == '' or not found[3] then return {'cold'} end
  epochs[at], used[at] = found[1], found[3]
  if found[2] ~= '0' then clean = false end
  local limit = ARGV[at * 3]
  if limit ~= '' and plus(found[3], ARGV[at * 3 - 1]) > limit then fits = false end
end
if not fits and not clean then return {'cold'} end
if fits then
  for at = 1, #KEYS do
    redis.call('HSET', KEYS[at], ARGV[at * 3 - 2], plus(used[at], ARGV[at * 3 - 1]))
    redis.call('HINCRBY', KEYS[at], 'taken', 1)
  end
end
return {fits and 'taken' or 'refused', epochs, used}
"""
)
# KEYS[1]; ARGV: epoch ('' for one that is only read), life, then window and total by turns.
FILL: Final = """
local held = redis.call('HGET', KEYS[1], 'epoch')
if held then
  local newer = ARGV[1] ~= '' and (held == '' or tonumber(held) < tonumber(ARGV[1]))
  if not newer then return 0 end
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'taken', '0', unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""

_TAKE_SHA: Final = sha1(TAKE.encode(), usedforsecurity=False).hexdigest()
_FILL_SHA: Final = sha1(FILL.encode(), usedforsecurity=False).hexdigest()

Command = tuple[str | bytes | int, ...]


class _Waiting(msgspec.Struct, frozen=True):
    command: Callable[[str], Command]  # by the prefix of this server's keys
    answer: "asyncio.Future[Any]"


class RedisCounters:
    """Counters on one server, over one connection; None is the answer whenever it fails."""

    def __init__(self, url: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pool = ConnectionPool.from_url(
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._monotonic = monotonic
        self._connection: AbstractConnection | None = None
        self._prefix = ""
        self._waiting: deque[_Waiting] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._down_until = -math.inf
        self.is_up = True
        self.failure_count = 0

    async def take(self, asks: Sequence[Ask]) -> Taken | None:
        """Take what is asked for from all its counters or from none, and tell how limits stood.

        None: Redis is away, or a counter is cold, or one that can not be held there. Then decide
        in the database and `fill`.
        """
        checks = [(ask, limit) for ask in asks for limit in ask.limits]
        if not all(ask.quantity >= 0 and _fits(ask.quantity) for ask in asks):
            return None
        arguments: list[str] = []
        for ask, limit in checks:
            most = to_digits(limit.limit) if limit.kind == "hard" else ""
            arguments += [window((limit.start, limit.end)), to_digits(ask.quantity), most]
        names = [key_name((ask.account_id, ask.meter.meter_id)) for ask, _ in checks]
        found = await self._run(
            lambda prefix: (
                "EVALSHA", _TAKE_SHA, len(names), *(prefix + name for name in names), *arguments
            )
        )  # fmt: skip
        if not found or found[0] == b"cold":
            return None
        used = dict(
            zip((_slot(check) for check in checks), map(from_digits, found[2]), strict=True)
        )
        keys = [(ask.account_id, ask.meter.meter_id) for ask, _ in checks]
        return Taken(judge(asks, used), dict(zip(keys, map(int, found[1]), strict=True)))

    async def read(self, asks: Sequence[Ask]) -> dict[Slot, Decimal] | None:
        """Return what is used; None when Redis is away or does not hold all of it."""
        used: dict[Slot, Decimal] = {}
        checks = [(ask, limit) for ask in asks for limit in ask.limits]
        commands = [
            ("HGET", key_name((ask.account_id, ask.meter.meter_id)), window((one.start, one.end)))
            for ask, one in checks
        ]
        found = await asyncio.gather(*(self._run(_prefixed(command)) for command in commands))
        if any(value is None for value in found):
            return None
        for check, value in zip(checks, found, strict=True):
            used[_slot(check)] = from_digits(value)
        return used

    async def fill(self, seeds: Sequence[Seed], *, to_read: bool = False) -> None:
        """Put exact totals in; `to_read`: of no epoch, nothing can be taken from them."""
        for seed in seeds:
            if not all(_fits(value) and value >= 0 for value in seed.used.values()):
                continue
            totals: list[str] = []
            for span, value in seed.used.items():
                totals += [window(span), to_digits(value)]
            epoch = "" if to_read else str(seed.epoch)
            name = key_name(seed.counter)
            await self._run(_eval(_FILL_SHA, name, epoch, str(LIFE_MS), *totals))

    async def forget(self, counters: Sequence[Key]) -> None:
        """Drop counters that something was taken from which was not written."""
        for counter in counters:
            await self._run(_prefixed(("DEL", key_name(counter))))

    async def close(self) -> None:
        """End the connection."""
        if self._runner is not None:
            self._runner.cancel()
        await self._drop()
        await self._pool.disconnect()

    async def _run(self, command: Callable[[str], Command]) -> Any:
        if self._monotonic() < self._down_until:
            return None
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(command, answer))
        if self._runner is None:
            self._runner = asyncio.create_task(self._run_all())
        return await answer

    async def _run_all(self) -> None:
        """Send whatever waits, all at once, then what has come meanwhile."""
        batch: list[_Waiting] = []
        try:
            while self._waiting:
                count = min(BATCH_MAX, len(self._waiting))
                batch = [self._waiting.popleft() for _ in range(count)]
                try:
                    answers = await self._exchange(batch)
                except (RedisError, OSError, TimeoutError) as error:
                    await self._fail(error)
                    answers = [None] * len(batch)
                for one, answer in zip(batch, answers, strict=True):
                    _tell(one, answer)
        finally:
            self._runner = None
            for one in [*batch, *self._waiting]:
                _tell(one, None)

    async def _exchange(self, batch: Sequence[_Waiting]) -> list[Any]:
        async with asyncio.timeout(TIMEOUT_S):
            connection = await self._connected()
            commands = [one.command(self._prefix) for one in batch]
            await connection.send_packed_command(connection.pack_commands(commands))
            return [await connection.read_response() for _ in batch]

    async def _connected(self) -> AbstractConnection:
        """Return the connection; a new one asks who it is connected to."""
        if self._connection is None:
            connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py leaves it out
            try:
                await connection.connect()  # type: ignore[no-untyped-call]  # likewise
                for script in (TAKE, FILL):
                    await _call(connection, "SCRIPT", "LOAD", script)
                run_id = _run_id(await _call(connection, "INFO", "server"))
                self._prefix = f"tallystick:{run_id}:"
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            self._connection = connection
            if not self.is_up:
                log.info("usage_counters_back", source="redis")
            self.is_up = True
        return self._connection

    async def _fail(self, error: Exception) -> None:
        """Leave Redis alone for a moment; the database counts meanwhile."""
        self.failure_count += 1
        if self.is_up:
            log.warning("usage_counters_away", source="postgresql", error=type(error).__name__)
        self.is_up = False
        self._down_until = self._monotonic() + PAUSE_S
        await self._drop()

    async def _drop(self) -> None:
        held, self._connection = self._connection, None
        if held is not None:
            await held.disconnect(nowait=True)


def key_name(counter: Key) -> str:
    """Return the name of a counter; in braces what a cluster spreads keys by."""
    return f"{{{counter[0].hex}}}:{counter[1].hex}"


def window(span: Span) -> str:
    """Return the name of a window."""
    return f"{span[0].timestamp():.6f}:{span[1].timestamp():.6f}"


def to_digits(value: Decimal) -> str:
    """Write a number so that strings compare as numbers: 24 digits, then 12 decimals."""
    return f"{int(value.scaleb(DECIMALS)):0{WHOLE_DIGITS + DECIMALS}d}"


def from_digits(text: bytes | str) -> Decimal:
    """Read what `to_digits` wrote."""
    return Decimal(int(text)).scaleb(-DECIMALS)


def _fits(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return (
        isinstance(exponent, int) and exponent >= -DECIMALS and value.adjusted() < WHOLE_DIGITS - 2
    )


def _slot(check: tuple[Ask, Any]) -> Slot:
    return check[0].slot(check[1])


def _prefixed(command: tuple[str, ...]) -> Callable[[str], Command]:
    return lambda prefix: (command[0], prefix + command[1], *command[2:])


def _eval(sha: str, name: str, *arguments: str) -> Callable[[str], Command]:
    return lambda prefix: ("EVALSHA", sha, 1, prefix + name, *arguments)


async def _call(connection: AbstractConnection, *command: str) -> Any:
    await connection.send_command(*command)
    return await connection.read_response()


def _run_id(info: Any) -> str:
    text = info.decode() if isinstance(info, bytes) else str(info)
    found = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return found["run_id"].strip()


def _tell(one: _Waiting, answer: Any) -> None:
    if not one.answer.done():
        one.answer.set_result(answer)
