"""What a `git` command does. Pure; tables, and how its options are read."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bot.risk._names import names
from bot.risk._question import HIGH, LOW, MEDIUM, MODEST, SERIOUS, Finding, quoted
from bot.risk._words import Word

_READS: Final = names(
    """
    status log diff show blame describe rev-parse ls-files ls-tree shortlog cat-file help version whatchanged rev-list
    merge-base for-each-ref name-rev count-objects check-ignore grep show-ref diff-tree cherry range-diff annotate
    """
)
_SETS_UP: Final = names("branch tag remote worktree notes submodule bisect sparse-checkout")
_CHANGES: Final[Mapping[str, tuple[float, str]]] = {
    "add": (MODEST, "takes changes up"),
    "fetch": (MODEST, "fetches from another repository"),
    "init": (MODEST, "makes a repository"),
    "commit": (0.4, "records changes"),
    "mv": (0.4, "moves files"),
    "switch": (0.4, "changes the files at hand"),
    "checkout": (0.4, "changes the files at hand"),
    "stash": (0.4, "puts changes aside"),
    "merge": (MEDIUM, "joins branches"),
    "pull": (MEDIUM, "joins what others did"),
    "cherry-pick": (MEDIUM, "takes changes over"),
    "revert": (MEDIUM, "records the opposite of a change"),
    "clone": (MEDIUM, "fetches a repository"),
    "reset": (MEDIUM, "moves the branch"),
    "gc": (MEDIUM, "cleans the repository up"),
    "rebase": (0.6, "writes history anew"),
    "push": (0.6, "sends commits to others"),
    "rm": (SERIOUS, "removes files"),
    "restore": (SERIOUS, "throws changes away"),
    "config": (SERIOUS, "changes settings, some of which run programs"),
    "update-ref": (SERIOUS, "moves or deletes references"),
    "send-email": (SERIOUS, "sends mail"),
    "filter-branch": (HIGH, "writes the whole history anew"),
    "filter-repo": (HIGH, "writes the whole history anew"),
    "credential": (HIGH, "gives out passwords"),
}
_DANGERS: Final = tuple(
    (names(subs), re.compile(pattern), does)
    for subs, pattern, does in (
        (
            "push",
            r"^(?:--(?:force|mirror|delete|prune)|-[A-Za-z]*[fd]|[+:])",
            "writes over, or deletes, what others have",
        ),
        ("reset", r"^--(?:hard|merge|keep)$", "throws changes away"),
        ("clean", r"^(?:-[A-Za-z]*[fxX]|--force$)", "removes files that nobody else has"),
        ("branch", r"^-[A-Za-z]*D|^--delete$|^-[A-Za-z]*d", "deletes a branch"),
        ("stash", r"^(?:drop|clear)$", "throws changes away"),
        ("reflog", r"^(?:expire|delete)$", "forgets how to go back"),
        ("gc", r"^--prune", "forgets how to go back"),
        ("checkout", r"^(?:--|\.|--force|-[A-Za-z]*f[A-Za-z]*)$", "throws changes away"),
        ("switch", r"^(?:--force|--discard-changes|-[A-Za-z]*f[A-Za-z]*)$", "throws changes away"),
        ("tag", r"^(?:-[A-Za-z]*[df]|--(?:delete|force)$)", "deletes or moves a tag"),
        ("update-ref", r"^-[A-Za-z]*d", "deletes a reference"),
        ("worktree", r"^(?:remove|prune)$", "removes files"),
        ("bisect", r"^run$", "runs another program"),
        ("submodule", r"^foreach$", "runs another program"),
        ("clone fetch pull ls-remote", r"^(?:-u|-c)", "runs another program"),
        ("rebase", r"^-x", "runs another program"),
        ("grep", r"^-[A-Za-z]*O", "runs another program"),
    )
)
_RUNS: Final = re.compile(r"^--(?:upload-pack|receive-pack|exec|ext-diff|open-files-in-pager|extcmd|config)")
_LISTS: Final[Mapping[str, re.Pattern[str]]] = {
    "branch": re.compile(r"^(?:-a|-r|-vv?|-l|--list|--all|--show-current)$"),
    "tag": re.compile(r"^(?:-l|--list|-n)$"),
    "remote": re.compile(r"^(?:-v|show|get-url|origin)$"),
}
_LISTS_FIRST: Final[Mapping[str, frozenset[str]]] = {
    "stash": names("list show"),
    "reflog": names("show"),
    "config": names("--list -l --get --get-all list get"),
    **dict.fromkeys(("worktree", "submodule", "notes"), names("list status show")),
}
_VALUED: Final = names("-C -c --git-dir --work-tree --namespace --exec-path --config-env")


def git(_: str, rest: Sequence[Word]) -> Iterator[Finding]:
    """What there is to say of it."""
    texts, i = [each.text for each in rest], 0
    while i < len(texts) and texts[i].startswith("-"):
        if texts[i].startswith(("-c", "--exec-path", "--config-env")):
            setting = quoted(" ".join(texts[i : i + 2]))
            yield Finding(SERIOUS, f"`git` runs with another setting, which may run programs: {setting}.")
        i += 2 if texts[i] in _VALUED else 1
    if i >= len(texts):
        yield Finding(LOW, "`git` says what it is.")
        return
    sub, options = texts[i], texts[i + 1 :]
    called = quoted(f"git {sub}")
    if any(_RUNS.match(text) for text in options):
        yield Finding(HIGH, f"{called} runs another program.")
    if any(re.match(r"^(?:ext|fd)::|^--output=", text) for text in options):
        yield Finding(SERIOUS, f"{called} runs a program, or writes a file.")
    dangers = [does for subs, pattern, does in _DANGERS if sub in subs and any(pattern.match(text) for text in options)]
    if dangers:
        yield Finding(HIGH, f"{called} {dangers[0]}.")
    elif sub in _READS or _only_lists(sub, options):
        yield Finding(LOW, f"{called} only reads.")
    elif sub in _SETS_UP:
        yield Finding(MEDIUM, f"{called} changes how the repository is set up.")
    elif sub in _CHANGES:
        score, does = _CHANGES[sub]
        yield Finding(score, f"{called} {does}.")
    else:
        yield Finding(MEDIUM, f"Nothing is known of {called}; it may be an alias for anything.")


def _only_lists(sub: str, options: Sequence[str]) -> bool:
    if sub in _LISTS:
        return all(_LISTS[sub].match(text) for text in options)
    if sub in _LISTS_FIRST:
        return options[0] in _LISTS_FIRST[sub] if options else sub == "reflog"
    return False
