"""Votes as people give them, one row a vote: who, on which surface, what, and what stands or is said after it.

Everything goes through the real service and its store; people act as a surface vouches for them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from andon import wire
from bot import roll
from bot.config import Settings
from bot.errors import (
    AlreadyDecided,
    AlreadyVoted,
    BotError,
    DirectoryDown,
    InvalidAnswer,
    NotAnApprover,
    StaleRevision,
)
from bot.on_call import OnCall
from bot.ports import Desk, Shelf, Standing
from tests.adapters.paper import paper
from tests.people import MAIL, Json
from tests.servers import Live, live, until


def on_web(name: str) -> wire.Actor:
    return wire.Actor(kind="person", id=f"{name.lower()}@example.com", name=name, surface="web")


def on_slack(name: str, user: str, *, email: str | None = None) -> wire.Actor:
    return wire.Actor(kind="person", id=f"T1/{user}", name=name, surface="slack", email=email)


def on_teams(name: str, user: str) -> wire.Actor:
    return wire.Actor(kind="person", id=user, name=name, surface="teams")


MIRA, ANA, BOB, EVE = (on_web(name) for name in ("Mira", "Ana", "Bob", "Eve"))
MIRA_ON_SLACK = on_slack("Mira K.", "U1", email="Mira@example.com")
BOB_ON_SLACK = on_slack("bob", "U2")  # his address is not verified there
ANSWER: TypeAdapter[wire.Answer] = TypeAdapter(wire.Answer)
TEAM = "approvers: [mira@example.com, ana@example.com, bob@example.com, 'slack:U2']"


@dataclass
class Rolls:
    """A directory: who is in which group, and which of them cannot be read now."""

    members: dict[str, set[str]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    hangs: set[str] = field(default_factory=set)

    async def belongs(self, person: wire.Actor, group: str) -> bool:
        if group in self.hangs:
            await asyncio.Event().wait()
        if group in self.down:
            raise DirectoryDown("the platform says ratelimited.")
        return person.id in self.members.get(group, set())


@dataclass
class House:
    """A service with a policy, and its desk."""

    service: Live
    desk: Desk
    rolls: Rolls
    asked: Json = field(default_factory=dict)

    async def ask(self, **changes: Any) -> None:
        self.asked = await self.service.agent.ask(to=[{"surface": "web"}], **changes)

    async def say(self, by: wire.Actor, what: str, *, standing: Standing = "member", **more: Any) -> str:
        """One answer; returns what stands after it, or the sentence that the person is told.

        `yes` and `no` are of the card as it is now; `edit` changes and approves, `save` leaves the approval to others.
        """
        now = await self.service.agent.look(self.asked["id"])
        body: Json = {"revision": now["revision"], **more}
        match what:
            case "yes":
                body |= {"kind": "approve"}
            case "no":
                body |= {"kind": "reject", "reason": "no"}
            case "edit" | "save":
                args = {**MAIL, "body": f"as {by.name} wants it"}
                body |= {"kind": "edit", "args": args, "approve": what == "edit"}
            case to if what.startswith("ask "):
                body |= {"kind": "reassign", "to": to.removeprefix("ask ")}
            case choice:
                body |= {"kind": "choose", "choice": choice}
        try:
            handoff = await self.desk.answer(self.asked["id"], ANSWER.validate_python(body), by, standing=standing)
        except (AlreadyVoted, InvalidAnswer, NotAnApprover) as error:
            return error.detail
        except BotError as error:
            return error.slug
        if handoff.decision:
            return handoff.decision.kind
        if what.startswith("ask "):
            return "asked in my place" if handoff.asides[-1].stage else "asked"
        return f"{len(handoff.votes)} votes" if handoff.votes else f"revision {handoff.revision}"


@asynccontextmanager
async def house(settings: Settings, terms: str, *, people: str = "") -> AsyncIterator[House]:
    path = Path(settings.state).parent / "policy.yaml"
    path.write_text(f"{people}\nrules:\n  - {{name: mail, do: ask, {terms}}}\n")
    desks: list[Desk] = []
    rolls = Rolls()

    def meet(desk: Desk, _: Shelf) -> None:
        desks.append(desk)

    surface = paper("http://127.0.0.1:1", directory=rolls, meet=meet)
    changed = settings.model_copy(update={"policy": path})
    async with live(changed, adapters={"slack": surface}) as running:
        yield House(running, desks[0], rolls)


Row = tuple[wire.Actor, str, str]
"""Who, what, and after it: the state, or (of a sentence) its beginning."""

QUORUM = f"{TEAM}, quorum: 2"
STAGES = (
    "stages: [{approvers: [mira@example.com, ana@example.com], quorum: 2}, {approvers: [bob@example.com, 'slack:U2']}]"
)
IN_BOTH = "stages: [{approvers: [mira@example.com, ana@example.com]}, {approvers: [mira@example.com, bob@example.com]}]"
OTHERS = f"{TEAM}, not_requester: true"
ANYONE = f"{QUORUM}, reassign: anyone"
FIRST, DECIDED = "1 votes", "already-decided"

TABLE: list[tuple[str, str, str, list[Row]]] = [
    ("one is enough", TEAM, "", [(MIRA, "yes", "approved"), (ANA, "yes", DECIDED)]),
    ("two of three", QUORUM, "", [(MIRA, "yes", FIRST), (ANA, "yes", "approved"), (BOB, "yes", DECIDED)]),
    (
        "a duplicate reviewer counts once",
        QUORUM,
        "",
        [
            (MIRA, "yes", FIRST),
            (MIRA, "yes", "Mira, you said yes already"),
            (MIRA, "yes", "Mira, you said yes already"),
            (ANA, "yes", "approved"),
        ],
    ),
    ("who is not listed does not count", QUORUM, "", [(EVE, "yes", "Eve, policy"), (MIRA, "yes", FIRST)]),
    ("deny after approve, of another", QUORUM, "", [(MIRA, "yes", FIRST), (ANA, "no", "rejected")]),
    ("deny after approve, of the same person", QUORUM, "", [(MIRA, "yes", FIRST), (MIRA, "no", "rejected")]),
    ("approve after deny", QUORUM, "", [(MIRA, "no", "rejected"), (ANA, "yes", DECIDED), (BOB, "yes", DECIDED)]),
    ("any no ends it, of somebody not listed none", QUORUM, "", [(EVE, "no", "Eve, policy"), (BOB, "no", "rejected")]),
    (
        "it takes two to reject",
        f"{QUORUM}, reject: quorum",
        "",
        [(MIRA, "no", FIRST), (MIRA, "no", "Mira, you said no at"), (ANA, "no", "rejected")],
    ),
    (
        "a no is not taken back",
        f"{QUORUM}, reject: quorum",
        "",
        [
            (MIRA, "no", FIRST),
            (MIRA, "yes", "Mira, you said no, which a yes does not take back"),
            (ANA, "yes", "2 votes"),
            (BOB, "yes", "approved"),
        ],
    ),
    (
        "a yes may become a no, and counts no more",
        f"{QUORUM}, reject: quorum",
        "",
        [(MIRA, "yes", FIRST), (MIRA, "no", "2 votes"), (ANA, "yes", "3 votes"), (BOB, "yes", "approved")],
    ),
    (
        "one person on two surfaces is one, by a verified address",
        QUORUM,
        "",
        [
            (MIRA, "yes", FIRST),
            (MIRA_ON_SLACK, "yes", "Mira K., you said yes already"),
            (ANA, "yes", "approved"),
        ],
    ),
    (
        "the other way round too",
        QUORUM,
        "",
        [(MIRA_ON_SLACK, "yes", FIRST), (MIRA, "yes", "Mira, you said yes already"), (MIRA, "no", "rejected")],
    ),
    (
        "one person on two surfaces is one, by the policy's link",
        QUORUM,
        "people: {bob: {email: bob@example.com, slack: U2}}",
        [(BOB, "yes", FIRST), (BOB_ON_SLACK, "yes", "bob, you said yes already"), (MIRA, "yes", "approved")],
    ),
    (
        "a link that lacks the address that the surface vouches for",
        "approvers: [mira@example.com, 'slack:U1', bob@example.com], quorum: 2",
        "people: {mira: {slack: U1, teams: t1}}",
        [
            (MIRA_ON_SLACK, "yes", FIRST),
            (MIRA, "yes", "Mira, you said yes already"),
            (on_teams("Mira", "t1"), "yes", "Mira, you said yes already"),
            (BOB, "yes", "approved"),
        ],
    ),
    (
        "a link that lacks it, the other way round",
        "approvers: [mira@example.com, 'slack:U1', bob@example.com], quorum: 2",
        "people: {mira: {slack: U1, teams: t1}}",
        [(MIRA, "yes", FIRST), (MIRA_ON_SLACK, "yes", "Mira K., you said yes already"), (BOB, "yes", "approved")],
    ),
    (
        "a link with another address than the surface vouches for",
        "approvers: [mira@example.com, 'slack:U1', m.k@example.com, bob@example.com], quorum: 2",
        "people: {mira: {slack: U1, email: m.k@example.com}}",
        [
            (MIRA_ON_SLACK, "yes", FIRST),
            (MIRA, "yes", "Mira, you said yes already"),
            (MIRA.model_copy(update={"id": "m.k@example.com"}), "yes", "Mira, you said yes already"),
            (BOB, "yes", "approved"),
        ],
    ),
    (
        "two accounts that a third one joins: its no takes both yeses away",
        "approvers: [mira@example.com, 'slack:U1', bob@example.com, ana@example.com], quorum: 3, reject: quorum",
        "people: {mira: {slack: U1, teams: t1}}",
        [
            (on_teams("Mira", "t1"), "yes", FIRST),
            (MIRA, "yes", "2 votes"),
            (MIRA_ON_SLACK, "no", "3 votes"),
            (BOB, "yes", "4 votes"),
            (ANA, "yes", "5 votes"),
        ],
    ),
    (
        "the same id in another workspace is another person",
        "quorum: 2",
        "",
        [
            (on_slack("Bob", "U2"), "yes", FIRST),
            (on_slack("Bo", "U2").model_copy(update={"id": "T2/U2"}), "yes", "approved"),
        ],
    ),
    (
        "a renamed user is the same",
        QUORUM,
        "",
        [
            (BOB_ON_SLACK, "yes", FIRST),
            (BOB_ON_SLACK.model_copy(update={"name": "Robert"}), "yes", "Robert, you said yes already"),
            (BOB_ON_SLACK.model_copy(update={"email": "new@example.com"}), "yes", "bob, you said yes already"),
            (MIRA, "yes", "approved"),
        ],
    ),
    (
        "another's name is not another's vote",
        QUORUM,
        "",
        [
            (MIRA, "yes", FIRST),
            (EVE.model_copy(update={"name": "Ana"}), "yes", "Ana, policy"),
            (ANA, "yes", "approved"),
        ],
    ),
    (
        "stages in order",
        STAGES,
        "",
        [(MIRA, "yes", FIRST), (ANA, "yes", "2 votes"), (BOB, "yes", "approved")],
    ),
    (
        "stages out of order",
        STAGES,
        "",
        [
            (BOB, "yes", "Bob, your turn is stage 2 of 2. First comes stage 1: mira@example.com and ana@example.com."),
            (BOB, "no", "Bob, your turn is stage 2 of 2"),
            (MIRA, "yes", FIRST),
            (BOB, "yes", "Bob, your turn is stage 2 of 2"),
            (ANA, "yes", "2 votes"),
            (MIRA, "yes", "Mira, you said yes already"),
            (BOB_ON_SLACK, "yes", "approved"),
        ],
    ),
    (
        "whoever agreed in an earlier stage may still reject",
        STAGES,
        "",
        [(MIRA, "yes", FIRST), (ANA, "yes", "2 votes"), (MIRA, "no", "rejected")],
    ),
    (
        "an earlier stage's people may not edit a later one's card",
        STAGES,
        "",
        [(MIRA, "yes", FIRST), (ANA, "yes", "2 votes"), (MIRA, "edit", "Mira, stage 2 of 2 is for")],
    ),
    (
        "an edit starts again, with its editor's yes",
        QUORUM,
        "",
        [
            (MIRA, "yes", FIRST),
            (ANA, "edit", FIRST),
            (ANA, "yes", "Ana, you said yes already"),
            (MIRA, "yes", "edited"),
        ],
    ),
    (
        "an edit for others starts again with none",
        QUORUM,
        "",
        [(MIRA, "yes", FIRST), (ANA, "save", "revision 2"), (MIRA, "yes", FIRST), (ANA, "yes", "edited")],
    ),
    (
        "an edit in a later stage starts again with the first",
        STAGES,
        "",
        [
            (MIRA, "yes", FIRST),
            (ANA, "yes", "2 votes"),
            (BOB, "edit", "revision 2"),
            (BOB, "yes", "Bob, your turn is stage 2 of 2"),
            (MIRA, "yes", FIRST),
            (ANA, "yes", "2 votes"),
            (BOB, "yes", "edited"),
        ],
    ),
    (
        "self-review: who asked may not approve",
        OTHERS,
        "",
        [(ANA, "yes", "Ana, you asked for it, so another person must say yes."), (MIRA, "yes", "approved")],
    ),
    ("self-reject is allowed", OTHERS, "", [(ANA, "no", "rejected")]),
    (
        "who asked is known on every surface",
        OTHERS,
        "people: {ana: {email: ana@example.com, slack: U2}}",
        [(BOB_ON_SLACK, "yes", "bob, you asked for it"), (BOB_ON_SLACK, "no", "rejected")],
    ),
    (
        "the agent's owner may not approve",
        OTHERS,
        "",
        [(BOB, "yes", "Bob, you own the agent mailer, so another person must say yes."), (BOB, "no", "rejected")],
    ),
    (
        "the last editor may not approve what they made of it",
        OTHERS,
        "",
        [
            (MIRA, "edit", "revision 2"),
            (MIRA, "yes", "Mira, you changed it last, so another person must say yes."),
            (MIRA_ON_SLACK, "yes", "Mira K., you changed it last"),
            (on_slack("Ben", "U2"), "yes", "edited"),
        ],
    ),
    (
        "who edited before the last one may",
        OTHERS,
        "",
        [(MIRA, "edit", "revision 2"), (on_slack("Ben", "U2"), "edit", "revision 3"), (MIRA, "yes", "edited")],
    ),
    ("without not_requester everybody may", TEAM, "", [(ANA, "edit", "edited")]),
    # --- handed on ---
    (
        "it is handed on to those who may answer anyway, and to nobody else",
        QUORUM,
        "",
        [
            (MIRA, "ask eve@example.com", "policy"),
            (MIRA, "ask bob@example.com", "asked"),
            (MIRA, "yes", FIRST),
            (EVE, "yes", "Eve, policy"),
            (BOB, "yes", "approved"),
        ],
    ),
    (
        "whoever cannot say yes asks nobody else",
        OTHERS,
        "",
        [
            (EVE, "ask bob@example.com", "Eve, policy"),
            (ANA, "ask mira@example.com", "Ana, you asked for it, so you may not ask somebody else to approve it."),
            (BOB, "ask mira@example.com", "Bob, you own the agent mailer, so you may not ask"),
            (MIRA, "ask ana@example.com", "ana@example.com may not approve this, because they asked for it"),
            (MIRA, "save", "revision 2"),
            (MIRA, "ask slack:U2", "Mira, you changed it last, so you may not ask"),
        ],
    ),
    (
        "nor does whoever had their turn in an earlier stage",
        f"{STAGES}, reassign: anyone",
        "",
        [
            (MIRA, "yes", FIRST),
            (ANA, "yes", "2 votes"),
            (MIRA, "ask eve@example.com", "Mira, stage 2 of 2 is for bob@example.com and one"),
            (EVE, "yes", "Eve, policy"),
            (BOB, "yes", "approved"),
        ],
    ),
    (
        "a place is given once, and its giver's yes counts no more",
        ANYONE,
        "",
        [
            (MIRA, "yes", FIRST),
            (MIRA, "ask eve@example.com", "asked in my place"),
            (MIRA, "yes", "Mira, you asked eve@example.com to answer in your place. You may still say no."),
            (MIRA, "edit", "Mira, you asked eve@example.com to answer in your place."),
            (MIRA, "ask mallory@example.com", "you asked eve@example.com to answer in your place; only they"),
            (MIRA_ON_SLACK, "ask mallory@example.com", "you asked eve@example.com to answer in your place; only they"),
            (EVE, "yes", "2 votes"),
            (EVE, "yes", "Eve, you said yes already"),
            (BOB, "yes", "approved"),
        ],
    ),
    (
        "who gave their place may still say no",
        ANYONE,
        "",
        [(MIRA, "ask eve@example.com", "asked in my place"), (MIRA, "no", "rejected")],
    ),
    (
        "a place that was given twice is one place",
        ANYONE,
        "",
        [
            (MIRA, "ask eve@example.com", "asked in my place"),
            (EVE, "ask mallory@example.com", "asked in my place"),
            (EVE, "yes", "Eve, you asked mallory@example.com"),
            (on_web("Mallory"), "yes", FIRST),
            (on_web("Mallory"), "ask eve@example.com", "eve@example.com asked somebody else in their own place"),
            (ANA, "yes", "approved"),
        ],
    ),
    (
        "who is listed has a place of their own",
        ANYONE,
        "",
        [(MIRA, "ask slack:U2", "asked"), (BOB_ON_SLACK, "yes", FIRST), (MIRA, "yes", "approved")],
    ),
    (
        "another account of the same person is no other person",
        ANYONE,
        "people: {mira: {email: mira@example.com, teams: t1}}",
        [
            (MIRA, "ask teams:t1", "that is yourself"),
            (ANA, "ask teams:t1", "asked"),
            (on_teams("Mira", "t1"), "yes", FIRST),
            (MIRA, "yes", "Mira, you said yes already"),
            (MIRA, "ask slack:U9", "asked in my place"),
            (on_slack("Mira", "U9", email="mira@example.com"), "yes", "Mira, you asked slack:U9 to answer"),
            (ANA, "yes", "2 votes"),
        ],
    ),
    (
        "a place is of one stage",
        f"{STAGES.replace(', quorum: 2', '')}, reassign: anyone",
        "",
        [
            (MIRA, "ask eve@example.com", "asked in my place"),
            (ANA, "yes", FIRST),
            (EVE, "yes", "Eve, stage 2 of 2 is for bob@example.com and one person or group by id. You may"),
            (EVE, "ask mallory@example.com", "Eve, stage 2 of 2 is for"),
            (BOB, "yes", "approved"),
        ],
    ),
    (
        "whoever has voted has no place left to give",
        f"{IN_BOTH}, reassign: anyone",
        "",
        [
            (MIRA, "yes", FIRST),
            (MIRA, "ask eve@example.com", "Mira, you have voted already, so you have no place left to give."),
            (MIRA_ON_SLACK, "ask eve@example.com", "Mira K., you have voted already"),
            (MIRA, "ask bob@example.com", "asked"),
            (EVE, "yes", "Eve, policy"),
            (BOB, "ask eve@example.com", "asked in my place"),
            (EVE, "yes", "approved"),
        ],
    ),
    (
        "nor has whoever's place was used, and no yes either",
        f"{IN_BOTH}, reassign: anyone",
        "",
        [
            (MIRA, "ask eve@example.com", "asked in my place"),
            (EVE, "ask slack:U9", "asked in my place"),
            (on_slack("Mallory", "U9"), "yes", FIRST),
            (MIRA, "yes", "Mira, slack:U9 has voted in your place already. You may still say no."),
            (MIRA, "ask mallory@example.com", "Mira, slack:U9 has voted in your place already, so you have no place"),
            (BOB, "yes", "approved"),
        ],
    ),
    (
        "a place that nobody used is no say",
        f"{IN_BOTH}, reassign: anyone",
        "",
        [(MIRA, "ask eve@example.com", "asked in my place"), (ANA, "yes", FIRST), (MIRA, "yes", "approved")],
    ),
    (
        "who said yes in somebody's place before an edit has said nothing after it",
        f"{IN_BOTH}, reassign: anyone",
        "",
        [
            (MIRA, "ask eve@example.com", "asked in my place"),
            (EVE, "yes", FIRST),
            (MIRA, "edit", "revision 2"),
            (ANA, "yes", FIRST),
            (MIRA, "yes", "edited"),
        ],
    ),
    (
        "a place in one stage of whoever has their own in the next one",
        f"{STAGES.replace(', quorum: 2', '')}, reassign: anyone",
        "",
        [(MIRA, "ask bob@example.com", "asked in my place"), (BOB, "yes", FIRST), (BOB, "yes", "Bob, you said yes")],
    ),
]


@pytest.mark.parametrize("terms, people, rows", [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
async def test_after_each_vote(settings: Settings, terms: str, people: str, rows: list[Row]) -> None:
    async with house(settings, terms, people=people) as home:
        await asked_by_ana_of_bobs_agent(home)
        for number, (by, what, expected) in enumerate(rows, start=1):
            said = await home.say(by, what)
            assert said.startswith(expected), f"vote {number}, {by.name} {what}: {said}"


async def asked_by_ana_of_bobs_agent(home: House) -> None:
    """Ana wants it of an agent that is Bob's."""
    key = await home.service.access.create_key("agent", "mailer", owner="Bob@example.com")
    home.service.agent.key = key
    started = await home.service.agent.call("POST", "/v1/runs", {"name": "weekly", "requester": "Ana@example.com"})
    await home.ask(run=started.ok()["id"])


