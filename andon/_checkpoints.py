"""Where a run stands: its checkpoints, the yes that the policy may want at one, and what people say meanwhile."""

from uuid import uuid4

from andon import wire
from andon._decisions import Approved, Edited
from andon._errors import Steered, Stopped, refused
from andon._handoff import Handoff
from andon._json import plain
from andon._line import Line

__all__ = ["Checkpoints"]


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, line: Line, info: wire.Run) -> None:
        self._line = line
        self._run = info.id
        self._version = info.checkpoint
        self._unsure = False
        self._left: tuple[wire.CheckpointSave, str] | None = None

    async def save(self, name: str, state: object) -> int:
        """Save one; see `Run.checkpoint`."""
        brake, save = self._line.brake, wire.CheckpointSave(name=name, state=plain(state))
        if self._unsure:
            await self._catch_up()
        key = self._left[1] if self._left and self._left[0] == save else uuid4().hex
        self._unsure = True  # until the receipt is here, words may have been handed to nobody
        receipt = await self._line.api.save_checkpoint(self._run, save, idempotency_key=key)
        self._unsure, self._version, self._left = False, receipt.version, None
        brake.add_words(receipt.steers)
        try:
            if receipt.handoff:
                await self._pass(receipt.handoff)
            elif receipt.brake:
                await brake.off(receipt.brake)
        except Stopped:
            if receipt.handoff:
                self._left = save, key  # saved again after the stop, it is the same question
            raise
        except Steered as steered:
            steered.version = receipt.version
            raise
        if brake.has_words:
            words = brake.steered(version=receipt.version)
            await brake.acknowledge(words)
            raise words
        return receipt.version

    async def load(self) -> wire.Checkpoint | None:
        """Return the latest one, or None when there is none yet."""
        return await self._line.api.read_checkpoint(self._run)

    async def go_on(self, checkpoint: wire.Checkpoint) -> None:
        """Wait until nothing holds the run, and for the yes that the policy may want here; see `Run.go_on`."""
        await self._line.brake.off()
        if checkpoint.handoff:
            await self._pass(checkpoint.handoff)

    async def _pass(self, handoff_id: str) -> None:
        """Go on with a yes, and not without it; again is fine."""
        handoff = Handoff(self._line, await self._line.api.read(handoff_id))
        decision = await handoff.attend()
        if not isinstance(decision, Approved | Edited):
            raise refused(decision)
        if handoff.latest.state != "closed":
            await handoff.claim(claimant=f"checkpoint {handoff_id}")
            await handoff.report("executed")

    async def _catch_up(self) -> None:
        """Read the receipt of a save that was given up; the save may have been made, and taken people's words along."""
        latest = await self.load()
        if latest and latest.version > self._version:
            self._line.brake.add_words(latest.steers)
            self._version = latest.version
