"""Commands with commands of their own: git, packages, containers, clouds. Pure; tables, and what needs reading."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from bot.risk._question import HIGH, LOW, MEDIUM, MODEST, MOST, SERIOUS, Finding, quoted
from bot.risk._words import Word

_GIT_READS: Final = frozenset(
    [
        "status",
        "log",
        "diff",
        "show",
        "blame",
        "describe",
        "rev-parse",
        "ls-files",
        "ls-tree",
        "shortlog",
        "cat-file",
        "help",
        "version",
        "whatchanged",
        "rev-list",
        "merge-base",
        "for-each-ref",
        "name-rev",
        "count-objects",
        "check-ignore",
        "grep",
        "show-ref",
        "diff-tree",
        "cherry",
        "range-diff",
        "annotate",
    ]
)
_GIT: Final[Mapping[str, tuple[float, str]]] = {
    "add": (MODEST, "takes changes up"),
    "fetch": (MODEST, "fetches from another repository"),
    "commit": (0.4, "records changes"),
    "init": (MODEST, "makes a repository"),
    "mv": (0.4, "moves files"),
    "switch": (0.4, "changes the files at hand"),
    "stash": (0.4, "puts changes aside"),
    "merge": (MEDIUM, "joins branches"),
    "rebase": (0.6, "writes history anew"),
    "pull": (MEDIUM, "joins what others did"),
    "cherry-pick": (MEDIUM, "takes changes over"),
    "revert": (MEDIUM, "records the opposite of a change"),
    "clone": (MEDIUM, "fetches a repository"),
    "push": (0.6, "sends commits to others"),
    "rm": (SERIOUS, "removes files"),
    "restore": (SERIOUS, "throws changes away"),
    "reset": (MEDIUM, "moves the branch"),
    "gc": (MEDIUM, "cleans the repository up"),
    "filter-branch": (HIGH, "writes the whole history anew"),
    "filter-repo": (HIGH, "writes the whole history anew"),
    "update-ref": (SERIOUS, "moves or deletes references"),
    "credential": (HIGH, "gives out passwords"),
    "send-email": (SERIOUS, "sends mail"),
}


def _git(_: str, rest: Sequence[Word]) -> Iterator[Finding]:
    texts, i = [each.text for each in rest], 0
    while i < len(texts) and texts[i].startswith("-"):
        if texts[i] in {"-c", "--exec-path", "--config-env"} or texts[i].startswith(
            ("-c", "--exec-path=", "--config-env=")
        ):
            yield Finding(
                SERIOUS,
                f"`git` runs with another setting, which may run programs: {quoted(' '.join(texts[i : i + 2]))}.",
            )
        i += 2 if texts[i] in {"-C", "-c", "--git-dir", "--work-tree", "--namespace"} else 1
    if i >= len(texts):
        yield Finding(LOW, "`git` says what it is.")
        return
    sub, options = texts[i], texts[i + 1 :]
    called = f"`git {sub}`"
    short = "".join(text[1:] for text in options if re.match(r"^-[A-Za-z]+$", text))
    if any(
        re.match(r"^--(?:upload-pack|receive-pack|exec|ext-diff|open-files-in-pager|extcmd)", text) for text in options
    ) or (sub == "grep" and "O" in short):
        yield Finding(HIGH, f"{called} runs another program.")
    if any(re.match(r"^(?:ext|fd)::|^--output=", text) for text in options):
        yield Finding(SERIOUS, f"{called} runs a program, or writes a file.")
    dangerous = _git_danger(sub, options, short)
    if dangerous:
        yield Finding(HIGH, f"{called} {dangerous}.")
    elif sub in _GIT_READS or _git_lists(sub, options):
        yield Finding(LOW, f"{called} only reads.")
    elif sub in {"branch", "tag", "remote", "worktree", "notes", "submodule", "bisect", "sparse-checkout"}:
        yield Finding(MEDIUM, f"{called} changes how the repository is set up.")
    elif sub == "checkout":
        away = "--" in options or "." in options
        yield Finding(
            SERIOUS if away else 0.4, f"{called} {'throws changes away' if away else 'changes the files at hand'}."
        )
    elif sub == "config":
        yield Finding(SERIOUS, f"{called} changes settings, some of which run programs.")
    elif sub in _GIT:
        score, does = _GIT[sub]
        yield Finding(score, f"{called} {does}.")
    else:
        yield Finding(MEDIUM, f"Nothing is known of {called}; it may be an alias for anything.")


def _git_danger(sub: str, options: Sequence[str], short: str) -> str:
    match sub:
        case "push" if any(
            text.startswith(("--force", "--mirror", "--delete", "--prune")) for text in options
        ) or re.search(r"[fd]", short):
            return "writes over, or deletes, what others have"
        case "push" if any(re.match(r"^\+|^:", text) for text in options):
            return "writes over, or deletes, what others have"
        case "reset" if any(text in {"--hard", "--merge", "--keep"} for text in options):
            return "throws changes away"
        case "clean" if re.search(r"[fxX]", short) or "--force" in options:
            return "removes files that nobody else has"
        case "branch" if "D" in short or ("d" in short and "f" in short):
            return "deletes a branch, merged or not"
        case "stash" if options[:1] in (["drop"], ["clear"]):
            return "throws changes away"
        case "reflog" if options[:1] in (["expire"], ["delete"]):
            return "forgets how to go back"
        case "gc" if any(text.startswith("--prune") for text in options):
            return "forgets how to go back"
        case "checkout" if "f" in short or "--force" in options:
            return "throws changes away"
        case "tag" if "d" in short or "f" in short:
            return "deletes or moves a tag"
        case "bisect" if "run" in options:
            return "runs another program"
        case "submodule" if "foreach" in options:
            return "runs another program"
        case "clone" | "fetch" | "pull" | "ls-remote" if "u" in short or any(text.startswith("-u") for text in options):
            return "runs another program"
        case "worktree" if "remove" in options:
            return "removes files"
        case "update-ref" if "d" in short:
            return "deletes a reference"
    return ""


def _git_lists(sub: str, options: Sequence[str]) -> bool:
    match sub:
        case "branch":
            return all(text in {"-a", "-r", "-v", "-vv", "--list", "--show-current", "--all", "-l"} for text in options)
        case "tag":
            return all(text in {"-l", "--list", "-n"} for text in options)
        case "remote":
            return all(text in {"-v", "show", "get-url", "origin"} for text in options)
        case "stash":
            return options[:1] in (["list"], ["show"])
        case "reflog":
            return not options or options[0] == "show"
        case "config":
            return any(text in {"--list", "-l", "--get", "--get-all", "list", "get"} for text in options)
        case "worktree" | "submodule" | "notes":
            return options[:1] in (["list"], ["status"], ["show"])
    return False


def _by_verb(
    table: Mapping[float, tuple[str, str]], unknown: float = SERIOUS
) -> Callable[[str, Sequence[Word]], Iterator[Finding]]:
    """Judged by the strictest verb among the words that are no options; `table` is score -> verbs, what they do."""
    verbs = {verb: (score, does) for score, (listed, does) in table.items() for verb in listed.split()}

    def read(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
        texts = [each.text for each in rest]
        if not texts or all(text in {"--version", "version", "--help", "-h", "help", "-v", "-V"} for text in texts):
            yield Finding(LOW, f"{quoted(name)} says what it is.")
            return
        words = [text for text in texts if not text.startswith("-")]
        found = [(verbs[text], text) for text in words[:3] if text in verbs]
        if not found:
            yield Finding(unknown, f"Nothing is known of {quoted(' '.join([name, *words[:2]]))}.")
            return
        # the first known verb is the verb; a second one may make it stricter (`volume rm`), and never looser
        (score, does), verb = max(found, key=lambda each: each[0][0])
        yield Finding(score, f"{quoted(f'{name} {verb}')} {does}.")

    return read


_PACKAGES: Final = _by_verb(
    {
        SERIOUS: (
            "install i add get update upgrade dist-upgrade full-upgrade remove uninstall purge autoremove rm un ci sync tap "
            "exec dlx x create init publish link download clean -S -R reinstall require",
            "changes which software there is, and may run its code",
        ),
        0.4: ("test t run build check clippy bench start lint fmt vet compile doc", "runs the project's own code"),
        LOW: ("list ls show info search freeze outdated view why tree policy config help query audit metadata env doctor", "only reads"),
    },
    unknown=0.6,
)  # fmt: skip


def _runs_package(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    package = next((each.text for each in rest if not each.text.startswith("-")), "")
    yield Finding(SERIOUS, f"{quoted(name)} fetches and runs the package {quoted(package)}.")


_CONTAINER_VERBS: Final = _by_verb(
    {
        HIGH: ("rm rmi prune kill stop down delete destroy", "removes or stops containers, or what they hold"),
        SERIOUS: ("run exec push login commit load import save export create start restart up swarm secret", "runs something, or gives it away"),
        MEDIUM: ("build pull cp tag compose network volume image container system context", "changes what there is"),
        LOW: ("ps images logs inspect info stats top port diff history events search ls", "only reads"),
    }
)  # fmt: skip


def _container(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    said = " ".join(each.text for each in rest)
    if re.search(
        r"--privileged|docker\.sock|--pid[= ]host|--net(?:work)?[= ]host|-v\s*/:|--volume[= ]/:|--cap-add", said
    ):
        yield Finding(HIGH, f"{quoted(name)} gives a container the rights of this machine.")
    words = [each.text for each in rest if not each.text.startswith("-")]
    if words[1:2] in (["ls"], ["ps"], ["logs"], ["inspect"], ["config"]) and words[0] in {
        *("compose", "network", "volume", "image", "container", "context"),
    }:
        yield Finding(LOW, f"{quoted(' '.join([name, *words[:2]]))} only reads.")
    else:
        yield from _CONTAINER_VERBS(name, rest)


_CLUSTER_VERBS: Final = _by_verb(
    {
        HIGH: ("delete drain exec cp attach debug replace cordon taint certificate proxy uninstall", "deletes, or acts inside what runs"),
        SERIOUS: ("apply create patch edit scale rollout set label annotate run expose autoscale port-forward install upgrade rollback repo", "changes what runs"),
        LOW: ("get describe logs top version explain cluster-info api-resources api-versions diff wait auth list status history template show search lint", "only reads"),
    }
)  # fmt: skip


def _cluster(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    words = [each.text for each in rest if not each.text.startswith("-")]
    if words[:1] == ["get"] and any(re.match(r"^secrets?(?:/|,|$)", text) or ",secret" in text for text in words[1:]):
        yield Finding(HIGH, f"{quoted(name)} reads secrets.")
    elif words[:2] in (["rollout", "status"], ["rollout", "history"], ["config", "view"], ["config", "get-contexts"]):
        raw = any(each.text == "--raw" for each in rest)
        yield Finding(HIGH if raw else LOW, f"{quoted(name)} {'reads credentials' if raw else 'only reads'}.")
    elif words[:1] in (["get"], ["describe"], ["logs"]):
        yield Finding(LOW, f"{quoted(' '.join([name, *words[:2]]))} only reads.")
    else:
        yield from _CLUSTER_VERBS(name, rest)


_INFRASTRUCTURE: Final = _by_verb(
    {
        MOST: ("destroy", "tears everything down"),
        HIGH: ("apply up import taint untaint force-unlock rm cancel mv push", "changes what runs"),
        MEDIUM: ("init get workspace", "sets the project up"),
        LOW: ("plan show validate fmt output graph providers version preview stack", "only reads"),
    }
)

_CLOUD_ENDS: Final = re.compile(r"(?:^|[-_])(?:delete|terminate|remove|rm|rb|destroy|purge|deregister|revoke|detach|disable|stop|reset|drop|cancel)(?:$|[-_])")  # fmt: skip
_CLOUD_SECRETS: Final = re.compile(r"secret|access-?key|credential|password|get-parameter|print-access-token|get-session-token|assume-role|configure|keys$|login|decrypt")  # fmt: skip
_CLOUD_READS: Final = re.compile(r"^(?:describe|list|get|show|ls|lookup|head|info|search|query|view|status|tail|sts|get-caller-identity)(?:$|[-_])")  # fmt: skip


def _cloud(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    words = [each.text.casefold() for each in rest if not each.text.startswith("-")]
    verbs = words[:4]
    called = quoted(" ".join([name, *verbs[:3]]))
    if any(_CLOUD_ENDS.search(text) for text in verbs):
        yield Finding(HIGH, f"{called} deletes or ends something in the cloud.")
    elif any(_CLOUD_SECRETS.search(text) for text in verbs):
        yield Finding(HIGH, f"{called} is about credentials.")
    elif any(_CLOUD_READS.match(text) for text in verbs[1:]) or verbs == ["version"]:
        yield Finding(LOW, f"{called} only reads.")
    else:
        yield Finding(SERIOUS, f"{called} may change something in the cloud.")


def _services(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    words = [each.text for each in rest if not each.text.startswith("-")]
    if any(text in {"status", "is-active", "is-enabled", "list-units", "show", "cat", "list-timers"} for text in words):
        yield Finding(LOW, f"{quoted(name)} only reads.")
    else:
        yield Finding(HIGH, f"{quoted(name)} starts, stops or changes services: {quoted(' '.join(words))}.")


TOOLS: Final[Mapping[str, Callable[[str, Sequence[Word]], Iterator[Finding]]]] = {
    "git": _git,
    **dict.fromkeys(
        ["pip", "pip3", "pipx", "uv", "poetry", "pdm", "conda", "mamba", "npm", "yarn", "pnpm", "bun", "apt", "apt-get", "aptitude", "yum", "dnf", "apk", "pacman", "zypper", "brew", "port", "snap", "flatpak", "gem", "bundle", "cargo", "go", "composer", "nuget", "dotnet", "rustup", "choco", "winget"],
        _PACKAGES,
    ),
    **dict.fromkeys(("npx", "uvx", "pnpx", "bunx"), _runs_package),
    **dict.fromkeys(("docker", "podman", "nerdctl", "docker-compose", "crictl"), _container),
    **dict.fromkeys(("kubectl", "oc", "helm", "k9s", "argocd", "flux", "istioctl"), _cluster),
    **dict.fromkeys(("terraform", "tofu", "pulumi", "terragrunt", "cdk"), _INFRASTRUCTURE),
    **dict.fromkeys(["aws", "gcloud", "gsutil", "bq", "az", "doctl", "heroku", "flyctl", "fly", "vercel", "netlify", "oci", "ibmcloud", "linode-cli", "hcloud", "gh", "glab"], _cloud),
    **dict.fromkeys(("systemctl", "service", "launchctl", "rc-service", "supervisorctl", "sc"), _services),
}  # fmt: skip