@pytest.mark.parametrize("requester, linked", [("slack:T1/U1", "U1"), ("slack:U1", "T1/U1")])
async def test_who_asked_is_known_in_either_form_of_their_slack_id(
    settings: Settings, requester: str, linked: str
) -> None:
    async with house(
        settings, OTHERS, people=f"people: {{mira: {{email: mira@example.com, slack: {linked}}}}}"
    ) as home:
        started = await home.service.agent.call("POST", "/v1/runs", {"name": "weekly", "requester": requester})
        await home.ask(run=started.ok()["id"])
        assert (await home.say(MIRA, "yes")).startswith("Mira, you asked for it")
        assert await home.say(ANA, "yes") == "approved"


async def test_the_decision_names_all_who_agreed(settings: Settings) -> None:
    async with house(settings, STAGES) as home:
        await home.ask()
        for by in (MIRA_ON_SLACK, ANA, BOB):
            await home.say(by, "yes")
        decision = (await home.service.agent.look(home.asked["id"]))["decision"]
        assert [(vote["by"]["name"], vote["stage"]) for vote in decision["votes"]] == [
            ("Mira K.", 1),
            ("Ana", 1),
            ("Bob", 2),
        ]
        assert (decision["by"]["name"], decision["votes"][-1]["at"]) == ("Bob", decision["at"])
        assert decision["message_for_agent"].startswith("Mira K., Ana and Bob approved this.")
        assert (await home.service.agent.claim({**home.asked, "decision": decision})).status == 200


