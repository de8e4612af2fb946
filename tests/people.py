"""Who takes part in a story: an agent and a person, over real HTTP, with verbs that they would use."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp

Json = dict[str, Any]

MAIL: Json = {"to": "alice@example.com", "subject": "Report", "body": "Here it is."}
MAIL_SCHEMA: Json = {
    "type": "object",
    "properties": {"to": {"type": "string", "minLength": 3}, "subject": {"type": "string"}, "body": {"type": "string"}},
    "required": ["to", "subject", "body"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Reply:
    """What the service answered."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """The name of the problem that it tells."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), self
        return str(self.body["type"]).removeprefix("/problems/")

    def ok(self) -> Json:
        """The body of a success."""
        assert 200 <= self.status < 300, self
        body: Json = self.body
        return body


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    id: str
    name: str
    data: Json


class Caller:
    """Somebody with a key, or with none."""

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url
        self.key = key
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    async def leave(self) -> None:
        await self._http.close()

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        key: str | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One call; `key` is its Idempotency-Key."""
        sent = dict(headers or {})
        if self.key:
            sent.setdefault("Authorization", f"Bearer {self.key}")
        if key:
            sent["Idempotency-Key"] = key
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self._http.request(method, f"{self.url}{path}", data=data, params=params, headers=sent) as response:
            text = await response.text()
            found = json.loads(text) if response.content_type.endswith("json") else text
            return Reply(response.status, found, dict(response.headers))

    async def look(self, handoff_id: str) -> Json:
        """The handoff as it stands."""
        return (await self.call("GET", f"/v1/handoffs/{handoff_id}")).ok()

    async def wait(self, handoff_id: str, seconds: float = 30, *, revision: int | None = None) -> Json:
        """The handoff as soon as it changes."""
        params = {"wait": str(seconds), **({"revision": str(revision)} if revision else {})}
        return (await self.call("GET", f"/v1/handoffs/{handoff_id}", params=params)).ok()


class Agent(Caller):
    """A program that asks."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(url, key)
        self._run = ""

    async def run(self) -> str:
        """The run it is in; started when first needed."""
        if not self._run:
            started = await self.call("POST", "/v1/runs", {"name": "weekly-report"})
            self._run = str(started.ok()["id"])
        return self._run

    async def confirmation(self, **changes: Any) -> Json:
        """The body of an ask to send an e-mail."""
        ask = {
            "kind": "confirmation",
            "gate": "send_email",
            "run": await self.run(),
            "what": "Send this e-mail to alice@example.com",
            "why": "She asked about the report",
            "risks": ["Mentions numbers that are not public yet"],
            "action": {"tool": "send_email", "args": MAIL, "schema": MAIL_SCHEMA},
            "timeout_s": 600,
            **changes,
        }
        return {name: value for name, value in ask.items() if value is not None}

    async def open(self, ask: Json, *, key: str | None = None) -> Reply:
        return await self.call("POST", "/v1/handoffs", ask, key=key)

    async def ask(self, *, key: str | None = None, **changes: Any) -> Json:
        """Ask to send an e-mail; returns the handoff."""
        return (await self.open(await self.confirmation(**changes), key=key)).ok()

    async def choose(self, *candidates: Json, **changes: Any) -> Json:
        """Ask which of these."""
        ask = {
            "kind": "choice",
            "gate": "flight",
            "run": await self.run(),
            "question": "Which flight should I book?",
            "candidates": list(candidates),
            **changes,
        }
        return (await self.open(ask)).ok()

    async def ask_for(self, question: str = "What is the most to spend?", **changes: Any) -> Json:
        """Ask for an answer."""
        ask = {"kind": "input", "gate": "budget", "run": await self.run(), "question": question, **changes}
        return (await self.open(ask)).ok()

    async def review(self, **changes: Any) -> Json:
        """Show what is done already."""
        return await self.ask(
            **{
                "timing": "after",
                "reversible": True,
                "result": "draft-17",
                "risks": [],
                "what": "Created a draft",
                **changes,
            }
        )

    async def claim(self, handoff: Json, *, claimant: str = "try-1", digest: str | None = None) -> Reply:
        """Ask for the permit; with the digest that the decision names, unless told otherwise."""
        named = digest or handoff.get("decision", {}).get("digest") or handoff["digest"]
        return await self.call("POST", f"/v1/handoffs/{handoff['id']}/claim", {"digest": named, "claimant": claimant})

    async def report(self, handoff: Json, status: str, **more: Any) -> Reply:
        """Say what came of it."""
        return await self.call("POST", f"/v1/handoffs/{handoff['id']}/outcome", {"status": status, **more})

    async def withdraw(self, handoff: Json, reason: str | None = None) -> Reply:
        return await self.call("POST", f"/v1/handoffs/{handoff['id']}/withdraw", {"reason": reason} if reason else {})

    @asynccontextmanager
    async def events(self, after: str | None = None) -> AsyncIterator["Events"]:
        """Follow the stream, from `after` on; it has begun when the body is entered."""
        headers = {"Authorization": f"Bearer {self.key}", **({"Last-Event-ID": after} if after else {})}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=30)
        async with self._http.get(f"{self.url}/v1/events", headers=headers, timeout=timeout) as response:
            assert response.status == 200, await response.text()
            yield Events(response)


