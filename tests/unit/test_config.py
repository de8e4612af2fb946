"""Settings: read once, every fault told at once."""

from pathlib import Path

import pytest

from bot.app.surfaces import slack_config
from bot.config import Settings, load_settings, setting_name, unknown_settings
from bot.errors import ConfigError


def test_the_defaults_are_those_of_the_docs() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.redis_url, settings.policy) == ("127.0.0.1", 8080, None, None)
    assert settings.retention.days == 30
    assert settings.url(8080) == "http://127.0.0.1:8080"


def test_every_fault_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDON_PORT", "many")
    monkeypatch.setenv("ANDON_REDIS_URL", "http://localhost")
    monkeypatch.setenv("ANDON_PUBLIC_URL", "example.com")
    monkeypatch.setenv("ANDON_POLICY", "/")
    monkeypatch.setenv("ANDON_TEMPLATES", "/nowhere")
    monkeypatch.setenv("ANDON_RETENTION_DAYS", "0")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    names = [fault.partition(":")[0] for fault in caught.value.faults]
    assert sorted(names) == [
        "ANDON_POLICY",
        "ANDON_PORT",
        "ANDON_PUBLIC_URL",
        "ANDON_REDIS_URL",
        "ANDON_RETENTION_DAYS",
        "ANDON_TEMPLATES",
    ]
    assert "redis://, rediss://, unix://" in str(caught.value)


def test_a_short_secret_is_refused_and_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDON_SECRET", "hunter2")
    with pytest.raises(ConfigError, match="shorter than 32") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_secrets_are_not_in_the_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDON_SECRET", "s" * 40)
    monkeypatch.setenv("ANDON_REDIS_URL", "redis://:hunter2@localhost")
    assert "hunter2" not in repr(load_settings())
    assert "s" * 40 not in repr(load_settings())


def test_names_that_are_none_of_ours_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most likely typing errors; the agents' own variables are none."""
    monkeypatch.setenv("ANDON_PROT", "8080")
    monkeypatch.setenv("ANDON_URL", "http://x")
    monkeypatch.setenv("ANDON_KEY", "k")
    monkeypatch.setenv("ANDON_CALLBACK_SECRET", "whsec_x")
    monkeypatch.setenv("ANDON_PORT", "8080")
    assert unknown_settings() == ["ANDON_PROT"]


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text("ANDON_PORT=1001\nANDON_HOST=127.0.0.2\nANDON_RETENTION_DAYS=7\n")
    monkeypatch.setitem(Settings.model_config, "env_file", str(file))
    monkeypatch.setenv("ANDON_PORT", "1002")
    monkeypatch.setenv("ANDON_RETENTION_DAYS", "")
    settings = load_settings(port=1003, host=None)
    assert (settings.port, settings.host, settings.retention_days) == (1003, "127.0.0.2", 7)
    assert load_settings().port == 1002


@pytest.mark.parametrize(
    "host, url, loopback",
    [
        ("127.0.0.1", "http://127.0.0.1:9", True),
        ("::1", "http://[::1]:9", True),
        ("localhost", "http://localhost:9", True),
        ("0.0.0.0", "http://127.0.0.1:9", False),  # noqa: S104  # the very address in question
        ("192.0.2.1", "http://192.0.2.1:9", False),
        ("example.com", "http://example.com:9", False),
    ],
)
def test_the_address_to_give_out(host: str, url: str, loopback: bool) -> None:
    settings = load_settings(host=host)
    assert (settings.url(9), settings.on_loopback) == (url, loopback)


def test_a_public_address_is_given_out_as_it_is_set() -> None:
    assert load_settings(public_url="https://andon.example.com/").url(9) == "https://andon.example.com"


def test_the_secret_is_made_once_and_kept_private(tmp_path: Path) -> None:
    settings = load_settings(state=tmp_path / "state")
    made = settings.key_material()
    assert len(made) >= 32
    assert load_settings(state=tmp_path / "state").key_material() == made
    assert (tmp_path / "state" / "secret").stat().st_mode & 0o777 == 0o600
    assert load_settings(secret="s" * 40).key_material() == b"s" * 40


def test_a_folder_that_cannot_be_made_is_a_fault_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="ANDON_STATE"):
        load_settings(state=tmp_path / "file" / "state").key_material()


# --- Slack ---

TOKEN, SIGNING = "xoxb-1-hunter2", "s1gn1ng-hunter2"


