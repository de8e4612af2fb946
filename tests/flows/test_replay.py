"""A policy tried on an action, and a changed one on what was recorded: over HTTP, and by the command line."""

import asyncio
import json
from pathlib import Path

import pytest

from bot.config import Settings
from bot.errors import TooMany
from bot.gathering import Gathering
from bot.handoff import Handoff
from bot.policy import parse, read
from bot.rehearsal import FILE_BYTES, Rehearsal, replay
from bot.replay import MOST_LISTED, Replay
from bot.risk import Scoring
from bot.store import Store
from tests.flows.test_service_cli import Said, bot
from tests.people import Agent, Json, Person, Reply
from tests.servers import SECRET, Live, live

YAML = {"Content-Type": "application/yaml"}
LOOSER = "rules: [{name: mail, tool: send_email, do: allow}]"


async def tried(person: Person, text: str, *, days: str = "1", kind: str = "application/yaml") -> Reply:
    raw = text.encode("utf-8", "surrogateescape")
    path = "/v1/policy/replay"
    return await person.call("POST", path, raw=raw, params={"days": days}, headers={"Content-Type": kind})


async def a_day(agent: Agent, mira: Person) -> list[Json]:
    """Approved, rejected, edited, open."""
    asked = [await agent.ask() for _ in range(4)]
    await mira.approve(asked[0])
    await mira.reject(asked[1], "Wrong \x1b[31mAlice")
    await mira.edit(asked[2], {**asked[2]["ask"]["action"]["args"], "to": "bob@example.com"})
    return asked


async def test_a_looser_file_shows_what_it_would_have_missed(agent: Agent, mira: Person) -> None:
    asked = await a_day(agent, mira)
    found = (await tried(mira, LOOSER)).ok()
    (row,) = found["rows"]
    assert (row["gate"], row["tool"]) == ("send_email", "send_email")
    assert (row["handoffs"], row["asked_then"], row["saved"], row["missed"]) == (4, 4, 4, 2)
    assert [(each["handoff"], each["kind"]) for each in found["missed"]] == [
        (asked[2]["id"], "edited"),
        (asked[1]["id"], "rejected"),
    ]
    assert (found["policy"], found["complete"]) == (parse(LOOSER).version, True)
    assert (await agent.look(asked[3]["id"]))["state"] == "pending", "nothing was decided by it"


async def test_the_file_in_force_changes_nothing(agent: Agent, mira: Person) -> None:
    await a_day(agent, mira)
    total = (await tried(mira, "defaults: {do: ask}")).ok()["total"]
    assert (total["asked_then"], total["asked_now"], total["saved"], total["missed"]) == (4, 4, 0, 0)


async def test_labels_are_those_of_the_run(service: Live) -> None:
    run = (await service.agent.call("POST", "/v1/runs", {"name": "x", "labels": {"stage": "test"}})).ok()["id"]
    await service.agent.ask(run=run)
    await service.agent.ask()
    text = "rules: [{name: tests, tool: send_email, labels: {stage: test}, do: allow}]"
    total = (await tried(service.person, text)).ok()["total"]
    assert (total["saved"], total["asked_now"]) == (1, 1)


async def test_a_faulty_file_is_told_fault_by_fault(mira: Person) -> None:
    refused = await tried(mira, "rules:\n  - {name: a, tol: x, do: ask}\nroless: {}\n")
    assert (refused.status, refused.problem) == (422, "invalid-body")
    details = [each["detail"] for each in refused.body["errors"]]
    assert len(details) == 2
    assert any("policy:2:15" in each and "'tool'" in each for each in details)


@pytest.mark.parametrize(
    "text, days, kind, status",
    [
        (LOOSER, "0", "application/yaml", 400),
        (LOOSER, "401", "application/yaml", 400),
        (LOOSER, "1", "application/json", 415),
        ("a: \udcff", "1", "application/yaml", 400),
        ("#" * (FILE_BYTES + 1), "1", "application/yaml", 413),
        ("a: &a [*a]", "1", "application/yaml", 422),
        ("", "1", "application/yaml", 422),
    ],
)
async def test_what_cannot_be_replayed_is_told(mira: Person, text: str, days: str, kind: str, status: int) -> None:
    refused = await tried(mira, text, days=days, kind=kind)
    assert refused.status == status
    assert refused.problem


async def test_an_agent_replays_nothing(agent: Agent) -> None:
    assert (await agent.call("POST", "/v1/policy/replay", raw=b"{}", headers=YAML)).status == 403