async def test_a_single_yes_names_no_votes(settings: Settings) -> None:
    """What needs one person looks as it always did."""
    async with house(settings, TEAM) as home:
        await home.ask()
        await home.say(MIRA, "yes")
        assert "votes" not in (await home.service.agent.look(home.asked["id"]))["decision"]


async def test_whoever_left_the_group_between_card_and_click_has_no_vote(settings: Settings) -> None:
    async with house(settings, "approvers: ['slack:S1', mira@example.com], quorum: 2") as home:
        home.rolls.members["S1"] = {BOB_ON_SLACK.id}
        await home.ask()
        home.rolls.members["S1"].clear()
        assert (await home.say(BOB_ON_SLACK, "yes")).startswith("bob, policy")
        home.rolls.members["S1"].add(BOB_ON_SLACK.id)
        assert await home.say(BOB_ON_SLACK, "yes") == FIRST
        assert await home.say(MIRA, "yes") == "approved"


@pytest.mark.parametrize("standing, sentence", [("guest", "bob, guests"), ("external", "bob, people of other")])
async def test_a_guest_has_no_vote(settings: Settings, standing: Standing, sentence: str) -> None:
    async with house(settings, "quorum: 2") as home:
        await home.ask()
        assert (await home.say(BOB_ON_SLACK, "yes", standing=standing)).startswith(sentence)
        assert await home.say(BOB_ON_SLACK, "yes") == FIRST


