"""Limits: an agent that floods its people is slowed down, and nobody else is."""

import asyncio
import contextlib

import pytest

from bot.config import Settings
from bot.store import Limits
from tests.people import MAIL, Agent, Person
from tests.servers import Live, live, until


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


async def test_runs_checkpoints_and_notices_share_one_pace(service: Live) -> None:
    """They fill the store as asks do, and stay in it for weeks."""
    eager = await service.new_agent("eager", Limits(per_minute=6, burst=3, open=50))
    run = await eager.run()
    saved = await eager.call("PUT", f"/v1/runs/{run}/checkpoint", {"name": "n", "state": "x" * 100})
    told = await eager.call("POST", f"/v1/runs/{run}/notices", {"text": "hello"})
    more = await eager.call("POST", f"/v1/runs/{run}/notices", {"text": "again"})
    assert (saved.status, told.status, more.status) == (200, 202, 429)
    assert more.problem == "too-many-requests"
    assert (await eager.call("POST", "/v1/runs", {"name": "n"})).status == 429


async def test_a_large_checkpoint_counts_for_many(service: Live) -> None:
    eager = await service.new_agent("eager", Limits(per_minute=60, burst=20, open=50))
    path = f"/v1/runs/{await eager.run()}/checkpoint"
    large = {"name": "n", "state": "x" * 900_000}
    assert [(await eager.call("PUT", path, large)).status for _ in range(2)] == [200, 429]
    assert (await eager.call("PUT", path, {"name": "n", "state": 1})).status == 200


async def test_a_notice_whose_reply_was_lost_is_told_once(agent: Agent, service: Live) -> None:
    path = f"/v1/runs/{await agent.run()}/notices"
    for _ in range(3):
        assert (await agent.call("POST", path, {"text": "hello"}, key="n1")).status == 202
    assert [told.text for told in await service.store.runs.notices(20)] == ["hello"]


async def raw(service: Live, sent: bytes, *, for_s: float = 2.0) -> bytes:
    """Send bytes on a connection of its own; what comes back before it is closed, or before the time is up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rsplit(":", 1)[1]))
    writer.write(sent)
    got = b""
    try:
        async with asyncio.timeout(for_s):
            while part := await reader.read(65_536):
                got += part
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return got


async def test_a_connection_that_never_asks_anything_is_ended(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each costs a file; three thousand of them kept everybody else out."""
    monkeypatch.setattr("bot.idle.REQUEST_S", 0.2)
    async with live(settings) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rsplit(":", 1)[1]))
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(1), 5) == b""
        writer.close()
        asked = await service.agent.ask()
        waiting = asyncio.create_task(service.agent.wait(asked["id"], 2))
        assert (await waiting)["state"] == "pending", "a poll is no idle connection"


def handlers() -> int:
    """Connections that the service in this process still serves."""
    return sum("RequestHandler.start" in repr(task.get_coro()) for task in asyncio.all_tasks())


async def test_a_body_that_drips_is_refused(service: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.api.requests.BODY_S", 0.2)
    head = f"POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.agent.key}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    before = handlers()
    got = await raw(service, head.encode())

    async def let_go() -> bool:
        return handlers() <= before

    await until(let_go)
    assert b" 408 " in got.splitlines()[0]
    assert b"/problems/request-timeout" in got


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nCookie: andon=\xff\r\nConnection: close\r\n\r\n",
        (
            b"GET /v1/handoffs/hf_aaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: x\r\n"
            b"Authorization: Bearer hf_aaaaaaaaaaaaaaaaaaaaaa.\xff\r\nConnection: close\r\n\r\n"
        ),
    ],
)
async def test_bytes_that_are_no_text_are_no_credential(service: Live, head: bytes) -> None:
    assert b" 401 " in (await raw(service, head)).splitlines()[0]


async def test_every_answer_keeps_caches_and_guesses_away(agent: Agent) -> None:
    """Answers hold tokens and arguments."""
    asked = await agent.ask()
    for path in (f"/v1/handoffs/{asked['id']}", "/openapi.json", "/nowhere", "/metrics"):
        reply = await agent.call("GET", path)
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Server"] == "Andon"


async def test_an_event_id_beyond_64_bits_is_none_of_ours(agent: Agent) -> None:
    reply = await agent.call("GET", "/v1/events", headers={"Last-Event-ID": "99999999999999999999999-0"})
    assert reply.status == 400


@pytest.mark.parametrize("labels", [("Pay Bob", "Pay  Bob"), ("Pay Bob", "\uff50\uff41\uff59 bob"), ("a", "A")])
async def test_candidates_that_look_alike_are_refused(agent: Agent, labels: tuple[str, str]) -> None:
    candidates = [{"id": str(n), "label": label} for n, label in enumerate(labels)]
    ask = {"kind": "choice", "gate": "g", "run": await agent.run(), "question": "Which?", "candidates": candidates}
    reply = await agent.open(ask)
    assert (reply.status, reply.problem) == (422, "invalid-body")
    assert "look alike" in reply.body["detail"]


async def test_a_label_is_one_line(agent: Agent) -> None:
    ask = {"kind": "choice", "gate": "g", "run": await agent.run(), "question": "Which?"}
    assert (await agent.open({**ask, "candidates": [{"id": "a", "label": "Pay\nBob"}]})).status == 422


async def test_a_client_that_leaves_in_the_middle_is_no_fault_of_ours(
    service: Live, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of the service wakes somebody; a phone that lost its network must not."""
    head = f"POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.agent.key}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    before = handlers()
    assert await raw(service, head.encode(), for_s=0.2) == b""

    async def let_go() -> bool:
        return handlers() <= before

    await until(let_go)
    assert [record.message for record in caplog.records if "api.failed" in record.message] == []
