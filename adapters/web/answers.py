"""What a person pressed, taken to the desk; and what they are told when it did not count."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web
from pydantic import ValidationError

from adapters.web.pages import Form, Notice, Pages, control_name
from andon import wire
from bot.cards import ABSENT, Card, RunView, by_field, card, read, too_late, visible
from bot.errors import (
    AlreadyDecided,
    Conflict,
    Fault,
    HandoffExpired,
    InvalidAnswer,
    NotAnApprover,
    StaleRevision,
    StoreUnavailable,
)
from bot.handoff import Handoff
from bot.ports import Desk, Session

_OTHERS = frozenset({"reassign", "more_info"})
_AGREEING = frozenset({"approve", "edit-approve", "choose", "answer"})


@dataclass(frozen=True, slots=True)
class _Press:
    """A submitted form, as text."""

    kind: str
    revision: int
    full: bool
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Case:
    """Who pressed what, and the fields of the form by their own names."""

    session: Session
    press: _Press
    typed: Mapping[str, str]


class Answers:
    """Takes one press at a time. Whatever happens, the person sees the card as it stands and is told what counted."""

    def __init__(
        self,
        desk: Desk,
        pages: Pages,
        clock: Callable[[], datetime],
        *,
        its_run: Callable[[str], Awaitable[RunView | None]],
    ) -> None:
        """Keep what is needed to answer and to show the card again; `its_run` reads the run that it is of."""
        self._desk = desk
        self._pages = pages
        self._clock = clock
        self._its_run = its_run

    async def take(self, handoff_id: str, posted: Mapping[str, object], session: Session) -> web.Response:
        """Record the answer and show the card, or show the card with the reason why nothing was recorded."""
        handoff, press = await self._desk.look(handoff_id), _press(posted)
        view = self._view(handoff, session, full=press.full)
        case = _Case(session, press, _typed(view, press))
        try:
            self._check(handoff, view, press)
            answer = _answer(handoff, press, case.typed)
            await self._desk.answer(handoff.id, answer, session.person, answer_id=press.values.get("answer_id") or None)
        except InvalidAnswer as error:
            faults = [fault for fault in error.faults if fault.field != "code"]
            errors = by_field(view.form, [Fault(_local(fault.field), fault.detail) for fault in faults])
            if press.kind in _OTHERS:
                errors = {}
            code_error = "; ".join(fault.detail for fault in error.faults if fault.field == "code")
            beside = "Some fields need another look." if errors else "Nothing was recorded yet." if code_error else ""
            text = "; ".join(errors.get("", ())) or beside or error.detail
            return await self._again(handoff, case, Notice(_begun(text)), 422, errors, code_error=_begun(code_error))
        except StoreUnavailable as error:
            text = "The store did not confirm your answer. Press again in a moment: it can only count once."
            return await self._again(handoff, case, Notice(text), error.status)
        except (Conflict, NotAnApprover) as error:
            return await self._anew(handoff.id, case, _why_not(error), error.status)
        return web.Response(status=303, headers={"Location": f"/handoffs/{handoff.id}"})

    async def send_again(self, handoff_id: str, posted: Mapping[str, object], session: Session) -> web.Response:
        """Have the decision sent to the agent once more, and show the card with what came of that."""
        full, error = posted.get("full") == "1", None
        try:
            notice = Notice(await self._desk.send_again(handoff_id, session.person), good=True)
        except StoreUnavailable as away:
            notice, error = Notice("The store did not confirm this. Press again in a moment."), away
        handoff = await self._desk.look(handoff_id)
        view, its_run = self._view(handoff, session, full=full), await self._its_run(handoff.run)
        page = self._pages.card(view, session, form=Form(), notice=notice, full=full, its_run=its_run)
        return web.Response(text=page, status=error.status if error else 200, content_type="text/html")

    def _view(self, handoff: Handoff, session: Session, *, full: bool = False, since: int = 1) -> Card:
        """The card as this person sees it."""
        conflict = self._desk.conflict(handoff, session.person)
        return card(handoff, now=self._clock(), full=full, since=since, conflict=conflict)

    def _check(self, handoff: Handoff, view: Card, press: _Press) -> None:
        """What the desk cannot know: which card the person had before their eyes.

        Raises:
            StaleRevision: The form's fields were made for another revision.
            InvalidAnswer: They agreed to what was not shown in full.
        """
        if press.revision != handoff.revision and not handoff.decision:
            raise StaleRevision("The card has changed.", handoff=handoff.id)
        if press.kind in _AGREEING and (view.missing or view.must_open):
            raise InvalidAnswer("Part of this card was not shown: open it in full first.", handoff=handoff.id)

    async def _again(
        self,
        handoff: Handoff,
        case: _Case,
        notice: Notice,
        status: int,
        errors: Mapping[str, tuple[str, ...]] | None = None,
        *,
        code_error: str = "",
    ) -> web.Response:
        """The same form, with everything that was typed; the same press again is the same answer."""
        values = case.press.values
        form = Form(
            answer_id=values.get("answer_id") or Form().answer_id,
            typed=case.typed,
            errors=errors or {},
            editing=case.press.kind.startswith("edit"),
            reason=values.get("reason", ""),
            choice=values.get("choice", ""),
            code="" if code_error else values.get("code", ""),
            code_error=code_error,
            grant=values.get("grant", ""),
            other={name: values[name] for name in ("to", "note", "question") if values.get(name)},
        )
        view = self._view(handoff, case.session, full=case.press.full)
        its_run = await self._its_run(handoff.run)
        page = self._pages.card(view, case.session, form=form, notice=notice, full=case.press.full, its_run=its_run)
        return web.Response(text=page, status=status, content_type="text/html")

    async def _anew(self, handoff_id: str, case: _Case, text: str, status: int) -> web.Response:
        """The card as it stands now, what changed since it was read, and what was typed on the old one."""
        handoff = await self._desk.look(handoff_id)
        view = self._view(handoff, case.session, since=case.press.revision)
        words = ("reason", "to", "note", "question")
        typed = {**case.typed, **{name: case.press.values.get(name, "") for name in words}}
        lost = tuple((visible(name), visible(value)) for name, value in typed.items() if value.strip())
        notice, its_run = Notice(text, typed=lost), await self._its_run(handoff.run)
        page = self._pages.card(view, case.session, form=Form(), notice=notice, full=False, its_run=its_run)
        return web.Response(text=page, status=status, content_type="text/html")


def _begun(sentence: str) -> str:
    return f"{sentence[:1].upper()}{sentence[1:]}"


def _why_not(error: Conflict | NotAnApprover) -> str:
    match error:
        case AlreadyDecided():
            return too_late(error.decision)
        case StaleRevision():
            return "This card changed after you opened it, so your press changed nothing. Look again before you answer."
        case HandoffExpired():
            return "The time was up before your press, so it changed nothing."
        case _:
            return f"{error.detail} Your press changed nothing."


def _press(posted: Mapping[str, object]) -> _Press:
    values = {name: value for name, value in posted.items() if isinstance(value, str)}
    revision = values.get("revision", "")
    return _Press(
        kind=values.get("kind", ""),
        revision=int(revision) if revision.isdecimal() and len(revision) < 10 else 0,  # noqa: PLR2004  # no huge numbers
        full=values.get("full") == "1",
        values=values,
    )


def _typed(view: Card, press: _Press) -> dict[str, str]:
    """The fields of the form by their own names, as far as they were sent."""
    names = {field.name: control_name(index) for index, field in enumerate(view.form)}
    return {name: press.values[sent] for name, sent in names.items() if sent in press.values}


def _answer(handoff: Handoff, press: _Press, typed: Mapping[str, str]) -> wire.Answer:
    """The press as the wire has it.

    Raises:
        InvalidAnswer: It is none that this card takes.
    """
    given = {"revision": press.revision, "digest": press.values.get("digest", "")}
    reasoned = {**given, "reason": press.values.get("reason", "").strip() or None}
    agreed = {"code": press.values.get("code", "").strip() or None, "seen": "full" if press.full else None}
    submitted = {name: [value] for name, value in typed.items()}
    action = handoff.action
    try:
        match press.kind:
            case "approve":
                return wire.Approve.model_validate(
                    {**reasoned, **agreed, "grant": _index(press.values.get("grant", ""))}
                )
            case "reject":
                return wire.Reject.model_validate(reasoned)
            case kind if one_tap := _one_tap(handoff, kind):
                said = f"{one_tap}\n\n{typed_too}" if (typed_too := reasoned["reason"]) else one_tap
                return wire.Reject.model_validate({**given, "reason": said})
            case "choose" if not press.values.get("choice"):
                raise InvalidAnswer("Pick one first.", handoff=handoff.id)
            case "choose":
                return wire.Choose.model_validate({**reasoned, **agreed, "choice": press.values["choice"]})
            case "answer" if isinstance(handoff.ask, wire.Input):
                value = read(handoff.ask.answer_schema, ABSENT, submitted)
                return wire.Reply.model_validate({**given, **agreed, "answer": value})
            case "edit-approve" | "edit-save" if action:
                args = read(action.schema_, action.args, submitted)
                approve = press.kind == "edit-approve"
                return wire.Edit.model_validate({**reasoned, **agreed, "args": args, "approve": approve})
            case "reassign" | "more_info":
                return _for_others(press, given)
            case _:
                raise InvalidAnswer("This card does not take that answer.", handoff=handoff.id)
    except ValidationError as error:
        faults = [Fault(str(each["loc"][0]) if each["loc"] else "", each["msg"]) for each in error.errors()]
        raise InvalidAnswer("The answer cannot be read.", handoff=handoff.id, faults=faults) from error


def _for_others(press: _Press, given: Mapping[str, object]) -> wire.Answer:
    """What leaves it open: somebody else is asked, or the agent."""
    if press.kind == "more_info":
        return wire.AskAgent.model_validate({**given, "question": press.values.get("question", "")})
    note = press.values.get("note", "").strip() or None
    return wire.Reassign.model_validate({**given, "to": press.values.get("to", ""), "note": note})


def _index(text: str) -> int | None:
    """Which grant goes with a yes; None for none. What is no number is no grant that any card offers."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 3 else 100  # noqa: PLR2004  # no huge numbers


def _one_tap(handoff: Handoff, kind: str) -> str | None:
    """What the agent reads when this button was pressed, if it is one of the policy's reasons to reject."""
    buttons = {f"reject-{index}": reason.text for index, reason in enumerate(handoff.route.reasons)}
    return buttons.get(kind)


def _local(field: str) -> str:
    """A fault's field within the form: the desk names it within the answer."""
    for prefix in ("args", "answer"):
        if field == prefix or field.startswith(f"{prefix}."):
            return field[len(prefix) + 1 :]
    return field
