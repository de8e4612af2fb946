"""What `pip install andon` brings: the agent-side package alone, which needs two packages and no more."""

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command away from the checkout, so that nothing is found there by chance."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "COV"))}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the sdist, and the wheel made from it; without a network."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """The built wheel."""
    (found,) = built.glob("andon-*.whl")
    return found


def closure(*names: str) -> dict[str, Distribution]:
    """The named distributions and all they require here, as they are installed beside these tests."""
    found: dict[str, Distribution] = {}
    todo = list(names)
    while todo:
        name = canonicalize_name(todo.pop())
        if name in found:
            continue
        found[name] = distribution(name)
        requirements = [Requirement(line) for line in found[name].requires or ()]
        todo += [need.name for need in requirements if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def needs(wheel: Path) -> list[str]:
    """The names of the packages that the wheel says it requires, extras aside."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(metadata).decode().splitlines()
    requirements = [
        Requirement(line.removeprefix("Requires-Dist: "))
        for line in lines
        if line.startswith("Requires-") and not line.startswith("Requires-Python")
    ]
    return sorted(need.name for need in requirements if need.marker is None or need.marker.evaluate({"extra": ""}))


@pytest.fixture(scope="module")
def empty_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel, what it requires, and nothing else, not even pip."""
    home = tmp_path_factory.mktemp("empty")
    venv.create(home / "venv", with_pip=False)
    (site,) = (home / "venv").glob("lib/python3*/site-packages")

    beside = home / "required"
    beside.mkdir()
    for installed in closure(*needs(wheel)).values():
        for top in {path.parts[0] for path in installed.files or () if path.parts[0] not in {"..", "__pycache__"}}:
            (beside / top).symlink_to(Path(str(installed.locate_file(top))))
    (site / "required.pth").write_text(f"{beside}\n", encoding="utf-8")

    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    assert uv, "uv is missing; run `make install`"
    python = home / "venv" / "bin" / "python"
    run(uv, "pip", "install", "--offline", "--no-cache", "--no-deps", "--quiet", "--python", python, wheel, cwd=home)
    return home


def test_wheel_holds_andon_alone(wheel: Path) -> None:
    """Other published packages own `bot` and `adapters`, and of two wheels with one name the later wins in silence."""
    with zipfile.ZipFile(wheel) as archive:
        names = [PurePosixPath(name) for name in archive.namelist()]

    tops = {name.parts[0] for name in names if not name.parts[0].endswith(".dist-info")}
    assert tops == {"andon"}
    assert PurePosixPath("andon/py.typed") in names
    assert [name for name in names if name.suffix not in {".py", ".typed"} and "dist-info" not in str(name)] == []


def test_wheel_needs_pydantic_and_aiohttp_only(wheel: Path) -> None:
    """Every agent installs these, so each one more is a cost to all of them."""
    assert needs(wheel) == ["aiohttp", "pydantic"]


def test_sdist_holds_no_service(built: Path) -> None:
    """What is published is the agent's side; the service runs from a checkout."""
    (sdist,) = built.glob("andon-*.tar.gz")
    with tarfile.open(sdist) as archive:
        tops = {PurePosixPath(name).parts[1] for name in archive.getnames() if "/" in name}

    assert tops <= {"andon", "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "PKG-INFO", ".gitignore"}
    assert {"andon", "LICENSE", "pyproject.toml"} <= tops


def test_andon_imports_where_nothing_else_is(empty_environment: Path) -> None:
    """The package uses nothing that it does not declare, and nothing of the checkout."""
    python = empty_environment / "venv" / "bin" / "python"
    where = run(python, "-c", "import andon; print(andon.__file__)", cwd=empty_environment).strip()

    assert Path(where).is_relative_to(empty_environment / "venv")
    absent = "import importlib.util as u; print([n for n in ('bot', 'adapters', 'redis', 'jinja2') if u.find_spec(n)])"
    assert run(python, "-c", absent, cwd=empty_environment).strip() == "[]"


def test_every_module_imports_where_nothing_else_is(empty_environment: Path) -> None:
    """A module that `import andon` leaves for later, a command's for one, declares its needs too.

    `andon.callbacks` needs an extra, and says so.
    """
    script = (
        "import importlib, pkgutil, andon\n"
        "found = pkgutil.walk_packages(andon.__path__, 'andon.', onerror=lambda name: None)\n"
        "names = [m.name for m in found if not m.name.endswith('__main__') and m.name != 'andon.callbacks']\n"
        "for name in names: importlib.import_module(name)\n"
        "print(len(names))\n"
    )
    python = empty_environment / "venv" / "bin" / "python"

    assert int(run(python, "-c", script, cwd=empty_environment)) > 0


def test_callbacks_say_which_extra_they_need(empty_environment: Path) -> None:
    script = "import andon\ntry: import andon.callbacks\nexcept ImportError as error: print(error)"
    python = empty_environment / "venv" / "bin" / "python"

    assert 'pip install "andon[callbacks]"' in run(python, "-c", script, cwd=empty_environment)


def test_andon_command_says_how_to_use_it(empty_environment: Path) -> None:
    """The installed command works where only the wheel and its two requirements are."""
    said = run(empty_environment / "venv" / "bin" / "andon", "--help", cwd=empty_environment)

    assert said.startswith("usage: andon")
    assert "examples:" in said