async def test_one_replay_at_a_time_and_others_are_served_in_between(service: Live) -> None:
    for _ in range(30):
        await service.agent.ask()
    rehearsal = Rehearsal(service.store, Gathering(service.store.runs, Scoring()))
    first = asyncio.create_task(rehearsal.replay(LOOSER))
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await rehearsal.replay(LOOSER)
    assert (await first).total.handoffs == 30
    assert (await rehearsal.replay(LOOSER)).total.handoffs == 30


async def test_a_replay_lets_others_in_after_each_handoff(service: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(20):
        await service.agent.ask()
    turns, seen, take = 0, list[int](), Replay.take

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    def noted(self: Replay, handoff: Handoff) -> None:
        seen.append(turns)
        take(self, handoff)

    monkeypatch.setattr(Replay, "take", noted)
    counting = asyncio.create_task(count())
    await replay(service.store, read(LOOSER))
    counting.cancel()
    assert len(set(seen)) == 20


async def test_only_the_newest_are_read_and_it_says_so(service: Live, store: Store) -> None:
    for _ in range(3):
        await service.agent.ask()
    found = await replay(service.store, read(LOOSER), most=2)
    assert (found.handoffs, found.complete) == (2, False)
    assert (await replay(store, read(LOOSER))).total.handoffs == 0, "another store has none of it"


async def command(settings: Settings, folder: Path, *words: str) -> Said:
    assert settings.redis_url
    url = settings.redis_url.get_secret_value()
    return await bot("policy", "replay", *words, state=folder, ANDON_REDIS_URL=url, ANDON_SECRET=SECRET)


async def test_the_command_shows_a_table_and_ends_with_1_when_something_would_be_missed(
    service: Live, settings: Settings, tmp_path: Path
) -> None:
    asked = await a_day(service.agent, service.person)
    await service.agent.ask(gate="bank", action={"tool": "pay", "args": {}})
    file = tmp_path / "new.yaml"
    file.write_text(LOOSER)
    said = await command(settings, tmp_path / "s", str(file))
    assert said.code == 1, said.err
    lines = said.out.splitlines()
    assert lines[0] == f"5 handoffs of the last 30 days, through policy {parse(LOOSER).version}"
    assert lines[2].split() == ["GATE,", "TOOL", "HANDOFFS", "ASKED", "NOW", "SAVED", "NEW", "DENIED", "NOW", "MISSED"]
    assert [line.split() for line in lines[3:6]] == [
        ["send_email", "4", "4", "0", "4", "0", "0", "0", "2"],
        ["bank,", "pay", "1", "1", "1", "0", "0", "0", "0", "0"],
        ["all", "5", "5", "1", "4", "0", "0", "0", "2"],
    ]
    assert "2 that a person rejected or changed would run now without asking" in lines
    assert f"/handoffs/{asked[1]['id']}" in said.out
    assert "\x1b" not in said.out, "what people and agents write acts on no terminal"
    assert "rejected by mira: Wrong ⟦U+001B⟧[31mAlice" in said.out

    as_json = await command(settings, tmp_path / "s", str(file), "--days", "7", "--json")
    assert json.loads(as_json.out)["total"]["missed"] == 2
    file.write_text("defaults: {do: ask}")
    assert (await command(settings, tmp_path / "s", str(file))).code == 0


async def test_the_command_tells_what_is_wrong_with_its_words_and_its_file(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text("rules: [{name: a, do: alow}]")
    faulty = await command(settings, tmp_path / "s", str(file))
    assert (faulty.code, faulty.out) == (1, "")
    assert "new.yaml:1:23" in faulty.err
    assert (await command(settings, tmp_path / "s", str(file), "--days", "0")).code == 2
    assert (await command(settings, tmp_path / "s")).code == 2
    assert MOST_LISTED == 1_000, "as the help says"


async def test_explain_scores_a_risk_that_nobody_told(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("rules: [{name: shell, tool: bash, when: risk < 0.5, do: allow}]")
    async with live(settings.model_copy(update={"policy": file})) as service:
        mira = service.person
        for command, risk, do in (("ls", None, "allow"), ("rm -rf /", None, "ask"), ("rm -rf /", 0.1, "allow")):
            question = {"tool": "bash", "args": {"command": command}, **({"risk": risk} if risk else {})}
            told = (await mira.call("POST", "/v1/policy/explain", question)).ok()
            assert told["do"] == do, (command, risk)
            assert bool(told.get("risk_reasons")) == (risk is None)
        assert "risk" not in (await mira.call("POST", "/v1/policy/explain", {"tool": "mail"})).ok()


async def test_a_store_with_nothing_in_it_says_where_to_look(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(LOOSER)
    said = await command(settings, tmp_path / "s", str(file))
    assert said.code == 0
    assert said.out.splitlines()[-1].startswith("Nothing is recorded there; ANDON_STATE or ANDON_REDIS_URL")
