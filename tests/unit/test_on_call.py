"""Who is on call: whatever a plug-in does, nobody is let through whom none of them named."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from bot import on_call
from bot.errors import DirectoryDown
from bot.on_call import OnCall, plugged_in


def says(*people: Any) -> on_call.Resolver:
    async def resolver(name: str) -> Sequence[str]:
        return list(people)

    return resolver


async def raises(name: str) -> Sequence[str]:
    raise KeyError(name)


async def hangs(name: str) -> Sequence[str]:
    await asyncio.sleep(3600)
    return ["mira@example.com"]


def not_async(name: str) -> Sequence[str]:
    return ["mira@example.com"]


async def text(name: str) -> Any:
    return "mira@example.com"


async def test_everybody_whom_any_plug_in_names_is_on_call() -> None:
    book = OnCall({"a": says("mira@example.com"), "b": says(" slack:U2 "), "c": says()})
    assert await book.people("payments") == {"mira@example.com", "slack:U2"}


@pytest.mark.parametrize(
    "resolvers, sentence",
    [
        ({}, "no plug-in tells who is on call for payments"),
        ({"a": says()}, "nobody is on call for payments"),
        ({"a": raises}, "who is on call for payments cannot be told now"),
        ({"a": says("mira@example.com"), "b": raises}, "who is on call for payments cannot be told now"),
        ({"a": hangs}, "who is on call for payments cannot be told now"),
        ({"a": not_async}, "who is on call for payments cannot be told now"),
        ({"a": text}, "who is on call for payments cannot be told now"),
        ({"a": says(None)}, "who is on call for payments cannot be told now"),
        ({"a": says("")}, "who is on call for payments cannot be told now"),
    ],
)
async def test_whatever_goes_wrong_lets_nobody_through(
    resolvers: dict[str, on_call.Resolver], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_call, "PATIENCE", timedelta(milliseconds=30))
    with pytest.raises(DirectoryDown, match=sentence):
        await OnCall(resolvers).people("payments")


async def test_what_was_told_is_kept_for_a_minute_and_a_failure_is_not() -> None:
    clock, asked = [0.0], [0]

    async def counts(name: str) -> Sequence[str]:
        asked[0] += 1
        if asked[0] == 1:
            raise OSError
        return [f"{name}-{asked[0]}@example.com"]

    book = OnCall({"a": counts}, clock=lambda: clock[0])
    with pytest.raises(DirectoryDown):
        await book.people("x")
    assert await book.people("x") == {"x-2@example.com"}
    clock[0] = 59.9
    assert await book.people("x") == {"x-2@example.com"}
    clock[0] = 60.0
    assert await book.people("x") == {"x-3@example.com"}
    assert await book.people("y") == {"y-4@example.com"}, "each rota by itself"


class _Point:
    def __init__(self, name: str, loads: Any) -> None:
        self.name = name
        self._loads = loads

    def load(self) -> Any:
        if isinstance(self._loads, Exception):
            raise self._loads
        return self._loads


async def test_plug_ins_are_entry_points_and_one_that_does_not_load_lets_nobody_through(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    points = [_Point("pager", says("mira@example.com"))]
    monkeypatch.setattr(on_call, "entry_points", lambda group: points if group == "andon.on_call" else [])
    assert await plugged_in().people("x") == {"mira@example.com"}
    points.append(_Point("broken", ImportError("no such module")))
    with pytest.raises(DirectoryDown):
        await plugged_in().people("x")
    assert "on_call.not_loaded name=broken" in caplog.text


def test_why_nobody_can_tell_who_is_on_call_is_known_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    points: list[_Point] = []
    monkeypatch.setattr(on_call, "entry_points", lambda group: points if group == "andon.on_call" else [])
    assert on_call.trouble() == "no plug-in tells who is on call (entry points `andon.on_call`)"
    points.append(_Point("pager", says("mira@example.com")))
    assert on_call.trouble() == ""
    points.append(_Point("broken", ImportError("no such module")))
    assert on_call.trouble() == "the plug-in 'broken' cannot be loaded: ImportError: no such module"
