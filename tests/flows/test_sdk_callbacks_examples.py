"""An agent asks and ends; a callback of the real service brings the decision to another process, which goes on."""

import asyncio
import importlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

import andon.callbacks.aiohttp
from andon import AlreadyDecided, Andon, AndonError, Answered, Approved, Chosen, Rejected
from andon.callbacks import BrakeEvent, Callback, HandoffEvent
from bot.config import Settings
from tests.fakes.frameworks import serving_aiohttp, serving_asgi, serving_wsgi
from tests.people import Caller, Json
from tests.servers import Live, live, until

EXAMPLES = {
    "callbacks_aiohttp": serving_aiohttp,
    "callbacks_fastapi": serving_asgi,
    "callbacks_flask": serving_wsgi,
}
PAGE = Path(__file__).parents[2] / "docs" / "agents.md"
ALL = ["handoff.decided", "handoff.closed", "handoff.questioned", "run.steered", "brake.braked", "brake.lifted"]


@dataclass
class Told:
    """A service that sends callbacks to one endpoint, on a port that nobody listens on yet."""

    service: Live
    admin: Caller
    port: int
    secret: str
    endpoint: str


@pytest.fixture
async def told(settings: Settings) -> AsyncIterator[Told]:
    port = unused_port()
    async with live(settings.model_copy(update={"callback_allow": f"127.0.0.1:{port}"})) as service:
        key = await service.access.create_key("admin", "ops")
        async with Caller(service.url, key) as admin:
            new = {"url": f"http://127.0.0.1:{port}/andon", "agent": "mailer", "events": ALL}
            made = (await admin.call("POST", "/v1/endpoints", new)).ok()
            yield Told(service, admin, port, made["secret"], made["id"])


