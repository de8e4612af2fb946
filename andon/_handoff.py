"""One ask and its life, from the agent's side: wait for it, claim it, report on it, take it back."""

import asyncio
import contextlib
import logging
from typing import Literal
from uuid import uuid4

from pydantic import JsonValue

from andon import wire
from andon._brake import GOODBYE_S, reread_s
from andon._decisions import Aborted, Answered, Approved, Chosen, Decision, Edited, decision_of
from andon._errors import AndonError, Steered, Stopped, refused
from andon._line import Line
from andon._permit import Permit, read_permit

__all__ = ["Allowed", "Handoff", "Status", "claim", "report"]

Status = Literal["executed", "failed", "undone", "undo_failed"]
Allowed = Approved | Edited | Chosen | Answered
"""The decisions that can be claimed."""

ERROR_CHARS = 8_000

_log = logging.getLogger("andon")


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
    def decision(self) -> Decision | Aborted | None:
        """The decision that stood when this was last read."""
        return decision_of(self.latest)

    async def refresh(self) -> wire.Handoff:
        """Read it anew."""
        self.latest = await self._line.api.read(self.id)
        return self.latest

    async def wait(self) -> Decision:
        """Wait for the decision, as long as it takes, through any outage of the service and any pause.

        Raises:
            Stopped: Somebody pulled the cord. It is on hold, and may be waited for again after `await run.resumed()`.
            Steered: Somebody told the run something. It is open still: `withdraw` it, or wait again.
            ServiceError: The service refuses to tell, e.g. because the key was revoked.
        """
        try:
            return await self.decided()
        except Steered as steered:
            await self._line.brake.acknowledge(steered)
            raise

    async def attend(self) -> Decision:
        """As `wait`; but whoever is cancelled or steered meanwhile takes the ask back."""
        brake = self._line.brake
        try:
            return await self.decided()
        except (asyncio.CancelledError, Steered) as end:
            if not brake.ends(end):
                await self.take_back()
            if isinstance(end, Steered):
                await brake.acknowledge(end)
            raise

    async def decided(self, *, heed: bool = True) -> Decision:
        """As `wait`, but the words of a `Steered` are still to be acknowledged; without `heed`, through any stop."""
        decision = self._standing()
        if decision is not None:
            return decision
        line = self._line
        with line.brake.waiting(self.id) as wait:
            await line.events.connected()
            while True:
                if wait.stale:
                    wait.stale = False
                    wait.brakes.clear()
                    self.latest = await line.api.read(self.id, for_ever=True)
                    decision = self._standing()
                    if decision is not None:
                        return decision
                    await line.brake.saw(wait, self.latest.brake)
                if heed:
                    line.brake.heed(wait.brakes.values(), self)
                await wait.rung(reread_s())

    async def take_back(self) -> None:
        """Withdraw it if it is open, within two seconds; a service that is away will let it expire."""
        if self.decision is None:
            with contextlib.suppress(TimeoutError, AndonError):
                async with asyncio.timeout(GOODBYE_S):
                    await self.withdraw("The agent stopped waiting.")
                    _log.info("handoff.withdrawn id=%s", self.id)

    def _standing(self) -> Decision | None:
        decision = self.decision
        if isinstance(decision, Aborted):
            raise Stopped(self._line.brake.aborted(decision), self)
        return decision

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
        if self.decision is None:
            await self.refresh()
        decision = self._standing()
        if decision is None:
            raise AndonError(f"{self.id} is still undecided; wait for it before claiming it")
        if not isinstance(decision, Approved | Edited | Chosen | Answered):
            raise refused(decision)
        permit = await claim(self._line, decision, claimant=claimant, handoff=self)
        self._claimant = permit.claimant
        return permit

    async def report(self, status: Status = "executed", *, result: JsonValue = None, error: str | None = None) -> None:
        """Report what came of it. The same report twice is fine."""
        self.latest = await report(self._line, self.id, status, claimant=self._claimant, result=result, error=error)

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


async def claim(
    line: Line, decision: Allowed, *, claimant: str | None = None, handoff: Handoff | None = None
) -> Permit:
    """Claim a decision and check the permit; see `Handoff.claim`."""
    claimant = claimant or line.claimants.pop(decision.handoff, None) or uuid4().hex
    request = wire.ClaimRequest(digest=decision.digest, claimant=claimant)
    try:
        content = await line.brake.when_off(lambda: line.api.claim(decision.handoff, request), handoff=handoff)
    except (Stopped, Steered):
        # It may have been made before the stop, and its reply lost: the next try is the same attempt.
        line.claimants[decision.handoff] = claimant
        raise
    permit = read_permit(content, handoff=decision.handoff, digest=decision.digest, claimant=claimant)
    line.acting.add(decision.handoff)
    return permit


async def report(
    line: Line, handoff_id: str, status: Status, *, claimant: str | None, result: JsonValue, error: str | None
) -> wire.Handoff:
    """Report what came of an action."""
    if error is not None:
        # A file's name may be no Unicode; the report is to arrive all the same.
        error = error.encode("utf-8", "replace").decode()
        error = error if len(error) <= ERROR_CHARS else error[: ERROR_CHARS - 1] + "…"
    outcome = wire.OutcomeReport(status=status, claimant=claimant, result=result, error=error)
    line.acting.discard(handoff_id)  # whether it can be told or not: nobody works on it any more
    return await line.api.report(handoff_id, outcome)
