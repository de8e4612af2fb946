"""Where a run stands: its checkpoints, the yes that the policy may want at one, and what people say meanwhile."""

from uuid import uuid4

from andon import wire
from andon._asking import attend
from andon._decisions import Approved, Edited
from andon._errors import Steered, refused
from andon._handoff import Handoff, Line
from andon._json import plain

__all__ = ["Checkpoints"]


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, line: Line, info: wire.Run) -> None:
        self._line = line
        self._run = info.id
        self._version = info.checkpoint
        self._unmet: tuple[wire.Steer, ...] = ()
        self._unsure = False

    async def save(self, name: str, state: object) -> int:
        """Save one; see `Run.checkpoint`."""
        save = wire.CheckpointSave(name=name, state=plain(state))
        if self._unsure:
            await self._catch_up()
        self._unsure = True  # until the receipt is here, words may have been handed to nobody
        receipt = await self._line.api.save_checkpoint(self._run, save, idempotency_key=uuid4().hex)
        self._unsure, self._version = False, receipt.version
        self._unmet = (*self._unmet, *receipt.steers)
        if receipt.handoff:
            await self._pass(receipt.handoff)
        steers, self._unmet = self._unmet, ()
        if steers:
            raise Steered(steers, version=receipt.version)
        return receipt.version

    async def load(self) -> wire.Checkpoint | None:
        """Return the latest one, or None when there is none yet."""
        return await self._line.api.read_checkpoint(self._run)

    async def go_on(self, checkpoint: wire.Checkpoint) -> None:
        """Wait for the yes that the policy may want at this one; see `Run.go_on`."""
        if checkpoint.handoff:
            await self._pass(checkpoint.handoff)

    async def _pass(self, handoff_id: str) -> None:
        """Go on with a yes, and not without it; again is fine."""
        handoff = Handoff(self._line, await self._line.api.read(handoff_id))
        decision = await attend(handoff)
        if not isinstance(decision, Approved | Edited):
            raise refused(decision)
        if handoff.latest.state != "closed":
            await handoff.claim(claimant=f"checkpoint {handoff_id}")
            await handoff.report("executed")

    async def _catch_up(self) -> None:
        """Read the receipt of a save that was given up; the save may have been made, and taken people's words along."""
        latest = await self.load()
        if latest and latest.version > self._version:
            self._unmet, self._version = (*self._unmet, *latest.steers), latest.version
