"""Limits: an agent that floods its people is slowed down, and nobody else is."""

import pytest

from bot.store import Limits
from tests.people import MAIL, Agent, Person
from tests.servers import Live


async def test_an_agent_that_asks_too_fast_is_told_when_to_go_on(service: Live) -> None:
    eager = await service.new_agent("eager", Limits(per_minute=6, burst=3, open=50))
    ask = await eager.confirmation()
    replies = [await eager.open(ask) for _ in range(5)]
    assert [reply.status for reply in replies] == [201, 201, 201, 429, 429]
    assert replies[3].problem == "too-many-requests"
    assert 1 <= int(replies[3].headers["Retry-After"]) <= 10
    await service.agent.ask()


async def test_repeating_an_open_is_not_asking_again(service: Live) -> None:
    eager = await service.new_agent("eager", Limits(per_minute=6, burst=2, open=50))
    ask = await eager.confirmation()
    replies = [await eager.open(ask, key="one") for _ in range(5)]
    assert [reply.status for reply in replies] == [201, 200, 200, 200, 200]


async def test_an_agent_with_too_many_open_waits_for_answers(service: Live, mira: Person) -> None:
    busy = await service.new_agent("busy", Limits(per_minute=0, burst=100, open=2))
    first, _ = await busy.ask(), await busy.ask()
    third = await busy.open(await busy.confirmation())
    assert (third.status, third.problem) == (429, "too-many-requests")
    assert int(third.headers["Retry-After"]) >= 1
    assert "2 handoffs open" in third.body["detail"]
    await mira.approve(first)
    assert (await busy.open(await busy.confirmation())).status == 201


@pytest.mark.parametrize(
    "raw, status",
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"\xef\xbb\xbf{}", 400),
        (b'{"name": "a", "name": "b"}', 400),
        (b'{"name": NaN}', 400),
        (b'{"name": 1e999}', 400),
        (b'{"name": 9007199254740993}', 400),
        (b'{"name": "\\ud800"}', 400),
        (b'{"name": ' + b"[" * 40 + b"]" * 40 + b"}", 400),
        (b"[]", 422),
        (b"null", 422),
        (b'{"name": 7}', 422),
        (b'{"name": "a", "extra": 1}', 422),
        (b'{"name": "' + b"a" * 300_000 + b'"}', 413),
        (b'{"name": "' + b"a" * 40_000 + b'"}', 413),
    ],
)
async def test_a_body_that_is_no_clear_json_is_refused(agent: Agent, raw: bytes, status: int) -> None:
    reply = await agent.call("POST", "/v1/runs", raw=raw)
    assert reply.status == status
    assert reply.problem
    assert reply.body["detail"]


async def test_arguments_over_64_kib_are_refused(agent: Agent) -> None:
    args = {**MAIL, "body": "a" * 30_000, "more": ["b" * 30_000, "c" * 8_000]}
    reply = await agent.open(await agent.confirmation(action={"tool": "send_email", "args": args}))
    assert (reply.status, reply.problem) == (413, "too-large")


async def test_a_body_must_say_that_it_is_json(agent: Agent) -> None:
    reply = await agent.call("POST", "/v1/runs", raw=b"{}", headers={"Content-Type": "text/plain"})
    assert (reply.status, reply.problem) == (415, "unsupported-media-type")


@pytest.mark.parametrize("key", ["a b", "ü", "x" * 256])
async def test_an_idempotency_key_is_short_and_visible(agent: Agent, key: str) -> None:
    reply = await agent.call("POST", "/v1/runs", {"name": "x"}, key=key)
    assert (reply.status, reply.problem) == (400, "bad-request")


@pytest.mark.parametrize(
    "query", ["state=lost", "limit=0", "limit=101", "limit=x", "colour=red", "limit=1&limit=2", "gate=", "cursor=%00"]
)
async def test_a_query_is_checked(agent: Agent, query: str) -> None:
    reply = await agent.call("GET", f"/v1/handoffs?{query}")
    assert 400 <= reply.status < 500
    assert reply.problem


async def test_nothing_here_and_the_wrong_method_are_problems_too(agent: Agent) -> None:
    nothing = await agent.call("GET", "/v1/nothing")
    assert (nothing.status, nothing.problem) == (404, "not-found")
    wrong = await agent.call("DELETE", "/v1/handoffs")
    assert (wrong.status, wrong.problem) == (405, "method-not-allowed")
    assert "POST" in wrong.headers["Allow"]
