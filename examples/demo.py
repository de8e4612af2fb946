"""A demonstration: the service, the console, and a small agent that plans a day's work and asks in every way.

`--auto` plays the person as well, over the same HTTP, and checks every result.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from andon import Andon, AndonError
from andon._local import AGENT_KEY_FILE, state_dir
from examples.demo_agent import Day, plan_the_day
from examples.demo_person import Unexpected, answer_everything, check
from examples.demo_service import Service, ServiceFailed

USAGE = """usage: python -m examples.demo [--auto | --policy FILE]

  Start the service with its embedded store and a small agent, and answer the agent in your browser.

  --auto          play the person too, check every result, and exit
  --policy FILE   serve under this policy, and sign in as demo@example.com, for whom the agent works

  With the settings of Slack and SLACK_CHANNEL in the environment, the cards are in that channel too.

examples:
  make demo
  make demo ARGS=--auto
  make demo ARGS='--policy examples/policies/personal-assistant.yaml'
"""

AUTO_S = 60


async def demonstrate(state: Path, policy: Path | None = None) -> int:
    """Serve and ask until Ctrl-C."""
    async with (
        Service(state, policy) as service,
        Andon(service.url, (state / AGENT_KEY_FILE).read_text().strip()) as andon,
    ):
        if service.slack_channel:
            print(f"Andon is up. Answer what the agent asks in Slack, in {service.slack_channel}; or open this link:\n")
        else:
            print("Andon is up. Open this link, and answer what the agent asks:\n")
        print(f"  {service.sign_in}\n")
        stays = "The cards go to Slack, and nowhere else" if service.slack_channel else "Nothing leaves this machine"
        print(f"The link signs you in once, within 15 minutes. {stays}. Ctrl-C ends it.\n")
        await plan_the_day(andon, Day(state))
        print("\nThat was the day. Look around in the console; Ctrl-C ends it.", flush=True)
        await asyncio.Event().wait()
    return 0


async def demonstrate_alone(state: Path) -> int:
    """Serve, ask, answer and check."""
    async with Service(state) as service, Andon(service.url, (state / AGENT_KEY_FILE).read_text().strip()) as andon:
        async with asyncio.timeout(AUTO_S):
            person = asyncio.create_task(answer_everything(service.url, await service.person_key("demo@example.com")))
            day = Day(state, watched=False)
            agent = asyncio.create_task(plan_the_day(andon, day))
            await _first(agent, person)
        await check(andon, day)
    print("\nEvery ask was answered, and every result is as answered.")
    return 0


async def _first(*tasks: asyncio.Task[None]) -> None:
    """Wait for the first to end, raise what it raised, and end the others."""
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def main() -> int:
    parser = argparse.ArgumentParser(usage=USAGE.partition("\n")[0].removeprefix("usage: "), add_help=False)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--auto", action="store_true")
    how.add_argument("--policy", type=Path)
    parser.add_argument("-h", "--help", action="store_true")
    options = parser.parse_args()
    if options.help:
        print(USAGE, end="")
        return 0
    try:
        if not options.auto:
            return _until_interrupted(state_dir() / "demo", options.policy and options.policy.absolute())
        with tempfile.TemporaryDirectory(prefix="andon-demo-") as folder:
            return asyncio.run(demonstrate_alone(Path(folder)))
    except (ServiceFailed, Unexpected, AndonError) as error:
        print(f"demo: {error}", file=sys.stderr)
    except TimeoutError:
        print(f"demo: not done within {AUTO_S} s", file=sys.stderr)
    return 1


def _until_interrupted(state: Path, policy: Path | None) -> int:
    """Ctrl-C and a plain kill are how this ends well: asks are taken back, and the service stops."""

    async def watched() -> int:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await demonstrate(state, policy)

    try:
        return asyncio.run(watched())
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\nStopped.")
        return 0


if __name__ == "__main__":
    sys.exit(main())
