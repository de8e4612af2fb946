"""Presses for all that a digest shows."""

import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from adapters.teams.answers import Presser
from adapters.teams.carried import Pressed
from adapters.teams.people import People
from adapters.teams.replying import Json, with_words
from adapters.teams.whose import Whose
from bot.cards import skipped, why_not
from bot.errors import BotError, Gone, NotAnApprover
from bot.ports import Desk


class RowAnswers:
    """Answers each row on its own, exactly as it was shown."""

    def __init__(self, desk: Desk, *, people: People, whose: Whose, clock: Callable[[], datetime]) -> None:
        """Answer at the desk."""
        self._desk = desk
        self._people = people
        self._whose = whose
        self._clock = clock

    async def pressed(self, press: Pressed, presser: Presser) -> Json:
        """Approve or reject what was shown; the reply says what was skipped."""
        kind: Literal["approve", "reject"] = "approve" if press.do == "approve-shown" else "reject"
        try:
            person = await self._people.person(presser.activity)
            if person.refusal:
                raise NotAnApprover(person.refusal, handoff=press.rows[0].handoff)
            await self._check(press, presser)
            outcomes = await self._desk.answer_shown(
                press.rows, kind, person.actor, answer_id=presser.answer_id, standing=person.standing
            )
        except BotError as error:
            return with_words(why_not(error, surface="teams", user=presser.user, now=self._clock()))
        done = f"{'Approved' if kind == 'approve' else 'Rejected'} {len(outcomes)} asks."
        return with_words(skipped(kind, outcomes) or done)

    async def _check(self, press: Pressed, presser: Presser) -> None:
        """The rows are the client's word: each must have been for this conversation.

        Raises:
            BadRequest: One was not, so the list is none of ours.
        """
        for row in press.rows:
            with contextlib.suppress(Gone):  # the desk skips it, and says so
                await self._whose.check(await self._desk.look(row.handoff), presser.address)
