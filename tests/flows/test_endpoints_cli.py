"""`python -m bot endpoints`, as an operator types it, over a real store."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.__main__ import main
from tests.servers import SECRET

Say = Callable[..., tuple[int, str, str]]
HOOK = "https://hooks.example.com/andon"


@pytest.fixture
def say(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Types a command; returns its exit code and what it printed."""
    for name, value in (("REDIS_URL", redis_url), ("SECRET", SECRET), ("STATE", str(tmp_path / "state"))):
        monkeypatch.setenv(f"ANDON_{name}", value)
    monkeypatch.setenv("ANDON_UNSAFE_STORE", "true")

    def typed(*words: str) -> tuple[int, str, str]:
        code = main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return typed


def test_an_endpoint_from_its_making_to_its_end(say: Say) -> None:
    code, out, err = say("endpoints", "create", HOOK, "--agent", "mailer", "--event", "handoff.decided")
    assert (code, "only time" in err) == (0, True)
    endpoint, secret = out.split()
    assert (endpoint[:3], secret[:6]) == ("ep_", "whsec_")

    _, out, _ = say("endpoints", "list")
    assert out.startswith(f"{endpoint}  enabled  {HOOK}\n  agent mailer; since ")
    assert secret not in out
    assert "told of handoff.decided\n" in say("endpoints", "show", endpoint)[1]

    code, out, _ = say("endpoints", "rotate", endpoint, "--json")
    rotated = json.loads(out)
    assert (code, rotated["id"], rotated["secret"] != secret) == (0, endpoint, True)
    assert "the old secret signs too until" in say("endpoints", "show", endpoint)[1]

    assert say("endpoints", "disable", endpoint, "--why", "moving house")[0] == 0
    _, out, _ = say("endpoints", "show", endpoint)
    assert "disabled it: moving house" in out
    assert f"({endpoint}) are disabled: " in say("check")[1]
    assert say("endpoints", "enable", endpoint) == (0, f"{endpoint} is enabled.\n", "")

    assert say("endpoints", "dead") == (0, "There are no dead letters.\n", "")
    assert say("endpoints", "dead", endpoint, "--json") == (0, '{"dead_letters":[],"total":0}\n', "")
    assert say("endpoints", "replay", endpoint) == (0, "There was nothing to send again.\n", "")

    assert say("endpoints", "remove", endpoint)[0] == 0
    assert say("endpoints", "list")[1].startswith("There are no endpoints; make one: ")


def test_what_does_not_exist_is_said_so(say: Say) -> None:
    for words in (("show", "ep_x"), ("enable", "ep_x"), ("replay", "ep_x"), ("remove", "ep_x"), ("test", "ep_x")):
        code, _, err = say("endpoints", *words)
        assert (code, err.startswith("andon: there is no endpoint ep_x")) == (1, True)
    code, _, err = say("endpoints", "replay", "cb_x")
    assert (code, err.startswith("andon: there is no dead letter cb_x")) == (1, True)


@pytest.mark.parametrize(
    "words, said",
    [
        ((), "say what to do with endpoints: create, list"),
        (("make",), "say what to do with endpoints: create, list"),
        (("create",), "the following arguments are required: url"),
        (("create", "http://hooks.example.com/"), "only https is sent to"),
        (("create", "https://127.0.0.1/"), "an address in figures is not sent to"),
        (("create", HOOK, "--event", "handoff.opened"), "events.0: "),
        (("create", HOOK, "--agent", "mail*"), "agent: "),
    ],
)
def test_wrong_usage_is_said_in_a_sentence(say: Say, words: tuple[str, ...], said: str) -> None:
    code, out, err = say("endpoints", *words)
    assert (code, out) == (2, "")
    assert said in err


def test_hosts_that_are_allowed_by_name_are_read_from_the_settings(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDON_CALLBACK_ALLOW", "receiver:8000")
    assert say("endpoints", "create", "http://receiver:8000/")[0] == 0
    assert say("endpoints", "create", "http://receiver:8001/")[0] == 2
    assert "callbacks may go to receiver:8000, private or in clear" in say("check")[1]
    for bad in ("http://receiver", "receiver:0", "receiver/x", "[::1", "user@receiver", "[1:2]"):
        monkeypatch.setenv("ANDON_CALLBACK_ALLOW", bad)
        code, out, _ = say("check")
        assert code == 1
        assert "fault: ANDON_CALLBACK_ALLOW: " in out, bad


def test_an_admin_s_key_is_made_and_listed_as_one(say: Say) -> None:
    code, out, _ = say("keys", "create", "--admin", "ops", "--json")
    made = json.loads(out)
    assert (code, made["kind"], made["name"]) == (0, "admin", "ops")
    assert [key["kind"] for key in json.loads(say("keys", "list", "--json")[1])] == ["admin"]
    assert say("keys", "create", "--admin", "ops", "--agent", "mailer")[0] == 2
    assert say("keys", "create", "--admin", "ops", "--owner", "ana@example.com")[0] == 2


def test_the_help_names_every_command(say: Say) -> None:
    _, out, _ = say("endpoints", "--help")
    for name in ("create", "list", "show", "test", "rotate", "disable", "enable", "remove", "dead", "replay"):
        assert f"python -m bot endpoints {name}" in out
    assert len(out.partition("examples:\n")[2].splitlines()) == 2