@pytest.mark.parametrize(
    "given, says",
    [
        ({"SLACK_BOT_TOKEN": "xoxp-1", "SLACK_SIGNING_SECRET": "s"}, "SLACK_BOT_TOKEN begins with xoxb-"),
        ({"SLACK_BOT_TOKEN": "xapp-1", "SLACK_SIGNING_SECRET": "s"}, "SLACK_BOT_TOKEN begins with xoxb-"),
        ({"SLACK_BOT_TOKEN": TOKEN, "SLACK_APP_TOKEN": "xoxb-2"}, "SLACK_APP_TOKEN begins with xapp-"),
        ({"SLACK_BOT_TOKEN": TOKEN}, "SLACK_SIGNING_SECRET is empty"),
        ({"SLACK_BOT_TOKEN": TOKEN}, "or set SLACK_APP_TOKEN to use Socket Mode"),
        ({"SLACK_CLIENT_ID": "1.2", "SLACK_SIGNING_SECRET": "s"}, "SLACK_CLIENT_SECRET is empty"),
        (
            {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "c", "SLACK_SIGNING_SECRET": "s"},
            "SLACK_CLIENT_ID needs ANDON_PUBLIC_URL",
        ),
        ({"SLACK_CLIENT_SECRET": "c"}, "SLACK_CLIENT_ID is empty"),
        ({"SLACK_CHANNEL": "C0OPS"}, "SLACK_BOT_TOKEN is empty"),
        ({"SLACK_APP_TOKEN": "xapp-1"}, "SLACK_BOT_TOKEN is empty"),
        ({"SLACK_SIGNING_SECRET": "s"}, "SLACK_BOT_TOKEN is empty"),
        ({"SLACK_API_URL": "slack.example.com"}, "SLACK_API_URL: "),
    ],
)
def test_a_half_set_slack_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], says: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_every_fault_of_slack_s_settings_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxp-1")
    monkeypatch.setenv("SLACK_CLIENT_ID", "1.2")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    for says in ("SLACK_BOT_TOKEN begins", "SLACK_CLIENT_SECRET is", "ANDON_PUBLIC_URL", "SLACK_SIGNING_SECRET is"):
        assert says in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"SLACK_BOT_TOKEN": TOKEN, "SLACK_SIGNING_SECRET": SIGNING},
        {"SLACK_BOT_TOKEN": TOKEN, "SLACK_APP_TOKEN": "xapp-1", "SLACK_CHANNEL": "C0OPS"},
        {"SLACK_BOT_TOKEN": "xoxe.xoxb-1", "SLACK_SIGNING_SECRET": SIGNING},
        {
            "SLACK_CLIENT_ID": "1.2",
            "SLACK_CLIENT_SECRET": "c",
            "SLACK_SIGNING_SECRET": SIGNING,
            "ANDON_PUBLIC_URL": "https://andon.example.com",
        },
    ],
)
def test_a_slack_that_is_whole_is_wanted(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    assert not load_settings().slack
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.slack
    assert settings.slack_api_url == "https://slack.com/api"
    assert unknown_settings() == []


def test_slack_s_secrets_are_in_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {
        "SLACK_BOT_TOKEN": "xoxb-",
        "SLACK_APP_TOKEN": "xapp-",
        "SLACK_SIGNING_SECRET": "",
        "SLACK_CLIENT_SECRET": "",
    }
    for name, begins in names.items():
        monkeypatch.setenv(name, f"{begins}hunter2")
    monkeypatch.setenv("SLACK_CLIENT_ID", "1.2")
    monkeypatch.setenv("ANDON_PUBLIC_URL", "https://andon.example.com")
    settings = load_settings()
    for text in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert "hunter2" not in text
    config = slack_config(settings, "https://andon.example.com")
    assert config.bot_token == "xoxb-hunter2"


def test_names_that_are_none_of_slack_s_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_TOKEN", "xoxb-1")
    monkeypatch.setenv("SLACK_SIGNING_SECRETS", "s")
    monkeypatch.setenv("ANDON_SLACK_CHANNEL", "C0OPS")
    assert unknown_settings() == ["ANDON_SLACK_CHANNEL", "SLACK_SIGNING_SECRETS", "SLACK_TOKEN"]


@pytest.mark.parametrize("field", sorted(Settings.model_fields))
def test_a_setting_is_read_under_the_name_that_is_told(field: str) -> None:
    """A fault, the documents and the warning about unknown names all use `setting_name`."""
    assert setting_name(field) == (Settings.model_fields[field].alias or f"ANDON_{field.upper()}")


# --- Teams ---

TEAMS = {
    "TEAMS_APP_ID": "0d5f2c2e-7a3b-4c57-9e0a-6c4f6f1f2a10",
    "TEAMS_APP_PASSWORD": "p4ss-hunter2",
    "TEAMS_TENANT_ID": "72f988bf-0000-4000-8000-2d7cd011db47",
}


def without(name: str) -> dict[str, str]:
    return {each: value for each, value in TEAMS.items() if each != name}


@pytest.mark.parametrize(
    "given, says",
    [
        (without("TEAMS_APP_PASSWORD"), "TEAMS_APP_PASSWORD is empty; copy the value of a client secret"),
        (without("TEAMS_TENANT_ID"), "TEAMS_TENANT_ID is empty; copy the directory (tenant) id"),
        (without("TEAMS_APP_ID"), "TEAMS_APP_ID is empty; copy the application (client) id"),
        ({"TEAMS_CHANNEL": "Ops"}, "TEAMS_APP_ID is empty"),
        ({**TEAMS, "TEAMS_ALLOW_ANONYMOUS": "1"}, "TEAMS_ALLOW_ANONYMOUS is for emulators"),
        (
            {"TEAMS_ALLOW_ANONYMOUS": "1", "ANDON_HOST": "192.0.2.1"},
            "needs ANDON_HOST to be loopback, and it is 192.0.2.1",
        ),
        ({**TEAMS, "TEAMS_LOGIN_URL": "login"}, "TEAMS_LOGIN_URL: "),
    ],
)
def test_a_half_set_teams_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], says: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("given", [TEAMS, {"TEAMS_ALLOW_ANONYMOUS": "1"}], ids=["app", "emulator"])
def test_a_teams_that_is_whole_is_wanted(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    assert not load_settings().teams
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.teams
    assert "hunter2" not in repr(settings)
    assert unknown_settings() == []
