"""From a press, a pick or a submitted modal to the desk; and back to the person, in private, what it came to."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from adapters.slack import forms
from adapters.slack.address import Address
from adapters.slack.api import Api, SlackFailed
from adapters.slack.cards import Cards
from adapters.slack.files import Files
from adapters.slack.inbound import Payload, Reply
from adapters.slack.modals import Modal, Modals
from adapters.slack.people import People
from adapters.slack.presses import Pressed, Sheet, pressed, sheet
from adapters.slack.saying import Listener
from adapters.slack.standing import Standings
from adapters.slack.whisper import Whisper
from adapters.slack.whose import Whose
from andon import wire
from bot.cards import card, why_not
from bot.errors import AlreadyDecided, BotError, Fault, InvalidAnswer, NotAnApprover
from bot.handoff import Handoff
from bot.ports import Desk
from bot.talk import Person, is_final

log = logging.getLogger("andon.slack")

_PROMPT_S: Final = 0.5
"""So long a press waits for Slack to say who pressed; after that a modal opens that waits, while the trigger lives."""
_AGREEING: Final = frozenset({"read", "edit", "choose", "answer", "grant"})


@dataclass(frozen=True, slots=True)
class Presser:
    """Who pressed, where, and how to tell them something in private."""

    team: str
    user: str
    user_team: str | None
    address: Address | None
    listener: Listener

    @property
    def channel(self) -> str | None:
        """The conversation of the card."""
        return self.address.channel if self.address else None


class Answers:
    """Takes one press at a time. Whatever happens, the person is told when it did not count, and why."""

    def __init__(
        self,
        desk: Desk,
        *,
        api: Api,
        people: People,
        whose: Whose,
        standings: Standings,
        cards: Cards,
        modals: Modals,
        files: Files,
        whisper: Whisper,
        clock: Callable[[], datetime],
    ) -> None:
        """Keep what is needed to answer."""
        self._desk = desk
        self._api = api
        self._people = people
        self._whose = whose
        self._standings = standings
        self._cards = cards
        self._modals = modals
        self._files = files
        self._whisper = whisper
        self._clock = clock

    # --- presses ---

    async def pressed(self, payload: Payload, team: str) -> None:
        """A button or a menu of a card."""
        presser = presser_of(payload, team)
        try:
            press = pressed(payload["actions"][0])
            handoff = await self._desk.look(press.handoff)
            await self._whose.check(handoff, presser.address, payload.get("message"))
            if await self._takes_form(press, handoff, presser):
                await self._form(press, handoff, presser, str(payload.get("trigger_id", "")))
            else:
                answer_id = f"slack:{presser.team}:{presser.user}:{payload['actions'][0].get('action_ts')}"
                await self._tap(press, handoff, presser, answer_id)
        except BotError as error:
            if told := why_not(error, surface="slack", user=presser.user, now=self._clock()):
                await self._whisper.tell(presser.listener, told)

    async def _takes_form(self, press: Pressed, handoff: Handoff, presser: Presser) -> bool:
        if handoff.decision or press.kind == "reason":
            return False
        return press.kind != "approve" or await self._must_read(handoff, presser)

    async def _tap(self, press: Pressed, handoff: Handoff, presser: Presser, answer_id: str) -> None:
        """The press itself is the answer."""
        person = await self._person(presser, handoff)
        given = {"revision": press.revision, "digest": press.digest}
        match press.kind:
            case "approve":
                answer: wire.Answer = wire.Approve.model_validate(given)
            case "reason":
                answer = wire.Reject.model_validate({**given, "reason": _reason(handoff, press)})
            case _:
                assert handoff.decision  # noqa: S101  # else it takes a form
                raise AlreadyDecided("", handoff=handoff.id, decision=handoff.decision)
        await self._desk.answer(handoff.id, answer, person.actor, answer_id=answer_id, standing=person.standing)

    async def _form(self, press: Pressed, handoff: Handoff, presser: Presser, trigger: str) -> None:
        """Check who it is, then open the form; a modal that waits takes its place when Slack is slow to tell."""
        checking = asyncio.create_task(self._person(presser, handoff), name="slack, who presses")
        try:
            done, _ = await asyncio.wait({checking}, timeout=_PROMPT_S)
            if done:
                checking.result()
                modal = self._modal(press, handoff, presser)
                opened = await self._api.call(presser.team, "views.open", trigger_id=trigger, view=modal.view)
                return await self._share(modal, handoff, presser, str(opened["view"]["id"]))
            note = self._modals.note("One moment", "Slack is slow to say whether you may answer this…")
            opened = await self._api.call(presser.team, "views.open", trigger_id=trigger, view=note)
            return await self._form_after(checking, press, handoff, presser, opened["view"])
        finally:
            checking.cancel()
            await asyncio.gather(checking, return_exceptions=True)

    async def _form_after(
        self,
        checking: "asyncio.Task[Person]",
        press: Pressed,
        handoff: Handoff,
        presser: Presser,
        waits: Mapping[str, Any],
    ) -> None:
        """Put the form into the modal that waits, or why there is none."""
        modal: Modal | None = None
        try:
            await checking
            handoff = await self._desk.look(handoff.id)
            if handoff.decision:
                raise AlreadyDecided("", handoff=handoff.id, decision=handoff.decision)
            modal = self._modal(press, handoff, presser)
            view = modal.view
        except BotError as error:
            told = why_not(error, surface="slack", user=presser.user, now=self._clock())
            view = self._modals.note("Not recorded", told or "You have answered this.")
        view_id, known = str(waits["id"]), str(waits.get("hash") or "") or None
        try:
            await self._api.call(presser.team, "views.update", view_id=view_id, hash=known, view=view)
        except SlackFailed as error:
            if error.code == "not_found":
                return  # they closed it
            raise
        if modal:
            await self._share(modal, handoff, presser, view_id)

    async def _must_read(self, handoff: Handoff, presser: Presser) -> bool:
        """Is one tap too few? What is not on the card in full is read first; and some ask to be asked again."""
        if handoff.decision:
            return False
        if handoff.route.step_up or not self._cards.is_whole(handoff, now=self._clock()):
            return True
        return is_final(handoff) and (await self._standings.load(presser.team, presser.user)).twice

    def _modal(self, press: Pressed, handoff: Handoff, presser: Presser) -> Modal:
        at = presser.address.text if presser.address else ""
        now = self._clock()
        match press.kind:
            case "edit":
                return self._modals.edit(handoff, now=now, address=at)
            case "reject":
                return self._modals.reject(handoff, now=now, address=at)
            case "choose":
                index = press.extra.get("index")
                return self._modals.choose(handoff, index if isinstance(index, int) else -1, now=now, address=at)
            case "grant":
                index = press.extra.get("index")
                return self._modals.grant(handoff, index if isinstance(index, int) else -1, now=now, address=at)
            case "answer":
                return self._modals.answer(handoff, now=now, address=at)
            case "more" if press.extra.get("index") == 0:
                return self._modals.ask_else(handoff, now=now, address=at)
            case "more":
                return self._modals.ask_agent(handoff, now=now, address=at)
            case _:
                return self._modals.read(handoff, now=now, address=at)

    async def _share(self, modal: Modal, handoff: Handoff, presser: Presser, view_id: str) -> None:
        """The file that goes with a modal follows it, for a trigger lives three seconds."""
        if modal.file is None or presser.address is None:
            return
        try:
            await self._files.share(modal.file, presser.address, about=f"{handoff.id}:{handoff.digest}")
        except BotError as error:
            log.warning("slack.file_failed id=%s detail=%s", handoff.id, error)
            text = "This is too long for Slack, and the file could not be shared. Read it in the console."
            note = self._modals.note("Not here", text, page=self._cards.page(handoff.id))
            await self._api.call(presser.team, "views.update", view_id=view_id, view=note)

    # --- modals ---

    async def submitted(self, payload: Payload, team: str) -> Reply:
        """A modal came back: record it and close it; or show beside which field it is wrong, or why it is too late."""
        view = payload["view"]
        values: forms.Values = (view.get("state") or {}).get("values") or {}
        presser = _submitter(payload, team)
        try:
            own = sheet(view)
            presser = _submitter(payload, team, own.address)
            handoff = await self._desk.look(own.handoff)
            await self._whose.check(handoff, presser.address)
            person = await self._person(presser, handoff)
            try:
                answer = await self._named(_answer(handoff, own, values, team), handoff)
                _must_have_read(handoff, own, values)
                answer_id = f"slack:{team}:{presser.user}:{view['id']}"
                await self._desk.answer(handoff.id, answer, person.actor, answer_id=answer_id, standing=person.standing)
            except InvalidAnswer as error:
                return self._beside(handoff, error, values)
        except BotError as error:
            text = why_not(error, surface="slack", user=presser.user, now=self._clock())
            return {"response_action": "update", "view": self._modals.note("Not recorded", text)} if text else None
        return None

    def _beside(self, handoff: Handoff, error: InvalidAnswer, values: forms.Values) -> Reply:
        faults = error.faults or (Fault("", error.detail),)
        errors = forms.errors(card(handoff, now=self._clock()), faults, values)
        if errors:
            return {"response_action": "errors", "errors": errors}
        return {"response_action": "update", "view": self._modals.note("Not recorded", error.detail)}

    def still_working(self) -> Reply:
        """The store takes longer than Slack waits."""
        note = self._modals.note("Recording…", "Your answer is being recorded. This window says when it is.")
        return {"response_action": "update", "view": note}

    async def caught_up(self, payload: Payload, team: str, reply: Reply) -> None:
        """Say in the modal that waits what became of it; what was typed is shown again if it did not count."""
        view_id = str(payload["view"]["id"])
        if reply is None:
            note = self._modals.note("Recorded", "Your answer is recorded.")
        elif "view" in reply:
            note = dict(reply["view"])
        else:
            told = " ".join(str(text) for text in reply.get("errors", {}).values())
            typed = "\n".join(_typed(payload))
            note = self._modals.note("Not recorded", f"{told}\nOpen the card and try again. You had typed:\n{typed}")
        await self._api.call(team, "views.update", view_id=view_id, view=note)

    async def searched(self, payload: Payload) -> Reply:
        """The candidates that fit what was typed into the menu of a choice."""
        try:
            handoff = await self._desk.look(pressed(payload).handoff)
        except BotError:
            return {"options": []}
        return self._cards.options(handoff, str(payload.get("value") or ""), now=self._clock())

    # --- who, and why not ---

    async def _named(self, answer: wire.Answer, handoff: Handoff) -> wire.Answer:
        """Whoever was picked, by the address that people know them by.

        Raises:
            InvalidAnswer: They may never answer: an app, or an account that was closed.
            DirectoryDown: Slack does not tell.
        """
        if not isinstance(answer, wire.Reassign) or not answer.to.startswith("slack:"):
            return answer
        team, _, user = answer.to.removeprefix("slack:").partition("/")
        person = await self._people.person(team, user, channel=None)
        if person.refusal:
            raise InvalidAnswer(person.refusal, handoff=handoff.id, faults=[Fault("to", person.refusal)])
        return answer.model_copy(update={"to": person.actor.email or f"slack:{person.actor.id}"})

    async def _person(self, presser: Presser, handoff: Handoff) -> Person:
        """Who it is, checked now.

        Raises:
            NotAnApprover: They may never answer, or not this.
            DirectoryDown: Slack does not tell.
        """
        person = await self._people.person(
            presser.team, presser.user, channel=presser.channel, user_team=presser.user_team
        )
        if person.refusal:
            raise NotAnApprover(person.refusal, handoff=handoff.id)
        await self._desk.may_answer(handoff, person.actor, standing=person.standing)
        return person


def _answer(handoff: Handoff, own: Sheet, values: forms.Values, team: str) -> wire.Answer:
    """A submitted modal as the wire has it.

    Raises:
        InvalidAnswer: It is none that this card takes.
    """
    given: Mapping[str, Any] = {"revision": own.revision, "digest": own.digest}
    remarked = {**given, "reason": forms.remark(values)}
    agreed = {"code": forms.code(values), "seen": "full" if own.full else None}
    try:
        match own.kind:
            case "read":
                return wire.Approve.model_validate({**remarked, **agreed})
            case "grant":
                return wire.Approve.model_validate({**remarked, "grant": -1 if own.index is None else own.index})
            case "reject":
                return wire.Reject.model_validate(remarked)
            case "ask-else" | "ask-agent":
                return _for_others(handoff, own, given, values, team)
            case "edit":
                view = card(handoff, now=handoff.opened_at)
                args = forms.arguments(handoff, view.form, values)
                approve = not handoff.route.not_requester and not forms.is_for_another(values)
                return wire.Edit.model_validate({**remarked, **agreed, "args": args, "approve": approve})
            case "choose" if isinstance(handoff.ask, wire.Choice) and own.index is not None:
                if 0 <= own.index < len(handoff.ask.candidates):
                    choice = handoff.ask.candidates[own.index].id
                    return wire.Choose.model_validate({**remarked, **agreed, "choice": choice})
            case "answer" if isinstance(handoff.ask, wire.Input):
                reply = forms.reply(handoff.ask.answer_schema, values)
                return wire.Reply.model_validate({**given, **agreed, "answer": reply})
    except ValidationError as error:
        faults = [Fault(str(each["loc"][0]) if each["loc"] else "", each["msg"]) for each in error.errors()]
        raise InvalidAnswer("The answer cannot be read.", handoff=handoff.id, faults=faults) from error
    raise InvalidAnswer("This card does not take that answer.", handoff=handoff.id)


def _for_others(handoff: Handoff, own: Sheet, given: Mapping[str, Any], values: forms.Values, team: str) -> wire.Answer:
    """What leaves it open: somebody else is asked, or the agent."""
    if own.kind == "ask-agent":
        return wire.AskAgent.model_validate({**given, "question": forms.question(values)})
    if not (to := forms.somebody(values, team)):
        msg = "Pick somebody, or type their address."
        raise InvalidAnswer(msg, handoff=handoff.id, faults=[Fault("to", msg)])
    return wire.Reassign.model_validate({**given, "to": to, "note": forms.note(values)})


def _must_have_read(handoff: Handoff, own: Sheet, values: forms.Values) -> None:
    """What is agreed to was shown in full, or they say that they read it in its file.

    Raises:
        InvalidAnswer: It was not.
    """
    if own.kind in _AGREEING and not forms.has_read(own, values):
        msg = "Read the whole first, and say so with the box."
        raise InvalidAnswer(msg, handoff=handoff.id, faults=[Fault("", msg)])


def _reason(handoff: Handoff, press: Pressed) -> str:
    """The text of a one-tap reason, from the policy and not from the button."""
    index = press.extra.get("index")
    reasons = handoff.route.reasons
    if not isinstance(index, int) or not 0 <= index < len(reasons):
        raise InvalidAnswer("That reason is not on this card any more; look at it again.", handoff=handoff.id)
    return reasons[index].text


def presser_of(payload: Payload, team: str) -> Presser:
    """Whoever pressed something on a message."""
    container, user = payload.get("container") or {}, payload["user"]
    channel = str((payload.get("channel") or {}).get("id") or container.get("channel_id") or "")
    ts = str(container.get("message_ts") or (payload.get("message") or {}).get("ts") or "")
    address = Address(team, channel, ts) if channel and ts else None
    thread = str((payload.get("message") or {}).get("thread_ts") or "") or None
    listener = Listener(team, str(user["id"]), channel or None, thread, str(payload.get("response_url") or "") or None)
    return Presser(team, str(user["id"]), user.get("team_id"), address, listener)


def _submitter(payload: Payload, team: str, address: str = "") -> Presser:
    user = payload["user"]
    at = Address.parse(address) if address else None
    listener = Listener(team, str(user["id"]), at.channel if at else None, None, None)
    return Presser(at.team if at else team, str(user["id"]), user.get("team_id"), at, listener)


def _typed(payload: Payload) -> list[str]:
    values = (payload["view"].get("state") or {}).get("values") or {}
    return [str(state["value"]) for states in values.values() for state in states.values() if state.get("value")]
