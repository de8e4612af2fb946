"""A function behind a gate runs only when approved, with exactly the approved arguments, in its own types."""

import asyncio
import inspect
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from andon import Andon, ClaimRefused, PermitMismatch, Refused, Rejected, Run
from tests.fakes.service import KEY, FakeService, Json, approve, reject, silent, until


@pytest.fixture
async def service() -> AsyncIterator[FakeService]:
    async with FakeService().serving() as serving:
        serving.person = approve
        yield serving


@pytest.fixture
async def run(service: FakeService) -> AsyncIterator[Run]:
    async with Andon(service.url, KEY, patience=timedelta(seconds=5)) as andon, andon.run("tests") as run:
        yield run


async def test_it_asks_claims_runs_and_reports(service: FakeService, run: Run) -> None:
    @run.gate(risks=["Mentions Q4 numbers"])
    async def send_email(to: str, subject: str, copies: int = 1) -> str:
        return f"sent {copies} to {to}: {subject}"

    assert await send_email("ana", subject="Report", why="She asked") == "sent 1 to ana: Report"
    asked = service.only["ask"]
    assert asked["what"] == "send_email(to='ana', subject='Report', copies=1)"
    assert (asked["why"], asked["risks"], asked["gate"]) == ("She asked", ["Mentions Q4 numbers"], "send_email")
    assert asked["action"]["args"] == {"to": "ana", "subject": "Report", "copies": 1}
    assert asked["action"]["schema"]["required"] == ["to", "subject"]
    assert asked["action"]["schema"]["additionalProperties"] is False
    assert service.only["outcome"]["result"] == "sent 1 to ana: Report"


async def test_it_runs_with_the_edited_arguments(service: FakeService, run: Run) -> None:
    ran: list[tuple[str, int]] = []

    @run.gate(risks=["?"])
    async def send(to: str, copies: int) -> None:
        ran.append((to, copies))

    service.person = lambda _: {"kind": "edited", "args": {"to": "bob", "copies": 2}}
    await send("ana", 1, why="asked")
    assert ran == [("bob", 2)]


class Colour(Enum):
    RED = "red"


class Person(BaseModel):
    name: str
    born: date


async def test_arguments_keep_their_types_on_the_way_through_json(service: FakeService, run: Run) -> None:
    ran: list[tuple[object, ...]] = []

    @run.gate(risks=["?"])
    async def act(  # noqa: PLR0917 - many types are the point
        person: Person, colour: Colour, price: Decimal, half: float, where: Path, tags: set[str], wait: timedelta
    ) -> None:
        ran.append((person, colour, price, half, where, tags, wait))

    given = (
        Person(name="Ana", born=date(2000, 1, 2)),
        Colour.RED,
        Decimal("1.10"),
        2.0,
        Path("/tmp/x"),  # noqa: S108 - a value, not a file
        {"a"},
        timedelta(minutes=1),
    )
    await act(*given, why="asked")
    assert ran == [given]
    assert given[0].born == date(2000, 1, 2)
    assert [type(value) for value in ran[0][1:]] == [type(value) for value in given[1:]]


async def test_awkward_names_are_names(service: FakeService, run: Run) -> None:
    """Names that a pydantic model could not have as fields."""

    @run.gate(risks=["?"])
    async def act(schema: int, _private: int, model_config: int, /, json: int, *, copy: int) -> list[int]:
        return [schema, _private, model_config, json, copy]

    assert await act(1, 2, 3, 4, copy=5, why="asked") == [1, 2, 3, 4, 5]
    assert list(service.only["ask"]["action"]["args"]) == ["schema", "_private", "model_config", "json", "copy"]


async def test_a_refusal_is_raised_and_nothing_runs(service: FakeService, run: Run) -> None:
    ran: list[str] = []

    @run.gate(risks=["?"])
    async def send(to: str) -> str:
        ran.append(to)
        return "sent"

    service.person = reject
    with pytest.raises(Refused, match="not today") as refused:
        await send("ana", why="asked")
    assert isinstance(refused.value.decision, Rejected)
    assert ran == []


