"""The app package for Teams: what Microsoft's own schema takes, with icons as Teams wants them."""

import io
import json
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest

from adapters.teams.package import (
    ASK_AGENT,
    RESOURCE_CONSENT,
    SCHEMA,
    WITHOUT_MENTION,
    AppPackage,
    endpoint,
    manifest,
    zipped,
)
from bot.brake.words import Vocabulary
from bot.errors import ConfigError
from bot.talk.requests import request
from docs import teams_icons

pytestmark = pytest.mark.packaging

ROOT: Final = Path(__file__).resolve().parents[2]
SCHEMAS: Final = ROOT / ".venv/node/node_modules/@microsoft/app-manifest/build/json-schemas/teams"
BRAKE_WORDS: Final = ("stop", "pause", "resume", "abort")
BOT: Final = "4f0c9f3e-52a1-4b0f-9d8a-0e7d4f1f6a11"
PACKAGE: Final = AppPackage(bot_id=BOT, url="https://andon.example.com", version="0.1.0")
OTHERS: Final = {
    "as it is": PACKAGE,
    "of another catalogue": AppPackage(
        bot_id=BOT, url="https://agents.example.com:8443/andon", version="2.10.3", app_id=BOT.replace("4", "5")
    ),
    "with the longest texts": AppPackage(
        bot_id=BOT, url="https://andon.example.com", version="1.0.0", name="Ä" * 30, developer="ö" * 32
    ),
    "for mentions only": AppPackage(bot_id=BOT, url="https://andon.example.com", version="1.0.0", mentions_only=True),
}


@pytest.fixture(scope="module")
def schema() -> Any:
    path = SCHEMAS / f"v{SCHEMA}" / "MicrosoftTeams.schema.json"
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail("there is no schema of Teams' manifest: make node")
        pytest.skip("there is no schema of Teams' manifest: make node")
    return json.loads(path.read_text(encoding="utf-8"))


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


# --- the manifest ---


@pytest.mark.parametrize("package", OTHERS.values(), ids=OTHERS)
def test_microsoft_s_schema_takes_the_manifest(schema: Any, package: AppPackage) -> None:
    validator = jsonschema_rs.Draft4Validator(schema, validate_formats=True)

    read = json.loads(unpacked(zipped(package))["manifest.json"])

    assert [(error.message, list(error.instance_path)) for error in validator.iter_errors(read)] == []
    assert read["manifestVersion"] == SCHEMA
    assert read["$schema"].endswith(f"/v{SCHEMA}/MicrosoftTeams.schema.json")


@pytest.mark.parametrize("part", ["name", "bots", "webApplicationInfo", "authorization", "icons"])
def test_the_schema_sees_what_is_wrong(schema: Any, part: str) -> None:
    """A schema that takes everything proves nothing."""
    validator = jsonschema_rs.Draft4Validator(schema, validate_formats=True)
    wrong = manifest(PACKAGE)
    (wrong[part][0] if part == "bots" else wrong[part])["unknown"] = True

    assert not validator.is_valid(wrong)


@pytest.mark.parametrize("package", OTHERS.values(), ids=OTHERS)
def test_texts_are_within_teams_sizes(package: AppPackage) -> None:
    """Source: the schema, and App manifest schema reference, https://learn.microsoft.com, read 2026-11."""
    made = manifest(package)

    assert len(made["name"]["short"]) <= 30
    assert len(made["name"]["full"]) <= 100
    assert len(made["description"]["short"]) <= 80
    assert len(made["description"]["full"]) <= 4000
    assert len(made["developer"]["name"]) <= 32
    (bot,) = made["bots"]
    assert len(bot["commandLists"]) <= 3
    for commands in bot["commandLists"]:
        assert 1 <= len(commands["commands"]) <= 12
        assert len({each["title"] for each in commands["commands"]}) == len(commands["commands"])
        assert all(len(each["title"]) <= 32 for each in commands["commands"])
        assert all(0 < len(each["description"]) <= 128 for each in commands["commands"])


def test_it_works_in_chats_teams_and_with_one_person() -> None:
    (bot,) = manifest(PACKAGE)["bots"]

    assert bot["botId"] == BOT
    assert bot["scopes"] == ["personal", "team", "groupChat"]
    assert sorted(scope for each in bot["commandLists"] for scope in each["scopes"]) == sorted(bot["scopes"])


