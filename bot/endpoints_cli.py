"""`python -m bot endpoints`: where callbacks go, and what could not be delivered there."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from pydantic import BaseModel, ValidationError

from andon import wire
from bot.app.endpoints import endpoints_of
from bot.app.local import known_url, local_person
from bot.app.store import Opened, open_store
from bot.cards import moment
from bot.config import Settings, load_settings
from bot.errors import BadRequest, Gone
from bot.ports import CallbackDesk

HELP: Final = """usage: python -m bot endpoints create URL [--agent NAME] [--event TYPE …] [--json]
       python -m bot endpoints list [--json]
       python -m bot endpoints show ID [--json]
       python -m bot endpoints test ID
       python -m bot endpoints rotate ID [--json]
       python -m bot endpoints disable ID [--why TEXT]
       python -m bot endpoints enable ID
       python -m bot endpoints remove ID
       python -m bot endpoints dead [ID] [--json]
       python -m bot endpoints replay ID

  Say where signed callbacks go: to which address, of which agent's events. A secret is shown once, when it is made;
  after `rotate` both the old and the new one sign for 24 hours. `dead` lists what was given up, and `replay` sends it
  again: one callback (cb_…), or all of an endpoint (ep_…).

  --agent NAME   events of this agent alone (default: of all)
  --event TYPE   tell of this, as the event stream names it; again for more (default: handoff.decided, handoff.held,
                 handoff.released, brake.braked, brake.lifted)
  --why TEXT     why nothing is to be sent there, for whoever looks at it
  --json         print JSON, as the API does

examples:
  python -m bot endpoints create https://hooks.example.com/andon --agent mailer
  python -m bot endpoints replay ep_7Q2…
"""

_Command = Callable[[CallbackDesk, argparse.Namespace], Awaitable[int]]


def run(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Run one of the commands; returns 0 fine, 1 failed. `parser.error` is for wrong usage."""
    commands: dict[str, _Command] = {
        "create": _create,
        "list": _list,
        "show": _show,
        "test": _test,
        "rotate": _rotate,
        "disable": _disable,
        "enable": _enable,
        "remove": _remove,
        "dead": _dead,
        "replay": _replay,
    }
    if not words or words[0] not in commands:
        parser.error(f"say what to do with endpoints: {', '.join(commands)}")
    action = words[0]
    if action == "create":
        parser.add_argument("url")
        parser.add_argument("--agent", default="*")
        parser.add_argument("--event", action="append")
    elif action == "dead":
        parser.add_argument("id", nargs="?")
    elif action != "list":
        parser.add_argument("id")
    if action == "disable":
        parser.add_argument("--why")
    if action in {"create", "list", "show", "rotate", "dead"}:
        parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words[1:])
    return asyncio.run(_with_desk(load_settings(), commands[action], given))


async def endpoint_notes(settings: Settings, opened: Opened) -> list[str]:
    """What `check` says of where callbacks go."""
    egress, desk = endpoints_of(settings, opened, known_url(settings))
    try:
        found = await desk.list()
    finally:
        await egress.close()
    off = [each for each in found if each.state == "disabled"]
    notes = [f"endpoints: {len(found)}"] if found else []
    notes += [f"warning: callbacks to {each.url} ({each.id}) are disabled: {each.disabled_why}" for each in off]
    dead = sum(each.dead for each in found)
    if dead:
        notes.append(f"warning: {dead} callbacks were given up; python -m bot endpoints dead lists them")
    if settings.callback_allow:
        notes.append(f"callbacks may go to {settings.callback_allow}, private or in clear, by ANDON_CALLBACK_ALLOW")
    return notes


async def _with_desk(settings: Settings, command: _Command, given: argparse.Namespace) -> int:
    async with open_store(settings, start=False) as opened:
        egress, desk = endpoints_of(settings, opened, known_url(settings))
        try:
            return await command(desk, given)
        except Gone as error:
            print(f"andon: {error}; python -m bot endpoints list shows them", file=sys.stderr)
            return 1
        finally:
            await egress.close()


