"""An agent's stream: what comes while it waits is written at once, everything else by its reader, all in order."""

import asyncio
from collections.abc import Iterable

import pytest

from bot.handoff import Change
from bot.hub import Stream


def change(number: int) -> Change:
    return Change(f"1-{number}", "decided", "hf_1", "mailer", "run_1", "decided", 1)


def numbers(changes: Iterable[Change]) -> list[int]:
    return [int(each.id.partition("-")[2]) for each in changes]


class Connection:
    """Takes what it is given while it has room."""

    def __init__(self) -> None:
        self.written: list[Change] = []
        self.has_room = True

    def write(self, given: Change) -> bool:
        if self.has_room:
            self.written.append(given)
        return self.has_room


@pytest.fixture
def connection() -> Connection:
    return Connection()


@pytest.fixture
def stream(connection: Connection) -> Stream:
    made = Stream()
    made.write_with(connection.write)
    return made


async def waiting(stream: Stream, timeout_s: float | None = None) -> "asyncio.Task[list[Change]]":
    reader = asyncio.create_task(stream.take(timeout_s))
    await asyncio.sleep(0)
    return reader


async def test_what_comes_while_the_reader_waits_is_written_and_does_not_wake_it(
    stream: Stream, connection: Connection
) -> None:
    reader = await waiting(stream)
    for number in range(3):
        stream.push(change(number))
    await asyncio.sleep(0)
    assert numbers(connection.written) == [0, 1, 2]
    assert not reader.done()
    stream.close()
    assert await reader == []


async def test_what_comes_while_the_reader_is_busy_waits_for_it(stream: Stream, connection: Connection) -> None:
    """Else it would overtake what the reader is about to write."""
    stream.push(change(1))
    stream.push(change(2))
    assert numbers(await stream.take()) == [1, 2]
    stream.push(change(3))
    assert numbers(await stream.take()) == [3]
    assert connection.written == []


async def test_what_the_connection_does_not_take_goes_to_the_reader_and_so_does_what_follows(
    stream: Stream, connection: Connection
) -> None:
    reader = await waiting(stream)
    stream.push(change(1))
    connection.has_room = False
    stream.push(change(2))
    connection.has_room = True
    stream.push(change(3))
    assert numbers(await reader) == [2, 3]
    assert numbers(connection.written) == [1]


async def test_after_a_pause_with_nothing_the_reader_says_so_before_anything_is_written(
    stream: Stream, connection: Connection
) -> None:
    assert await stream.take(0.001) == []
    stream.push(change(1))
    assert connection.written == []
    assert numbers(await stream.take()) == [1]


async def test_nothing_is_written_for_a_reader_that_has_left(stream: Stream, connection: Connection) -> None:
    """Its connection may be answering another request by now."""
    reader = await waiting(stream)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    stream.push(change(1))
    assert connection.written == []


async def test_nothing_is_written_once_it_is_closed(stream: Stream, connection: Connection) -> None:
    reader = await waiting(stream)
    stream.close()
    stream.push(change(1))
    assert connection.written == []
    assert numbers(await reader) == [1], "the reader decides what becomes of it"
