"""The files that tell others what to install: each dependency has its reason, and the lock names no place."""

import re
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads(PYPROJECT)["project"]
REQUIREMENTS: list[str] = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_dependency_says_what_it_is_for(requirement: str) -> None:
    """Who adds a dependency says why, so that whoever meets it later can tell whether it may go."""
    line = re.compile(rf'^ +"{re.escape(requirement)}",? +# \S', re.MULTILINE)

    assert line.search(PYPROJECT), f"say beside {requirement!r} in pyproject.toml what it is for"


def test_andon_depends_on_two_packages() -> None:
    """All else is the service's, and an agent does not pay for it."""
    assert [Requirement(line).name for line in PROJECT["dependencies"]] == ["pydantic", "aiohttp"]


def test_lock_names_packages_and_hashes_and_no_place() -> None:
    """The lock works behind any mirror, and tells nothing of the machine that wrote it."""
    package = r"[a-z0-9._-]+==[^\s;]+(?: ; [^\\/]+)? \\"
    digest = r"    --hash=sha256:[0-9a-f]{64}(?: \\)?"
    origin = r"    #(?: via)?(?: +[a-z0-9._-]+(?: \(pyproject\.toml\))?)?"
    allowed = re.compile(rf"{package}|{digest}|{origin}")

    assert [line for line in LOCK.splitlines() if not allowed.fullmatch(line)] == []


def test_lock_has_hashes_for_every_package() -> None:
    """Pip refuses a file with another hash, whoever serves it."""
    packages = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]

    assert packages
    assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []


def test_lock_holds_all_that_the_project_names() -> None:
    """A dependency added to pyproject.toml comes with `make lock`."""
    locked = dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", LOCK, flags=re.MULTILINE))

    for requirement in map(Requirement, REQUIREMENTS):
        name = canonicalize_name(requirement.name)
        assert name in locked, f"{name} is missing from requirements.lock; run `make lock`"
        assert requirement.specifier.contains(locked[name]), f"{name} {locked[name]} is not {requirement.specifier}"
