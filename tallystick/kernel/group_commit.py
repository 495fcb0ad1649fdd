"""Natural group commit: whoever waits goes into one batch while the batch before commits.

No timer decides when a batch is full: the batch in the database is the timer. Under load a second
batch is prepared and sent meanwhile, so that neither this process nor the database waits for the
other. A batch is one statement, which is its own transaction. Each work has a key, and its
function in the database answers a repeated key as a replay, so a batch whose answer was lost is
simply sent again.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, Generic, TypeVar

import asyncpg
import msgspec
import structlog

from tallystick.kernel.db import Connection, Database
from tallystick.kernel.errors import Unavailable

log = structlog.get_logger()

BATCH_MAX: Final = 500
LANES: Final = 2
LANE_WAITING_MIN: Final = 32  # fewer are better off in the next batch than in one of their own
WAITING_MAX: Final = 10_000
TRIES_MAX: Final = 8
RETRY_DELAY_S: Final = 0.01  # doubled at each try: 8 tries take 1.3 s at most
MET_ANOTHER: Final = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.UniqueViolationError,
)
"""Another batch was faster: nothing was written, and the same batch is sent again."""
CONNECTION_LOST: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asyncpg's own words when it is cut off in the wrong moment
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    Unavailable,
)
"""Whether it was written is not known, so it is asked again over a new connection."""

W = TypeVar("W")
A = TypeVar("A")

Run = Callable[[Connection, Sequence[W]], Awaitable[Sequence[A]]]
"""Do a batch in ONE statement outside any transaction; answer by position.

The keys of a batch differ from each other, so the function in the database need not compare them.
"""
Repeat = Callable[[W, W, A], "A | None"]
"""Answer work whose key the batch had already: (first, again, answer of the first).

