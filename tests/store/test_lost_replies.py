"""The reply is lost after the script has run: calling again has one effect. And scripts that the server forgot."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from andon import wire
from bot.store import Affected, Obeyed, Store, connect
from bot.store.pipe import load_script
from tests.servers import SHARDS, Valkey
from tests.store import asks


class Proxy:
    """Between a client and the server; told to, it swallows the next reply and hangs up."""

    def __init__(self, server: Path, path: Path) -> None:
        self._server = server
        self.path = path
        self.armed = False
        self.passing = 0
        """Replies that it lets pass first."""
        self.dropped = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        self._listener = await asyncio.start_unix_server(self._accept, self.path)

    async def stop(self) -> None:
        assert self._listener
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_unix_connection(self._server)
        there = asyncio.create_task(self._copy(reader, upstream_writer, replies=False))
        back = asyncio.create_task(self._copy(upstream_reader, writer, replies=True))
        self._tasks |= {there, back}
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (there, back):
                task.cancel()
            writer.close()
            upstream_writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool) -> None:
        try:
            while data := await reader.read(65_536):
                if replies and self.armed and self.passing:
                    self.passing -= 1
                elif replies and self.armed:
                    self.armed = False
                    self.dropped += 1
                    return
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return


@pytest.fixture
async def proxy(valkey: Valkey) -> AsyncIterator[Proxy]:
    proxy = Proxy(valkey.socket, valkey.socket.with_name("proxy"))
    await proxy.start()
    yield proxy
    await proxy.stop()
    proxy.path.unlink(missing_ok=True)


@pytest.fixture
async def shaky(store: Store, proxy: Proxy) -> AsyncIterator[Store]:
    """The test's namespace, through the proxy."""
    await asks.start_run(store)
    for name in (
        "open",
        "answer",
        "revise",
        "expire",
        "withdraw",
        "claim",
        "outcome",
        "start_run",
        "checkpoint",
        "steer",
        "brake",
        "hold",
        "heard",
    ):
        await store._pipe.call("SCRIPT", "LOAD", load_script(name).source)  # else the reply that is lost says NOSCRIPT
    async with Store(connect(f"unix://{proxy.path}"), ns=store.keys.ns) as shaky:
        await shaky.now()
        yield shaky


async def lose(proxy: Proxy, call: Callable[[], Awaitable[object]]) -> object:
    """Make a call whose first reply is lost after the server has done the work."""
    proxy.armed = True
    said = await call()
    assert proxy.dropped == 1
    return said


async def told(store: Store, handoff_id: str) -> list[str]:
    entries = await store._pipe.call("XRANGE", asks.own(store).keys.events, "-", "+")
    return [fields[1].decode() for _, fields in entries if fields[3] == handoff_id.encode()]


async def test_an_open_whose_reply_was_lost_opens_once(shaky: Store, store: Store, proxy: Proxy) -> None:
    new = asks.new_handoff()
    said = await lose(proxy, lambda: shaky.handoffs.open(new, asks.NO_LIMITS))
    assert getattr(said, "word", "") == "known"
    assert await told(store, new.id) == ["opened"]
    assert int(await store._pipe.call("HGET", asks.own(store).keys.agent_load(asks.AGENT), "open")) == 1


async def test_an_answer_whose_reply_was_lost_still_wins(shaky: Store, store: Store, proxy: Proxy) -> None:
    """The person who was first is not told that they came too late."""
    asked = await asks.opened(store)
    said = await lose(proxy, lambda: shaky.handoffs.answer(asked, asks.yes(asked), answer_id="press 1"))
    assert getattr(said, "word", "") == "won"
    assert getattr(said, "at", None) == getattr((await asks.look(store, asked.id)).decision, "at", "none")
    assert await told(store, asked.id) == ["opened", "decided"]


async def test_an_edit_whose_reply_was_lost_makes_one_revision(shaky: Store, store: Store, proxy: Proxy) -> None:
    asked = await asks.opened(store)
    said = await lose(proxy, lambda: asks.edit(shaky, asked, "other words", answer_id="press 1"))
    assert getattr(said, "word", "") == "won"
    assert (await asks.look(store, asked.id)).revision == 2
    assert await told(store, asked.id) == ["opened", "revised"]