async def _create(desk: CallbackDesk, given: argparse.Namespace) -> int:
    try:
        new = wire.EndpointCreate(
            url=given.url, agent=given.agent, **({"events": tuple(given.event)} if given.event else {})
        )
    except ValidationError as error:
        fault = error.errors()[0]
        raise BadRequest(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error
    return _tell_secret(await desk.create(new, local_person().id), given)


async def _rotate(desk: CallbackDesk, given: argparse.Namespace) -> int:
    return _tell_secret(await desk.rotate(given.id, local_person().id), given)


def _tell_secret(made: wire.EndpointCreated, given: argparse.Namespace) -> int:
    if given.json:
        return _print_json(made)
    print(made.id)
    print(made.secret)
    print("This is the only time that the secret is shown; give it to the receiver.", file=sys.stderr)
    return 0


async def _list(desk: CallbackDesk, given: argparse.Namespace) -> int:
    found = await desk.list()
    if given.json:
        return _print_json(wire.EndpointList(endpoints=tuple(found)))
    if not found:
        print("There are no endpoints; make one: python -m bot endpoints create URL")
    for each in found:
        print("\n".join(_lines(each)))
    return 0


async def _show(desk: CallbackDesk, given: argparse.Namespace) -> int:
    found = await desk.show(given.id)
    if given.json:
        return _print_json(found)
    print("\n".join([*_lines(found), f"  told of {', '.join(found.events)}"]))
    return 0


async def _test(desk: CallbackDesk, given: argparse.Namespace) -> int:
    said = await desk.test(given.id)
    if said.delivered:
        print(f"delivered: it answered {said.status} within {said.took_ms} ms")
        return 0
    print(f"andon: not delivered: {said.error}", file=sys.stderr)
    return 1


async def _disable(desk: CallbackDesk, given: argparse.Namespace) -> int:
    found = await desk.disable(given.id, local_person().id, given.why)
    print(f"{found.id} is disabled; what would be sent to it becomes a dead letter.")
    return 0


async def _enable(desk: CallbackDesk, given: argparse.Namespace) -> int:
    found = await desk.enable(given.id, local_person().id)
    print(f"{found.id} is enabled.")
    if found.dead:
        print(f"{found.dead} dead letters wait: python -m bot endpoints replay {found.id}")
    return 0


async def _remove(desk: CallbackDesk, given: argparse.Namespace) -> int:
    found = await desk.remove(given.id, local_person().id)
    print(f"{found.id} is removed: nothing is sent to {found.url} any more.")
    return 0


async def _dead(desk: CallbackDesk, given: argparse.Namespace) -> int:
    found = await desk.dead_letters(given.id)
    if given.json:
        return _print_json(found)
    if not found.dead_letters:
        print("There are no dead letters.")
    for each in found.dead_letters:
        print(f"{each.id}  {each.type}{f'  {each.handoff}' if each.handoff else ''}  to {each.endpoint}")
        print(f"  given up {moment(each.dead_at)} after {each.tries} tries: {each.error}")
    if found.total > len(found.dead_letters):
        print(f"and {found.total - len(found.dead_letters)} more")
    return 0


async def _replay(desk: CallbackDesk, given: argparse.Namespace) -> int:
    by = local_person().id
    said = await (desk.replay_all(given.id, by) if given.id.startswith("ep_") else desk.replay(given.id, by))
    print(f"{said.count} sent again." if said.count else "There was nothing to send again.")
    return 0


def _lines(each: wire.Endpoint) -> Sequence[str]:
    whose = "every agent" if each.agent == "*" else f"agent {each.agent}"
    counts = (
        f"  {each.delivered} delivered, {each.failed} failed tries, {each.waiting} waiting, {each.dead} dead letters"
    )
    lines = [
        f"{each.id}  {each.state}  {each.url}",
        f"  {whose}; since {moment(each.created_at)}, by {each.created_by}",
    ]
    if each.disabled_why and each.disabled_at:
        lines.append(f"  disabled {moment(each.disabled_at)}: {each.disabled_why}")
    elif each.failing_since:
        lines.append(f"  failing since {moment(each.failing_since)}: {each.last_error}")
    if each.rotated_until:
        lines.append(f"  the old secret signs too until {moment(each.rotated_until)}")
    return [*lines, counts]


def _print_json(model: BaseModel) -> int:
    print(model.model_dump_json(exclude_none=True))
    return 0
