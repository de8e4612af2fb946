"""An agent that asks before it sends. Needs a running service: `make serve`."""

import asyncio

from andon import Andon, Refused


async def main() -> None:
    async with Andon() as andon, andon.run("weekly-report") as run:

        @run.gate(risks=["Mentions Q4 numbers that are not public yet"])
        async def send_email(to: str, subject: str) -> str:
            return f"sent {subject!r} to {to}"

        try:
            print(await send_email("alice@example.com", "Report", why="She asked about the report"))
        except Refused as refused:
            print(f"not sent: {refused}")


asyncio.run(main())
