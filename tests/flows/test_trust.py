"""A trust ramp through the whole line: asked, then reviewed, then sampled; one rejection and all is asked again."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.config import Settings
from bot.policy._route import is_sampled
from tests.people import Json
from tests.servers import SECRET, Live, bare_environment, live

POLICY = """
rules:
  - {name: mail, tool: send_email, do: ask, ramp: {ask: 10, review: 3, sample: 0.4, per: [agent, requester]}}
"""


@pytest.fixture
async def here(settings: Settings, tmp_path: Path) -> AsyncIterator[Live]:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    async with live(settings.model_copy(update={"policy": path})) as running:
        yield running


async def mail(here: Live, *, key: str | None = None) -> tuple[Json, str]:
    """One that goes well; returns its handoff and what happened to it."""
    asked = await here.agent.ask(reversible=True, key=key)
    how = "asked"
    if asked["state"] == "pending":
        asked = (await here.person.approve(asked)).ok()
    else:
        how = "ran"
    (await here.agent.claim(asked)).ok()
    ended = (await here.agent.report(asked, "executed", claimant="try-1")).ok()
    if "review" in ended:
        how = "reviewed"
        (await here.person.approve(await here.agent.look(ended["review"]))).ok()
    return ended, how


async def the_ramp(here: Live) -> Json:
    (ramp,) = (await here.person.call("GET", "/v1/trust")).ok()["ramps"]
    found: Json = ramp
    return found


async def test_ten_are_asked_then_some_reviewed_then_samples_and_one_rejection_starts_over(here: Live) -> None:
    assert [(await mail(here))[1] for _ in range(10)] == ["asked"] * 10
    assert (await the_ramp(here))["stage"] == "reviewed"
    assert [(await mail(here))[1] for _ in range(3)] == ["reviewed"] * 3
    ramp = await the_ramp(here)
    assert (ramp["rule"], ramp["agent"], ramp["requester"], ramp["good"]) == ("mail", "mailer", "", 13)
    assert ramp["stage"] == "sampled"
    seen = set()
    for number in range(12):
        ended, how = await mail(here, key=f"sampled-{number}")
        assert how == ("reviewed" if is_sampled(here.access.draw(ended["id"]), 0.4) else "ran")
        seen.add(how)
    assert seen == {"reviewed", "ran"}

    drawn = await here.agent.ask(reversible=True, key=next(_drawn(here)))
    (await here.agent.claim(drawn)).ok()
    review_id = (await here.agent.report(drawn, "executed", claimant="try-1")).ok()["review"]
    (await here.person.reject(await here.agent.look(review_id), "Too many mails")).ok()

    ramp = await the_ramp(here)
    assert (ramp["good"], ramp["stage"], ramp["reset_why"], ramp["reset_by"]) == (0, "asked", "rejected", review_id)
    asked = await here.agent.ask(reversible=True)
    assert asked["state"] == "pending"


def _drawn(here: Live) -> Iterator[str]:
    """Keys whose handoffs are in the sample."""
    for number in range(1_000):
        key = f"drawn-{number}"
        if is_sampled(here.access.draw(here.access.derive_id("hf", "mailer", key)), 0.4):
            yield key


async def test_what_cannot_be_undone_is_asked_about_where_it_would_be_reviewed(here: Live) -> None:
    for _ in range(10):
        await mail(here)
    asked = await here.agent.ask(reversible=False)
    assert asked["state"] == "pending"


async def test_the_agent_hears_that_trust_starts_over(here: Live) -> None:
    await mail(here)
    async with here.agent.events() as events:
        await events.next()
        (await here.person.reject(await here.agent.ask(reversible=True))).ok()
        told = await events.take(2)
    assert {event.name for event in told} == {"handoff.decided", "trust.reset"}
    assert next(event.data["why"] for event in told if event.name == "trust.reset") == "rejected"


async def test_somebody_lets_it_start_over(here: Live) -> None:
    await mail(here)
    ramp = await the_ramp(here)
    reset = (await here.person.call("DELETE", f"/v1/trust/{ramp['key']}")).ok()
    assert (reset["good"], reset["reset_why"], reset["reset_by"]) == (0, "person", "mira@example.com")
    assert (await the_ramp(here))["good"] == 0
    gone = await here.person.call("DELETE", "/v1/trust/tr_000000000000000000000000")
    assert (gone.status, gone.problem) == (404, "not-found")


async def test_an_agent_can_neither_see_nor_reset_it(here: Live) -> None:
    await mail(here)
    for method, path in (("GET", "/v1/trust"), ("DELETE", f"/v1/trust/{(await the_ramp(here))['key']}")):
        assert (await here.agent.call(method, path)).status == 403


async def test_a_requester_that_looks_like_another_part_is_one_requester(here: Live) -> None:
    """The requester is the agent's own word."""
    run = {"name": "x", "requester": "ana@example.com|agent=trusted"}
    run_id = (await here.agent.call("POST", "/v1/runs", run)).ok()["id"]
    asked = await here.agent.ask(reversible=True, run=run_id)
    (await here.person.reject(asked)).ok()
    ramp = await the_ramp(here)
    assert (ramp["agent"], ramp["requester"]) == ("mailer", "ana@example.com|agent=trusted")


@dataclass(frozen=True)
class Said:
    """What the command printed, and its exit code."""

    code: int | None
    out: str
    err: str


async def bot(here: Live, *words: str) -> Said:
    """`python -m bot`, beside the running service."""
    assert here.settings.redis_url
    env = bare_environment(
        ANDON_STATE=str(here.settings.state),
        ANDON_REDIS_URL=here.settings.redis_url.get_secret_value(),
        ANDON_SECRET=SECRET,
        ANDON_POLICY=str(here.settings.policy),
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *words),
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return Said(process.returncode, out.decode(), err.decode())


async def test_the_command_line_lists_and_resets(here: Live) -> None:
    assert "No trust ramp has moved yet" in (await bot(here, "trust", "list")).out
    await mail(here)
    key = (await the_ramp(here))["key"]
    listed = (await bot(here, "trust", "list")).out
    assert f"{key}  rule mail" in listed
    assert "agent mailer" in listed
    assert "1 ended well; the next one is asked until 10" in listed
    assert json.loads((await bot(here, "trust", "list", "--json")).out)["ramps"][0]["key"] == key

    reset = await bot(here, "trust", "reset", key)
    assert (reset.code, (await the_ramp(here))["good"]) == (0, 0)
    assert "started over" in (await bot(here, "trust", "list")).out
    unknown = await bot(here, "trust", "reset", "tr_0")
    assert (unknown.code, unknown.out) == (1, "")
    assert "no trust ramp tr_0" in unknown.err
    assert (await bot(here, "trust")).code == 2
