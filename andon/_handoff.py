"""One ask and its life, from the agent's side: wait for it, claim it, report on it, take it back."""

import asyncio
import contextlib
from typing import Literal
from uuid import uuid4

from pydantic import JsonValue

from andon import wire
from andon._api import Api
from andon._decisions import Answered, Approved, Chosen, Decision, Edited, decision_of
from andon._errors import AndonError, refused
from andon._events import Events
from andon._http import backoff_s
from andon._permit import Permit, read_permit

__all__ = ["Allowed", "Handoff", "Line", "Status", "claim", "report"]

Status = Literal["executed", "failed", "undone", "undo_failed"]
Allowed = Approved | Edited | Chosen | Answered
"""The decisions that can be claimed."""

REREAD_S = 60.0
REREAD_SPREAD = 6
"""As `backoff_s` takes it: up to 13 s, so that many waits that began together do not read together."""
ERROR_CHARS = 8_000


class Line:
    """The line to the service that runs and handoffs share: its calls and its event stream."""

    def __init__(self, api: Api, events: Events) -> None:
        self.api = api
        self.events = events


class Handoff:
    """One ask and its whole life.

    Attributes:
        latest: As last read from the service.
        token: Brings this handoff back in another process: `await andon.resume(token)`.
    """

    def __init__(self, line: Line, latest: wire.Handoff, *, token: str | None = None) -> None:
        self._line = line
        self._claimant: str | None = None
        self.latest = latest
        self.token = token or latest.token

    @property
    def id(self) -> str:
        """The handoff's id."""
        return self.latest.id

    @property
    def url(self) -> str:
        """Where people find the card."""
        return self.latest.url

    @property
    def decision(self) -> Decision | None:
        """The decision that stood when this was last read."""
        return decision_of(self.latest)

    async def refresh(self) -> wire.Handoff:
        """Read it anew."""
        self.latest = await self._line.api.read(self.id)
        return self.latest

    async def wait(self) -> Decision:
        """Wait for the decision, as long as it takes, through any outage of the service.

        Raises:
            ServiceError: The service refuses to tell, e.g. because the key was revoked.
        """
        decision = self.decision
        if decision is not None:
            return decision
        events = self._line.events
        with events.watch(self.id) as changed:
            await events.connected()
            while True:
                changed.clear()
                self.latest = await self._line.api.read(self.id, for_ever=True)
                decision = self.decision
                if decision is not None:
                    return decision
                # The stream loses nothing; reading once a minute guards against one that says nothing.
                await _set_within(changed, REREAD_S + backoff_s(REREAD_SPREAD))

    async def claim(self, *, claimant: str | None = None) -> Permit:
        """Exchange the decision for the one permit to act on it.

        Call it right before acting: it checks the decision's age and the brake.

        Args:
            claimant: Names this attempt. Only the same name gets the same permit again, so keep it where you keep
                your own state if you mean to claim again after a crash; unset, a new one.

        Raises:
            Refused: The decision allows nothing.
            ClaimRefused: Too old, claimed already, or there is no decision yet. Do not act.
            Stopped: Somebody pulled the cord. Do not act.
            PermitMismatch: The permit is not for what was decided. Do not act.
        """
        decision = self.decision or decision_of(await self.refresh())
        if decision is None:
            raise AndonError(f"{self.id} is still undecided; wait for it before claiming it")
        if not isinstance(decision, Approved | Edited | Chosen | Answered):
            raise refused(decision)
        permit = await claim(self._line.api, decision, claimant=claimant)
        self._claimant = permit.claimant
        return permit

    async def report(self, status: Status = "executed", *, result: JsonValue = None, error: str | None = None) -> None:
        """Report what came of it. The same report twice is fine."""
        self.latest = await report(self._line.api, self.id, status, claimant=self._claimant, result=result, error=error)

    @property
    def questions(self) -> tuple[wire.Question, ...]:
        """What people asked the agent when this was last read, each with the agent's replies."""
        return self.latest.questions

    async def reply(self, text: str) -> None:
        """Answer what somebody asked; the card shows it below their question.

        Raises:
            AlreadyDecided: It needs no answer any more.
        """
        self.latest = await self._line.api.reply(self.id, text, idempotency_key=uuid4().hex)

    async def withdraw(self, reason: str | None = None) -> None:
        """Take the ask back.

        Raises:
            AlreadyDecided: Too late; read `decision` after `refresh`.
        """
        self.latest = await self._line.api.withdraw(self.id, reason)


async def claim(api: Api, decision: Allowed, *, claimant: str | None = None) -> Permit:
    """Claim a decision and check the permit; see `Handoff.claim`."""
    claimant = claimant or uuid4().hex
    content = await api.claim(decision.handoff, wire.ClaimRequest(digest=decision.digest, claimant=claimant))
    return read_permit(content, handoff=decision.handoff, digest=decision.digest, claimant=claimant)


async def report(
    api: Api, handoff_id: str, status: Status, *, claimant: str | None, result: JsonValue, error: str | None
) -> wire.Handoff:
    """Report what came of an action."""
    if error is not None:
        # A file's name may be no Unicode; the report is to arrive all the same.
        error = error.encode("utf-8", "replace").decode()
        error = error if len(error) <= ERROR_CHARS else error[: ERROR_CHARS - 1] + "…"
    outcome = wire.OutcomeReport(status=status, claimant=claimant, result=result, error=error)
    return await api.report(handoff_id, outcome)


async def _set_within(changed: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await changed.wait()
