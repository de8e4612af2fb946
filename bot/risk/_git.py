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
_ELSEWHERE: Final = ("-C", "--git-dir", "--work-tree")
_GENERAL: Final = names(
    """
    --no-pager -P --version -v --help -h --no-optional-locks --literal-pathspecs --no-replace-objects --no-lazy-fetch
    --no-advice
    """
)
_SHORT: Final = re.compile(r"^-(?:[pusbvnamizqwrcltkefhLMCRSGBDUxXdEFIoj0-9]+.*)?$")
_LONG: Final = names(
    """
    stat shortstat numstat dirstat summary oneline graph decorate no-decorate all branches tags remotes no-merges merges
    first-parent reverse since until after before author committer grep max-count skip pretty format abbrev
    abbrev-commit no-abbrev-commit name-only name-status cached staged patch no-patch raw unified word-diff
    word-diff-regex color no-color color-words color-moved no-color-moved ignore-all-space ignore-space-change
    ignore-space-at-eol check
    ignore-blank-lines minimal patience histogram diff-algorithm diff-filter find-renames find-copies no-renames follow
    full-diff relative no-relative text binary exit-code quiet short long porcelain branch show-stash untracked-files
    ignored ignore-submodules column no-column ahead-behind no-ahead-behind null left-right cherry-pick cherry-mark
    cherry merge-base date topo-order date-order author-date-order no-walk count left-only right-only parents children
    boundary simplify-by-decoration source show-toplevel show-prefix show-cdup git-dir absolute-git-dir git-common-dir
    is-inside-work-tree is-bare-repository verify symbolic-full-name abbrev-ref heads others modified deleted stage
    unmerged killed directory exclude-standard exclude full-name error-unmatch contains no-contains merged no-merged
    sort points-at list show-current always dirty match exact-match candidates is-ancestor fork-point numbered email
    group line-porcelain incremental root no-ext-diff no-textconv help version function-context inter-hunk-context
    extended-regexp fixed-strings perl-regexp ignore-case line-number files-with-matches files-without-match
    word-regexp and or not all-match invert-match untracked no-index objects batch-check not-matching
    """
)
"""Long options of what only reads."""
_VALUED: Final = names("-C -c --git-dir --work-tree --namespace --exec-path --config-env")


def git(_: str, rest: Sequence[Word]) -> Iterator[Finding]:
    """What there is to say of it."""
    texts = [each.text for each in rest]
    i, said = _general(texts)
    yield from said
    if i >= len(texts):
        yield Finding(LOW, "`git` says what it is.")
        return
    sub, options = texts[i], texts[i + 1 :]
    called = quoted(f"git {sub}")
    if any(_RUNS.match(text) for text in options):
        yield Finding(HIGH, f"{called} runs another program.")
    if any(re.match(r"^(?:ext|fd)::|^--ou", text) for text in options):
        yield Finding(SERIOUS, f"{called} runs a program, or writes a file.")
    dangers = [does for subs, pattern, does in _DANGERS if sub in subs and any(pattern.match(text) for text in options)]
    if dangers:
        yield Finding(HIGH, f"{called} {dangers[0]}.")
    elif sub in _READS and (option := _unknown_option(options)):
        yield Finding(MEDIUM, f"Nothing is known of {quoted(f'git {sub} {option}')}.")
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


def _general(texts: Sequence[str]) -> tuple[int, list[Finding]]:
    """Where the command's name stands, and what the options before it mean."""
    found, i = list[Finding](), 0
    while i < len(texts) and texts[i].startswith("-"):
        if texts[i].startswith(("-c", "--exec-path", "--config-env")):
            setting = quoted(" ".join(texts[i : i + 2]))
            found.append(Finding(SERIOUS, f"`git` runs with another setting, which may run programs: {setting}."))
        elif texts[i].startswith(_ELSEWHERE):
            found.append(
                Finding(
                    SERIOUS, f"`git` acts on another repository, whose settings may run programs: {quoted(texts[i])}."
                )
            )
        elif texts[i] not in _GENERAL:
            found.append(Finding(MEDIUM, f"Nothing is known of {quoted(f'git {texts[i]}')}."))
        i += 2 if texts[i] in _VALUED else 1
    return i, found


def _unknown_option(options: Sequence[str]) -> str:
    """The first option of a command that reads which is not known to be harmless."""
    for text in options:
        if text == "--":
            break
        if text.startswith("--"):
            if text[2:].partition("=")[0] not in _LONG:
                return text
        elif text.startswith("-") and not _SHORT.match(text):
            return text
    return ""