class Events:
    """One connection of an event stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self, within_s: float = 10) -> Event:
        """The next event; raises `EOFError` when the stream has ended."""
        async with asyncio.timeout(within_s):
            while True:
                fields: dict[str, str] = {}
                async for raw in self._response.content:
                    line = raw.decode().rstrip("\n")
                    if not line:
                        break
                    if line.startswith(":"):
                        continue
                    name, _, value = line.partition(": ")
                    fields[name] = value
                else:
                    raise EOFError
                if fields:
                    return Event(fields["id"], fields["event"], json.loads(fields["data"]))

    async def take(self, count: int, within_s: float = 10) -> list[Event]:
        """So many events."""
        return [await self.next(within_s) for _ in range(count)]


class Person(Caller):
    """Somebody who answers."""

    async def answer(self, handoff: Json, answer: Json, *, key: str | None = None) -> Reply:
        body = {"revision": handoff["revision"], **answer}
        key = key or secrets.token_urlsafe(8)
        return await self.call("POST", f"/v1/handoffs/{handoff['id']}/answer", body, key=key)

    async def approve(self, handoff: Json, **more: Any) -> Reply:
        return await self.answer(handoff, {"kind": "approve", **more})

    async def reject(self, handoff: Json, reason: str | None = None) -> Reply:
        return await self.answer(handoff, {"kind": "reject", **({"reason": reason} if reason else {})})

    async def edit(self, handoff: Json, args: Json, *, approve: bool = True) -> Reply:
        return await self.answer(handoff, {"kind": "edit", "args": args, "approve": approve})

    async def pick(self, handoff: Json, choice: str) -> Reply:
        return await self.answer(handoff, {"kind": "choose", "choice": choice})

    async def say(self, handoff: Json, answer: object) -> Reply:
        return await self.answer(handoff, {"kind": "answer", "answer": answer})

    async def inbox(self) -> list[Json]:
        """What waits for an answer."""
        page = (await self.call("GET", "/v1/handoffs", params={"state": "pending", "limit": "100"})).ok()
        found: list[Json] = page["handoffs"]
        return found


class Admin(Caller):
    """Somebody who sets the service up."""

    async def endpoint(self, url: str, **more: Any) -> Json:
        """Register where callbacks go; returns the endpoint, with its secret."""
        return (await self.call("POST", "/v1/endpoints", {"url": url, **more})).ok()

    async def look_at(self, endpoint: Json) -> Json:
        """An endpoint as it stands."""
        return (await self.call("GET", f"/v1/endpoints/{endpoint['id']}")).ok()

    async def change(self, endpoint: Json, verb: str, body: Json | None = None) -> Reply:
        """Rotate, disable, enable, test or replay one."""
        return await self.call("POST", f"/v1/endpoints/{endpoint['id']}/{verb}", body)

    async def dead(self, endpoint: Json | None = None) -> list[Json]:
        """What was given up."""
        params = {"endpoint": str(endpoint["id"])} if endpoint else {}
        found: list[Json] = (await self.call("GET", "/v1/dead-letters", params=params)).ok()["dead_letters"]
        return found