async def test_no_permit_no_run(service: FakeService, run: Run) -> None:
    ran: list[str] = []

    @run.gate(risks=["?"])
    async def send(to: str) -> None:
        ran.append(to)

    service.claim_problem = (409, "already-claimed")
    with pytest.raises(ClaimRefused):
        await send("ana", why="asked")
    service.claim_problem = None
    service.tamper = lambda permit: permit | {"payload": permit["payload"].replace("ana", "eve")}
    with pytest.raises(PermitMismatch):
        await send("ana", why="asked")
    assert ran == []


async def test_a_permit_for_another_tool_runs_nothing(service: FakeService, run: Run) -> None:
    ran: list[str] = []

    @run.gate(risks=["?"])
    async def send(to: str) -> None:
        ran.append(to)

    def swapped(handoff: Json) -> Json:
        handoff["ask"]["action"]["tool"] = "delete"
        return approve(handoff)

    service.person = swapped
    with pytest.raises(PermitMismatch, match="permit is for delete"):
        await send("ana", why="asked")
    assert ran == []


async def test_an_edit_that_does_not_fit_runs_nothing_and_is_reported(service: FakeService, run: Run) -> None:
    ran: list[int] = []

    @run.gate(risks=["?"])
    async def act(count: int) -> None:
        ran.append(count)

    service.person = lambda _: {"kind": "edited", "args": {"count": "many"}}
    with pytest.raises(ValidationError):
        await act(1, why="asked")
    assert ran == []
    assert service.only["outcome"]["status"] == "failed"


SCRIPT = """
import asyncio
from andon import Andon

async def main():
    async with Andon() as andon, andon.run("tests") as run:
        @run.gate(risks=["?"])
        async def act() -> None:
            print("ran")
        await act(why="asked")

asyncio.run(main())
"""


