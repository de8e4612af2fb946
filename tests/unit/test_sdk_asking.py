"""An agent asks: one ask is asked once, its answer has a type, and a refusal never looks like a result."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, TypeAdapter, ValidationError

from andon import (
    AlreadyDecided,
    Andon,
    Approved,
    Candidate,
    CandidateLike,
    ClaimRefused,
    Confirmed,
    Edited,
    Expired,
    InvalidAnswer,
    InvalidRequest,
    InvalidToken,
    KeyRefused,
    NotFound,
    PermitMismatch,
    Place,
    Refused,
    Rejected,
    Run,
    ServiceUnavailable,
    Stopped,
    Undeliverable,
    UndoFailed,
)
from tests.fakes.service import KEY, FakeService, Json, approve, reject, until

SILENCE = {"kind": "silence", "id": "silence", "name": "nobody"}


@pytest.fixture
async def service() -> AsyncIterator[FakeService]:
    async with FakeService().serving() as serving:
        yield serving


@pytest.fixture
async def run(service: FakeService) -> AsyncIterator[Run]:
    async with (
        Andon(service.url, KEY, patience=timedelta(seconds=5)) as andon,
        andon.run("tests", channel="#ops") as run,
    ):
        yield run


async def confirm(run: Run, **changes: Any) -> Confirmed:
    asked: Json = {"why": "asked to", "risks": ["it may be wrong"], "tool": "send", "args": {"to": "ana", "n": 1}}
    return await run.confirm("Send it", **(asked | changes))


async def test_an_approval_is_claimed_run_as_the_permit_says_and_reported(service: FakeService, run: Run) -> None:
    service.person = approve
    decision = await confirm(run)
    assert isinstance(decision, Approved)
    assert decision.by.name == "Mira"
    permit = await run.claim(decision)
    assert (permit.tool, permit.args) == ("send", {"to": "ana", "n": 1})
    await run.report(permit, result={"sent": True})
    outcome = service.only["outcome"]
    assert outcome["status"] == "executed"
    assert outcome["result"] == {"sent": True}
    assert outcome["claimant"] == permit.claimant


async def test_an_edit_is_what_the_permit_holds(service: FakeService, run: Run) -> None:
    service.person = lambda _: {"kind": "edited", "args": {"to": "bob", "n": 2}}
    decision = await confirm(run)
    assert isinstance(decision, Edited)
    assert (await run.claim(decision)).args == {"to": "bob", "n": 2}


@pytest.mark.parametrize(
    "pressed,kind",
    [
        ({"kind": "rejected", "reason": "not today"}, Rejected),
        ({"kind": "expired", "by": SILENCE}, Expired),
        ({"kind": "undeliverable", "reason": "no such channel"}, Undeliverable),
    ],
)
async def test_each_refusal_is_a_value_of_its_own_type(
    service: FakeService, run: Run, pressed: Json, kind: type[Confirmed]
) -> None:
    service.person = lambda _: pressed
    assert isinstance(await confirm(run), kind)


async def test_a_lost_reply_does_not_ask_twice(service: FakeService, run: Run) -> None:
    """The service made the handoff, and the line broke before the agent heard of it."""
    service.person = approve
    service.drop_replies = 2
    assert isinstance(await confirm(run), Approved)
    assert len(service.handoffs) == 1
    assert service.calls["POST /v1/handoffs"] == 3


async def test_a_lost_permit_is_given_again(service: FakeService, run: Run) -> None:
    service.person = approve
    decision = await confirm(run)
    assert isinstance(decision, Approved)
    service.drop_replies = 1
    assert (await run.claim(decision)).args == decision.args
    assert service.calls["POST /v1/handoffs/{id}/claim"] == 2


async def test_a_busy_service_is_tried_again(service: FakeService, run: Run) -> None:
    service.person = approve
    service.busy = 3
    assert isinstance(await confirm(run), Approved)
    assert len(service.handoffs) == 1


async def test_two_asks_are_two_handoffs(service: FakeService, run: Run) -> None:
    """The same words twice are two asks, unless the agent says that they are one."""
    service.person = approve
    await asyncio.gather(confirm(run), confirm(run))
    assert len(service.handoffs) == 2


async def test_an_ask_with_its_own_key_is_the_same_ask_later(service: FakeService, run: Run) -> None:
    service.person = lambda _: {"kind": "answered", "answer": "blue"}
    first = await run.ask("Which colour?", idempotency_key="colour")
    assert await run.ask("Which colour?", idempotency_key="colour") == first == "blue"
    assert len(service.handoffs) == 1


async def test_a_service_that_stays_away_is_said_so(service: FakeService) -> None:
    async with Andon(service.url, KEY, patience=timedelta(seconds=0.3)) as andon, andon.run("tests") as run:
        await service.stop()
        with pytest.raises(ServiceUnavailable, match=r"did not answer within 0\.3 s"):
            await confirm(run)


async def test_a_service_that_is_away_is_noted_at_once_and_its_error_says_what_to_do(
    service: FakeService, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nobody should look at a silent minute; the note is the log's, because a library prints nothing."""
    async with Andon(service.url, KEY, patience=timedelta(seconds=1)) as andon, andon.run("tests") as run:
        await service.stop()
        faults = await asyncio.gather(confirm(run), confirm(run), return_exceptions=True)
    for fault in faults:
        assert isinstance(fault, ServiceUnavailable)
        assert str(fault).endswith("; start the service (`python -m bot serve`), or set ANDON_URL to its address")
    (note,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert note.name == "andon"
    assert note.getMessage().startswith(f"andon.unreachable url={service.url} cause=Client")
    assert note.getMessage().endswith(": trying again for up to 1 s")
    assert capfd.readouterr() == ("", "")


async def test_a_service_that_says_nothing_is_noted_before_the_attempt_is_over(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the connection and is stuck: the attempt may last half a minute."""
    monkeypatch.setattr("andon._http.NOTE_S", 0.05)
    stuck = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    held: list[asyncio.StreamWriter] = []
    async with Andon("http://127.0.0.1:{1}".format(*stuck.sockets[0].getsockname()), KEY) as andon:
        asking = asyncio.create_task(andon.api.read("hf_0"))
        await until(lambda: "cause=no answer for 0.05 s: trying again for up to 60 s" in caplog.text)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    for writer in held:
        writer.close()
    stuck.close()
    await stuck.wait_closed()


async def test_each_outage_is_noted_once(service: FakeService, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    for noted in (1, 2):
        service.busy = 2
        await run.notify("Sync finished")
        assert caplog.text.count("andon.unreachable") == noted
        assert "cause=HTTP 503" in caplog.text


async def test_a_busy_service_is_not_said_to_be_down(service: FakeService) -> None:
    async with Andon(service.url, KEY, patience=timedelta(seconds=0.1)) as andon, andon.run("tests") as run:
        service.busy = 1_000
        with pytest.raises(ServiceUnavailable, match=r"the store did not confirm$"):
            await confirm(run)


async def test_a_wrong_key_is_not_tried_again(service: FakeService) -> None:
    async with Andon(service.url, "another") as andon:
        with pytest.raises(KeyRefused, match="unknown key"):
            async with andon.run("tests"):
                pytest.fail("it started")  # pragma: no cover
    assert service.calls["POST /v1/runs"] == 1


async def test_a_gate_without_risks_is_refused_before_it_is_sent(service: FakeService, run: Run) -> None:
    with pytest.raises(ValidationError, match="must say what could go wrong"):
        await confirm(run, risks=[])
    assert not service.handoffs


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
async def test_values_that_two_readers_take_differently_are_not_sent(
    service: FakeService, run: Run, value: object
) -> None:
    with pytest.raises((ValueError, TypeError)):
        await confirm(run, args={"value": value})
    assert not service.handoffs


def _another_payload(permit: Json) -> Json:
    return permit | {"payload": permit["payload"].replace("ana", "eve")}


def _another_digest(permit: Json) -> Json:
    return permit | {"digest": "0" * 64}


def _another_handoff(permit: Json) -> Json:
    return permit | {"handoff": "hf_other"}


@pytest.mark.parametrize("tamper", [_another_payload, _another_digest, _another_handoff])
async def test_a_permit_for_anything_else_is_refused(service: FakeService, run: Run, tamper: Any) -> None:
    """Whatever lies between agent and service: what was approved is what runs."""
    service.person = approve
    decision = await confirm(run)
    service.tamper = tamper
    assert isinstance(decision, Approved)
    with pytest.raises(PermitMismatch, match="nothing was run"):
        await run.claim(decision)


@pytest.mark.parametrize(
    "problem,error",
    [
        ((409, "decision-too-old"), ClaimRefused),
        ((409, "already-claimed"), ClaimRefused),
        ((409, "stopped"), Stopped),
        ((404, "not-found"), NotFound),
        ((422, "invalid-body"), InvalidRequest),
    ],
)
async def test_why_a_claim_was_refused_is_its_own_error(
    service: FakeService, run: Run, problem: tuple[int, str], error: type[Exception]
) -> None:
    service.person = approve
    decision = await confirm(run)
    service.claim_problem = problem
    assert isinstance(decision, Approved)
    with pytest.raises(error):
        await run.claim(decision)


async def test_a_choice_returns_the_candidate(service: FakeService, run: Run) -> None:
    service.person = lambda _: {"kind": "chosen", "choice": "b"}
    candidates: list[CandidateLike] = [
        ("a", "The first"),
        {"id": "b", "label": "The second"},
        Candidate(id="c", label="The third"),
        "Fourth",
    ]
    chosen = await run.choose("Which?", candidates)
    assert chosen.candidate.label == "The second"
    assert [each["id"] for each in service.only["ask"]["candidates"]] == ["a", "b", "c", "4"]
    assert service.only["state"] == "claimed"


async def test_a_choice_that_does_something_is_claimed_by_who_does_it(service: FakeService, run: Run) -> None:
    service.person = lambda _: {"kind": "chosen", "choice": "b"}
    action = {"tool": "book", "args": {"flight": "LH1"}}
    chosen = await run.choose("Which?", [{"id": "b", "label": "LH1", "action": action}])
    assert service.only["state"] == "decided"
    assert (await run.claim(chosen)).args == {"flight": "LH1"}


async def test_none_of_them_is_raised(service: FakeService, run: Run) -> None:
    service.person = reject
    with pytest.raises(Refused, match="not today") as refused:
        await run.choose("Which?", ["one", "two"])
    assert isinstance(refused.value.decision, Rejected)


class Money(BaseModel):
    amount: Decimal
    currency: str = "EUR"


@pytest.mark.parametrize(
    "wanted,answer,value",
    [
        (str, "blue", "blue"),
        (int, 3, 3),
        (Money, {"amount": "12.50"}, Money(amount=Decimal("12.50"))),
        (list[int], [1, 2], [1, 2]),
        (TypeAdapter(int | None), None, None),
        (timedelta, "PT30M", timedelta(minutes=30)),
    ],
)
async def test_an_answer_has_the_type_that_was_asked_for(
    service: FakeService, run: Run, wanted: Any, answer: object, value: object
) -> None:
    service.person = lambda _: {"kind": "answered", "answer": answer}
    got = await run.ask("What?", answer=wanted)
    assert got == value
    assert type(got) is type(value)
    assert service.only["state"] == "claimed"


async def test_the_type_is_the_form_that_people_fill_in(service: FakeService, run: Run) -> None:
    service.person = lambda _: {"kind": "answered", "answer": {"amount": 1}}
    money = await run.ask("How much?", answer=Money)
    assert (money.amount, money.currency) == (Decimal(1), "EUR")
    schema = service.only["ask"]["answer_schema"]
    assert schema["required"] == ["amount"]
    assert schema["properties"]["currency"]["default"] == "EUR"


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("odd")
    return value


async def test_an_answer_that_only_the_type_refuses_is_no_answer(service: FakeService, run: Run) -> None:
    service.person = lambda _: {"kind": "answered", "answer": 3}
    with pytest.raises(InvalidAnswer, match="odd") as invalid:
        await run.ask("How many?", answer=Annotated[int, AfterValidator(_even)])
    assert invalid.value.answer == 3


async def test_no_answer_is_raised(service: FakeService, run: Run) -> None:
    service.person = lambda _: {"kind": "expired", "by": SILENCE}
    with pytest.raises(Refused) as refused:
        await run.ask("What?")
    assert isinstance(refused.value.decision, Expired)


async def test_what_people_let_stand_stands(service: FakeService, run: Run) -> None:
    service.person = approve
    undone: list[str] = []
    decision = await run.review("Made a draft", result="url", undo=lambda: undone.append("draft"))
    assert isinstance(decision, Approved)
    assert undone == []
    assert service.only["outcome"]["status"] == "executed"


async def test_what_people_reject_is_undone(service: FakeService, run: Run) -> None:
    service.person = reject
    undone: list[str] = []
    assert isinstance(await run.review("Made a draft", result="url", undo=lambda: undone.append("draft")), Rejected)
    assert undone == ["draft"]
    assert service.only["outcome"]["status"] == "undone"


async def test_an_undo_may_be_async(service: FakeService, run: Run) -> None:
    service.person = lambda _: {"kind": "expired", "by": SILENCE}

    async def undo() -> str:
        await asyncio.sleep(0)
        return "gone"

    await run.review("Made a draft", result="url", undo=undo)
    assert service.only["outcome"]["status"] == "undone"
    assert service.only["outcome"]["result"] == "gone"


async def test_a_failed_undo_is_loud(service: FakeService, run: Run) -> None:
    service.person = reject

    def undo() -> None:
        raise OSError("the disk is away")

    with pytest.raises(UndoFailed, match="the disk is away"):
        await run.review("Made a draft", result="url", undo=undo)
    assert service.only["outcome"]["status"] == "undo_failed"


async def test_a_run_keeps_its_place(service: FakeService, run: Run) -> None:
    assert await run.load_checkpoint() is None
    assert await run.checkpoint("planned", {"step": 1}) == 1
    assert await run.checkpoint("done", Money(amount=Decimal(1))) == 2
    loaded = await run.load_checkpoint()
    assert loaded is not None
    assert (loaded.name, loaded.state) == ("done", {"amount": "1", "currency": "EUR"})


async def test_a_notice_waits_for_nobody(service: FakeService, run: Run) -> None:
    await run.notify("Sync finished", to=["slack:#ops"])
    assert service.notices[0]["to"] == [{"surface": "slack", "channel": "#ops", "thread": None, "person": None}]


async def test_a_notice_whose_reply_is_lost_is_told_once(service: FakeService, run: Run) -> None:
    """It was told, and the line broke before the agent heard so: the same key comes again, and another's is new."""
    service.drop_replies = 2
    await run.notify("Sync finished")
    assert service.calls["POST /v1/runs/{run}/notices"] == 3
    assert len(service.notices) == 1
    await run.notify("Sync finished")
    assert len(service.notices) == 2


async def test_a_service_that_keeps_no_keys_of_notices_is_told_all_the_same(service: FakeService, run: Run) -> None:
    service.forget_notices = True
    await run.notify("Sync finished")
    assert [notice["text"] for notice in service.notices] == ["Sync finished"]


async def test_another_process_takes_up_what_was_opened(service: FakeService, run: Run) -> None:
    await run.checkpoint("asked", {"draft": 7})
    ask = {"kind": "input", "gate": "ask", "question": "What?"}
    opened = await run.open(ask)
    assert opened.decision is None
    assert opened.token is not None
    async with Andon(service.url, KEY) as later:
        service.decide(service.only, {"kind": "answered", "answer": "this"})
        same, handoff = await later.resume(opened.token)
        await handoff.wait()
        assert (await handoff.claim()).decided == {"answer": "this"}
        checkpoint = await same.load_checkpoint()
        assert checkpoint is not None
        assert checkpoint.state == {"draft": 7}
        assert handoff.token == opened.token


@pytest.mark.parametrize("token", ["", "garbage", "hf_0", "hf_0.", ".secret", "apk_live_0.secret", "hf_0/../x.y", None])
async def test_what_is_no_token_is_said_so_without_asking_the_service(service: FakeService, token: Any) -> None:
    """Whatever it is instead may be secret, so the message does not repeat it."""
    async with Andon(service.url, KEY) as andon:
        with pytest.raises(
            InvalidToken, match=r"is no token: it is `<handoff id>\.<secret>`, as `open` returned it"
        ) as no:
            await andon.resume(token)
    assert not token or token not in str(no.value)
    assert not service.calls


async def test_a_token_read_from_a_file_may_end_with_its_line(service: FakeService, run: Run) -> None:
    opened = await run.open({"kind": "input", "gate": "ask", "question": "What?"})
    async with Andon(service.url, KEY) as later:
        _, handoff = await later.resume(f"{opened.token}\n")
    assert handoff.token == opened.token


async def test_taking_back_what_is_decided_says_so(service: FakeService, run: Run) -> None:
    opened = await run.open({"kind": "input", "gate": "ask", "question": "What?"})
    service.decide(service.only, {"kind": "answered", "answer": "this"})
    with pytest.raises(AlreadyDecided):
        await opened.withdraw()


async def test_an_abandoned_ask_is_taken_back(service: FakeService, run: Run) -> None:
    asking = asyncio.create_task(confirm(run))
    await until(lambda: service.handoffs)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert service.only["decision"]["kind"] == "withdrawn"


async def test_an_ask_abandoned_while_it_is_opened_is_taken_back(service: FakeService, run: Run) -> None:
    service.busy = 1
    asking = asyncio.create_task(confirm(run))
    await until(lambda: service.calls["POST /v1/handoffs"])
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert service.only["decision"]["kind"] == "withdrawn"


async def test_an_ask_that_can_be_asked_again_is_left_open(service: FakeService, run: Run) -> None:
    asking = asyncio.create_task(confirm(run, idempotency_key="mine"))
    await until(lambda: service.handoffs)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert service.only["state"] == "pending"


@pytest.mark.parametrize(
    "where,channel",
    [("#ops", ("web", "#ops")), ("slack:#ops", ("slack", "#ops")), ("teams:19:a@thread", ("teams", "19:a@thread"))],
)
async def test_a_channel_names_a_place(service: FakeService, where: str, channel: tuple[str, str]) -> None:
    async with Andon(service.url, KEY) as andon, andon.run("tests", channel=where) as run:
        assert run.info.conversation == Place(surface=channel[0], channel=channel[1])


async def test_a_channel_that_names_none_is_refused(service: FakeService) -> None:
    async with Andon(service.url, KEY) as andon:
        with pytest.raises(ValueError, match="names no channel"):
            async with andon.run("tests", channel="slack:"):
                pytest.fail("it started")  # pragma: no cover
