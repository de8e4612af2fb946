"""Scorers that the policy names: asked once, in time, and never believed when they make no sense."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.handoff import Risk
from bot.policies import Policies
from bot.policy import Scorer as Choice
from bot.risk import RiskQuestion, Scoring, faults
from bot.risk import _scoring as scoring_module

QUESTION = RiskQuestion(
    tool="deploy", args={"to": "prod", "n": 1}, gate="deploy", agent="bot", reversible=False, requester="ana@x.com"
)
SAYS = {"score": 0.42, "reasons": ["It is the first of the month."]}


class Oracle:
    """A scorer behind an address; `answer` is what it says."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: Callable[[web.Request], Any] = lambda _: web.json_response(SAYS)
        self.reached = asyncio.Event()
        self.release = asyncio.Event()
        self.url = ""

    async def score(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.reached.set()
        said = self.answer(request)
        if asyncio.iscoroutine(said):
            said = await said
        assert isinstance(said, web.StreamResponse)
        return said

    @property
    def choice(self) -> Choice:
        return Choice(url=self.url, timeout="1s")  # type: ignore[arg-type]  # as the file has it


@pytest.fixture
async def oracle() -> AsyncIterator[Oracle]:
    made = Oracle()
    app = web.Application()
    app.router.add_post("/score", made.score)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/score"))
        yield made
        made.release.set()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def scoring(clock: Clock) -> AsyncIterator[Scoring]:
    made = Scoring(clock=clock)
    yield made
    await made.close()


def refused(risk: Risk) -> str:
    assert risk.score == 1.0
    [reason] = risk.reasons
    assert reason.startswith("The risk could not be scored: ")
    return reason


async def test_an_address_is_told_the_action_and_its_answer_is_the_risk(oracle: Oracle, scoring: Scoring) -> None:
    risk = await scoring.score(oracle.choice, QUESTION)
    assert risk == Risk(0.42, ("It is the first of the month.",))
    assert oracle.asked == [
        {"tool": "deploy", "args": {"to": "prod", "n": 1}, "agent": "bot", "gate": "deploy", "reversible": False}
    ]


async def test_the_same_question_is_asked_once_for_a_while(oracle: Oracle, scoring: Scoring, clock: Clock) -> None:
    await scoring.score(oracle.choice, QUESTION)
    assert (await scoring.score(oracle.choice, QUESTION)).score == 0.42
    assert len(oracle.asked) == 1
    await scoring.score(oracle.choice, replace(QUESTION, args={"to": "test"}))
    assert len(oracle.asked) == 2
    clock.now += 301
    await scoring.score(oracle.choice, QUESTION)
    assert len(oracle.asked) == 3


async def test_fifty_at_once_ask_once(oracle: Oracle, scoring: Scoring) -> None:
    risks = await asyncio.gather(*(scoring.score(oracle.choice, QUESTION) for _ in range(50)))
    assert {risk.score for risk in risks} == {0.42}
    assert len(oracle.asked) == 1


async def test_one_who_leaves_takes_the_answer_from_nobody_else(oracle: Oracle, scoring: Scoring) -> None:
    async def slow() -> web.Response:
        await oracle.release.wait()
        return web.json_response(SAYS)

    oracle.answer = lambda _: slow()
    first = asyncio.create_task(scoring.score(oracle.choice, QUESTION))
    second = asyncio.create_task(scoring.score(oracle.choice, QUESTION))
    async with asyncio.timeout(5):
        await oracle.reached.wait()
    first.cancel()
    oracle.release.set()
    assert (await second).score == 0.42


async def hang(oracle: Oracle) -> web.Response:
    await oracle.release.wait()
    return web.json_response(SAYS)


def redirect(request: web.Request) -> web.Response:
    return web.Response(status=307, headers={"Location": str(request.url)})


@pytest.mark.parametrize(
    "answer,why",
    [
        (lambda _: web.Response(status=500), "status 500"),
        (redirect, "status 307"),
        (lambda _: web.Response(text="low"), "no score"),
        (lambda _: web.json_response({"score": "0.1"}), "no score"),
        (lambda _: web.json_response({"score": True}), "no score"),
        (lambda _: web.json_response({"score": -0.1}), "not between 0 and 1"),
        (lambda _: web.json_response({"score": 1.1}), "not between 0 and 1"),
        (lambda _: web.Response(text='{"score": NaN}', content_type="application/json"), "no"),
        (lambda _: web.json_response({"risk": 0.1}), "no score"),
        (lambda _: web.json_response({"score": 0.1, "reasons": "none"}), "no score"),
        (lambda _: web.json_response({"score": 0.1, "reasons": [1]}), "no score"),
        (lambda _: web.json_response({"score": 0.1, "reasons": ["x" * 70_000]}), "over 65536 bytes"),
        (lambda _: web.Response(text="[" * 60_000), "no score"),
    ],
)
async def test_nonsense_is_the_highest_risk(oracle: Oracle, scoring: Scoring, answer: Any, why: str) -> None:
    oracle.answer = answer
    assert why in refused(await scoring.score(oracle.choice, QUESTION))


async def test_a_failure_is_not_remembered_for_long(oracle: Oracle, scoring: Scoring, clock: Clock) -> None:
    oracle.answer = lambda _: web.Response(status=500)
    refused(await scoring.score(oracle.choice, QUESTION))
    oracle.answer = lambda _: web.json_response(SAYS)
    clock.now += 1.1
    assert (await scoring.score(oracle.choice, QUESTION)).score == 0.42


async def test_silence_ends_with_the_policy_s_timeout(oracle: Oracle, scoring: Scoring) -> None:
    oracle.answer = lambda _: hang(oracle)
    async with asyncio.timeout(5):
        assert "within 1 s" in refused(await scoring.score(oracle.choice, QUESTION))


async def test_an_address_that_nobody_has_is_the_highest_risk(scoring: Scoring) -> None:
    choice = Choice(url="http://127.0.0.1:9/score")
    assert "ClientConnector" in refused(await scoring.score(choice, QUESTION))


async def test_reasons_are_few_and_short(oracle: Oracle, scoring: Scoring) -> None:
    oracle.answer = lambda _: web.json_response({"score": 1, "reasons": ["y" * 5_000] * 12})
    risk = await scoring.score(oracle.choice, QUESTION)
    assert (risk.score, {len(reason) for reason in risk.reasons}) == (1.0, {300})
    assert len(risk.reasons) < 10


async def test_what_is_kept_is_bounded(scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_module, "_KEPT", 3)
    for n in range(10):
        await scoring.score(Choice(), replace(QUESTION, args={"n": n}))
    assert len(scoring._kept) == 3
    assert not scoring._asking


async def test_an_action_without_a_canonical_form_is_the_highest_risk(scoring: Scoring) -> None:
    assert "canonical" in refused(await scoring.score(Choice(), replace(QUESTION, args={"n": float("nan")})))


PLUGIN = """
import asyncio
from bot.handoff import Risk

class Fixed:
    async def score(self, action):
        return Risk(0.25, (f"It is {action.tool}.",))

class Raises:
    async def score(self, action):
        raise RuntimeError(action.args)

class Lies:
    async def score(self, action):
        return 0.1

class NotANumber:
    async def score(self, action):
        return Risk(float("nan"))

class Sleeps:
    async def score(self, action):
        await asyncio.sleep(60)

class Breaks:
    def __init__(self):
        raise OSError("no model file")
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Iterator[None]:
    """A package that is installed, with scorers of its own."""
    (tmp_path / "house_scorers.py").write_text(PLUGIN)
    info = tmp_path / "house_scorers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: house-scorers\nVersion: 1.0\n")
    names = ("Fixed", "Raises", "Lies", "NotANumber", "Sleeps", "Breaks")
    lines = [f"{name.lower()} = house_scorers:{name}" for name in names]
    (info / "entry_points.txt").write_text("[andon.scorers]\n" + "\n".join(lines) + "\n")
    sys.path.insert(0, str(tmp_path))
    yield
    sys.path.remove(str(tmp_path))
    sys.modules.pop("house_scorers", None)


@pytest.mark.usefixtures("plugins")
async def test_an_entry_point_is_a_scorer(scoring: Scoring) -> None:
    assert await scoring.score(Choice(name="fixed"), QUESTION) == Risk(0.25, ("It is deploy.",))
    assert faults(Choice(name="fixed")) == []


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    "name,why",
    [
        ("raises", "failed with RuntimeError"),
        ("lies", "a float"),
        ("notanumber", "nan"),
        ("sleeps", "within 1 s"),
        ("breaks", "no model file"),
        ("nobody", "there are breaks, fixed, lies, notanumber, raises, rules, sleeps"),
    ],
)
async def test_a_scorer_that_fails_is_the_highest_risk(scoring: Scoring, name: str, why: str) -> None:
    reason = refused(await scoring.score(Choice(name=name, timeout="1s"), QUESTION))  # type: ignore[arg-type]  # as the file has it
    assert why in reason
    assert "prod" not in reason


@pytest.mark.usefixtures("plugins")
def test_a_scorer_that_is_not_there_is_told_before_it_is_needed() -> None:
    assert faults(None) == faults(Choice()) == faults(Choice(url="https://x.example")) == []
    [fault] = faults(Choice(name="rule"))
    assert fault.startswith("policy, risk.name: there is no scorer 'rule'")


def test_a_policy_that_names_no_scorer_that_is_there_is_loaded_with_a_warning(tmp_path: Path) -> None:
    """Everything is asked more then, so it is a warning, and the service says it as soon as the file is loaded."""
    path = tmp_path / "policy.yaml"
    path.write_text("risk: {name: nobody}\nrules: []\n")
    [warning] = Policies(path).standing.warnings
    assert "there is no scorer 'nobody'" in warning


async def test_a_long_input_is_read_in_a_thread_while_the_loop_goes_on(scoring: Scoring) -> None:
    question = replace(QUESTION, tool="run_sql", args={"sql": "select 1 " + "and 1 " * 1_300})
    turns, done = 0, asyncio.create_task(scoring.score(Choice(timeout="30s"), question))  # type: ignore[arg-type]  # as the file has it
    while not done.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert (await done).score == 0.1
    assert turns > 3
