"""Commands with commands of their own: packages, containers, clusters, clouds. Pure; tables, and what needs reading.

An option before the verb may take the next word with it, so that a value can look like a verb. Options that are known
to take one are taken out first; where another stands there, nothing is called harmless.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from bot.risk._git import git
from bot.risk._names import names
from bot.risk._question import HIGH, LOW, MEDIUM, MOST, SERIOUS, Finding, quoted
from bot.risk._words import Word

Read = Callable[[str, Sequence[Word]], Iterator[Finding]]

_SAYS_WHAT_IT_IS: Final = names("--version version --help -h help -v -V")
_FIRST: Final = 3


def _verbs(rest: Sequence[Word], valued: frozenset[str]) -> tuple[list[str], bool]:
    """The words that are no options, and whether it is sure that the first of them is the verb."""
    texts, i, found, sure = [each.text for each in rest], 0, list[str](), True
    while i < len(texts):
        if not texts[i].startswith("-"):
            found.append(texts[i])
        elif texts[i] in valued:
            i += 1
        elif len(found) < _FIRST and "=" not in texts[i]:
            sure = sure and bool(found)
        i += 1
    return found, sure


def _by_verb(
    table: Mapping[float, tuple[str, str]], *, unknown: float = SERIOUS, valued: frozenset[str] = frozenset()
) -> Read:
    """Judged by the strictest verb among the first words; `table` is score -> (what they do, verbs)."""
    verbs = {verb: (score, does) for score, (does, listed) in table.items() for verb in listed.split()}

    def read(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
        words, sure = _verbs(rest, valued)
        if all(each.text in _SAYS_WHAT_IT_IS for each in rest):
            yield Finding(LOW, f"{quoted(name)} says what it is.")
            return
        found = [(verbs[text], text) for text in words[:_FIRST] if text in verbs]
        if not found:
            yield Finding(unknown, f"Nothing is known of {quoted(' '.join([name, *words[:2]]))}.")
            return
        # the first known verb is the verb; a second one may make it stricter (`volume rm`), and never looser
        (score, does), verb = max(found, key=lambda each: each[0][0])
        if score < MEDIUM and not sure:
            yield Finding(SERIOUS, f"It is not sure what {quoted(' '.join([name, *words[:2]]))} does.")
        else:
            yield Finding(score, f"{quoted(f'{name} {verb}')} {does}.")

    return read


# --- packages --------------------------------------------------------------------------------------

_packages: Final = _by_verb(
    {
        SERIOUS: (
            "changes which software there is, and may run its code",
            """
            install i add get update upgrade dist-upgrade full-upgrade remove uninstall purge autoremove rm un ci sync
            tap exec dlx x create init publish link download clean reinstall require
            """,
        ),
        0.4: ("runs the project's own code", "test t run build check clippy bench start lint fmt vet compile doc"),
        LOW: (
            "only reads",
            """
            list ls show info search freeze outdated view why tree policy config help query audit metadata env doctor
            """,
        ),
    },
    unknown=0.6,
    valued=names("-C --prefix -w --workspace --filter --directory --cwd"),
)


def _runs_package(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    package = next((each.text for each in rest if not each.text.startswith("-")), "")
    yield Finding(SERIOUS, f"{quoted(name)} fetches and runs the package {quoted(package)}.")


# --- containers and clusters -----------------------------------------------------------------------

_CONTAINER_OPTIONS: Final = names("-H --host -c --context --config -f --file -p --project-name --profile --env-file")
_container_verbs: Final = _by_verb(
    {
        HIGH: ("removes or stops containers, or what they hold", "rm rmi prune kill stop down delete destroy"),
        SERIOUS: (
            "runs something, or gives it away",
            "run exec push login commit load import save export create start restart up swarm secret",
        ),
        MEDIUM: ("changes what there is", "build pull cp tag compose network volume image container system context"),
        LOW: ("only reads", "ps images logs inspect info stats top port diff history events search ls"),
    },
    valued=_CONTAINER_OPTIONS,
)
_RIGHTS: Final = re.compile(
    r"--privileged|docker\.sock|--pid[= ]host|--net(?:work)?[= ]host|-v\s*/:|--volume[= ]/:|--cap-add|source=/,"
)
_PARTS: Final = names("compose network volume image container context")
_PARTS_READ: Final = names("ls ps logs inspect config top port images")


def _container(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if _RIGHTS.search(" ".join(each.text for each in rest)):
        yield Finding(HIGH, f"{quoted(name)} gives a container the rights of this machine.")
    words, sure = _verbs(rest, _CONTAINER_OPTIONS)
    if sure and len(words) > 1 and words[0] in _PARTS and words[1] in _PARTS_READ:
        yield Finding(LOW, f"{quoted(' '.join([name, *words[:2]]))} only reads.")
    else:
        yield from _container_verbs(name, rest)


_CLUSTER_OPTIONS: Final = names("-n --namespace --context --cluster --kubeconfig --user -s --server --token -v")
_cluster_verbs: Final = _by_verb(
    {
        HIGH: (
            "deletes, or acts inside what runs",
            "delete drain exec cp attach debug replace cordon taint certificate proxy uninstall",
        ),
        SERIOUS: (
            "changes what runs",
            """
            apply create patch edit scale rollout set label annotate run expose autoscale port-forward install upgrade
            rollback repo
            """,
        ),
        LOW: (
            "only reads",
            """
            get describe logs top version explain cluster-info api-resources api-versions diff wait auth list status
            history template show search lint
            """,
        ),
    },
    valued=_CLUSTER_OPTIONS,
)
_CLUSTER_READS: Final = (["rollout", "status"], ["rollout", "history"], ["config", "view"], ["config", "get-contexts"])


def _cluster(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    words, sure = _verbs(rest, _CLUSTER_OPTIONS)
    if "get" in words[:1] and any(re.search(r"(?:^|,)secrets?(?:$|[/,.])", text) for text in words[1:]):
        yield Finding(HIGH, f"{quoted(name)} reads secrets.")
    elif sure and words[:2] in _CLUSTER_READS:
        raw = any(each.text == "--raw" for each in rest)
        yield Finding(HIGH if raw else LOW, f"{quoted(name)} {'reads credentials' if raw else 'only reads'}.")
    elif sure and words[:1] in (["get"], ["describe"], ["logs"]):
        yield Finding(LOW, f"{quoted(' '.join([name, *words[:2]]))} only reads.")
    else:
        yield from _cluster_verbs(name, rest)


# --- clouds ----------------------------------------------------------------------------------------

_infrastructure: Final = _by_verb(
    {
        MOST: ("tears everything down", "destroy"),
        HIGH: ("changes what runs", "apply up import taint untaint force-unlock rm cancel mv push"),
        MEDIUM: ("sets the project up", "init get workspace"),
        LOW: ("only reads", "plan show validate fmt output graph providers version preview stack"),
    }
)
_CLOUD_OPTIONS: Final = names(
    """
    --region --profile --output --query --project --zone --format --subscription --endpoint-url -o -R --repo -a --app
    --account --resource-group -g
    """
)
_CLOUD_ENDS: Final = re.compile(
    r"(?:^|[-_])(?:delete|terminate|remove|rm|rb|destroy|purge|deregister|revoke|detach|disable|stop|reset|drop|cancel)"
    r"(?:$|[-_])"
)
_CLOUD_SECRETS: Final = re.compile(
    r"secret|access-?key|credential|password|get-parameter|print-access-token|get-session-token|assume-role|configure|"
    r"keys$|login|decrypt|token$"
)
_CLOUD_READS: Final = re.compile(
    r"^(?:describe|list|get|show|ls|lookup|head|info|search|query|view|status|tail|get-caller-identity)(?:$|[-_])"
)
_VERBS_OF_A_CLOUD: Final = 4


def _cloud(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    words, sure = _verbs(rest, _CLOUD_OPTIONS)
    verbs = [text.casefold() for text in words[:_VERBS_OF_A_CLOUD]]
    called = quoted(" ".join([name, *verbs[:3]]))
    if any(_CLOUD_ENDS.search(text) for text in verbs):
        yield Finding(HIGH, f"{called} deletes or ends something in the cloud.")
    elif any(_CLOUD_SECRETS.search(text) for text in verbs):
        yield Finding(HIGH, f"{called} is about credentials.")
    elif sure and (any(_CLOUD_READS.match(text) for text in verbs[1:]) or verbs == ["version"]):
        yield Finding(LOW, f"{called} only reads.")
    else:
        yield Finding(SERIOUS, f"{called} may change something in the cloud.")


_SERVICE_READS: Final = names("status is-active is-enabled list-units show cat list-timers")


def _services(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    words = [each.text for each in rest if not each.text.startswith("-")]
    reads = words[:1] if name != "service" else words[1:2]
    if reads and reads[0] in _SERVICE_READS:
        yield Finding(LOW, f"{quoted(name)} only reads.")
    else:
        yield Finding(HIGH, f"{quoted(name)} starts, stops or changes services: {quoted(' '.join(words))}.")


_BY_NAME: Final = (
    ("git", git),
    (
        """
        pip pip3 pipx uv poetry pdm conda mamba npm yarn pnpm bun apt apt-get aptitude yum dnf apk pacman zypper brew
        port snap flatpak gem bundle cargo go composer nuget dotnet rustup choco winget
        """,
        _packages,
    ),
    ("npx uvx pnpx bunx", _runs_package),
    ("docker podman nerdctl docker-compose crictl", _container),
    ("kubectl oc helm k9s argocd flux istioctl", _cluster),
    ("terraform tofu pulumi terragrunt cdk", _infrastructure),
    ("aws gcloud gsutil bq az doctl heroku flyctl fly vercel netlify oci ibmcloud linode-cli hcloud gh glab", _cloud),
    ("systemctl service launchctl rc-service supervisorctl sc", _services),
)
TOOLS: Final[Mapping[str, Read]] = {name: read for listed, read in _BY_NAME for name in listed.split()}
