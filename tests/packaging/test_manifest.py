"""The app's manifest asks for what the code uses, all of it and nothing more."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from adapters.slack.scopes import SCOPES

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).resolve().parents[2]
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yaml").read_text(encoding="utf-8"))
CODE = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "adapters" / "slack").glob("*.py")}

METHODS: Final[Mapping[str, set[str]]] = {
    "apps.connections.open": set(),  # the app-level token's own scope
    "auth.teams.list": set(),
    "auth.test": set(),
    "chat.delete": {"chat:write"},
    "chat.getPermalink": set(),
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.history": {"channels:history", "groups:history", "im:history"},
    "conversations.info": {"channels:read", "groups:read"},
    "conversations.list": {"channels:read", "groups:read"},
    "conversations.members": {"channels:read", "groups:read"},
    "conversations.open": {"im:write"},
    "conversations.replies": {"channels:history", "groups:history", "im:history"},
    "files.completeUploadExternal": {"files:write"},
    "files.getUploadURLExternal": {"files:write"},
    "oauth.v2.access": set(),
    "reactions.add": {"reactions:write"},
    "usergroups.list": {"usergroups:read"},
    "usergroups.users.list": {"usergroups:read"},
    "users.conversations": {"channels:read", "groups:read"},
    "users.info": {"users:read"},
    "users.lookupByEmail": {"users:read", "users:read.email"},
    "views.open": set(),
    "views.publish": set(),
    "views.push": set(),
    "views.update": set(),
}
"""What a bot token needs for each method, in the conversations that we use: channels, private ones, and direct ones.

Source: the methods' pages, https://docs.slack.dev/reference/methods, read 2026-05.
"""
EVENTS: Final[Mapping[str, Mapping[str, set[str]]]] = {
    "app_home_opened": {"app_home_opened": set()},
    "app_mention": {"app_mention": {"app_mentions:read"}},
    "app_uninstalled": {"app_uninstalled": set()},
    "message": {
        "message.channels": {"channels:history"},
        "message.groups": {"groups:history"},
        "message.im": {"im:history"},
    },
    "reaction_added": {"reaction_added": {"reactions:read"}},
    "subteam_members_changed": {"subteam_members_changed": {"usergroups:read"}},
    "tokens_revoked": {"tokens_revoked": set()},
    "user_change": {"user_change": {"users:read"}},
}
"""What a listener for an event needs to be subscribed to, and the scope of each subscription.

