"""What a simple command does, by its name and its words. Pure; tables first, then those that need reading."""

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from bot.risk._paths import is_device, is_system, secret_path, written_path
from bot.risk._question import HIGH, LOW, MEDIUM, MODEST, MOST, SERIOUS, Finding, quoted
from bot.risk._tools import TOOLS
from bot.risk._words import Word

SHELLS: Final = frozenset({"sh", "bash", "zsh", "dash", "ksh", "mksh", "ash", "fish", "rbash", "csh", "tcsh"})
_INTERPRETERS: Final = re.compile(r"^(?:python[\d.]*|pypy\d*|perl[\d.]*|ruby[\d.]*|node|nodejs|deno|bun|php\d*|lua\w*|Rscript|osascript|tclsh|pwsh|powershell)$")  # fmt: skip
NETWORK: Final = frozenset(
    {"curl", "wget", "nc", "ncat", "netcat", "socat", "telnet", "ftp", "aria2c", "http", "https"}
)
TELLING_VARIABLES: Final = frozenset(
    "PATH IFS ENV BASH_ENV PROMPT_COMMAND SHELLOPTS BASHOPTS PS4 PYTHONPATH PYTHONSTARTUP NODE_OPTIONS PERL5OPT PERL5LIB "
    "RUBYOPT EDITOR VISUAL PAGER MANPAGER LESSOPEN HOME SHELL CDPATH GLOBIGNORE".split()
)
_SECRET_VARIABLE: Final = re.compile(
    r"secret|token|passw|api_?key|private|credential|session|cookie|_key$", re.IGNORECASE
)

_READS: Final = frozenset(
    "ls cat head tail grep egrep fgrep zgrep rg ag ack wc uniq cut tr pwd echo printf date whoami id uname which type stat "
    "file du df diff cmp comm nl od xxd hexdump strings md5sum sha1sum sha256sum sha512sum cksum basename dirname realpath "
    "readlink true false test [ seq less more man help ps top uptime free jq column fold paste join rev tac expr bc sleep cd "
    "tree sort cal nproc arch groups lsblk lscpu lsof dir vdir zcat bat exa eza fd locate whereis getconf tput clear : let "
    "read return exit wait jobs history pgrep tty logname base32 look fmt pr dmesg netstat ss ip ifconfig host dig "
    "nslookup ping traceroute journalctl local declare typeset readonly shift break continue getopts hash pushd popd dirs".split()
)
_LOOKS_UP: Final = frozenset({"host", "dig", "nslookup", "ping", "traceroute"})

