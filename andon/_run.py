"""A run: one job of an agent. It asks, shows, tells and keeps its place; how it does so lies deeper."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, overload
from uuid import uuid4

from pydantic import JsonValue, TypeAdapter, ValidationError

from andon import wire
from andon._asking import Timeout, ask, open_ask, seconds
from andon._candidates import CandidateLike, candidates_from
from andon._checkpoints import Checkpoints
from andon._decisions import Answered, Chosen, Confirmed, Decision
from andon._errors import AndonError, InvalidAnswer, refused
from andon._gate import Gate, Risks, What
from andon._handoff import Allowed, Handoff, Status, claim, report
from andon._json import plain_object, shown_result
from andon._line import Line
from andon._permit import Permit
from andon._places import Where, place
from andon._review import Undo, settle
from andon._watching import UndoResult, Watching, prepare

__all__ = ["Run"]

T = TypeVar("T")
Silence = Literal["deny", "approve"]


class Run:
    """One job of an agent, bound to a conversation and, often, to the person it works for.

    People may stop it at any time. Each of its calls that waits, acts or saves a checkpoint then raises `Stopped`; or
    `Steered`, where they told it something. A pause is waited out. After a stop `await resumed()`: to ask the very same
    thing again is to come back to the ask that was on hold.

    Attributes:
        info: As the service told it.
    """

    def __init__(self, line: Line, info: wire.Run) -> None:
        self._line = line
        self.info = info
        self._checkpoints = Checkpoints(line, info)
        self._watching = Watching(line)

    @property
    def id(self) -> str:
        """The run's id."""
        return self.info.id

    @property
    def brake(self) -> wire.Braked | None:
        """What holds the run, as far as was last known here; None: nothing."""
        return self._line.brake.latest

    async def resumed(self) -> None:
        """Wait until nothing holds the run, however long a stop or a pause lasts.

        Raises:
            Stopped: The run was aborted: it will never be resumed.
            Steered: Somebody told the run something meanwhile.
        """
        await self._line.brake.off(stops=False)

    async def confirm(
        self,
        what: str,
        *,
        why: str,
        risks: Sequence[str],
        tool: str,
        args: Mapping[str, Any],
        schema: Mapping[str, Any] | None = None,
        gate: str | None = None,
        reversible: bool = False,
        confidence: float | None = None,
        timeout: Timeout = None,
        on_timeout: Silence = "deny",
        to: Sequence[Where] = (),
        idempotency_key: str | None = None,
    ) -> Confirmed:
        """Ask whether to do something, and wait.

        An approval is not yet leave to act: `claim` it, run what the permit says, and `report` what came of it.

        Args:
            what: What will be done, for the person who decides.
            why: What it is good for.
            risks: What could go wrong; at least one.
            tool: The name of what will run.
            args: Its arguments. The approval covers exactly these.
            schema: JSON Schema of `args`, for edits.
            gate: The point where the agent stops; unset, the tool's name.
            reversible: Can it be undone?
            confidence: Your own estimate, 0 to 1.
            timeout: How long to wait for a person.
            on_timeout: What silence means. `approve` is only for what is reversible, and counts only where the
                service's policy says so as well; else silence is `Expired`.
            to: Where the card goes, if not to the run's conversation.
            idempotency_key: Yours, if you may ask again after a crash and mean the same ask.

        Returns:
            Approved or Edited; Rejected, Expired, Withdrawn or Undeliverable.
        """
        asked = wire.Confirmation(
            gate=gate or tool,
            run=self.id,
            what=what,
            why=why,
            risks=tuple(risks),
            action=wire.Action(tool=tool, args=plain_object(args), schema_=plain_object(schema or {})),
            reversible=reversible,
            confidence=confidence,
            timeout_s=seconds(timeout),
            on_timeout=on_timeout,
            to=tuple(map(place, to)),
        )
        return _confirmed((await ask(self._line, asked, idempotency_key)).decision)

    async def choose(
        self,
        question: str,
        candidates: Sequence[CandidateLike],
        *,
        why: str = "",
        risks: Sequence[str] = (),
        gate: str = "choose",
        reversible: bool = False,
        confidence: float | None = None,
        timeout: Timeout = None,
        to: Sequence[Where] = (),
        idempotency_key: str | None = None,
    ) -> Chosen:
        """Ask which one, and wait.

        A candidate with an `action` is something to be done: `claim` the returned decision before doing it. One without
        is claimed here, which tells people that the agent has their answer.

        Raises:
            Refused: None of them: rejected, expired, withdrawn or undeliverable.
        """
        asked = wire.Choice(
            gate=gate,
            run=self.id,
            question=question,
            why=why,
            risks=tuple(risks),
            candidates=candidates_from(candidates),
            reversible=reversible,
            confidence=confidence,
            timeout_s=seconds(timeout),
            to=tuple(map(place, to)),
        )
        decision = (await ask(self._line, asked, idempotency_key, claims=_is_all)).decision
        if isinstance(decision, Chosen):
            return decision
        raise refused(decision)

    @overload
    async def ask(
        self,
        question: str,
        *,
        why: str = ...,
        risks: Sequence[str] = ...,
        gate: str = ...,
        timeout: Timeout = ...,
        to: Sequence[Where] = ...,
        reply_in_thread: bool = ...,
        idempotency_key: str | None = ...,
    ) -> str: ...

    @overload
    async def ask(
        self,
        question: str,
        *,
        answer: type[T] | TypeAdapter[T],
        why: str = ...,
        risks: Sequence[str] = ...,
        gate: str = ...,
        timeout: Timeout = ...,
        to: Sequence[Where] = ...,
        reply_in_thread: bool = ...,
        idempotency_key: str | None = ...,
    ) -> T: ...

    @overload
    async def ask(
        self,
        question: str,
        *,
        answer: Any,
        why: str = ...,
        risks: Sequence[str] = ...,
        gate: str = ...,
        timeout: Timeout = ...,
        to: Sequence[Where] = ...,
        reply_in_thread: bool = ...,
        idempotency_key: str | None = ...,
    ) -> Any: ...

    async def ask(
        self,
        question: str,
        *,
        answer: Any = None,
        why: str = "",
        risks: Sequence[str] = (),
        gate: str = "ask",
        timeout: Timeout = None,
        to: Sequence[Where] = (),
        reply_in_thread: bool = False,
        idempotency_key: str | None = None,
    ) -> Any:
        """Ask a question, and wait for the answer.

        Args:
            question: For the person who answers.
            answer: The answer's type: any that pydantic knows, or a `TypeAdapter` of one. It becomes the form that
                people fill in. Unset, a text.
            why: What you need it for.
            risks: What a wrong answer could do.
            gate: The point where the agent stops.
            timeout: How long to wait for a person.
            to: Where the card goes, if not to the run's conversation.
            reply_in_thread: In chat, a message below the card from somebody who may answer is the answer.
            idempotency_key: Yours, if you may ask again after a crash and mean the same ask.

        Returns:
            The answer, as a value of that type.

        Raises:
            Refused: No answer: rejected, expired, withdrawn or undeliverable.
            InvalidAnswer: It fits the JSON Schema, but a rule of the type that a schema cannot say refuses it.
        """
        adapter: TypeAdapter[Any] = answer if isinstance(answer, TypeAdapter) else TypeAdapter(answer or str)
        fields: dict[str, Any] = {} if answer is None else {"answer_schema": adapter.json_schema()}
        asked = wire.Input(
            gate=gate,
            run=self.id,
            question=question,
            why=why,
            risks=tuple(risks),
            timeout_s=seconds(timeout),
            to=tuple(map(place, to)),
            reply_in_thread=reply_in_thread,
            **fields,
        )
        _, decision, permit = await ask(self._line, asked, idempotency_key, claims=_is_all)
        if permit is None:
            raise refused(decision)
        answered = permit.decided["answer"]
        try:
            return adapter.validate_json(TypeAdapter(JsonValue).dump_json(answered))
        except ValidationError as error:
            raise InvalidAnswer(f"{decision.handoff}: {error}", answer=answered) from error

    async def review(
        self,
        what: str,
        *,
        result: object,
        undo: Undo,
        why: str = "Done already, and shown so that you can have it undone.",
        risks: Sequence[str] = (),
        gate: str = "review",
        timeout: Timeout = None,
        on_timeout: Silence = "deny",
        to: Sequence[Where] = (),
        idempotency_key: str | None = None,
    ) -> Confirmed:
        """Show what was done already, wait, and undo it unless people let it stand. For what can be undone.

        It is undone when it is rejected, when nobody answers (unless `on_timeout="approve"`, and the service's policy
        says so as well), and when the question reaches nobody. What came of it is reported.

        Args:
            what: What was done.
            result: What came of it: JSON, or anything with a readable `str()`.
            undo: Takes it back; may be async.
            why: What it is good for.
            risks: What could be wrong with it.
            gate: The point where the agent stops.
            timeout: How long to wait for a person.
            on_timeout: What silence means. `approve` counts only where the service's policy says so as well; else it
                is undone.
            to: Where the card goes, if not to the run's conversation.
            idempotency_key: Yours, if you may ask again after a crash and mean the same ask.

        Raises:
            UndoFailed: It should have been undone, and still stands.
        """
        asked = wire.Confirmation(
            timing="after",
            gate=gate,
            run=self.id,
            what=what,
            why=why,
            risks=tuple(risks),
            result=shown_result(result),
            reversible=True,
            timeout_s=seconds(timeout),
            on_timeout=on_timeout,
            to=tuple(map(place, to)),
        )
        handoff, decision, _ = await ask(self._line, asked, idempotency_key)
        confirmed = _confirmed(decision)
        await settle(handoff, confirmed, undo, result)
        return confirmed

    def gate(
        self,
        *,
        risks: Risks,
        reversible: bool = False,
        undo: UndoResult | None = None,
        what: What = None,
        why: str | None = None,
        tool: str | None = None,
        gate: str | None = None,
        confidence: float | None = None,
        timeout: Timeout = None,
        on_timeout: Silence = "deny",
        to: Sequence[Where] = (),
    ) -> Gate:
        """Put an `async def` behind a gate: each call asks, claims, runs with the approved arguments, and reports.

        The function runs with exactly the arguments that were approved, edits included, read back into its own types.
        The person's no is `Refused`, raised where the result would have been returned.

        Where the policy lets a call run and has it reviewed, the call returns at once. The review is watched as long as
        the run is open: when people want it undone, or nobody looks, `undo` is called and what came of it reported; so
        is that there is none. Leaving the run waits for an undo that has begun, and not for people: keep the token of
        each of `reviews()`, and `andon.resume(token)` goes on in a later process.

        Args:
            risks: What could go wrong; may be a function of the call's arguments.
            reversible: Can it be undone?
            undo: Takes a call back; may be async. Its first argument gets the call's result, unless it has a default;
                whatever it names like an argument of the call gets that argument, as it was run with.
            what: A template on the arguments (`"Send {subject!r} to {to}"`) or a function of them; unset, the call.
            why: What it is good for, when that is the same for every call; else each call says `why=…`.
            tool: The name of what runs; unset, the function's.
            gate: The point where the agent stops; unset, the tool's name.
            confidence: Your own estimate, 0 to 1.
            timeout: How long to wait for a person.
            on_timeout: What silence means. `approve` is only for what is reversible, and counts only where the
                service's policy says so as well; else silence is `Expired`.
            to: Where the card goes, if not to the run's conversation.
        """

        def make(*, what: str, why: str, risks: tuple[str, ...], action: wire.Action) -> wire.Confirmation:
            return wire.Confirmation(
                gate=gate or action.tool,
                run=self.id,
                what=what,
                why=why,
                risks=risks,
                action=action,
                reversible=reversible,
                confidence=confidence,
                timeout_s=seconds(timeout),
                on_timeout=on_timeout,
                to=tuple(map(place, to)),
            )

        watching = self._watching
        return Gate(self._line, make, risks=risks, what=what, why=why, tool=tool, undo=undo, watching=watching)

    async def reviews(self) -> tuple[Handoff, ...]:
        """What this run did that people are still to look at; `token` brings each back in a later process."""
        return await self._watching.open()

    async def leave(self) -> None:
        """Stop watching reviews, once the undos that have begun are done. Leaving the `async with` does it."""
        await self._watching.leave()

    async def notify(self, text: str, *, to: Sequence[Where] = ()) -> None:
        """Tell people something, once, even if the service's reply is lost. Nobody is asked, and nobody waits."""
        notice = wire.Notice(text=text, to=tuple(map(place, to)))
        await self._line.api.notify(self.id, notice, idempotency_key=uuid4().hex)

    async def checkpoint(self, name: str, state: object = None) -> int:
        """Save where the run stands: any JSON value, or what pydantic can write as one, up to 1 MiB.

        Returns:
            The checkpoint's version, from 1 on.

        Raises:
            Refused: The policy asks at this checkpoint, and the answer was no, or there was none. It is saved; do not
                go on from it.
            Steered: People told the run something since the checkpoint before; this one is saved all the same.
            Stopped: Somebody pulled the cord. It is saved.
            ServiceUnavailable: It may have been saved. What people told the run is not lost: the next call has it.
        """
        return await self._checkpoints.save(name, state)

    async def go_on(self, checkpoint: wire.Checkpoint) -> None:
        """Wait, in a process that takes over at this checkpoint, for the yes that the policy may want there.

        Raises:
            Refused: The answer was no, or there was none. Do not go on from it.
            Stopped: Somebody pulled the cord.
            Steered: Somebody told the run something.
        """
        await self._checkpoints.go_on(checkpoint)

    async def load_checkpoint(self) -> wire.Checkpoint | None:
        """Return the latest checkpoint, or None when there is none yet.

        Its `handoff` asks whether to go on from there, where the policy does: `await run.go_on(checkpoint)`.

        Its `steers` are what people had told the run when it was saved; whoever saved it may not have lived to read
        them.
        """
        return await self._checkpoints.load()

    async def open(self, ask: wire.Ask | Mapping[str, Any], *, idempotency_key: str | None = None) -> Handoff:
        """Open an ask without waiting for it. Keep its `token`, and this process may exit.

        Args:
            ask: A wire model, or its fields; `run` is filled in.
            idempotency_key: Yours, if you may open it again after a crash and mean the same ask.
        """
        asked = wire.parse_ask({"run": self.id, **ask}) if isinstance(ask, Mapping) else ask
        return await open_ask(self._line, asked, idempotency_key)

    async def wait(self, handoff: Handoff) -> Decision:
        """Wait for the decision on what was opened."""
        return await handoff.wait()

    async def claim(self, decided: Allowed | Handoff) -> Permit:
        """Exchange a decision for the one permit to act on it; call it right before acting.

        Raises:
            ClaimRefused: Too old, or claimed already. Do not act.
            Stopped: Somebody pulled the cord. Do not act; an approval stands, and may be claimed after `resumed()`.
            PermitMismatch: The permit is not for what was decided. Do not act.
        """
        return await (decided.claim() if isinstance(decided, Handoff) else claim(self._line, decided))

    async def report(
        self,
        acted: Permit | Confirmed | Chosen,
        status: Status = "executed",
        *,
        result: object = None,
        error: str | None = None,
        undo: UndoResult | None = None,
    ) -> None:
        """Report what came of an action. A review that the policy wants of it is watched, as a gate's is.

        Args:
            acted: The permit that was acted on; or the decision, if it needed no permit.
            status: Executed, failed, undone or undo_failed.
            result: What came of it.
            error: Why it failed.
            undo: Takes it back; its first argument gets the result.
        """
        claimant = acted.claimant if isinstance(acted, Permit) else None
        shown = None if result is None else shown_result(result)
        told = await report(self._line, acted.handoff, status, claimant=claimant, result=shown, error=error)
        if told.review:
            self._watching.add(told.review, prepare(undo, result, {}), result)


def _confirmed(decision: Decision) -> Confirmed:
    if isinstance(decision, Chosen | Answered):
        raise AndonError(f"{decision.handoff}: {decision.kind!r} is no decision on a confirmation")
    return decision


def _is_all(decision: Decision) -> bool:
    """Is the answer itself all that was wanted? Then it is claimed at once, which tells people that it has arrived."""
    return isinstance(decision, Answered) or (isinstance(decision, Chosen) and decision.candidate.action is None)