async def test_an_expiry_whose_reply_was_lost_expires_once(shaky: Store, store: Store, proxy: Proxy) -> None:
    asked = await asks.opened(store)
    await asks.make_due(store, asked.id)
    await lose(proxy, lambda: shaky.handoffs.expire(asked, asks.silent(asked)))
    assert getattr((await asks.look(store, asked.id)).decision, "kind", "") == "expired"
    assert await told(store, asked.id) == ["opened", "decided"]


async def test_a_withdrawal_whose_reply_was_lost_still_wins(shaky: Store, store: Store, proxy: Proxy) -> None:
    asked = await asks.opened(store)
    said = await lose(proxy, lambda: shaky.handoffs.withdraw(asked, asks.withdrawn(asked)))
    assert getattr(said, "word", "") == "won"
    assert await told(store, asked.id) == ["opened", "decided"]


async def test_a_claim_whose_reply_was_lost_returns_the_same_permit(shaky: Store, store: Store, proxy: Proxy) -> None:
    asked = await asks.opened(store)
    await store.handoffs.answer(asked, asks.yes(asked), answer_id="a")
    said = await lose(
        proxy,
        lambda: shaky.handoffs.claim(
            asked.id, asked.agent, digest=asked.digest, claimant="try 1", max_age=asks.DECISION_AGE
        ),
    )
    assert getattr(said, "word", "") == "permit"
    assert getattr(said, "payload", "") == asked.payload
    assert await told(store, asked.id) == ["opened", "decided", "claimed"]


async def test_an_outcome_whose_reply_was_lost_is_recorded_once(shaky: Store, store: Store, proxy: Proxy) -> None:
    asked = await asks.opened(store, asks.confirmation(timing="after"))
    await store.handoffs.answer(asked, asks.no(asked), answer_id="a")
    report = wire.OutcomeReport(status="undone", result={"draft": 1})
    said = await lose(proxy, lambda: shaky.handoffs.outcome(asked.id, asked.agent, report))
    assert getattr(said, "word", "") == "recorded"
    assert await told(store, asked.id) == ["opened", "decided", "closed"]


async def test_a_run_whose_reply_was_lost_starts_once(shaky: Store, store: Store, proxy: Proxy) -> None:
    run = f"run_{'n' * 22}{asks.MARK}"
    assert await lose(proxy, lambda: shaky.runs.start(run, "a", wire.RunStart(name="n"), "f")) == ("known", 0)
    found = await store.runs.load(run)
    assert found
    assert found.name == "n"


async def test_a_checkpoint_whose_reply_was_lost_is_saved_once(shaky: Store, store: Store, proxy: Proxy) -> None:
    save = wire.CheckpointSave(name="half way", state={"done": 3}, if_version=0)
    said = await lose(proxy, lambda: shaky.runs.save_checkpoint(asks.RUN, asks.AGENT, save, "save 1"))
    assert said == ("saved", 1, wire.CheckpointReceipt(run=asks.RUN, version=1))
    kept = await store.runs.checkpoint(asks.RUN)
    assert kept
    assert (kept.version, kept.state) == (1, {"done": 3})


async def test_a_steer_whose_reply_was_lost_is_told_once(shaky: Store, store: Store, proxy: Proxy) -> None:
    run = await store.runs.load(asks.RUN)
    assert run
    assert await lose(proxy, lambda: shaky.runs.steer(run, "message 1", "Why him?", asks.MIRA)) is True
    _, _, receipt = await store.runs.save_checkpoint(
        asks.RUN, asks.AGENT, wire.CheckpointSave(name="n"), "s", asks.NO_LIMITS
    )
    assert receipt
    assert [steer.text for steer in receipt.steers] == ["Why him?"]


async def test_a_stop_whose_reply_was_lost_is_one_stop(shaky: Store, store: Store, proxy: Proxy) -> None:
    """The person hears that it was theirs, and nobody hears of it twice."""
    said = await lose(proxy, lambda: asks.pull(shaky, "stop"))
    assert isinstance(said, Obeyed)
    assert said.word == "pulled"
    assert [said.brake] == await store.brakes.standing()
    assert said.brake
    assert said.brake.epoch == (1 if SHARDS == 1 else 2), "a number drawn elsewhere is drawn again, and left out"
    assert await told(store, "") == ["braked"]


