"""An agent that says nothing of what it did, or drops what was drawn: it is looked at all the same."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.config import Settings
from bot.reviews import UNTOLD, follow_up, review_key
from bot.store import Store, mark_of
from bot.store.handoffs import Handoffs
from tests.people import Json
from tests.servers import Live, live, until

Under = Callable[[str], AbstractAsyncContextManager[Live]]
REVIEW = "rules: [{name: looking, tool: '*', do: review, timeout: 10m}]\n"


@pytest.fixture
def under(settings: Settings, tmp_path: Path) -> Under:
    """A service under this policy."""

    @asynccontextmanager
    async def serve(policy: str) -> AsyncIterator[Live]:
        path = tmp_path / "policy.yaml"
        path.write_text(policy)
        async with live(settings.model_copy(update={"policy": path})) as running:
            yield running

    return serve


async def let_pass(store: Store, handoff: Json, time: timedelta) -> None:
    """As if so much more time had gone by since the claim."""
    ms = -round(time / timedelta(milliseconds=1))
    overdue = store.keys_of(handoff["id"]).unreported
    if await store._pipe.call("ZSCORE", overdue, handoff["id"]) is not None:
        await store._pipe.call("ZINCRBY", overdue, ms, handoff["id"])


async def acted(here: Live, **ask: Any) -> Json:
    """Asked for, let run and claimed."""
    asked = await here.agent.ask(reversible=True, **ask)
    assert asked["state"] == "decided"
    (await here.agent.claim(asked)).ok()
    return asked


async def the_inbox(here: Live, count: int) -> list[Json]:
    async def there() -> bool:
        return len(await here.person.inbox()) >= count

    await until(there)
    return list(await here.person.inbox())


async def test_what_is_never_reported_is_reviewed_after_a_quarter_of_an_hour(under: Under) -> None:
    async with under(REVIEW) as here:
        asked = await acted(here)
        await let_pass(here.store, asked, timedelta(minutes=14))
        assert not await here.store.unreported.due(await here.store.now())
        await let_pass(here.store, asked, timedelta(minutes=2))
        (review,) = await the_inbox(here, 1)
        assert (review["follows"], review["ask"]["timing"]) == (asked["id"], "after")
        assert review["ask"]["result"] == UNTOLD == "The agent did not say what came of it."
        assert await here.store.unreported.next_due() is None

        late = (await here.agent.report(asked, "executed", claimant="try-1", result="sent")).ok()
        assert (late["state"], late["outcome"]["result"], late["review"]) == ("closed", "sent", review["id"])
        assert len(await here.person.inbox()) == 1
        (await here.person.reject(review, "Take it back")).ok()
        assert (await here.agent.report(review, "undone")).ok()["state"] == "closed"


async def test_what_was_reported_or_never_claimed_needs_no_timer(under: Under) -> None:
    async with under(REVIEW) as here:
        await here.agent.ask(reversible=True)
        asked = await acted(here)
        assert await here.store.unreported.next_due()
        (await here.agent.report(asked, "executed", claimant="try-1")).ok()
        assert await here.store.unreported.next_due() is None


async def test_what_needs_no_review_has_no_timer(under: Under) -> None:
    async with under("rules: [{name: a, tool: '*', do: allow}]\n") as here:
        await acted(here)
        assert await here.store.unreported.next_due() is None


async def test_a_failure_is_reviewed_too_and_keeping_it_earns_no_trust(under: Under) -> None:
    """Something may have happened before it failed."""
    async with under("rules: [{name: a, tool: '*', do: ask, ramp: {ask: 1, review: 3}}]\n") as here:
        first = await here.agent.ask(reversible=True)
        (await here.person.approve(first)).ok()
        (await here.agent.claim(first)).ok()
        (await here.agent.report(first, "executed", claimant="try-1")).ok()
        asked = await acted(here)
        ended = (await here.agent.report(asked, "failed", claimant="try-1", error="the line broke")).ok()
        review = await here.agent.look(ended["review"])
        assert review["ask"]["result"] == "the line broke"
        (await here.person.approve(review)).ok()
        (ramp,) = (await here.person.call("GET", "/v1/trust")).ok()["ramps"]
        assert (ramp["good"], ramp["reset_why"]) == (0, "failed")


async def test_silence_about_what_was_done_sends_trust_back(under: Under) -> None:
    async with under("rules: [{name: a, tool: '*', do: ask, ramp: {ask: 1, review: 9}}]\n") as here:
        first = await here.agent.ask(reversible=True)
        (await here.person.approve(first)).ok()
        (await here.agent.claim(first)).ok()
        (await here.agent.report(first, "executed", claimant="try-1")).ok()
        asked = await acted(here)
        await let_pass(here.store, asked, timedelta(minutes=16))
        (review,) = await the_inbox(here, 1)
        (ramp,) = (await here.person.call("GET", "/v1/trust")).ok()["ramps"]
        assert (ramp["good"], ramp["stage"], ramp["reset_why"]) == (0, "asked", "unreported")
        (await here.agent.report(asked, "executed", claimant="try-1")).ok()
        (await here.person.approve(review)).ok()
        assert (await here.person.call("GET", "/v1/trust")).ok()["ramps"][0]["good"] == 0
        assert (await here.agent.ask(reversible=True))["state"] == "pending"


async def test_timer_and_report_at_once_open_one_review(under: Under) -> None:
    async with under(REVIEW) as here:
        for number in range(10):
            asked = await acted(here, key=f"race-{number}")
            await let_pass(here.store, asked, timedelta(minutes=16))
            said = await asyncio.gather(
                *(here.agent.report(asked, "executed", claimant="try-1", result=1) for _ in range(5))
            )
            assert len({each.ok()["review"] for each in said}) == 1
            assert len(await here.person.inbox()) == number + 1


SAMPLE = "rules: [{name: some, tool: '*', do: sample, fraction: 0.5}]\n"


async def drawn(here: Live, asked: Json) -> bool:
    found = await here.store.handoffs.load(asked["id"])
    assert found
    return found.route.review


async def test_what_was_drawn_stays_drawn_until_it_is_claimed(under: Under) -> None:
    """Asking again under another key is no way out, one after the other or all at once."""
    async with under(SAMPLE) as here:
        asked = await here.agent.ask(reversible=True)
        while not await drawn(here, asked):
            asked = await here.agent.ask(reversible=True)
        again = [await here.agent.ask(reversible=True) for _ in range(12)]
        again += await asyncio.gather(*(here.agent.ask(reversible=True) for _ in range(12)))
        assert [await drawn(here, each) for each in again] == [True] * 24
        (await here.agent.claim(again[3])).ok()
        after = []
        for _ in range(12):
            after.append(await here.agent.ask(reversible=True))
            (await here.agent.claim(after[-1])).ok()
        assert {await drawn(here, each) for each in after} == {True, False}


async def test_an_agent_cannot_redraw_by_a_change_that_changes_nothing(under: Under) -> None:
    """An argument more, another run, another gate: the review is owed for the tool."""
    async with under(SAMPLE) as here:
        asked = await until_drawn(here)
        other = (await here.agent.call("POST", "/v1/runs", {"name": "another"})).ok()["id"]
        changed: list[Json] = [{"action": {"tool": "send_email", "args": {"nonce": number}}} for number in range(10)]
        for change in (*changed, {"run": other}, {"gate": "elsewhere"}, {"what": "Send something"}):
            assert await drawn(here, await here.agent.ask(reversible=True, **change)), change
        (await here.agent.claim(asked)).ok()
        assert not await here.store.handoffs.is_owed("mailer", "send_email")


async def test_what_is_owed_of_one_tool_or_agent_is_not_of_another(under: Under) -> None:
    async with under(SAMPLE) as here:
        await until_drawn(here)
        other = await here.new_agent("other")
        assert not await here.store.handoffs.is_owed("other", "send_email")
        assert not await here.store.handoffs.is_owed("mailer", "send_sms")
        for agent, tool in ((other, "send_email"), (here.agent, "send_sms")):
            action = {"tool": tool, "args": {}}
            found = []
            for _ in range(20):
                found.append(await agent.ask(reversible=True, action=action))
                (await agent.claim(found[-1])).ok()
            assert {await drawn(here, each) for each in found} == {True, False}


async def test_a_review_that_was_not_drawn_settles_nothing(under: Under) -> None:
    """Else an agent would pay for a draw that it does not like with something harmless that is reviewed anyway."""
    policy = SAMPLE.replace("rules: [", "rules: [{name: all, gate: drafts, do: review}, ")
    async with under(policy) as here:
        await until_drawn(here)
        reviewed = await here.agent.ask(reversible=True, gate="drafts")
        (await here.agent.claim(reviewed)).ok()
        assert await here.store.handoffs.is_owed("mailer", "send_email")


async def test_what_is_owed_stops_nothing_that_is_never_drawn(under: Under) -> None:
    policy = SAMPLE.replace("rules: [", "rules: [{name: none, gate: drafts, do: sample, fraction: 0}, ")
    async with under(policy) as here:
        await until_drawn(here)
        asked = await here.agent.ask(reversible=True, gate="drafts")
        assert not await drawn(here, asked)
        (await here.agent.claim(asked)).ok()


async def test_a_draw_is_owed_too_where_nobody_could_have_looked(under: Under) -> None:
    """Where cards go is up to the agent, if no rule says: it must not be a way to try its luck."""
    async with under(SAMPLE) as here:
        asked = await until_drawn(here, to=[{"surface": "teams", "channel": "19:x"}])
        assert asked["decision"]["kind"] == "undeliverable"
        assert await here.store.handoffs.is_owed("mailer", "send_email")


async def until_drawn(here: Live, **changes: Any) -> Json:
    """Ask until one is drawn."""
    while not await drawn(here, asked := await here.agent.ask(reversible=True, **changes)):
        pass
    return asked


async def test_a_draw_that_came_meanwhile_counts(under: Under, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script looks again: what was read a moment before it may be stale."""
    read, stale = Handoffs.is_owed, [True]

    async def is_owed(self: Handoffs, agent: str, tool: str) -> bool:
        return False if stale.pop() else await read(self, agent, tool)

    async with under(SAMPLE) as here:
        asked = await here.agent.ask(reversible=True)
        monkeypatch.setattr(Handoffs, "is_owed", is_owed)
        while not await drawn(here, asked):
            stale[:] = [False]
            asked = await here.agent.ask(reversible=True)
        for _ in range(10):
            stale[:] = [False, True]
            assert await drawn(here, await here.agent.ask(reversible=True))


