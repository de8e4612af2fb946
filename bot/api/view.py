"""A handoff as the API tells it: the models of `andon.wire`, put together as bytes.

A handoff is told four times in its life; the part that never changes is made once, and kept while it is talked about.
"""

import json
from collections import OrderedDict
from collections.abc import Iterator
from math import ceil
from typing import Final, Literal

from pydantic import TypeAdapter

from andon import wire
from bot.access import Access
from bot.cards import crowded, questions, silence_of
from bot.consent import on_timeout
from bot.handoff import OPEN, Handoff, State
from bot.tally import latest, number

_KEPT: Final = 256
_QUESTIONS: TypeAdapter[tuple[wire.Question, ...]] = TypeAdapter(tuple[wire.Question, ...])
_REVISIONS: TypeAdapter[tuple[wire.Revision, ...]] = TypeAdapter(tuple[wire.Revision, ...])
_VOTES: TypeAdapter[tuple[wire.Vote, ...]] = TypeAdapter(tuple[wire.Vote, ...])


class View:
    """Makes `wire.Handoff` documents."""

    def __init__(self, access: Access, url: str) -> None:
        """`url` is the address of the console."""
        self._access = access
        self._url = url
        self._fixed: OrderedDict[str, tuple[Handoff, bytes, bytes]] = OrderedDict()

    def document(self, handoff: Handoff, *, to: Literal["agent", "person", "bearer"]) -> bytes:
        """The JSON of a handoff, with its token for its own agent, and a step-up's number for people.

        A `bearer` has the handoff's token, which its agent has too.
        """
        fixed, token = self._fixed_part(handoff)
        parts = [
            fixed,
            b',"state":"%b","revision":%d,"digest":"%b"'
            % (handoff.state.value.encode(), handoff.revision, handoff.digest.encode()),
        ]
        if to == "agent":
            parts.append(token)
        if asked := questions(handoff, hidden=to == "person"):
            parts += (b',"questions":', _QUESTIONS.dump_json(asked, exclude_defaults=True, exclude_none=True))
        if handoff.crowd:
            parts += (b',"crowded":', json.dumps(crowded(handoff.crowd)).encode())
        if handoff.revisions:
            parts += (b',"revisions":', _REVISIONS.dump_json(handoff.revisions))
        if handoff.brake and (handoff.state in OPEN or handoff.state is State.DECIDED):
            parts += (b',"brake":', handoff.brake.model_dump_json(exclude_none=True).encode())
        if handoff.left_s is not None:
            parts.append(b',"left_s":%d' % ceil(handoff.left_s))
        if handoff.votes:
            parts += (b',"votes":', _VOTES.dump_json(_votes(handoff)))
        if to == "person" and handoff.state in OPEN and (code := number(handoff)):
            parts.append(b',"code":"%b"' % code.encode())
        return b"".join((*parts, *_ending(handoff), b"}"))

    def _fixed_part(self, handoff: Handoff) -> tuple[bytes, bytes]:
        kept = self._fixed.get(handoff.id)
        same = kept and kept[0].ask is handoff.ask and kept[0].expires_at == handoff.expires_at
        if kept and same and on_timeout(kept[0]) == on_timeout(handoff):
            return kept[1], kept[2]
        head = {
            "id": handoff.id,
            "agent": handoff.agent,
            "run": handoff.run,
            "opened_at": _time(handoff.opened_at.isoformat()),
            "expires_at": _time(handoff.expires_at.isoformat()),
            "silence": silence_of(handoff, on_timeout(handoff)),
            "url": f"{self._url}/handoffs/{handoff.id}",
        }
        if follows := handoff.follows or handoff.settles:
            head["follows"] = follows
        ask = handoff.ask.model_dump_json(by_alias=True, exclude_none=True).encode()
        fixed = json.dumps(head, ensure_ascii=False)[:-1].encode() + b',"ask":' + ask
        token = f',"token":"{self._access.token(handoff.id)}"'.encode()
        self._fixed[handoff.id] = (handoff, fixed, token)
        if len(self._fixed) > _KEPT:
            self._fixed.popitem(last=False)
        return fixed, token


def _votes(handoff: Handoff) -> tuple[wire.Vote, ...]:
    """One of each person."""
    return tuple(
        wire.Vote(by=vote.by, at=vote.at, stage=vote.stage, kind="no" if vote.kind == "no" else "yes")
        for vote in latest(handoff.votes)
    )


def _ending(handoff: Handoff) -> Iterator[bytes]:
    """What became of it, as far as it has."""
    if handoff.decision:
        yield from (b',"decision":', handoff.decision.model_dump_json(exclude_none=True).encode())
    if handoff.delivered:
        yield from (b',"delivered":', handoff.delivered.model_dump_json().encode())
    if handoff.unreached:
        yield from (b',"unreached":', handoff.unreached.model_dump_json().encode())
    if handoff.claim:
        yield from (b',"claim":', handoff.claim.model_dump_json().encode())
    if handoff.review:
        yield b',"review":"%b"' % handoff.review.encode()
    if handoff.unknown_since:
        yield b',"unknown_since":"%b"' % _time(handoff.unknown_since.isoformat()).encode()
    if handoff.question:
        yield b',"question":"%b"' % handoff.question.encode()
    if handoff.late_report:
        yield from (b',"late_report":', handoff.late_report.model_dump_json(exclude_none=True).encode())
    if handoff.outcome:
        yield from (b',"outcome":', handoff.outcome.model_dump_json(exclude_none=True).encode())


def _time(text: str) -> str:
    return text.replace("+00:00", "Z")