None: it can not be told from these; it goes into the next batch.
"""


class _Waiting(msgspec.Struct, Generic[W, A], frozen=True):
    work: W
    key: Hashable
    size: int
    answer: "asyncio.Future[A]"


class GroupCommitter(Generic[W, A]):
    """Commits the works of many callers in batches, over one connection of its own.

    One for each process and each kind of work; many processes may do so at once. With one lane,
    works are decided in the order in which they were submitted. `size` is how much of `batch_max`
    and `waiting_max` a work takes up; one that is larger than a batch is a batch of its own.
    """

    def __init__(
        self,
        db: Database,
        run: "Run[W, A]",
        *,
        key: Callable[[W], Hashable],
        repeat: "Repeat[W, A]",
        batch_max: int = BATCH_MAX,
        waiting_max: int = WAITING_MAX,
        lanes: int = LANES,
        busy_code: str = "ledger_busy",
        size: Callable[[W], int] = lambda _: 1,
    ) -> None:
        self._db = db
        self._lanes = lanes
        self._busy_code = busy_code
        self._run = run
        self._key = key
        self._repeat = repeat
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._size = size
        self._waiting: deque[_Waiting[W, A]] = deque()
        self._waiting_size = 0
        self._runners: set[asyncio.Task[None]] = set()
        self._idle: list[Connection] = []
        self._is_closed = False

    async def submit(self, work: W) -> A:
        """Return the work's answer once it is committed; an exception of its own raises here.

        Work that was taken is committed whether or not its caller still waits: a caller that was
        cancelled may ask with the same key. Raises Unavailable: the busy code when too many wait,
        `database_unavailable` when the database stays away: whether the work was committed is then
        not known, and the same key is safe to send again.
        """
        if self._is_closed or self._waiting_size >= self._waiting_max:
            raise Unavailable(
                self._busy_code,
                "Too much is waiting to be written; send it again in a moment.",
                extra={"retry_after": 1},
            )
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        one = _Waiting(work, self._key(work), self._size(work), answer)
        self._waiting.append(one)
        self._waiting_size += one.size
        lanes = len(self._runners)
        if lanes == 0 or (lanes < self._lanes and self._waiting_size >= LANE_WAITING_MIN):
            # In a context of its own: it works for everybody, not for whoever came first.
            runner = asyncio.create_task(self._commit_all(), context=contextvars.Context())
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)
        return await answer

    async def close(self) -> None:
        """Take nothing more, commit all that was taken, and close the connections."""
        self._is_closed = True
        while self._runners:
            await asyncio.wait(self._runners)
        while self._idle:
            await self._idle.pop().close()

    async def _commit_all(self) -> None:
        runner = asyncio.current_task()
        try:
            while self._waiting:
                await self._commit(self._next_batch())
        finally:
            if runner is not None:
                self._runners.discard(runner)

    def _next_batch(self) -> "list[_Waiting[W, A]]":
        batch: list[_Waiting[W, A]] = []
        room = self._batch_max
        while self._waiting and (not batch or self._waiting[0].size <= room):
            batch.append(self._waiting.popleft())
            room -= batch[-1].size
            self._waiting_size -= batch[-1].size
        return batch

    async def _commit(self, taken: "list[_Waiting[W, A]]") -> None:
        """Commit the first of each key, then answer the others from those."""
        firsts: dict[Hashable, _Waiting[W, A]] = {}
        again = [one for one in taken if firsts.setdefault(one.key, one) is not one]
        try:
            await self._commit_apart(list(firsts.values()))
        except BaseException:  # ended from outside: nobody waits for ever
            for one in taken:
                one.answer.cancel()
            raise
        unclear = [one for one in again if not self._answer_from(firsts[one.key], one)]
        self._waiting.extendleft(reversed(unclear))
        self._waiting_size += sum(one.size for one in unclear)

    def _answer_from(self, first: "_Waiting[W, A]", again: "_Waiting[W, A]") -> bool:
        if first.answer.cancelled() or first.answer.exception() is not None:
            return False
        answer = self._repeat(first.work, again.work, first.answer.result())
        if answer is not None:
            _tell(again, answer)
        return answer is not None

    async def _commit_apart(self, batch: "list[_Waiting[W, A]]") -> None:
        """Commit a batch; on an error that is not to be retried each work stands alone."""
        try:
            answers = await self._try_again([one.work for one in batch])
            for one, answer in zip(batch, answers, strict=True):
                _tell(one, answer)
        except Exception as error:  # noqa: BLE001 - each caller gets the error of its own work
            if len(batch) == 1 or isinstance(error, Unavailable):
                for one in batch:
                    _fail(one, error)
                return
            log.warning("batch_split", error=type(error).__name__, count=len(batch))
            for one in batch:
                await self._commit_apart([one])

    async def _try_again(self, works: Sequence[W]) -> Sequence[A]:
        """Send a batch until it is answered; replays make that safe."""
        for number in range(1, TRIES_MAX + 1):
            try:
                return await self._send(works)
            except (*MET_ANOTHER, *CONNECTION_LOST) as error:
                name = type(error).__name__
                log.info("batch_sent_again", error=name, count=len(works), tries=number)
                # A batch that always meets others is tried one by one before anybody gives up.
                if number == TRIES_MAX and isinstance(error, MET_ANOTHER) and len(works) > 1:
                    raise
                if number == TRIES_MAX:
                    raise self._gave_up(error) from error
            await asyncio.sleep(RETRY_DELAY_S * 2 ** (number - 1))
        raise AssertionError  # the last try has returned or raised

    async def _send(self, works: Sequence[W]) -> Sequence[A]:
        conn = self._idle.pop() if self._idle else await self._db.connect()
        try:
            return await self._run(conn, works)
        except (*CONNECTION_LOST, asyncio.CancelledError):
            conn.terminate()
            raise
        finally:
            if not conn.is_closed():
                self._idle.append(conn)

    def _gave_up(self, error: Exception) -> Unavailable:
        if isinstance(error, MET_ANOTHER):
            return Unavailable(
                self._busy_code,
                "Others are writing to the same place right now; send it again in a moment.",
                extra={"retry_after": 1},
            )
        if isinstance(error, Unavailable):
            return error
        return Unavailable(
            "database_unavailable", "The database can not be reached; try again shortly."
        )


def _tell(one: "_Waiting[W, A]", answer: A) -> None:
    if not one.answer.done():  # its caller may have gone
        one.answer.set_result(answer)


def _fail(one: "_Waiting[W, A]", error: Exception) -> None:
    if not one.answer.done():
        one.answer.set_exception(error)