async def test_two_replicas_that_find_it_due_open_one_review(under: Under) -> None:
    async with under(REVIEW) as here:
        asked = await acted(here)
        first = await here.store.handoffs.load(asked["id"])
        assert first
        review_id = here.access.derive_id("hf", first.agent, review_key(first.id), mark=mark_of(first.id))
        made = follow_up(first, None, review_id)
        assert made
        assert await here.store.unreported.presume(first, made) == "early"
        await here.store.unreported.forget(first.id)
        said = await asyncio.gather(*(here.store.unreported.presume(first, made) for _ in range(20)))
        assert sorted(said) == ["opened", *["over"] * 19]
        assert len(await here.person.inbox()) == 1


async def test_all_at_once_what_comes_after_the_first_drawn_is_drawn(under: Under) -> None:
    async with under(SAMPLE) as here:
        for number in range(5):
            action = {"tool": "send_email", "args": {"n": number}}
            asked = await asyncio.gather(*(here.agent.ask(reversible=True, action=action) for _ in range(10)))
            assert any([await drawn(here, each) for each in asked])
            assert await drawn(here, await here.agent.ask(reversible=True, action=action))


async def test_nobody_without_the_secret_can_tell_the_draw(under: Under) -> None:
    async with under(SAMPLE) as here:
        ids = [f"hf_{number}" for number in range(400)]
        draws = [here.access.draw(each) for each in ids]
        assert draws == [here.access.draw(each) for each in ids]
        assert 0.4 < sum(draw < 0.5 for draw in draws) / len(draws) < 0.6
        other = type(here.access)(here.store, b"another secret, of 32 bytes and more")
        assert [other.draw(each) for each in ids] != draws
