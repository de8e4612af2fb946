"""What every surface owes to the core, whatever it looks like: one suite, run against each adapter.

Subclass `AdapterContract` and give it a fixture `stage`. Presses, late or strange, come in by each surface's own ways
and are added where there are two of them.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol

import pytest

from andon import wire
from bot.errors import Undeliverable
from bot.handoff import Aside, Digest, Handoff, State, Told, digest_of
from bot.ports import Adapter, CardRef
from tests.fakes.desk import ANA, BUDGET, DRAFT, EMAIL, FLIGHT, NOON, RUN, handoff


@dataclass(frozen=True)
class Shown:
    """What a person sees of one card: its text, and the answers that can be given on it."""

    text: str
    answers: frozenset[str]


class Stage(Protocol):
    """An adapter, and the surface that it speaks to."""

    adapter: Adapter
    place: wire.Place
    nowhere: wire.Place | None
    """A place that no card can reach; None when there is none."""

    def put(self, handoff: Handoff) -> None:
        """The store has this handoff, for surfaces that read it."""
        ...

    async def look(self, ref: CardRef) -> Shown:
        """See a card as a person does."""
        ...


SILENCE = wire.Actor(kind="silence", id="silence", name="nobody")
MAILER = wire.Actor(kind="agent", id="mailer", name="mailer")
ENDS = {"approved": "Ana", "rejected": "Not today", "expired": "Nobody", "withdrawn": "mailer"}
"""How a handoff may end, and what its card must say then."""

HOSTILE = {
    **EMAIL,
    "what": '"quotes" & <b>tags</b>\nline two <!channel> @everyone \u202e drowssap \u200b' + "x" * 9_000,
    "why": "```fence``` {{ braces }} {% raw %}",
}


def decided(asked: Handoff, kind: str) -> Handoff:
    assert asked.action
    terms: dict[str, Any] = {"at": NOON, "revision": asked.revision, "message_for_agent": "A sentence."}
    decision: wire.Decision
    match kind:
        case "approved":
            decision = wire.Approved(by=ANA, digest=asked.digest, args=asked.action.args, **terms)
        case "rejected":
            decision = wire.Rejected(by=ANA, reason="Not today", **terms)
        case "expired":
            decision = wire.Expired(by=SILENCE, **terms)
        case _:
            decision = wire.Withdrawn(by=MAILER, **terms)
    return replace(asked, state=State.DECIDED, decision=decision)


def revised(asked: Handoff, **args: Any) -> Handoff:
    assert asked.action
    new = {**asked.action.args, **args}
    payload = '{"edited":true}'
    edit = wire.Revision(revision=2, digest=digest_of(payload), args=new, by=ANA, at=NOON + timedelta(minutes=1))
    return replace(asked, revision=2, digest=digest_of(payload), payload=payload, revisions=(edit,))


class AdapterContract:
    async def test_a_posted_card_shows_what_would_run_and_how_to_answer(self, stage: Stage) -> None:
        asked = handoff(EMAIL)
        stage.put(asked)
        ref = await stage.adapter.post(asked, stage.place)
        assert ref.surface == stage.adapter.name
        shown = await stage.look(ref)
        assert {"Approve", "Edit", "Reject"} <= shown.answers
        for part in ("Send this e-mail to alice@x.com", "alice@x.com", "Report", "Mentions Q4 numbers"):
            assert part in shown.text

    @pytest.mark.parametrize("ask", [EMAIL, FLIGHT, BUDGET, DRAFT, HOSTILE])
    async def test_every_kind_of_ask_can_be_shown_and_answered(self, stage: Stage, ask: dict[str, Any]) -> None:
        asked = handoff(ask)
        stage.put(asked)
        assert (await stage.look(await stage.adapter.post(asked, stage.place))).answers

    @pytest.mark.parametrize("kind", list(ENDS))
    async def test_a_decided_card_says_so_and_can_no_longer_be_answered(self, stage: Stage, kind: str) -> None:
        asked = handoff(EMAIL)
        stage.put(asked)
        ref = await stage.adapter.post(asked, stage.place)
        ended = decided(asked, kind)
        stage.put(ended)
        await stage.adapter.update(ref, ended)
        shown = await stage.look(ref)
        assert shown.answers == frozenset()
        assert ENDS[kind] in shown.text

    async def test_an_edit_is_shown_on_the_same_card(self, stage: Stage) -> None:
        asked = handoff(EMAIL)
        stage.put(asked)
        ref = await stage.adapter.post(asked, stage.place)
        edited = revised(asked, to="bob@x.com")
        stage.put(edited)
        await stage.adapter.update(ref, edited)
        shown = await stage.look(ref)
        assert "bob@x.com" in shown.text
        assert "Approve" in shown.answers

    async def test_a_card_that_is_held_cannot_be_answered(self, stage: Stage) -> None:
        asked = handoff(EMAIL)
        stage.put(asked)
        ref = await stage.adapter.post(asked, stage.place)
        held = replace(asked, state=State.HELD)
        stage.put(held)
        await stage.adapter.update(ref, held)
        assert (await stage.look(ref)).answers == frozenset()

    async def test_the_same_update_twice_changes_nothing(self, stage: Stage) -> None:
        asked = handoff(EMAIL)
        stage.put(asked)
        ref = await stage.adapter.post(asked, stage.place)
        ended = decided(asked, "approved")
        stage.put(ended)
        await stage.adapter.update(ref, ended)
        before = await stage.look(ref)
        await stage.adapter.update(ref, ended)
        assert await stage.look(ref) == before

    async def test_posting_twice_is_a_nuisance_and_both_cards_can_be_closed(self, stage: Stage) -> None:
        asked = handoff(EMAIL)
        stage.put(asked)
        refs = [await stage.adapter.post(asked, stage.place) for _ in range(2)]
        first, second = [await stage.look(ref) for ref in refs]
        assert first == second
        ended = decided(asked, "rejected")
        stage.put(ended)
        for ref in refs:
            await stage.adapter.update(ref, ended)
            assert (await stage.look(ref)).answers == frozenset()

    async def test_a_card_that_was_posted_is_found_or_cannot_be_told(self, stage: Stage) -> None:
        asked, other = handoff(EMAIL), handoff(FLIGHT, id="hf_" + "b" * 22)
        for each in (asked, other):
            stage.put(each)
        posted = {each.id: await stage.adapter.post(each, stage.place) for each in (asked, other)}
        for each in (asked, other):
            assert await stage.adapter.find(each, stage.place) in {posted[each.id], None}

    async def test_a_place_that_cannot_be_reached_is_told_apart(self, stage: Stage) -> None:
        if stage.nowhere is None:
            pytest.skip("this surface reaches everybody who signs in")
        with pytest.raises(Undeliverable, match=r".{10}"):
            await stage.adapter.post(handoff(EMAIL), stage.nowhere)

    @pytest.mark.parametrize("text", ["Nightly sync finished", HOSTILE["what"]], ids=["plain", "hostile"])
    async def test_a_notice_can_be_told_and_told_again(self, stage: Stage, text: str) -> None:
        """After a crash it comes a second time, under the same id."""
        told = Told(NOON, "mailer", RUN, "weekly-report", text, id="1-0", to=(stage.place,))
        for _ in range(2):
            await stage.adapter.tell(told, stage.place)

    async def test_a_notice_that_can_never_arrive_is_told_apart(self, stage: Stage) -> None:
        if stage.nowhere is None:
            pytest.skip("this surface reaches everybody who signs in")
        told = Told(NOON, "mailer", RUN, "weekly-report", "Nightly sync finished", id="1-0", to=(stage.nowhere,))
        with pytest.raises(Undeliverable, match=r".{10}"):
            await stage.adapter.tell(told, stage.nowhere)

    @pytest.mark.parametrize("text", ["Which budget?", HOSTILE["what"]], ids=["plain", "hostile"])
    async def test_what_happened_around_a_card_is_said_and_can_be_said_again(self, stage: Stage, text: str) -> None:
        """After a crash each comes a second time, under the same id."""
        asked = handoff(EMAIL, id="hf_" + "z" * 22)
        stage.put(asked)
        ref = await stage.adapter.post(asked, stage.place)
        asides = (
            Aside("1", "reminded", NOON),
            Aside("2", "reassigned", NOON, ANA, to="bob@example.com", text=text),
            Aside("3", "questioned", NOON, ANA, text=text),
            Aside("4", "replied", NOON, text=text),
        )
        asked = replace(asked, asides=asides, added=("bob@example.com",))
        stage.put(asked)
        await stage.adapter.update(ref, asked)
        for aside in (*asides, *asides):
            await stage.adapter.say_below(ref, asked, aside, stage.place)

    async def test_a_digest_is_posted_once_and_follows_its_rows(self, stage: Stage) -> None:
        small = {**EMAIL, "reversible": True}
        first, second = (handoff(small, id="hf_" + letter * 22) for letter in "xy")
        ref = await stage.adapter.digest(Digest("dg_1", (first, second), 3), stage.place, None)
        ended = replace(first, state=State.HELD)
        assert await stage.adapter.digest(Digest("dg_1", (ended, second), 0), stage.place, ref) == ref