def test_commands_say_where_they_reach() -> None:
    """`stop` in a channel stops the agents there; written to the bot alone it stops those that ask whoever wrote."""
    said = {
        each["scopes"][0]: {command["title"]: command["description"] for command in each["commands"]}
        for each in manifest(PACKAGE)["bots"][0]["commandLists"]
    }

    assert "this channel" in said["team"]["stop"]
    assert "this chat" in said["groupChat"]["stop"]
    assert "this channel" in said["team"]["pending"]
    assert "ask you" in said["personal"]["stop"]
    assert "pending mine" in said["team"]
    assert "pending mine" not in said["personal"]
    for words in said.values():
        assert {"help", "pending", "show", "stop", "pause", "wait", "resume", "abort", "brakes", "grants"} <= set(words)


def test_every_other_word_is_a_request_that_the_bot_knows() -> None:
    for commands in manifest(PACKAGE)["bots"][0]["commandLists"]:
        for title in {each["title"] for each in commands["commands"]} - {"wait", *BRAKE_WORDS}:
            assert request(title).verb == title.partition(" ")[0]


@pytest.mark.parametrize(
    "title, typed", [("wait", "wait, change the recipient to Bob"), *((each, each) for each in BRAKE_WORDS)]
)
def test_the_brake_knows_the_words_that_are_offered(title: str, typed: str) -> None:
    read = Vocabulary().read(typed, "bot")

    assert read
    assert read.action == ("steer" if title == "wait" else title)
    for commands in manifest(PACKAGE)["bots"][0]["commandLists"]:
        assert title in {each["title"] for each in commands["commands"]}


def test_a_message_can_be_handed_to_an_agent() -> None:
    """As Slack's shortcut does, in the menu of a message; Teams shows 32 characters of its title."""
    (extension,) = manifest(PACKAGE)["composeExtensions"]
    (command,) = extension["commands"]

    assert extension["botId"] == BOT
    assert (command["id"], command["type"], command["context"]) == (ASK_AGENT, "action", ["message"])
    assert command["fetchTask"]
    assert len(command["title"]) <= 32
    assert len(command["description"]) <= 128


def test_consent_is_asked_for_what_is_used() -> None:
    made = manifest(PACKAGE)
    asked = made["authorization"]["permissions"]["resourceSpecific"]

    assert {each["name"] for each in asked} == set(RESOURCE_CONSENT)
    assert {each["type"] for each in asked} == {"Application"}
    assert all(RESOURCE_CONSENT.values())
    assert made["webApplicationInfo"] == {"id": BOT, "resource": "https://andon.example.com"}


def test_the_docs_say_what_each_is_for() -> None:
    page = (ROOT / "docs" / "teams.md").read_text(encoding="utf-8")
    table = page.partition("## What it asks of Teams")[2].partition("\n## ")[0]

    assert [line for line in table.splitlines() if line.startswith("| `")] == [
        f"| `{name}` | {reason} |" for name, reason in RESOURCE_CONSENT.items()
    ]


def test_whoever_wants_mentions_alone_is_not_asked_to_let_it_read_more() -> None:
    made = manifest(OTHERS["for mentions only"])
    names = {each["name"] for each in made["authorization"]["permissions"]["resourceSpecific"]}

    assert names == set(RESOURCE_CONSENT) - WITHOUT_MENTION
    assert not any("Message" in name for name in names)


def test_a_team_s_app_says_that_it_knows_private_and_shared_channels() -> None:
    """Teams refuses one that does not, from schema 1.25 on, whatever the schema itself says."""
    assert manifest(PACKAGE)["supportsChannelFeatures"] == "tier1"


def test_nothing_is_promised_that_the_adapter_does_not_do() -> None:
    (bot,) = manifest(PACKAGE)["bots"]

    assert "supportsTargetedMessages" not in bot
    assert not any("triggers" in each for each in bot["commandLists"])
    assert not bot["supportsFiles"]


def test_domains_are_the_service_s_own() -> None:
    assert manifest(PACKAGE)["validDomains"] == ["andon.example.com"]
    assert manifest(OTHERS["of another catalogue"])["validDomains"] == ["agents.example.com:8443"]
    assert endpoint(PACKAGE.url) == "https://andon.example.com/api/messages"


def test_the_app_s_own_id_is_the_bot_s_unless_told() -> None:
    other = manifest(OTHERS["of another catalogue"])

    assert manifest(PACKAGE)["id"] == BOT
    assert (other["id"], other["bots"][0]["botId"]) == (BOT.replace("4", "5"), BOT)


# --- the zip ---


def test_the_manifest_and_its_icons_lie_at_the_top() -> None:
    files = unpacked(zipped(PACKAGE))
    icons = manifest(PACKAGE)["icons"]

    assert list(files) == ["manifest.json", "color.png", "outline.png"]
    assert {icons["color"], icons["outline"]} == set(files) - {"manifest.json"}
    assert files["manifest.json"].endswith(b"}\n")