@pytest.mark.parametrize("up", [True, False])
async def test_ctrl_c_takes_the_ask_back_and_leaves_nothing_odd(service: FakeService, *, up: bool) -> None:
    """A script with a plain `asyncio.run`; without the service, the ask will expire."""
    service.person = silent
    script = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", "-c", SCRIPT),
        env={**os.environ, "ANDON_URL": service.url, "ANDON_KEY": KEY, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    await until(lambda: service.calls["GET /v1/handoffs/{id}"], seconds=20)
    if not up:
        await service.stop()
    script.send_signal(signal.SIGINT)
    async with asyncio.timeout(10):
        out, err = await script.communicate()
    assert (script.returncode, out) == (-signal.SIGINT, b"")
    assert service.only["state"] == ("decided" if up else "pending")
    if up:
        assert service.only["decision"]["kind"] == "withdrawn"
    said = err.decode()
    assert said.endswith("KeyboardInterrupt\n")
    assert not re.search("never (retrieved|awaited)|[Uu]nclosed|ResourceWarning|destroyed", said)


async def test_a_failure_is_reported_and_raised(service: FakeService, run: Run) -> None:
    @run.gate(risks=["?"])
    async def act() -> None:
        raise OSError("the server is away")

    with pytest.raises(OSError, match="the server is away"):
        await act(why="asked")
    assert service.only["outcome"]["status"] == "failed"
    assert service.only["outcome"]["error"] == "OSError: the server is away"


async def test_a_result_that_is_no_json_is_shown_as_text(service: FakeService, run: Run) -> None:
    @run.gate(risks=["?"])
    async def act() -> Exception:
        return ValueError("receipt " + "x" * 20_000)

    assert isinstance(await act(why="asked"), ValueError)
    shown = service.only["outcome"]["result"]
    assert shown.startswith("receipt xxx")
    assert shown.endswith("… (12008 more characters)")


async def test_a_cancelled_action_is_reported(service: FakeService, run: Run) -> None:
    begun = asyncio.Event()

    @run.gate(risks=["?"])
    async def act() -> None:
        begun.set()
        await asyncio.Event().wait()

    acting = asyncio.create_task(act(why="asked"))
    await begun.wait()
    acting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await acting
    assert service.only["outcome"]["status"] == "failed"
    assert "done in part" in service.only["outcome"]["error"]


async def test_an_error_that_is_no_unicode_is_reported(service: FakeService, run: Run) -> None:
    @run.gate(risks=["?"])
    async def act() -> None:
        raise OSError("no such file: \udcff")

    with pytest.raises(OSError, match="no such file"):
        await act(why="asked")
    assert service.only["outcome"]["error"] == "OSError: no such file: ?"


async def test_a_result_that_the_service_refuses_is_shown_as_text(service: FakeService, run: Run) -> None:
    @run.gate(risks=["?"])
    async def act() -> int:
        return 2**60

    assert await act(why="asked") == 2**60
    assert service.only["outcome"]["result"] == str(2**60)


async def test_what_was_done_is_returned_even_if_it_cannot_be_reported(service: FakeService, run: Run) -> None:
    @run.gate(risks=["?"])
    async def act() -> str:
        service.handoffs.clear()
        return "done"

    run._line.api._http.patience_s = 0.2
    assert await act(why="asked") == "done"


@pytest.mark.parametrize(
    "what,shown",
    [
        ("Send {subject!r} to {to}", "Send 'Report' to ana"),
        (lambda to, subject: f"{subject} -> {to}", "Report -> ana"),
    ],
)
async def test_what_is_made_from_the_arguments(service: FakeService, run: Run, what: Any, shown: str) -> None:
    @run.gate(risks=lambda to, subject: [f"{to} may not want {subject}"], what=what, why="always", tool="mail.send")
    async def send(to: str, subject: str) -> None: ...

    await send("ana", "Report")
    asked = service.only["ask"]
    assert asked["what"] == shown
    assert asked["risks"] == ["ana may not want Report"]
    assert (asked["gate"], asked["action"]["tool"], asked["why"]) == ("mail.send", "mail.send", "always")


async def test_a_long_argument_is_cut_in_the_title_and_whole_in_the_action(service: FakeService, run: Run) -> None:
    @run.gate(risks=["?"])
    async def send(body: str) -> None: ...

    await send("x" * 1000, why="asked")
    assert len(service.only["ask"]["what"]) < 120
    assert service.only["ask"]["action"]["args"]["body"] == "x" * 1000


async def test_why_is_required(service: FakeService, run: Run) -> None:
    @run.gate(risks=["?"])
    async def act() -> None: ...

    with pytest.raises(TypeError, match="needs why="):
        await act()
    assert not service.handoffs


async def test_a_wrong_call_asks_nobody(service: FakeService, run: Run) -> None:
    @run.gate(risks=["?"])
    async def act(count: int) -> None: ...

    with pytest.raises(TypeError, match="missing a required argument"):
        await act(why="asked")
    with pytest.raises(ValidationError):
        await act(count="many", why="asked")
    assert not service.handoffs


async def test_what_cannot_be_gated_is_said_at_once(service: FakeService, run: Run) -> None:
    gate = run.gate(risks=["?"])

    def plain() -> None: ...

    async def starred(*names: str) -> None: ...

    async def own_why(why: str) -> None: ...

    class Socket: ...

    async def no_data(socket: Socket) -> None: ...

    for function, message in (
        (plain, r"^test_what_cannot_be_gated_is_said_at_once\.<locals>\.plain is not an `async def`"),
        (Socket(), r"^test_what_cannot_be_gated_is_said_at_once\.<locals>\.Socket is not an `async def`"),
        (starred, r"name every argument; a card cannot say what \*names"),
        (own_why, "`why` is the gate's own"),
        (no_data, "cannot be written as JSON"),
    ):
        with pytest.raises(TypeError, match=message):
            gate(function)  # type: ignore[arg-type] # that is the point


async def test_frameworks_see_the_function_and_its_why(service: FakeService, run: Run) -> None:
    """They make a model's tool schema from the signature: the model is to give the reason."""

    @run.gate(risks=["?"])
    async def send(to: str) -> None:
        """Send it."""

    assert inspect.iscoroutinefunction(send)
    assert str(inspect.signature(send)) == "(to: str, *, why: str) -> None"
    assert inspect.getdoc(send) == "Send it."
    assert getattr(send, "__name__", None) == "send"
