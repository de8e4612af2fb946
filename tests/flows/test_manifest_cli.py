"""`python -m bot manifest --teams`, as an administrator meets it: a file to upload, or what to do first."""

import json
import sys
import zipfile
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.app.version import VERSION

BOT = "4f0c9f3e-52a1-4b0f-9d8a-0e7d4f1f6a11"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All that it needs; nothing comes from a file in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEAMS_APP_ID", BOT)
    monkeypatch.setenv("TEAMS_APP_PASSWORD", "a secret value")
    monkeypatch.setenv("TEAMS_TENANT_ID", "0a9d3f1c-7f7d-4a5e-8a57-3a1f6a0f9b21")
    monkeypatch.setenv("ANDON_PUBLIC_URL", "https://andon.example.com")


def read(file: str) -> dict[str, object]:
    with zipfile.ZipFile(file) as archive:
        made: dict[str, object] = json.loads(archive.read("manifest.json"))
    return made


def test_it_writes_a_package_and_says_what_is_next(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manifest", "--teams", "andon.zip"]) == 0

    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "Wrote andon.zip. Upload it in the Teams admin center: Teams apps, Manage apps, Upload new app.",
        "The Azure Bot's messaging endpoint must be https://andon.example.com/api/messages",
    ]
    assert said.err == ""
    made = read("andon.zip")
    assert (made["id"], made["version"], made["validDomains"]) == (BOT, VERSION, ["andon.example.com"])
    assert "a secret value" not in Path("andon.zip").read_bytes().decode(errors="replace")


def test_options_go_into_it() -> None:
    words = ["--name", "Andon (staging)", "--version", "1.4.0", "--id", BOT.replace("4", "5"), "--developer", "Ops"]

    assert main(["manifest", "--teams", "andon.zip", *words, "--mentions-only"]) == 0

    made = read("andon.zip")
    assert made["name"] == {"short": "Andon (staging)", "full": "Andon (staging): agents ask before they act"}
    assert (made["version"], made["id"]) == ("1.4.0", BOT.replace("4", "5"))
    assert "Message" not in json.dumps(made["authorization"])


def test_a_file_that_is_there_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("andon.zip").write_text("mine")

    assert main(["manifest", "--teams", "andon.zip"]) == 1

    assert capsys.readouterr().err == "andon: andon.zip exists; remove it, or name another file\n"
    assert Path("andon.zip").read_text() == "mine"


def test_a_folder_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manifest", "--teams", "no/andon.zip"]) == 1
    assert capsys.readouterr().err == "andon: cannot write no/andon.zip: No such file or directory\n"


@pytest.mark.parametrize(
    "unset, says",
    [
        (["TEAMS_APP_ID", "TEAMS_APP_PASSWORD", "TEAMS_TENANT_ID"], "TEAMS_APP_ID is empty; copy the"),
        (["ANDON_PUBLIC_URL"], "ANDON_PUBLIC_URL is not set; set it to the https address"),
    ],
)
def test_what_is_missing_is_told_and_nothing_is_written(
    unset: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in unset:
        monkeypatch.delenv(name)

    assert main(["manifest", "--teams", "andon.zip"]) == 1

    assert capsys.readouterr().err.startswith(f"andon: {says}")
    assert not Path("andon.zip").exists()


def test_every_fault_is_told_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ANDON_PUBLIC_URL", "http://andon.example.com")

    assert main(["manifest", "--teams", "andon.zip", "--name", "A" * 31, "--version", "1"]) == 1

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert any("https addresses alone" in line for line in lines)


@pytest.mark.parametrize("words", [[], ["--teams"], ["--slack", "x"], ["--teams", "a.zip", "more"]])
def test_wrong_usage_says_what_is_wrong(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manifest", *words]) == 2
    assert capsys.readouterr().err.startswith("andon: ")


def test_packages_that_are_missing_are_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "adapters.teams.package", None)
    assert main(["manifest", "--teams", "andon.zip"]) == 1
    assert "needs the extra `teams`, which `make install` brings" in capsys.readouterr().err