Source: the events' pages, https://docs.slack.dev/reference/events, read 2026-05.
"""
FIELDS: Final = {"users:read.email"}
"""Scopes that no method needs by itself, and that add a field: the e-mail address in `users.info`."""


def calls(code: Mapping[str, str]) -> Iterator[ast.Call]:
    for source in code.values():
        yield from (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))


def literals(node: ast.Call) -> list[str]:
    return [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]


def called(code: Mapping[str, str]) -> set[str]:
    """The methods that are called: `api.call(team, "chat.update", …)`, `pages`, and `caller("auth.test", …)`."""
    found = set()
    for node in calls(code):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name in {"call", "pages"} and len(node.args) > 1:
            method = node.args[1]
        elif name in {"_caller", "caller"} and node.args:
            method = node.args[0]
        else:
            continue
        if isinstance(method, ast.Constant):
            found.add(str(method.value))
        else:
            assert isinstance(method, ast.Name), f"write the method as a literal: {ast.unparse(node)}"
            assert method.id == "method", f"write the method as a literal: {ast.unparse(node)}"
    return found


def listened(code: Mapping[str, str], kind: str) -> set[str]:
    """What is registered with Bolt: `app.event("…")`, `app.command("…")`, `app.shortcut("…")`."""
    found = set()
    for node in calls(code):
        if isinstance(node.func, ast.Attribute) and node.func.attr == kind and "app" in ast.unparse(node.func.value):
            found.update(literals(node))
    return found


def needed(code: Mapping[str, str]) -> set[str]:
    """The scopes that all of it takes."""
    scopes = set(FIELDS)
    for method in called(code):
        scopes |= METHODS[method]
    for event in listened(code, "event"):
        for scope in EVENTS[event].values():
            scopes |= scope
    if listened(code, "command") or listened(code, "shortcut"):
        scopes.add("commands")
    return scopes


def granted(manifest: Mapping[str, Any]) -> set[str]:
    return set(manifest["oauth_config"]["scopes"]["bot"])


# --- what is asked for ---


def test_the_code_is_found() -> None:
    """A scan that finds nothing proves nothing."""
    assert {"chat.postMessage", "chat.update", "users.info", "auth.test", "usergroups.users.list"} <= called(CODE)
    assert {"app_mention", "message", "app_uninstalled"} <= listened(CODE, "event")


def test_every_method_is_known_here() -> None:
    """A new one says here which scope it takes."""
    assert called(CODE) <= set(METHODS)


def test_the_scopes_are_those_that_the_code_needs() -> None:
    """One that is missing breaks a call; one too many is asked of every workspace for nothing."""
    assert granted(MANIFEST) == needed(CODE)


def test_installation_asks_for_the_same() -> None:
    assert granted(MANIFEST) == set(SCOPES)
    assert all(SCOPES.values())


def test_the_subscriptions_are_those_that_the_code_hears() -> None:
    heard = {name for event in listened(CODE, "event") for name in EVENTS[event]}

    assert set(MANIFEST["settings"]["event_subscriptions"]["bot_events"]) == heard


def test_commands_and_shortcuts_are_those_that_the_code_hears() -> None:
    features = MANIFEST["features"]

    assert {each["command"] for each in features["slash_commands"]} == listened(CODE, "command")
    assert {each["callback_id"] for each in features["shortcuts"]} == listened(CODE, "shortcut")


def test_lists_are_sorted_and_hold_nothing_twice() -> None:
    for names in (
        MANIFEST["oauth_config"]["scopes"]["bot"],
        MANIFEST["settings"]["event_subscriptions"]["bot_events"],
    ):
        assert names == sorted(set(names))


@pytest.mark.parametrize("scope", sorted(SCOPES))
def test_a_scope_that_is_taken_out_is_missed(scope: str) -> None:
    """The comparison above sees each one."""
    assert granted(MANIFEST) - {scope} != needed(CODE)


def test_a_scope_that_is_added_is_too_many() -> None:
    assert granted(MANIFEST) | {"reactions:write"} != needed(CODE)


def test_a_call_that_is_added_is_seen() -> None:
    more = {**CODE, "new.py": 'async def f(api): await api.call("T1", "reactions.add", name="eyes")'}

    assert needed(more) - granted(MANIFEST) == {"reactions:write"}


def test_a_method_that_is_no_literal_is_refused() -> None:
    with pytest.raises(AssertionError, match="write the method as a literal"):
        called({"new.py": 'async def f(api, x): await api.call("T1", f"chat.{x}")'})


# --- the shape of the file ---


def test_addresses_are_the_one_that_people_replace() -> None:
    """All of Slack's requests come to one path."""
    events, redirect = "https://andon.example.com/slack/events", "https://andon.example.com/slack/oauth_redirect"
    settings = MANIFEST["settings"]

    assert settings["event_subscriptions"]["request_url"] == events
    assert settings["interactivity"] == {
        "is_enabled": True,
        "request_url": events,
        "message_menu_options_url": events,
    }
    assert [each["url"] for each in MANIFEST["features"]["slash_commands"]] == [events]
    assert MANIFEST["oauth_config"]["redirect_urls"] == [redirect]
    text = (ROOT / "manifest.yaml").read_text(encoding="utf-8")
    assert sum("https://andon.example.com/" in line for line in text.splitlines()) == 5


def test_people_find_the_app_s_home_and_can_write_to_it() -> None:
    assert MANIFEST["features"]["app_home"] == {
        "home_tab_enabled": True,
        "messages_tab_enabled": True,
        "messages_tab_read_only_enabled": False,
    }


def test_organisations_can_install_it() -> None:
    settings = MANIFEST["settings"]

    assert (settings["org_deploy_enabled"], settings["socket_mode_enabled"], settings["token_rotation_enabled"]) == (
        True,
        False,
        False,
    )


def test_texts_are_within_slack_s_sizes() -> None:
    """Source: App manifest reference, https://docs.slack.dev/reference/app-manifest, read 2026-09."""
    about, features = MANIFEST["display_information"], MANIFEST["features"]
    assert 1 <= len(about["name"]) <= 35
    assert len(about["description"]) <= 140
    assert len(features["bot_user"]["display_name"]) <= 80
    for command in features["slash_commands"]:
        assert len(command["command"]) <= 32
        assert len(command["usage_hint"]) <= 1000
        assert len(command["description"]) <= 2000
    for shortcut in features["shortcuts"]:
        assert len(shortcut["name"]) <= 24
        assert len(shortcut["description"]) <= 150
        assert len(shortcut["callback_id"]) <= 255
    assert len(features["shortcuts"]) <= 10
    assert len(MANIFEST["settings"]["event_subscriptions"]["bot_events"]) <= 100
    assert len(MANIFEST["oauth_config"]["scopes"]["bot"]) <= 255


def test_nothing_unknown_is_in_it() -> None:
    assert set(MANIFEST) == {"display_information", "features", "oauth_config", "settings"}
    assert set(MANIFEST["features"]) == {"app_home", "bot_user", "shortcuts", "slash_commands"}
    assert set(MANIFEST["oauth_config"]) == {"redirect_urls", "scopes"}
    assert set(MANIFEST["settings"]) == {
        "event_subscriptions",
        "interactivity",
        "org_deploy_enabled",
        "socket_mode_enabled",
        "token_rotation_enabled",
    }
