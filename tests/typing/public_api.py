"""What type checkers make of the public API. Checked by `make types`; never run.

Each `type: ignore` is a mistake that must be caught: mypy fails if it is not.
"""

from datetime import timedelta
from typing import Any, assert_type

import redis
import redis.asyncio
from aiohttp import web
from fastapi import FastAPI
from flask import Flask
from multidict import CIMultiDict
from pydantic import BaseModel, TypeAdapter
from starlette.datastructures import Headers as StarletteHeaders
from werkzeug.datastructures import Headers as WerkzeugHeaders

import andon.callbacks.aiohttp
import andon.callbacks.flask
import andon.callbacks.starlette
from andon import (
    Aborted,
    Andon,
    Approved,
    Braked,
    Chosen,
    Confirmed,
    Decision,
    Edited,
    Expired,
    Handoff,
    Permit,
    Refusal,
    Refused,
    Rejected,
    Run,
    Steered,
    Stopped,
    Undeliverable,
    Withdrawn,
    wire,
)
from andon.callbacks import BrakeEvent, Callback, HandoffEvent, Seen, SeenInMemory, SeenInRedis, verify


class Money(BaseModel):
    amount: int


async def test_a_run_is_entered() -> None:
    async with Andon() as andon, andon.run("weekly-report", channel="#ops") as run:
        assert_type(andon, Andon)
        assert_type(run, Run)


async def test_a_run_may_promise_signs_of_life(andon: Andon) -> None:
    async with andon.run("nightly", heartbeat=30) as run, andon.run("weekly", heartbeat=timedelta(minutes=1)):
        assert_type(run.info.heartbeat_s, int | None)
    andon.run("nightly", heartbeat="30")  # type: ignore[arg-type] # seconds, or a timedelta


async def test_answers_have_the_type_that_was_asked_for(run: Run) -> None:
    assert_type(await run.ask("What?"), str)
    assert_type((await run.ask("How much?", answer=Money)).amount, int)
    assert_type(await run.ask("How many?", answer=int), int)
    adapter: TypeAdapter[int | None] = TypeAdapter(int | None)
    assert_type(await run.ask("How many?", answer=adapter), int | None)
    assert_type(await run.ask("Which?", answer=list[str]), list[str])
    assert_type(await run.ask("Which?", reply_in_thread=True), str)
    assert_type(await run.ask("How many?", answer=int, reply_in_thread=True), int)
    await run.ask("Which?", reply_in_thread="yes")  # type: ignore[call-overload] # it is, or it is not


async def test_what_people_told_the_run_is_read_at_a_checkpoint(run: Run) -> list[str]:
    try:
        assert_type(await run.checkpoint("planned"), int)
    except Steered as steered:
        assert_type(steered.version, int | None)
        assert_type(steered.steers, tuple[wire.Steer, ...])
        return [f"{steer.by.name}: {steer.text}" for steer in steered.steers]
    found = await run.load_checkpoint()
    return [steer.text for steer in found.steers] if found else []


async def test_a_choice_is_chosen(run: Run) -> None:
    assert_type(await run.choose("Which?", ["a", ("b", "B"), {"id": "c", "label": "C"}]), Chosen)


async def test_a_confirmation_is_every_outcome(run: Run) -> str:
    decision = await run.confirm("Drop it", why="old", risks=["gone"], tool="sql.execute", args={"q": "DROP"})
    assert_type(decision, Confirmed)
    match decision:
        case Approved(by=by) | Edited(by=by):
            return by.name
        case Rejected(reason=reason) | Undeliverable(reason=reason):
            return reason
        case Expired() | Withdrawn():
            return "nobody answered"


async def test_a_refusal_is_no_result(run: Run, decision: Confirmed) -> None:
    if isinstance(decision, Approved | Edited):
        assert_type(await run.claim(decision), Permit)
    else:
        await run.claim(decision)  # type: ignore[arg-type] # a refusal cannot be claimed
    try:
        await run.ask("What?")
    except Refused as refused:
        assert_type(refused.decision, Refusal)


async def test_confirmations_say_why_and_what_could_go_wrong(run: Run) -> None:
    await run.confirm("Drop it", tool="sql", args={})  # type: ignore[call-arg] # `why` and `risks` are missing


async def test_a_gated_function_keeps_its_types(run: Run) -> None:
    @run.gate(risks=["It may be wrong"])
    async def send(to: str, copies: int = 1) -> Money:
        return Money(amount=copies)

    assert_type(await send("ana", why="asked"), Money)
    assert_type(await send("ana", 2), Money)
    await send(3)  # type: ignore[call-overload] # the first argument is a text

    @run.gate(risks=["It may be wrong"])
    async def other() -> list[str]:
        return []

    assert_type(await other(why="asked"), list[str])


async def test_what_was_opened_comes_back(andon: Andon, run: Run, token: str) -> None:
    handoff = await run.open({"kind": "input", "gate": "ask", "question": "What?"})
    assert_type(handoff, Handoff)
    assert_type(await run.wait(handoff), Decision)
    assert_type(handoff.decision, Decision | Aborted | None)
    assert_type(await andon.resume(token), tuple[Run, Handoff])
    assert_type((await handoff.claim()).args, dict[str, Any])


async def test_a_stop_says_who_and_what(andon: Andon) -> None:
    async def tell(stopped: Stopped) -> None:
        assert_type(stopped.brake, Braked)
        assert_type(stopped.handoff, Handoff | None)

    async with andon.run("report", on_stop="cancel") as run:
        assert_type(run.brake, Braked | None)
        await run.resumed()
    told: list[Stopped] = []
    async with andon.run("report", on_stop=tell), andon.run("report", on_stop=told.append):
        pass
    andon.run("report", on_stop="stop")  # type: ignore[arg-type] # it cancels, or it is a function


def test_a_callback_is_verified_from_the_headers_of_any_framework(body: bytes) -> None:
    verify({"webhook-id": "1"}, body)
    verify(CIMultiDict[str](), body, secret="whsec_")
    verify(StarletteHeaders(), body, secret=["whsec_", "whsec_"])
    verify(WerkzeugHeaders(), body)
    verify([("webhook-id", "1")], body)
    verify([(b"webhook-id", b"1")], body)
    verify({}, "text")  # type: ignore[arg-type] # the bytes as received
    verify(None, body)  # type: ignore[arg-type] # headers are needed


def test_a_callback_says_what_happened(callback: Callback) -> str:
    assert_type(callback.decision, Decision | Aborted | None)
    match callback.data:
        case HandoffEvent(decision=Approved(by=by)):
            return by.name
        case BrakeEvent(brake=brake):
            return brake.by.name
        case _:
            return callback.type


async def test_a_callback_brings_the_handoff_back(callback: Callback, client: Andon) -> None:
    assert_type(await callback.resume(client), tuple[Run, Handoff])


async def decided(callback: Callback) -> None: ...


def decided_at_once(callback: Callback) -> None: ...


def test_handlers_fit_their_frameworks(seen: Seen) -> None:
    web.Application().router.add_post("/", andon.callbacks.aiohttp.receiver(decided, seen=SeenInMemory()))
    FastAPI().post("/")(andon.callbacks.starlette.receiver(decided, seen=SeenInRedis(redis.asyncio.Redis())))
    Flask("").post("/")(andon.callbacks.flask.receiver(decided, seen=SeenInRedis(redis.Redis())))
    Flask("").post("/")(andon.callbacks.flask.receiver(decided_at_once, seen=seen))
    andon.callbacks.aiohttp.receiver(decided_at_once)  # type: ignore[arg-type] # it must be async