async def test_a_group_that_cannot_be_read_lets_nobody_through_and_the_card_says_so(settings: Settings) -> None:
    async with house(settings, "approvers: ['slack:S1']") as home:
        home.rolls.down.add("S1")
        await home.ask()
        said = await home.say(BOB_ON_SLACK, "yes")
        assert said.endswith("so you may not yet. slack:S1: the platform says ratelimited.")
        assert (await home.desk.look(home.asked["id"])).unread == "slack:S1"
        home.rolls.down.clear()
        assert (await home.say(BOB_ON_SLACK, "yes")).startswith("bob, policy")
        assert (await home.desk.look(home.asked["id"])).unread == "", "it can be read again"


async def test_a_group_that_nobody_tells_of_in_time_lets_nobody_through(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that hangs is one that is down; it keeps out nobody whom another group lets in."""
    assert roll.PATIENCE.total_seconds() == 3
    monkeypatch.setattr(roll, "PATIENCE", timedelta(milliseconds=50))
    async with house(settings, "approvers: ['slack:S1', 'slack:S2']") as home, asyncio.timeout(10):
        home.rolls.hangs.add("S1")
        await home.ask()
        said = await home.say(BOB_ON_SLACK, "yes")
        assert said.endswith("so you may not yet. slack:S1: the directory said nothing for 0.05 s.")
        assert (await home.desk.look(home.asked["id"])).unread == "slack:S1"
        home.rolls.members["S2"] = {BOB_ON_SLACK.id}
        assert await home.say(BOB_ON_SLACK, "yes") == "approved"


async def test_candidates_gather_votes_of_their_own(settings: Settings) -> None:
    """The first to reach the quorum is taken; a vote for another does not count for it."""
    async with house(settings, QUORUM) as home:
        home.asked = await home.service.agent.choose({"id": "a", "label": "A"}, {"id": "b", "label": "B"})
        assert await home.say(MIRA, "a") == FIRST
        assert (await home.say(MIRA, "b")).startswith("Mira, you said yes already")
        assert await home.say(ANA, "b") == "2 votes"
        assert await home.say(BOB, "b") == "chosen"
        decision = (await home.service.agent.look(home.asked["id"]))["decision"]
        assert decision["choice"] == "b"
        assert [vote["by"]["name"] for vote in decision["votes"]] == ["Ana", "Bob"]


async def test_an_earlier_stage_settles_on_what_the_later_ones_decide_about(settings: Settings) -> None:
    async with house(settings, STAGES) as home:
        home.asked = await home.service.agent.choose({"id": "a", "label": "A"}, {"id": "b", "label": "B"})
        assert [await home.say(by, "a") for by in (MIRA, ANA)] == [FIRST, "2 votes"]
        assert (await home.say(BOB, "b")).startswith("an earlier stage settled on another one")
        assert await home.say(BOB, "a") == "chosen"


async def test_the_same_answer_again_is_one_vote(settings: Settings) -> None:
    """Platforms send every press again."""
    async with house(settings, QUORUM) as home:
        await home.ask()
        yes = wire.Approve(revision=1)
        for _ in range(3):
            handoff = await home.desk.answer(home.asked["id"], yes, MIRA, answer_id="press 1")
            assert (len(handoff.votes), handoff.decision) == (1, None)
        assert await home.say(ANA, "yes") == "approved"
        again = await home.desk.answer(home.asked["id"], yes, MIRA, answer_id="press 1")
        assert again.decision, "her vote is part of it"


async def test_a_stale_press_is_no_vote(settings: Settings) -> None:
    async with house(settings, QUORUM) as home:
        await home.ask()
        await home.say(ANA, "save")
        with pytest.raises(StaleRevision):
            await home.desk.answer(home.asked["id"], wire.Approve(revision=1), MIRA)


async def test_the_agent_is_not_woken_by_a_vote(settings: Settings) -> None:
    async with house(settings, QUORUM) as home:
        await home.ask()
        async with home.service.agent.events() as events:
            waits = asyncio.create_task(home.service.agent.wait(home.asked["id"]))
            assert (await events.next()).name == "stream.open"
            assert await home.say(MIRA, "yes") == FIRST
            assert not waits.done()
            assert await home.say(ANA, "yes") == "approved"
            assert (await events.next()).name == "handoff.decided"
            assert (await waits)["state"] == "decided"


async def test_people_whom_somebody_asked_may_vote(settings: Settings) -> None:
    async with house(settings, ANYONE) as home:
        await home.ask()
        assert (await home.say(EVE, "yes")).startswith("Eve, policy")
        handed = ANSWER.validate_python({"kind": "reassign", "revision": 1, "to": "eve@example.com"})
        await home.desk.answer(home.asked["id"], handed, MIRA)
        assert await home.say(EVE, "yes") == FIRST
        assert await home.say(ANA, "yes") == "approved"


@pytest.mark.parametrize("standing, sentence", [("guest", "X, guests"), ("external", "X, people of other")])
async def test_who_is_asked_besides_is_no_guest(settings: Settings, standing: Standing, sentence: str) -> None:
    """Only the policy itself lets one in; a colleague does not."""
    async with house(settings, "approvers: [mira@example.com, 'slack:T1/U1'], reassign: anyone") as home:
        await home.ask()
        stranger = on_slack("X", "U9")
        assert await home.say(MIRA, "ask slack:U9") == "asked in my place"
        assert (await home.say(stranger, "yes", standing=standing)).startswith(sentence)
        assert await home.say(stranger, "yes", standing="outside") == "approved"
        await home.ask()
        assert await home.say(on_slack("Y", "U1"), "yes", standing=standing) == "approved", "the policy lists them"


async def test_where_nobody_is_listed_a_guest_who_is_asked_stays_one(settings: Settings) -> None:
    async with house(settings, "reassign: anyone") as home:
        await home.ask()
        assert await home.say(MIRA, "ask slack:U9") == "asked"
        assert (await home.say(on_slack("X", "U9"), "yes", standing="guest")).startswith("X, guests")
        assert await home.say(on_slack("X", "U9"), "yes") == "approved"


async def test_whoever_may_be_in_a_listed_group_is_asked_and_looked_up_at_the_answer(settings: Settings) -> None:
    async with house(settings, "approvers: ['slack:S1', mira@example.com]") as home:
        await home.ask()
        assert await home.say(MIRA, "ask slack:U2") == "asked"
        assert (await home.say(BOB_ON_SLACK, "yes")).startswith("bob, policy")
        home.rolls.members["S1"] = {BOB_ON_SLACK.id}
        assert await home.say(BOB_ON_SLACK, "yes") == "approved"


async def test_two_who_hand_on_at_once_have_one_place_each(settings: Settings) -> None:
    """The same person from two surfaces: what came second gives nothing, whatever was read before."""
    async with house(settings, ANYONE) as home:
        await home.ask()
        asked = [("eve@example.com", MIRA), ("mallory@example.com", MIRA_ON_SLACK)] * 5
        said = await asyncio.gather(*(home.say(by, f"ask {to}") for to, by in asked))
        assert "asked in my place" in said
        votes = [await home.say(on_web(name), "yes") for name in ("Eve", "Mallory")]
        assert sorted(vote.startswith("1 votes") for vote in votes) == [False, True]


async def climb(home: House) -> None:
    """As if the first rung were due."""
    pipe, keys, asked = home.service.store._pipe, home.service.own.keys, home.asked["id"]
    due = await pipe.call("HGET", keys.handoff(asked), "due_at")
    await pipe.call("HSET", keys.handoff(asked), "due_at", int(due) - 31_000)
    await pipe.call("ZINCRBY", keys.ladder, -31_000, asked)
    await until(lambda: _has_climbed(home), what="the rung is climbed")


async def _has_climbed(home: House) -> bool:
    return (await home.desk.look(home.asked["id"])).rungs == 1


HELPED = (
    "timeout: 1h, stages: [{approvers: [ana@example.com]}, {approvers: [cfo@example.com]}], "
    "escalate: [{after: 30s, approvers: [eve@example.com, helper@example.com]}]"
)
CFO, HELPER = on_web("Cfo"), on_web("Helper")


async def test_people_of_a_rung_answer_in_the_stage_in_which_it_was_climbed(settings: Settings) -> None:
    """Two helpers alone must not be what two stages are for."""
    async with house(settings, HELPED) as home:
        await home.ask()
        assert (await home.say(EVE, "yes")).startswith("Eve, policy")
        await climb(home)
        assert await home.say(EVE, "yes") == FIRST
        assert (await home.say(HELPER, "yes")).startswith("Helper, stage 2 of 2 is for cfo@example.com.")
        assert await home.say(CFO, "yes") == "approved"


async def test_people_of_a_rung_of_a_later_stage_answer_in_no_earlier_one(settings: Settings) -> None:
    """Also when an edit begins again with the first."""
    async with house(settings, HELPED) as home:
        await home.ask()
        assert await home.say(ANA, "yes") == FIRST
        await climb(home)
        assert await home.say(EVE, "save") == "revision 2"
        assert (await home.say(EVE, "yes")).startswith("Eve, ")
        assert (await home.say(HELPER, "yes")).startswith("Helper, ")
        assert await home.say(ANA, "yes") == FIRST
        assert await home.say(HELPER, "yes") == "edited"


async def test_who_is_on_call_is_asked_for_at_the_answer(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Down, empty, slow: it lets nobody through, says so, and says it on the card."""
    now: list[Any] = [["bob@example.com"]]

    async def rota(name: str) -> list[str]:
        assert name == "payments"
        if isinstance(now[0], Exception):
            raise now[0]
        found: list[str] = now[0]
        return found

    clock = [0.0]
    monkeypatch.setattr("bot.on_call.plugged_in", lambda: OnCall({"test": rota}, clock=lambda: clock[0]))
    async with house(settings, "approvers: ['on_call:payments']") as home:
        await home.ask()
        now[0] = OSError("no route")
        assert (await home.say(BOB, "yes")).endswith(
            "on_call:payments: who is on call for payments cannot be told now."
        )
        assert (await home.desk.look(home.asked["id"])).unread == "on_call:payments"
        now[0] = []
        assert (await home.say(BOB, "yes")).endswith("on_call:payments: nobody is on call for payments.")
        now[0] = "bob@example.com"
        assert (await home.say(BOB, "yes")).endswith("cannot be told now."), "one text is no list of people"
        now[0] = ["bob@example.com"]
        assert (await home.say(MIRA, "yes")).endswith("lets only whoever is on call for payments answer this.")
        now[0] = OSError("no route")
        assert await home.say(BOB, "yes") == "approved", "it was told less than a minute ago"
        await home.ask()
        clock[0] = 61.0
        assert "cannot be told now" in await home.say(BOB, "yes")


async def test_the_late_one_is_told_all_who_decided(settings: Settings) -> None:
    async with house(settings, QUORUM) as home:
        await home.ask()
        for by in (MIRA, ANA):
            await home.say(by, "yes")
        with pytest.raises(AlreadyDecided, match="Mira and Ana approved this at"):
            await home.desk.answer(home.asked["id"], wire.Approve(revision=1), BOB)
