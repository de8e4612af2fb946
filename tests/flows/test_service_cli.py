"""`python -m bot`, as an operator types it. Exit codes: 0 fine, 1 failed, 2 wrong usage."""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from bot.__main__ import main
from bot.store import Store, connect
from tests.people import Agent, Person
from tests.servers import SECRET, ServiceProcess, bare_environment


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int | None
    out: str
    err: str


async def bot(*words: str, state: Path, **settings: str) -> Said:
    """Run one command as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *words),
        cwd=state.parent,
        env=bare_environment(ANDON_STATE=str(state), **settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return Said(process.returncode, out.decode(), err.decode())


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


# --- help and usage: in this process, because they start nothing ---


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"], []])
def test_the_first_help_names_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == (0 if words else 2)
    said = capsys.readouterr().out
    assert all(f"\n  {command} " in said for command in ("serve", "check", "keys", "endpoints", "sign-in", "manifest"))


@pytest.mark.parametrize("command", ["serve", "check", "keys", "endpoints", "sign-in", "manifest"])
def test_each_command_s_help_ends_with_two_commands_to_paste(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: python -m bot {command}")
    examples = said.partition("examples:\n")[2].splitlines()
    assert len(examples) == 2
    assert all("python -m bot" in line for line in examples)
    assert max(len(line) for line in said.splitlines()) <= 120


@pytest.mark.parametrize(
    "words, says",
    [
        (["fly"], "no command 'fly'"),
        (["serve", "--prot", "1"], "--prot"),
        (["serve", "--port", "many"], "many"),
        (["serve", "--por", "1"], "--por"),
        (["keys"], "create, list or revoke"),
        (["keys", "make"], "create, list or revoke"),
        (["keys", "create"], "--agent NAME, --person EMAIL or --admin NAME"),
        (["keys", "create", "--agent", "a", "--person", "a@b.c"], "--agent NAME, --person EMAIL or --admin NAME"),
        (["keys", "create", "--person", "a@b.c", "--owner", "o@b.c"], "it goes with --agent NAME"),
        (["keys", "create", "--agent", "a", "--owner", "nobody"], "'nobody' is not an e-mail address"),
        (["keys", "revoke"], "id"),
        (["keys", "create", "--agent", "a b"], "no name for an agent"),
        (["keys", "create", "--agent", "a", "--per-minute", "0"], "from 1 to"),
        (["keys", "create", "--agent", "a", "--open", "-1"], "from 1 to"),
        (["keys", "create", "--person", "ana"], "not an e-mail address"),
        (["sign-in", "--person", "ana"], "not an e-mail address"),
        (["check", "now"], "now"),
    ],
)
def test_wrong_usage_says_what_is_wrong_and_exits_with_2(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.startswith("andon: ")
    assert said.out == ""


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_a_wrong_setting_fails_with_every_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANDON_SECRET", "short")
    monkeypatch.setenv("ANDON_PORT", "many")
    assert main(["serve"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("andon: ") for line in lines)
    assert any("ANDON_PORT" in line for line in lines)


# --- with a store ---


async def test_keys_are_made_listed_and_revoked_without_a_service(state: Path) -> None:
    made = await bot("keys", "create", "--agent", "mailer", "--json", state=state)
    assert (made.code, made.err) == (0, "")
    key = json.loads(made.out)["key"]
    assert key.startswith("apk_live_")

    plain = await bot("keys", "create", "--person", "Ana@Example.com", state=state)
    assert (plain.code, plain.out.count("\n")) == (0, 1)
    assert "only time that it is shown" in plain.err

    listed = await bot("keys", "list", "--json", state=state)
    found = {entry["name"]: entry for entry in json.loads(listed.out)}
    assert {name: entry["kind"] for name, entry in found.items()} == {"mailer": "agent", "ana@example.com": "person"}
    assert key not in listed.out

    table = await bot("keys", "list", state=state)
    assert "mailer" in table.out
    assert key not in table.out
    key_id = found["mailer"]["key_id"]
    assert (await bot("keys", "revoke", key_id, state=state)).code == 0
    again = await bot("keys", "revoke", key_id, state=state)
    assert (again.code, again.out) == (1, "")
    assert f"no key {key_id}" in again.err


async def test_keys_and_links_are_made_beside_a_running_service(subprocess_service: ServiceProcess) -> None:
    service = subprocess_service
    agent_key = json.loads((await bot("keys", "create", "--agent", "mailer", "--json", state=service.state)).out)["key"]
    person = await bot("keys", "create", "--person", "ana@example.com", "--json", state=service.state)
    async with Agent(service.url, agent_key) as agent, Person(service.url, json.loads(person.out)["key"]) as ana:
        asked = await agent.ask()
        assert (await ana.approve(asked)).ok()["decision"]["by"]["id"] == "ana@example.com"
        revoked = await bot("keys", "revoke", agent_key.split("_")[2], state=service.state)
        assert revoked.code == 0
    link = await bot("sign-in", "--person", "ana@example.com", state=service.state)
    assert (link.code, link.out.strip().startswith(f"{service.url}/sign-in?token=")) == (0, True)
    await _sees_endpoints(link.out.strip(), 403)
    link = await bot("sign-in", "--admin", state=service.state)
    await _sees_endpoints(link.out.strip(), 200)
    checked = await bot("check", state=service.state)
    assert (checked.code, checked.out.splitlines()[-1]) == (0, "all fine")


async def _sees_endpoints(link: str, status: int) -> None:
    """Signed in by this link, the page about callbacks answers so."""
    url, _, token = link.partition("/sign-in?token=")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        await http.post(f"{url}/sign-in", data={"token": token}, headers={"Sec-Fetch-Site": "same-origin"})
        async with http.get(f"{url}/endpoints") as page:
            assert page.status == status


async def test_the_first_start_prints_what_is_needed_and_later_ones_no_key(
    subprocess_service: ServiceProcess,
) -> None:
    service = subprocess_service
    assert f"Andon listens on {service.url}" in service.output
    assert "No policy is set" in service.output
    assert service.sign_in.startswith(f"{service.url}/sign-in?token=")
    assert f"ANDON_KEY={service.agent_key}" in service.output
    assert (service.state / "url").read_text().strip() == service.url
    first = service.agent_key
    assert await service.stop() == 0
    await service.start()
    assert service.agent_key == first
    assert first not in service.output, "shown once"


async def test_no_secret_is_logged(subprocess_service: ServiceProcess) -> None:
    """I16: neither keys nor arguments; what the first start prints for the operator apart."""
    service = subprocess_service
    printed = len(service.output)
    person_key = await service.make_key("person", "mira@example.com")
    async with Agent(service.url, service.agent_key) as agent, Person(service.url, person_key) as mira:
        asked = await agent.ask(action={"tool": "t", "args": {"password": "canary-7"}})
        decided = (await mira.approve(asked, reason="canary-8")).ok()
        await agent.claim(decided)
        await agent.call("GET", "/v1/handoffs", headers={"Authorization": "Bearer canary-9"})
    reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rsplit(":", 1)[1]))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer canary-10\n\r\n\r\n")  # no HTTP
    assert b" 400 " in await reader.readline()
    writer.close()
    await service.stop()
    logged = service.output[printed:]
    assert "canary" not in logged
    for secret in (service.agent_key, person_key, asked["token"], (service.state / "secret").read_text().strip()):
        assert secret not in logged


@pytest.fixture
def open_state(state: Path) -> Path:
    """A state folder that others may enter."""
    state.mkdir()
    state.chmod(0o755)
    return state


async def test_check_lists_every_fault_at_once(open_state: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: [{name: a, do: maybe}]")
    checked = await bot("check", state=open_state, ANDON_POLICY=str(policy), ANDON_PROT="1")
    assert checked.code == 1
    assert any("ANDON_PROT is no setting" in fault for fault in faults(checked))
    assert any("policy.yaml:1:23: rule 'a', rules.0.do:" in fault for fault in faults(checked))
    assert any("chmod 700" in fault for fault in faults(checked))
    assert checked.out.splitlines()[-1] == f"{len(faults(checked))} faults"


async def test_check_tells_of_places_that_no_card_reaches(state: Path, tmp_path: Path) -> None:
    """The file is a good one: it is the service that has no Slack."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("defaults: {to: ['slack:#ops']}")
    checked = await bot("check", state=state, ANDON_POLICY=str(policy))
    assert checked.code == 0
    assert "warning: policy.yaml:1:17: defaults.to.0: 'slack' is not set up, so no card can go there" in checked.out