_KNOWN: Final[Mapping[str, tuple[float, str]]] = {
    **dict.fromkeys(("mkdir", "touch", "mktemp"), (MODEST, "makes files or folders")),
    **dict.fromkeys(("export", "set", "umask", "ulimit", "shopt", "setopt"), (MODEST, "changes how the shell behaves")),
    **dict.fromkeys(("rmdir",), (MEDIUM, "removes empty folders")),
    **dict.fromkeys(("cp", "install", "ln", "mv", "rename", "split", "patch"), (MEDIUM, "copies, moves or changes files")),
    **dict.fromkeys(("unzip", "gunzip", "bunzip2", "gzip", "zip", "tar", "7z", "cpio", "xz"), (MEDIUM, "packs or unpacks files, and may write over others")),
    **dict.fromkeys(("vi", "vim", "nano", "ed", "emacs", "ex"), (MEDIUM, "edits files")),
    **dict.fromkeys(("make", "cmake", "ninja", "pytest", "tox", "nox", "gradle", "mvn", "bazel", "just", "rake"), (MEDIUM, "runs the project's own code")),
    **dict.fromkeys(("ssh", "scp", "sftp", "mosh", "rsh", "rsync"), (SERIOUS, "acts on another machine")),
    **dict.fromkeys(("nmap", "masscan", "tcpdump", "tshark", "arp-scan"), (SERIOUS, "probes or listens to the network")),
    **dict.fromkeys(("nc", "ncat", "netcat", "socat", "telnet", "ftp"), (HIGH, "opens a connection that anything can be sent through")),
    **dict.fromkeys(("at", "batch", "screen", "tmux", "disown"), (SERIOUS, "lets commands run later, or out of sight")),
    **dict.fromkeys(("kill", "pkill", "killall", "xkill", "fuser"), (SERIOUS, "ends processes")),
    **dict.fromkeys(("mount", "umount", "swapoff", "swapon", "losetup", "cryptsetup"), (HIGH, "changes which disks are in use")),
    **dict.fromkeys(("iptables", "ip6tables", "nft", "ufw", "firewall-cmd", "route"), (HIGH, "changes who can reach this machine")),
    **dict.fromkeys(("useradd", "userdel", "usermod", "adduser", "deluser", "groupadd", "groupdel", "passwd", "chpasswd", "visudo", "chsh", "gpasswd"), (HIGH, "changes who can log in, and as what")),
    **dict.fromkeys(("insmod", "modprobe", "rmmod", "kexec", "sysctl", "setenforce", "setcap", "chattr", "update-grub"), (HIGH, "changes the system itself")),
    **dict.fromkeys(("mkfs", "wipefs", "fdisk", "sfdisk", "parted", "gdisk", "shred", "srm", "blkdiscard", "mkswap", "format", "diskpart", "vgremove", "lvremove", "zpool", "hdparm"), (HIGH, "destroys what is stored")),
    **dict.fromkeys(("shutdown", "reboot", "halt", "poweroff", "init", "telinit"), (HIGH, "stops this machine")),
    **dict.fromkeys(("truncate",), (HIGH, "cuts files, and what was in them is gone")),
    **dict.fromkeys(("unlink", "del", "erase", "rd"), (HIGH, "removes files")),
    **dict.fromkeys(("eval", "source", ".", "trap", "alias", "enable", "complete", "bind"), (SERIOUS, "makes words mean something else, or runs what they say")),
    **dict.fromkeys(("Remove-Item", "Invoke-Expression", "iex", "reg", "regedit", "cmd", "cmd.exe", "wmic", "schtasks"), (HIGH, "changes a Windows system, and is not read")),
    **dict.fromkeys(("gpg", "openssl", "ssh-keygen", "ssh-add", "pass", "vault", "op", "security", "keyctl"), (SERIOUS, "works with keys and secrets")),
    **dict.fromkeys(("gdb", "strace", "ltrace", "perf"), (SERIOUS, "looks into other processes")),
    **dict.fromkeys(("mongo", "mongosh", "redis-cli", "valkey-cli", "cqlsh", "influx", "sqlcmd"), (SERIOUS, "acts on a database, and is not read")),
    **dict.fromkeys(("psql", "mysql", "mariadb", "sqlite3", "duckdb", "clickhouse-client"), (MEDIUM, "acts on a database")),
    **dict.fromkeys(("sendmail", "mail", "mailx", "mutt", "swaks"), (SERIOUS, "sends mail")),
}  # fmt: skip

_WRAPPERS: Final[Mapping[str, tuple[str, int]]] = {
    # options that take a value, and how many words come before the command
    "sudo": ("-u -g -h -p -C -T -U -r -t -D -R --user --group --host --prompt --chdir", 0),
    "doas": ("-u -C", 0),
    "env": ("-u -C --unset --chdir", 0),
    "nice": ("-n --adjustment", 0),
    "ionice": ("-c -n -p", 0),
    "timeout": ("-s -k --signal --kill-after", 1),
    "nohup": ("", 0),
    "setsid": ("", 0),
    "time": ("-o -f", 0),
    "stdbuf": ("-i -o -e", 0),
    "command": ("", 0),
    "builtin": ("", 0),
    "exec": ("-a", 0),
    "busybox": ("", 0),
    "xargs": ("-I -n -P -L -d -a -E -s --max-args --max-procs --delimiter --arg-file --replace", 0),
    "watch": ("-n --interval", 0),
    "chroot": ("", 1),
    "unshare": ("", 0),
    "caffeinate": ("", 0),
    "then": ("", 0),
}
_KNOWN_FLAGS: Final = frozenset({"-", "--", "-i", "-n", "-E", "-H", "-b", "-k", "-S", "-s", "-v", "-V", "-0", "-r", "-t", "-p", "-x", "-f", "-c", "-l", "-w", "-d", "--foreground", "--preserve-status", "-a", "--null", "--no-run-if-empty", "--verbose"})  # fmt: skip
_PRIVILEGE: Final = frozenset({"sudo", "doas", "su", "pkexec", "runuser", "chroot", "unshare", "nsenter"})
_STANDARD: Final = ("", "/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin", "/opt/homebrew/bin")


