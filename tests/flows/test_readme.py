"""The README's example is the real one: it runs as printed, and prints what the README says."""

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.people import Person
from tests.servers import Live, until

README = (Path(__file__).parents[2] / "README.md").read_text()
MOST_LINES = 15


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


async def test_the_example_prints_what_the_readme_says(service: Live, mira: Person, tmp_path: Path) -> None:
    """Mira edits the recipient and approves; the function runs with what she approved."""
    example = block("python")
    assert len([line for line in example.splitlines() if line]) < MOST_LINES
    script = tmp_path / "agent.py"
    script.write_text(example)
    env = {**os.environ, "ANDON_URL": service.url, "ANDON_KEY": str(service.agent.key)}
    process = await asyncio.create_subprocess_exec(sys.executable, str(script), env=env, stdout=asyncio.subprocess.PIPE)
    try:
        await until(mira.inbox, what="the example asks")
        (card,) = await mira.inbox()
        args = card["ask"]["action"]["args"]
        assert card["ask"]["why"] == "She asked about the report"
        (await mira.edit(card, {**args, "to": "bob@example.com"})).ok()
        out, _ = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert out.decode() == block("text")