async def test_a_resume_whose_reply_was_lost_is_one_resume(shaky: Store, store: Store, proxy: Proxy) -> None:
    stopped = await asks.pull(store, "stop")
    assert await lose(proxy, lambda: asks.pull(shaky, "resume")) == Obeyed("lifted", stopped.brake)
    assert await store.brakes.standing() == []
    assert await told(store, "") == ["braked", "lifted"]


@pytest.mark.parametrize("action", ["stop", "resume"])
async def test_a_sweep_whose_reply_was_lost_moves_each_handoff_once(
    shaky: Store, store: Store, proxy: Proxy, action: Literal["stop", "resume"]
) -> None:
    asked = await asks.opened(store)
    before = [] if action == "stop" else ["held"]
    if before:
        await asks.hold(store)
    await asks.pull(store, action)

    async def sweep() -> list[Affected]:
        return [each async for each in shaky.brakes.settle()]

    proxy.passing = 2  # what is due, and whose it is
    await lose(proxy, sweep)
    assert await told(store, asked.id) == ["opened", *before, "held" if action == "stop" else "released"]
    assert (await asks.look(store, asked.id)).stops == len(before)


async def test_words_whose_acknowledgement_s_reply_was_lost_end_their_pause_and_are_shown_as_heard(
    shaky: Store, store: Store, proxy: Proxy
) -> None:
    """Else the card would never say that the agent heard."""
    steered = (await asks.pull(store, "steer", text="Send it to Bob.")).brake
    assert steered
    said = await lose(proxy, lambda: shaky.brakes.heard(asks.RUN, asks.AGENT, [steered.steer or ""]))
    assert said == Obeyed("lifted", steered)
    assert await store.brakes.standing() == []
    assert await told(store, "") == ["braked", "lifted"]


async def test_steers_whose_receipt_was_lost_come_again_with_the_same_save(
    shaky: Store, store: Store, proxy: Proxy
) -> None:
    run = await store.runs.load(asks.RUN)
    assert run
    await store.runs.steer(run, "message 1", "Why him?", asks.MIRA)
    save = wire.CheckpointSave(name="half way")
    said = await lose(proxy, lambda: shaky.runs.save_checkpoint(asks.RUN, asks.AGENT, save, "save 1", asks.NO_LIMITS))
    assert isinstance(said, tuple)
    assert said[:2] == ("saved", 1)
    assert said[2]
    assert [steer.text for steer in said[2].steers] == ["Why him?"]


async def test_the_first_to_see_something_is_not_told_that_it_was_seen(
    shaky: Store, store: Store, proxy: Proxy
) -> None:
    """Else the only press that anybody made would be passed over as a repetition."""
    hour = timedelta(hours=1)
    assert await lose(proxy, lambda: shaky.shelf.once("paper", "press 1", hour)) is True
    assert not await store.shelf.once("paper", "press 1", hour)


async def test_an_alert_whose_reply_was_lost_is_raised(shaky: Store, store: Store, proxy: Proxy) -> None:
    hour = timedelta(hours=1)
    assert await lose(proxy, lambda: shaky.runs.alert("paper: token", "The token was revoked.", hour)) is True
    assert [told.text for told in await store.runs.notices(9)] == ["The token was revoked."]
    assert not await store.runs.alert("paper: token", "The token was revoked.", hour)


async def test_scripts_that_the_server_forgot_are_sent_again(store: Store) -> None:
    """A restarted or failed-over Redis has no scripts; no caller notices."""
    asked = await asks.opened(store)
    await store._pipe.call("SCRIPT", "FLUSH")
    presses = [store.handoffs.answer(asked, asks.yes(asked), answer_id=f"press {n}") for n in range(3)]
    said = await asyncio.gather(*presses, store.runs.load(asks.RUN))
    assert [settled.word for settled in said[:3] if settled and not isinstance(settled, wire.Run)] == [
        "won",
        "lost",
        "lost",
    ]