def name_of(text: str) -> str:
    """The command's name, without its folder."""
    return posixpath.basename(text.rstrip("/")) or text


def judge(words: Sequence[Word], *, defined: Collection[str] = ()) -> Iterator[Finding]:
    """What this command does; at least one finding."""
    said, words = _unwrapped(words)
    yield from said
    if not words:
        if not said:
            yield Finding(LOW, "It runs nothing.")
        return
    head, rest = words[0], words[1:]
    name = name_of(head.text)
    if head.dynamic or (head.spread and head.text != "[") or head.escaped:
        yield Finding(HIGH, f"Which command it is, is only known when it runs: {quoted(head.text)}.")
        return
    if not head.text.isascii():
        yield Finding(HIGH, f"The command's name has letters that look like others: {quoted(head.text)}.")
        return
    if name in defined:
        yield Finding(SERIOUS, f"{quoted(name)} is what this command itself defined.")
        return
    folder = posixpath.dirname(head.text)
    if folder not in _STANDARD:
        yield Finding(SERIOUS, f"It runs the program {quoted(head.text)}, which is not read.")
        return
    yield from _known(name, rest)
    yield from _around(name, rest)


def _known(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if (special := _SPECIAL.get(name) or TOOLS.get(name)) is not None:
        yield from special(name, rest)
    elif name.startswith("mkfs."):
        yield Finding(HIGH, f"{quoted(name)} destroys what is stored.")
    elif name in SHELLS or _INTERPRETERS.match(name):
        yield from _interpreter(name, rest)
    elif name in _READS:
        yield from _reading(name, rest)
    elif name in _KNOWN:
        score, does = _KNOWN[name]
        yield Finding(score, f"{quoted(name)} {does}.")
    else:
        yield Finding(MEDIUM, f"Nothing is known of the command {quoted(name)}.")


def _around(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    """What any command's words tell."""
    for each in rest:
        if secret_path(each.text):
            yield Finding(HIGH, f"It touches {quoted(each.text)}, where secrets are kept.")
        if each.escaped:
            yield Finding(SERIOUS, f"It hides characters behind escapes: {quoted(each.text)}.")
        if any(_SECRET_VARIABLE.search(variable) for variable in each.variables):
            yield Finding(HIGH, f"It uses a variable that seems to hold a secret: {quoted(each.text)}.")
        elif each.dynamic:
            score = SERIOUS if name in {"rm", "mv", "dd", "chmod", "chown", "git", "curl", "wget"} | _LOOKS_UP else 0.4
            yield Finding(score, f"A part of it is only known when it runs: {quoted(each.text)}.")


def _reading(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    options = [each.text for each in rest if each.text.startswith("-")]
    if name in {"sort", "tree"} and any(text.startswith(("-o", "--output")) for text in options):
        yield Finding(MEDIUM, f"{quoted(name)} writes to a file.")
    elif name == "sort" and any(text.startswith("--compress-program") for text in options):
        yield Finding(HIGH, "`sort` runs another program.")
    elif name in {"fd", "rg"} and any(text.startswith(("-x", "-X", "--exec", "--pre")) for text in options):
        yield Finding(SERIOUS, f"{quoted(name)} runs another program on what it finds.")
    elif name == "journalctl" and any(text.startswith(("--vacuum", "--rotate", "--flush")) for text in options):
        yield Finding(HIGH, "`journalctl` throws logs away.")
    elif name == "history" and options:
        yield Finding(HIGH, "`history` is changed, so that nobody sees what ran.")
    elif name in {"ip", "ifconfig"} and len(rest) > 2:  # noqa: PLR2004  # `ip addr show`
        yield Finding(MEDIUM, f"{quoted(name)} may change the network.")
    elif name == "date" and any(text in {"-s"} or text.startswith("--set") for text in options):
        yield Finding(HIGH, "`date` sets the clock.")
    else:
        yield Finding(LOW, f"{quoted(name)} only reads.")
    if any(each.spread and each.text.rpartition("/")[2].startswith(".") for each in rest):
        yield Finding(MEDIUM, "It reads hidden files, whichever there are.")
    if name in {"cat", "less", "more", "head", "tail", "strings", "xxd", "od"} and any(is_device(e.text) for e in rest):
        yield Finding(SERIOUS, f"{quoted(name)} reads a device.")


def _flags(rest: Sequence[Word]) -> str:
    """The letters of its short options, and its long ones."""
    short = "".join(each.text[1:] for each in rest if re.match(r"^-[A-Za-z]+$", each.text))
    return short + " " + " ".join(each.text for each in rest if each.text.startswith("--"))


def _targets(rest: Sequence[Word]) -> list[str]:
    return [each.text for each in rest if not each.text.startswith("-")]


_EVERYTHING: Final = re.compile(
    r"^(?:/|/\*|~/?|~/\*|\*|\.|\./|\.\.|\.\./?.*|\.\*|/[a-z]+/?\*?|\$\{?HOME\}?/?\*?|[A-Za-z]:\\?)$"
)


def _rm(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    flags, targets = _flags(rest), _targets(rest)
    recursive = bool(re.search(r"[rR]", flags.partition(" ")[0])) or "--recursive" in flags
    if "--no-preserve-root" in flags or (recursive and any(_EVERYTHING.match(each) for each in targets)):
        yield Finding(MOST, f"{quoted(name)} removes everything under {quoted(' '.join(targets))}.")
    elif recursive:
        yield Finding(HIGH, f"{quoted(name)} removes whole folders: {quoted(' '.join(targets))}.")
    else:
        yield Finding(SERIOUS, f"{quoted(name)} removes files: {quoted(' '.join(targets))}.")


def _dd(_: str, rest: Sequence[Word]) -> Iterator[Finding]:
    target = next((each.text[3:] for each in rest if each.text.startswith("of=")), "")
    if not target:
        yield Finding(MEDIUM, "`dd` reads raw data.")
    elif is_device(target):
        yield Finding(MOST, f"`dd` writes onto a device: {quoted(target)}.")
    else:
        yield Finding(HIGH, f"`dd` writes over {quoted(target)}.")


def _mode(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    flags, targets = _flags(rest), _targets(rest)
    said = " ".join(targets)
    if (
        name == "chmod"
        and targets
        and re.search(r"^[0-7]?777$|[+=][rwx]*s|^[2467][0-7]{3}$|[oa][+=]\w*w|^[+=]w", targets[0])
    ):
        yield Finding(HIGH, f"`chmod` lets everybody change it, or run it as its owner: {quoted(said)}.")
    elif "R" in flags.partition(" ")[0] or "--recursive" in flags:
        yield Finding(HIGH, f"{quoted(name)} changes whole folders: {quoted(said)}.")
    elif any(is_system(each) for each in targets[1:]):
        yield Finding(HIGH, f"{quoted(name)} changes a part of the system: {quoted(said)}.")
    else:
        yield Finding(MEDIUM, f"{quoted(name)} changes who may do what: {quoted(said)}.")


def _moves(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    targets = _targets(rest)
    yield Finding(MEDIUM, f"{quoted(name)} copies, moves or links files, and may write over others.")
    if targets:
        last = targets[-1]
        if last == "/dev/null" or (name == "mv" and any(_EVERYTHING.match(each) for each in targets[:-1])):
            yield Finding(HIGH, f"{quoted(name)} makes files go away: {quoted(' '.join(targets))}.")
        elif is_device(last) or is_system(last):
            yield from written_path(last)


def _tee(_: str, rest: Sequence[Word]) -> Iterator[Finding]:
    yield Finding(LOW, "`tee` passes on what it reads.")
    for target in _targets(rest):
        yield from written_path(target)


def _find(_: str, rest: Sequence[Word]) -> Iterator[Finding]:
    texts = [each.text for each in rest]
    yield Finding(LOW, "`find` only looks.")
    if "-delete" in texts:
        yield Finding(HIGH, "`find` deletes whatever it finds.")
    if any(text.startswith("-fprint") or text == "-fls" for text in texts):
        yield Finding(MEDIUM, "`find` writes to a file.")
    for i, text in enumerate(texts):
        if text in {"-exec", "-execdir", "-ok", "-okdir"}:
            end = next((j for j in range(i + 1, len(texts)) if texts[j] in {";", "+"}), len(texts))
            yield Finding(MODEST, "`find` runs a command on whatever it finds.")
            yield from judge([each for each in rest[i + 1 : end] if each.text != "{}"])


def _sed(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if any(re.match(r"^-[nErsz]*i|^--in-place", each.text) for each in rest):
        yield Finding(MEDIUM, "`sed` changes files in place.")
    elif any(re.search(r"(?:^|[;\d/}$])\s*[ewW](?:\s|$)|/[gpI\d]*[ew][gpI\d]*(?:\s|$)", each.text) for each in rest):
        yield Finding(SERIOUS, f"{quoted(name)} may run commands or write files.")
    elif any(each.text.startswith(("-f", "--file")) for each in rest):
        yield Finding(MEDIUM, "`sed` runs a program from a file.")
    else:
        yield Finding(LOW, "`sed` only reads.")


def _awk(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if any(re.search(r"system\s*\(|getline|\||>|@load|ENVIRON", each.text) for each in rest):
        yield Finding(SERIOUS, f"{quoted(name)} may run commands or write files.")
    elif any(each.text.startswith(("-f", "-i", "--file", "-l", "--load")) for each in rest):
        yield Finding(MEDIUM, f"{quoted(name)} runs a program from a file.")
    else:
        yield Finding(LOW, f"{quoted(name)} only reads.")


def _base64(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if re.search(r"[dD]", _flags(rest).partition(" ")[0]) or "--decode" in _flags(rest):
        yield Finding(SERIOUS, f"{quoted(name)} makes plain what was hidden.")
    else:
        yield Finding(LOW, f"{quoted(name)} only reads.")


def _xxd(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if any(re.match(r"^-(?:r|revert)", each.text) for each in rest):
        yield Finding(SERIOUS, f"{quoted(name)} makes plain what was hidden.")
    else:
        yield Finding(LOW, f"{quoted(name)} only reads.")


def _environment(name: str, _: Sequence[Word]) -> Iterator[Finding]:
    yield Finding(SERIOUS, f"{quoted(name)} prints the environment, where secrets are kept.")


def _fetch(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    texts = [each.text for each in rest]
    flags = " ".join(texts)
    yield Finding(MEDIUM, f"{quoted(name)} fetches something from the network.")
    if re.search(r"(?:^|\s)(?:-d|--data\S*|-F|--form\S*|-T|--upload-file|--json|--post-\S+|--body-\S+)", flags):
        yield Finding(SERIOUS, f"{quoted(name)} sends data to the network.")
        if any(
            re.match(r"^(?:-d|-F|--data\S*=?|--form=?)?[^@]*=?@", text) for text in texts if "@" in text
        ) and re.search(r"(?:^|[\s=])(?:-d|-F|--\w[\w-]*)?\s?[\w]*=?@[\w./~]", flags):
            yield Finding(HIGH, f"{quoted(name)} sends the content of a file to the network.")
    if re.search(r"(?:^|\s)(?:-T|--upload-file|--post-file|--body-file)", flags):
        yield Finding(HIGH, f"{quoted(name)} sends the content of a file to the network.")
    if method := re.search(r"(?:-X|--request|--method)[\s=]?(\w+)", flags):
        if method[1].upper() == "DELETE":
            yield Finding(HIGH, f"{quoted(name)} deletes something over the network.")
        elif method[1].upper() not in {"GET", "HEAD", "OPTIONS"}:
            yield Finding(SERIOUS, f"{quoted(name)} changes something over the network: {method[1].upper()}.")
    if re.search(r"(?:^|\s)(?:-k|--insecure|--no-check-certificate)(?:\s|$)", flags):
        yield Finding(SERIOUS, f"{quoted(name)} does not check whom it talks to.")
    if re.search(r"(?:^|\s)(?:-K|--config)(?:\s|=)", flags):
        yield Finding(SERIOUS, f"{quoted(name)} reads its options from a file.")
    if re.search(r"169\.254\.169\.254|metadata\.google|metadata\.azure", flags):
        yield Finding(HIGH, "It asks the cloud's metadata service, which gives out credentials.")
    for i, text in enumerate(texts):
        if text in {"-o", "-O", "--output", "--output-document"} and i + 1 < len(texts):
            yield from written_path(texts[i + 1] if text != "-O" or name == "wget" else "a file")
    if re.search(r"\b(?:Authorization|Cookie|X-Api-Key)\s*:", flags, re.IGNORECASE) or re.search(
        r"(?:^|\s)(?:-u|--user)\s", flags
    ):
        yield Finding(SERIOUS, f"{quoted(name)} sends credentials.")


def _interpreter(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    texts = [each.text for each in rest]
    if texts and all(text in {"--version", "-V", "--help", "-h"} for text in texts):
        yield Finding(LOW, f"{quoted(name)} says what it is.")
    elif name in SHELLS:
        if not any(re.match(r"^-\w*c", text) for text in texts):
            target = next((text for text in texts if not text.startswith("-")), "")
            what = f"the script {quoted(target)}" if target else "whatever it is given"
            yield Finding(SERIOUS, f"{quoted(name)} runs {what}, which is not read.")
    elif "-m" in texts and texts.index("-m") + 1 < len(texts):
        module = texts[texts.index("-m") + 1]
        if module in {"pytest", "unittest", "mypy", "ruff", "black", "json.tool", "doctest", "timeit"}:
            yield Finding(0.4, f"{quoted(name)} runs {quoted(module)} on the project.")
        elif module == "pip":
            yield from _known("pip", rest[texts.index("-m") + 2 :])
        else:
            yield Finding(SERIOUS, f"{quoted(name)} runs the module {quoted(module)}.")
    elif any(re.match(r"^(?:-\w*[ceEnp]|--eval|--print|-r|-Command|-enc\w*)", text, re.IGNORECASE) for text in texts):
        yield Finding(SERIOUS, f"{quoted(name)} runs a program that stands in the command, and is not read.")
    else:
        yield Finding(MEDIUM if texts else SERIOUS, f"{quoted(name)} runs a program that is not read.")


def _su(name: str, _: Sequence[Word]) -> Iterator[Finding]:
    yield Finding(HIGH, f"{quoted(name)} runs it as somebody with more rights.")


def _crontab(_: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if [each.text for each in rest] == ["-l"]:
        yield Finding(LOW, "`crontab` lists what runs by the clock.")
    else:
        yield Finding(HIGH, "`crontab` changes what runs by the clock.")


def _rsync(_: str, rest: Sequence[Word]) -> Iterator[Finding]:
    texts = [each.text for each in rest]
    if any(text.startswith(("--delete", "--remove-source")) for text in texts):
        yield Finding(HIGH, "`rsync` deletes what is not at the other end.")
    elif any(":" in text for text in texts if not text.startswith("-")):
        yield Finding(SERIOUS, "`rsync` copies from or to another machine.")
    else:
        yield Finding(MEDIUM, "`rsync` copies files, and may write over others.")


_SPECIAL: Final[Mapping[str, Callable[[str, Sequence[Word]], Iterator[Finding]]]] = {
    "rm": _rm,
    "dd": _dd,
    **dict.fromkeys(("chmod", "chown", "chgrp", "setfacl"), _mode),
    **dict.fromkeys(("cp", "mv", "ln", "install"), _moves),
    "tee": _tee,
    "find": _find,
    "sed": _sed,
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), _awk),
    **dict.fromkeys(("base64", "base32", "uudecode"), _base64),
    "xxd": _xxd,
    **dict.fromkeys(("printenv", "env"), _environment),
    **dict.fromkeys(("curl", "wget", "http", "https", "aria2c"), _fetch),
    **dict.fromkeys(("su", "pkexec", "runuser", "nsenter"), _su),
    "crontab": _crontab,
    "rsync": _rsync,
}


def _unwrapped(words: Sequence[Word]) -> tuple[list[Finding], Sequence[Word]]:
    """The command behind `sudo`, `timeout 5` and the like, and what they add."""
    found: list[Finding] = []
    while words and not words[0].dynamic and (name := name_of(words[0].text)) in _WRAPPERS:
        valued, skipped = _WRAPPERS[name]
        takes, i = valued.split(), 1
        if name in _PRIVILEGE:
            found.append(Finding(HIGH, f"{quoted(name)} runs it with more rights."))
        if name == "xargs":
            found.append(Finding(MODEST, "`xargs` adds words that are only known when it runs."))
        if name == "command" and len(words) > 1 and words[1].text in {"-v", "-V"}:
            return [*found, Finding(LOW, "`command` looks up what a name means.")], ()
        while i < len(words) and words[i].text.startswith("-"):
            text = words[i].text
            if name == "env" and text.startswith(("-S", "--split")):
                found.append(Finding(HIGH, "`env -S` makes a command of a text."))
            if text in takes:
                i += 2
                continue
            if text not in _KNOWN_FLAGS and not any(text.startswith(each) for each in takes):
                found.append(Finding(SERIOUS, f"An option of {quoted(name)} is not known: {quoted(text)}."))
            i += 1
            if text == "--":
                break
        i += skipped
        while name in {"env", "sudo"} and i < len(words) and re.match(r"^[A-Za-z_]\w*=", words[i].text):
            variable = words[i].text.partition("=")[0]
            if variable in TELLING_VARIABLES or variable.startswith(("LD_", "DYLD_", "GIT_")):
                found.append(Finding(HIGH, f"It sets {quoted(variable)}, which changes what other commands do."))
            i += 1
        if name == "env" and i >= len(words):
            return found, words[:1]
        words = words[i:]
    return found, words


def inner_scripts(words: Sequence[Word]) -> Iterable[str | None]:
    """Command lines that it hands to a shell: `bash -c`, `eval`, `su -c`, `ssh host`; None: known only when it runs."""
    _, words = _unwrapped(words)
    if not words:
        return
    name, rest = name_of(words[0].text), words[1:]
    if name in SHELLS or name in {"su", "runuser"}:
        for i, each in enumerate(rest):
            if re.match(r"^-\w*c$|^--command$", each.text) and i + 1 < len(rest):
                script = rest[i + 1]
                yield None if script.dynamic or script.escaped else script.text
                return
    elif name == "eval" and rest:
        yield None if any(each.dynamic or each.escaped for each in rest) else " ".join(each.text for each in rest)
    elif name == "find":
        texts = [each.text for each in rest]
        for i, text in enumerate(texts):
            if text in {"-exec", "-execdir", "-ok", "-okdir"}:
                yield from inner_scripts(rest[i + 1 :])
    elif name == "ssh":
        positional = [each for each in rest if not each.text.startswith("-")]
        if positional[1:]:
            yield " ".join(each.text for each in positional[1:])
    elif name == "alias":
        for each in rest:
            if "=" in each.text:
                yield each.text.partition("=")[2]


def inner_sql(words: Sequence[Word]) -> Iterator[str]:
    """Statements that it hands to a database: `psql -c`, `mysql -e`, `sqlite3 file statement`."""
    _, words = _unwrapped(words)
    if not words or (name := name_of(words[0].text)) not in {"psql", "mysql", "mariadb", "sqlite3", "duckdb"}:
        return
    texts = [each.text for each in words[1:]]
    for i, text in enumerate(texts):
        if match := re.match(r"^(?:--command|--execute)=(.*)", text, re.DOTALL):
            yield match[1]
        elif text in {"-c", "-e", "--command", "--execute"} and i + 1 < len(texts):
            yield texts[i + 1]
    if name in {"sqlite3", "duckdb"}:
        yield from [text for text in texts if not text.startswith("-")][1:]


def reads_program(words: Sequence[Word]) -> bool:
    """Does it run what it is given on its standard input?"""
    _, words = _unwrapped(words)
    if not words:
        return False
    name, texts = name_of(words[0].text), [each.text for each in words[1:]]
    if name in SHELLS:
        return not any(re.match(r"^-\w*c$", text) for text in texts)
    if _INTERPRETERS.match(name):
        return not any(not text.startswith("-") or text in {"-c", "-e", "-m"} for text in texts if text != "-")
    return name in {"psql", "mysql", "sqlite3", "ssh", "at", "batch", "bc", "parallel"} and name not in {"bc"}