async def test_check_tells_of_a_policy_that_ran_before_and_is_gone(state: Path, redis_url: str, tmp_path: Path) -> None:
    """A file that never was is a slip; one that is gone takes away what it refused."""
    gone = tmp_path / "policy.yaml"
    settings = {"ANDON_REDIS_URL": redis_url, "ANDON_SECRET": SECRET, "ANDON_POLICY": str(gone)}
    missing = f"fault: there is no policy file {gone}, so everything is asked; mend ANDON_POLICY"
    lost = f"fault: the service ran with policy 0123456789ab before, and its file {gone} is gone"

    never = await bot("check", state=state, **settings)
    assert (never.code, faults(never)) == (1, [missing])

    async with Store(connect(redis_url)) as store:
        await store.loaded.keep("0123456789ab", "rules: []")
    before = await bot("check", state=state, **settings)
    assert (before.code, faults(before)) == (1, [missing, lost])

    gone.write_text("rules: []")
    mended = await bot("check", state=state, **settings)
    assert (mended.code, faults(mended)) == (0, [])


def faults(said: Said) -> list[str]:
    return [line for line in said.out.splitlines() if line.startswith("fault: ")]


async def test_check_of_a_wrong_setting_lists_it(state: Path) -> None:
    checked = await bot("check", state=state, ANDON_REDIS_URL="http://localhost", ANDON_PORT="many")
    assert checked.code == 1
    assert "ANDON_REDIS_URL" in checked.out
    assert "ANDON_PORT" in checked.out


async def test_check_of_a_store_that_does_not_answer_says_so(state: Path, tmp_path: Path) -> None:
    checked = await bot("check", state=state, ANDON_REDIS_URL=f"unix://{tmp_path}/nobody", ANDON_SECRET=SECRET)
    assert checked.code == 1
    assert "Redis does not answer" in checked.out


async def test_a_port_that_is_taken_is_named(subprocess_service: ServiceProcess, tmp_path: Path) -> None:
    port = str(subprocess_service.port)
    other = await bot("serve", "--port", port, state=tmp_path / "other")
    assert other.code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in other.err
    assert "ANDON_PORT" in other.err
