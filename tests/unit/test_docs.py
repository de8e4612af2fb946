"""The documents keep up with the code: a setting, call, problem, key, command or state without its line fails here."""

import re
from pathlib import Path
from typing import Final

import pytest

from bot.api.calls import CALLS
from bot.config import Settings, setting_name
from bot.errors import (
    BotError,
    ClaimRefused,
    ConfigError,
    Conflict,
    DirectoryDown,
    StateFolderBusy,
    SurfaceDown,
    Undeliverable,
)
from bot.store import Keys
from docs.diagram import PAGE, diagram, page

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
PROTOCOL: Final = (DOCS / "wire-protocol.md").read_text()
OPERATIONS: Final = (DOCS / "operations.md").read_text()
ARCHITECTURE: Final = (DOCS / "architecture.md").read_text()


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_has_its_line(name: str) -> None:
    assert re.search(rf"^\| [^|]*`{setting_name(name)}`[^|]* \|", OPERATIONS, re.MULTILINE)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_every_call_has_its_line(call: object) -> None:
    path, method = call.path, call.method  # type: ignore[attr-defined]  # pytest's ids take any object
    said = PROTOCOL + OPERATIONS
    assert f"`{method} {path}" in said or f"`{path}`" in said


def kinds(root: type[BotError]) -> list[type[BotError]]:
    return [root, *(kind for each in root.__subclasses__() for kind in kinds(each))]


def test_every_problem_that_a_caller_can_meet_has_its_name_in_the_protocol() -> None:
    """The names are stable: an agent written from the page must know them all."""
    # None of these is ever answered by its own name.
    ours = {ConfigError, DirectoryDown, StateFolderBusy, SurfaceDown, Undeliverable, BotError, Conflict, ClaimRefused}
    slugs = {kind.slug for kind in kinds(BotError) if kind not in ours and kind.__module__ == "bot.errors"}
    assert {slug for slug in slugs if f"`{slug}`" not in PROTOCOL} == set()


def test_every_key_of_the_store_has_its_line() -> None:
    keys = Keys("ns")
    named = [getattr(keys, name) for name, kind in vars(Keys).items() if isinstance(kind, property)]
    assert {name for name in named if f"`{name}`" not in ARCHITECTURE} == set()


def test_every_command_has_its_line() -> None:
    for command in (
        "serve",
        "check",
        "keys create",
        "keys list",
        "keys revoke ID",
        "endpoints …",
        "grants list",
        "grants revoke ID",
        "policy …",
        "manifest --teams FILE",
        "sign-in",
    ):
        assert f"| `python -m bot {command}` |" in OPERATIONS


def test_every_module_of_the_service_has_its_line() -> None:
    modules = {path.stem for path in (ROOT / "bot").iterdir() if not path.name.startswith(("_", "."))}
    assert {name for name in modules if f"`bot.{name}`" not in ARCHITECTURE} == set()


def test_the_diagram_is_the_table_of_moves() -> None:
    assert diagram() in ARCHITECTURE
    assert page(PAGE.read_text()) == ARCHITECTURE, "run: python -m docs.diagram"


@pytest.mark.parametrize("document", sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", document.read_text()):
        assert target.startswith("https://") or (document.parent / target).exists(), target
