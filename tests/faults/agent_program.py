"""An agent with a process of its own, which dies where it is told.

`python agent_program.py open FOLDER` asks, leaves its token in FOLDER and ends. `... act FOLDER [MOMENT]` comes back to
that ask, waits, claims, acts (a line in FOLDER/acts) and reports, and prints what came of it. MOMENT is where it kills
itself: `decided`, `claimed` or `acted`.
"""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from andon import Andon, ClaimRefused

ASK = {
    "kind": "confirmation",
    "gate": "send_email",
    "what": "Send this e-mail to alice@example.com",
    "why": "She asked about the report",
    "risks": ["It cannot be taken back"],
    "action": {"tool": "send_email", "args": {"to": "alice@example.com"}},
}


async def main(verb: str, folder: Path, moment: str) -> str:
    async with Andon(patience=timedelta(seconds=20)) as andon:
        if verb == "open":
            async with andon.run("weekly-report") as run:
                opened = await run.open(ASK)
                (folder / "token").write_text(opened.token or "")
                return opened.id
        _, handoff = await andon.resume((folder / "token").read_text())
        await handoff.wait()
        die_at("decided", moment)
        try:
            permit = await handoff.claim()
        except ClaimRefused as refused:
            return f"refused: {refused}"
        die_at("claimed", moment)
        with (folder / "acts").open("a") as acts:
            acts.write(permit.payload + "\n")
        die_at("acted", moment)
        await handoff.report(result="sent")
        return "reported"


def die_at(here: str, moment: str) -> None:
    """As a crash does."""
    if here == moment:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    words = [*sys.argv[1:], ""]
    print(asyncio.run(main(words[0], Path(words[1]), words[2])))  # noqa: T201  # what came of it