def test_the_same_settings_make_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever and wherever it is made, so that two people can compare what they upload."""
    first = zipped(PACKAGE)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)

    assert zipped(PACKAGE) == first
    assert zipped(OTHERS["for mentions only"]) != first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.create_system for entry in archive.infolist()} == {3}


# --- the icons ---


def pixels(picture: bytes) -> list[list[tuple[int, ...]]]:
    """The rows of a PNG of ours: 8 bits, red, green, blue and alpha, no filter; every checksum is checked."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    parts, at = {}, 8
    while at < len(picture):
        (length,), kind = struct.unpack(">I", picture[at : at + 4]), picture[at + 4 : at + 8]
        parts[kind] = data = picture[at + 8 : at + 8 + length]
        (check,) = struct.unpack(">I", picture[at + 8 + length : at + 12 + length])
        assert check == zlib.crc32(kind + data)
        at += 12 + length
    width, height, depth, colours, *rest = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    assert (depth, colours, rest) == (8, 6, [0, 0, 0])
    raw, rows = zlib.decompress(parts[b"IDAT"]), []
    assert len(raw) == height * (1 + width * 4)
    for row in range(height):
        line = raw[row * (1 + width * 4) :][: 1 + width * 4]
        assert line[0] == 0
        rows.append([tuple(line[1 + 4 * column : 5 + 4 * column]) for column in range(width)])
    assert list(parts) == [b"IHDR", b"IDAT", b"IEND"]
    return rows


def test_the_colour_icon_is_192_pixels_square_and_opaque() -> None:
    """Its mark is within the 120 pixels in the middle; the masks of Teams may cut what lies outside.

    Source: Design your app icon, https://learn.microsoft.com/en-us/microsoftteams/platform/, read 2026-11.
    """
    rows = pixels(unpacked(zipped(PACKAGE))["color.png"])

    assert (len(rows), {len(row) for row in rows}) == (192, {192})
    assert {pixel[3] for row in rows for pixel in row} == {255}
    ground = rows[0][0]
    marked = [(x, y) for y, row in enumerate(rows) for x, pixel in enumerate(row) if pixel != ground]
    assert marked
    assert all(36 <= x < 156 and 36 <= y < 156 for x, y in marked)


def test_the_outline_icon_is_32_pixels_square_and_white_on_nothing() -> None:
    rows = pixels(unpacked(zipped(PACKAGE))["outline.png"])

    assert (len(rows), {len(row) for row in rows}) == (32, {32})
    seen = [pixel for row in rows for pixel in row]
    assert {pixel[:3] for pixel in seen if pixel[3]} == {(255, 255, 255)}
    assert sum(pixel[3] == 0 for pixel in seen) > len(seen) / 2
    assert sum(pixel[3] == 255 for pixel in seen) > 150
    assert all(rows[y][x][3] == 0 for x in (0, 31) for y in (0, 31))


@pytest.mark.parametrize("name, drawn", [("color.png", teams_icons.colour), ("outline.png", teams_icons.outline)])
def test_the_icons_are_those_that_the_script_draws(name: str, drawn: Any) -> None:
    """Compared by pixels, because another zlib packs them otherwise."""
    kept = (teams_icons.FOLDER / name).read_bytes()

    assert pixels(kept) == pixels(drawn()), "run: python -m docs.teams_icons"


# --- what is refused ---


@pytest.mark.parametrize(
    "given, says",
    [
        ({"bot_id": ""}, "TEAMS_APP_ID is empty; copy the Application (client) ID"),
        ({"bot_id": "andon"}, "TEAMS_APP_ID is 'andon'"),
        ({"bot_id": BOT + "\n"}, "TEAMS_APP_ID is"),
        ({"app_id": "andon"}, "--id is 'andon'"),
        ({"url": ""}, "ANDON_PUBLIC_URL is not set"),
        ({"url": "http://andon.example.com"}, "ANDON_PUBLIC_URL is http://andon.example.com, and Teams sends"),
        ({"version": "0.1"}, "three numbers"),
        ({"version": "0.1.0.dev1"}, "three numbers"),
        ({"version": "01.0.0"}, "three numbers"),
        ({"name": "A" * 31}, "--name has 31 characters, and Teams takes 30"),
        ({"name": " "}, "--name is ' '"),
        ({"name": "An\u202edon"}, "--name is"),
        ({"developer": "d" * 33}, "--developer has 33 characters"),
    ],
)
def test_what_teams_would_refuse_is_refused_here(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        zipped(AppPackage(**{"bot_id": BOT, "url": "https://andon.example.com", "version": "0.1.0", **given}))

    (fault,) = caught.value.faults
    assert says in fault


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        zipped(AppPackage(bot_id="", url="", version=""))

    assert len(caught.value.faults) == 3
