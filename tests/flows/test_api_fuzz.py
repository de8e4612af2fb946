"""The API against its own description: whatever is sent, the answer is one that the OpenAPI document names."""

import asyncio
import copy
import json
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from openapi_spec_validator import validate

from tests.people import Admin, Agent, Json, Person
from tests.servers import SECRET, Live, ServiceProcess, bare_environment

CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "ignored_auth",
    "use_after_free",
)
AGENTS: Final = (
    "start_run get_run save_checkpoint get_checkpoint notify open list_handoffs get_handoff "
    "withdraw claim report_outcome"
)
CONFIG: Final = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429]
"""
PEOPLES: Final = "get_run brake list_handoffs get_handoff answer"
ADMINS: Final = "create_endpoint get_endpoint rotate_endpoint disable_endpoint list_dead_letters replay_dead_letter"


async def test_the_document_is_valid_openapi(service: Live) -> None:
    document = (await service.person.call("GET", "/openapi.json")).ok()
    assert document["openapi"].startswith("3.1")
    validate(document)


async def test_every_call_of_the_document_tells_problems_as_problems(service: Live) -> None:
    document = (await service.person.call("GET", "/openapi.json")).ok()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            problems = [r for status, r in operation["responses"].items() if not status.startswith("2")]
            if path in {"/healthz", "/readyz"}:  # a 503 tells each part, as a 200 does
                continue
            assert all(list(response["content"]) == ["application/problem+json"] for response in problems), path
            if operation["security"]:
                real = path.replace("{id}", "hf_" + "x" * 22).replace("{run}", "run_" + "x" * 22)
                real = real.replace("{key}", "tr_" + "0" * 24)
                real = real.replace("{endpoint}", "ep_" + "x" * 22).replace("{delivery}", "cb_" + "x" * 22)
                reply = await service.person.call(method.upper(), real, headers={"Authorization": "Bearer x"})
                assert (reply.status, reply.problem) == (401, "unauthenticated"), path


def narrowed(document: Json, runs: list[str], handoffs: list[str], endpoints: list[str]) -> Json:
    """The document with ids that exist, so that the calls get past "not found"; and without waits and streams."""
    narrow: Json = copy.deepcopy(document)
    known = {"run": runs, "id": handoffs, "key": handoffs, "endpoint": endpoints}
    for operations in narrow["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path" and parameter["name"] in known:
                    parameter["schema"]["enum"] = known[parameter["name"]]
            kept = [p for p in operation.get("parameters", []) if p["name"] != "wait"]
            if kept:
                operation["parameters"] = kept
    for name, schema in narrow["components"]["schemas"].items():
        if name in {"Confirmation", "Choice", "Input"} or name.startswith(("Confirmation-", "Choice-", "Input-")):
            schema["properties"]["run"]["enum"] = runs
    return narrow


async def in_every_state(agent: Agent, mira: Person) -> list[str]:
    """A handoff of each kind that waits, and one in each later state."""
    waiting: list[Json] = [
        await agent.ask(),
        await agent.review(),
        await agent.choose({"id": "a", "label": "A"}),
        await agent.ask_for(),
    ]
    decided = [(await mira.approve(await agent.ask())).ok() for _ in range(3)]
    for handoff in decided[1:]:
        await agent.claim(handoff)
    await agent.report(decided[2], "executed", claimant="try-1")
    return [handoff["id"] for handoff in [*waiting, *decided]]


@pytest.mark.parametrize("who, calls", [("agent", AGENTS), ("person", PEOPLES), ("admin", ADMINS)])
@pytest.mark.timeout(180)
async def test_no_request_gets_an_answer_that_the_document_does_not_name(
    who: str, calls: str, redis_url: str, tmp_path: Path
) -> None:
    process = ServiceProcess(tmp_path / "state", {"ANDON_REDIS_URL": redis_url, "ANDON_SECRET": SECRET})
    try:
        await process.start()
        async with (
            Agent(process.url, await process.make_key("agent", "mailer")) as agent,
            Person(process.url, await process.make_key("person", "mira@example.com")) as mira,
            Admin(process.url, await process.make_key("admin", "ops")) as admin,
        ):
            document = (await mira.call("GET", "/openapi.json")).ok()
            handoffs = await in_every_state(agent, mira)
            schema = tmp_path / "openapi.json"
            endpoints = [(await admin.endpoint("https://hooks.example.com/"))["id"]]
            schema.write_text(json.dumps(narrowed(document, [await agent.run()], handoffs, endpoints)))
            key = {"agent": agent, "person": mira, "admin": admin}[who].key
            code, said = await fuzz(schema, process.url, key, calls.split(), tmp_path)
        assert code == 0, said[-12_000:]
        assert f"Tested: {len(calls.split())}" in said, said
        assert "api.failed" not in process.output, process.output[-4_000:]
        assert await process.answers()
    finally:
        await process.close()


async def fuzz(schema: Path, url: str, key: str, calls: list[str], folder: Path) -> tuple[int | None, str]:
    (folder / "schemathesis.toml").write_text(CONFIG)
    words: list[Any] = [sys.executable, "-m", "schemathesis.cli", "run", schema, "--url", url]
    words += ["-H", f"Authorization: Bearer {key}", "--checks", ",".join(CHECKS)]
    words += ["--phases", "examples,coverage,fuzzing", "--max-examples", 50, "--seed", 20, "--continue-on-failure"]
    words += ["--suppress-health-check", "all", "--request-timeout", 20, "--warnings", "off", "--no-color"]
    words += [word for call in calls for word in ("--include-operation-id", call)]
    process = await asyncio.create_subprocess_exec(
        *map(str, words),
        cwd=folder,
        env=bare_environment(HYPOTHESIS_STORAGE_DIRECTORY=str(folder / "hypothesis")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, "\n".join(line[:400] for line in said.decode().splitlines())