@pytest.fixture
def agents_settings(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDON_URL", told.service.url)
    monkeypatch.setenv("ANDON_KEY", told.service.agent.key)
    monkeypatch.setenv("ANDON_CALLBACK_SECRET", told.secret)


async def closed(told: Told, handoff: Json) -> Json:
    """The handoff, once there is an outcome."""
    found: Json = {}

    async def is_closed() -> bool:
        found.update(await told.service.agent.look(handoff["id"]))
        return bool(found["state"] == "closed")

    await until(is_closed)
    return found


@pytest.mark.parametrize("name", EXAMPLES)
async def test_the_example_goes_on_with_what_was_decided(
    name: str, told: Told, agents_settings: None, capsys: pytest.CaptureFixture[str]
) -> None:
    agent, mira = told.service.agent, told.service.person
    example = importlib.reload(importlib.import_module(f"examples.{name}"))
    serve: Any = EXAMPLES[name]
    async with serve(example.app, told.port):
        edited, rejected = await agent.ask(), await agent.ask()
        (await mira.reject(rejected, "not yet")).ok()
        (await mira.edit(edited, {"to": "bob@example.com", "subject": "Report", "body": "B"})).ok()
        assert (await closed(told, edited))["outcome"]["result"] == "sent"
        said = ""

        async def both_said() -> bool:
            nonlocal said
            said += capsys.readouterr().out
            return said.count("sent") >= 2

        await until(both_said)
    assert "sent 'Report' to bob@example.com\n" in said
    assert "not sent: " in said
    assert "not yet" in said


async def test_the_page_for_agents_goes_on_too(told: Told, agents_settings: None) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (shown,) = (block for block in blocks if "from andon.callbacks" in block)
    sent: list[str] = []

    async def send(*, to: str, **_: str) -> str:
        sent.append(to)
        return "sent"

    names: dict[str, Any] = {"send": send}
    exec(compile(shown, "agents.md", "exec"), names)  # noqa: S102 - it is our own page
    agent, mira = told.service.agent, told.service.person
    async with serving_aiohttp(names["app"], told.port):
        asked = await agent.ask()
        (await mira.approve(asked)).ok()
        assert (await closed(told, asked))["outcome"]["result"] == "sent"
    assert sent == ["alice@example.com"]


@asynccontextmanager
async def listening(told: Told, handler: Any) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_post("/andon", andon.callbacks.aiohttp.receiver(handler, secret=told.secret))
    async with serving_aiohttp(app, told.port):
        yield


class Ear:
    """A handler that keeps what it hears."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[Callback] = asyncio.Queue()

    async def __call__(self, callback: Callback) -> None:
        await self._heard.put(callback)

    async def next(self, kind: str = "handoff.decided") -> Callback:
        """The next one of this type; others are left out."""
        async with asyncio.timeout(10):
            while True:
                callback = await self._heard.get()
                if callback.type == kind:
                    return callback


async def test_what_the_service_sends_of_a_handoff_is_read_whole(told: Told) -> None:
    """Whatever the service says in a callback, the package finds."""
    agent, mira, ear = told.service.agent, told.service.person, Ear()
    async with listening(told, ear):
        asked = await agent.ask()
        (await mira.answer(asked, {"kind": "more_info", "question": "Which report?"})).ok()
        question = (await ear.next("handoff.questioned")).data
        assert isinstance(question, HandoffEvent)
        assert (question.handoff, question.state) == (asked["id"], "pending")
        assert question.question

        (await mira.approve(asked, reason="fine")).ok()
        approved = await ear.next()
        assert isinstance(approved.decision, Approved)
        assert approved.data == HandoffEvent(
            **{name: asked[name] for name in ("run", "agent", "revision", "digest", "token", "url")},
            handoff=asked["id"],
            state="decided",
            kind="confirmation",
            gate="send_email",
            decision=approved.decision,
        )
        stands = await agent.look(asked["id"])
        told_of = approved.decision.model_dump(mode="json", exclude_none=True)
        assert told_of == {n: v for n, v in stands["decision"].items() if n != "args"} | {"handoff": asked["id"]}

        (await agent.claim(stands)).ok()
        (await agent.report(stands, "failed", claimant="try-1", error="no such host")).ok()
        done = (await ear.next("handoff.closed")).data
        assert isinstance(done, HandoffEvent)
        assert done.outcome
        assert (done.state, done.outcome.status, done.outcome.error) == ("closed", "failed", "no such host")


async def test_every_kind_of_decision_arrives(told: Told) -> None:
    agent, mira, ear = told.service.agent, told.service.person, Ear()
    async with listening(told, ear):
        (await mira.pick(await agent.choose({"id": "a", "label": "A"}, {"id": "b", "label": "B"}), "b")).ok()
        match (await ear.next()).decision:
            case Chosen(choice=choice):
                assert choice == "b"
            case other:
                pytest.fail(repr(other))
        (await mira.say(await agent.ask_for(answer_schema={"type": "integer"}), 5)).ok()
        match (await ear.next()).decision:
            case Answered(answer=answer):
                assert answer == 5
            case other:
                pytest.fail(repr(other))
        (await mira.reject(await agent.ask(), "no")).ok()
        match (await ear.next()).decision:
            case Rejected(reason=reason):
                assert reason == "no"
            case other:
                pytest.fail(repr(other))


async def test_brakes_and_tests_arrive(told: Told) -> None:
    agent, mira, ear = told.service.agent, told.service.person, Ear()
    async with listening(told, ear):
        run = await agent.run()
        (await mira.call("POST", f"/v1/runs/{run}/brake", {"action": "stop", "text": "wait"})).ok()
        stop = await ear.next("brake.braked")
        assert isinstance(stop.data, BrakeEvent)
        assert (stop.data.brake.action, stop.data.brake.scope.run, stop.data.brake.text) == ("stop", run, "wait")
        async with Andon(told.service.url, agent.key) as client:
            with pytest.raises(AndonError, match="about no handoff"):
                await stop.resume(client)
        test = (await told.admin.call("POST", f"/v1/endpoints/{told.endpoint}/test")).ok()
        assert test["delivered"], test
        assert (await ear.next("endpoint.test")).data == {"endpoint": told.endpoint}


async def test_what_stands_is_read_anew_and_the_claim_decides(told: Told) -> None:
    """A callback that says yes, of an ask that was claimed meanwhile, gets nobody past the claim."""
    agent, mira = told.service.agent, told.service.person
    ear = Ear()
    async with listening(told, ear), Andon(told.service.url, agent.key) as client:
        asked = await agent.ask()
        (await mira.approve(asked)).ok()
        callback = await ear.next()
        run, handoff = await callback.resume(client)
        assert (run.id, handoff.id) == (asked["run"], asked["id"])
        assert isinstance(handoff.decision, Approved)
        assert handoff.decision.args["to"] == "alice@example.com"
        assert (await handoff.claim()).args == handoff.decision.args
        _, again = await callback.resume(client)
        assert again.latest.state == "claimed"
        with pytest.raises(AndonError, match="claimed"):
            await again.claim()
        with pytest.raises(AlreadyDecided):
            await again.withdraw()


async def test_a_handler_that_fails_gets_it_again_from_the_service(told: Told) -> None:
    """With one secret of two, while it is being rotated."""
    agent, mira = told.service.agent, told.service.person
    tries: list[str] = []

    async def fails_once(callback: Callback) -> None:
        tries.append(callback.id)
        if len(tries) == 1:
            raise ValueError(callback.type)

    rotated = (await told.admin.call("POST", f"/v1/endpoints/{told.endpoint}/rotate")).ok()
    told.secret = rotated["secret"]
    async with listening(told, fails_once):
        (await mira.approve(await agent.ask())).ok()

        async def twice() -> bool:
            return len(tries) == 2

        await until(twice)
    assert tries[0] == tries[1]
