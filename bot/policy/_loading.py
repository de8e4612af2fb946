"""Reads a policy: every fault at once, each with its rule, its line and its column. Pure, but for `load`."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from bot.errors import ConfigError
from bot.policy._faults import about, every_fault, told
from bot.policy._file import Policy
from bot.policy._overlook import look_over
from bot.policy._reach import Reach, out_of_reach
from bot.policy._yaml import Page, Unreadable

_NAME: Final = "policy"


@dataclass(frozen=True, slots=True)
class Read:
    """A policy that can be used, and what its writer should look at."""

    policy: Policy
    warnings: tuple[str, ...]
    text: str
    notes: tuple[str, ...] = ()
    """What is worth knowing and needs no mending."""


def read(text: str, name: str = _NAME, *, reach: Reach | None = None) -> Read:
    """Read a policy, and look it over.

    Args:
        text: YAML.
        name: What faults and warnings begin with: the file's name, say.
        reach: What people are reached by where the policy is to hold; without it, nothing is said of that.

    Raises:
        ConfigError: With every fault: where, and what to write instead.
    """
    try:
        page = Page(text)
    except Unreadable as error:
        raise ConfigError([told(name, error.at, "the policy cannot be read: " + error.why)]) from error
    data = page.data
    if data is None:
        raise ConfigError([told(name, None, "the file is empty; write `rules: []` where everything is to be asked")])
    if not isinstance(data, dict):
        raise ConfigError([told(name, None, "the policy must be a mapping, with `rules` and `defaults`")])
    if "version" in data:
        why = "version: the version of a policy is its hash; take this key out"
        raise ConfigError([told(name, page.key_at(("version",)), why)])
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    try:
        policy = Policy.model_validate({**data, "version": version})
    except ValidationError as error:
        raise ConfigError(every_fault(name, page, version)) from error
    findings = [*look_over(policy), *(out_of_reach(policy, reach) if reach else ())]
    said = {each: told(name, page.at(each.path), about(page, each.path, each.says)) for each in findings}
    if faults := [says for each, says in said.items() if each.fault]:
        raise ConfigError(faults)
    return Read(
        policy,
        tuple(says for each, says in said.items() if not each.is_note),
        text,
        notes=tuple(says for each, says in said.items() if each.is_note),
    )


def parse(text: str) -> Policy:
    """Read a policy.

    Raises:
        ConfigError: With every fault: where, and what to write instead.
    """
    return read(text).policy


def load(path: Path | None) -> Policy:
    """Read the policy file; without one, everything is asked.

    Raises:
        ConfigError: It cannot be read, or has faults.
    """
    if path is None:
        return Policy()
    return parse(text_of(path))


def text_of(path: Path) -> str:
    """What a policy file says.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"cannot read the policy file {path}: {error}; see ANDON_POLICY"]) from error
