"""The names of commands and of variables, and what is known of them. Tables only."""

import re
from collections.abc import Mapping
from typing import Final

from bot.risk._question import HIGH, MEDIUM, MODEST, SERIOUS


def names(text: str) -> frozenset[str]:
    """Words as a set."""
    return frozenset(text.split())


SHELLS: Final = names("sh bash zsh dash ksh mksh ash fish rbash csh tcsh")
INTERPRETERS: Final = re.compile(
    r"^(?:python[\d.]*|pypy\d*|perl[\d.]*|ruby[\d.]*|node|nodejs|deno|bun|php\d*|lua\w*|Rscript|osascript|tclsh|pwsh|"
    r"powershell)$"
)
NETWORK: Final = names("curl wget nc ncat netcat socat telnet ftp aria2c http https")
PRIVILEGE: Final = names("sudo doas su pkexec runuser chroot unshare nsenter")
DATABASES: Final = names("psql mysql mariadb sqlite3 duckdb")

TELLING_VARIABLES: Final = names(
    """
    PATH IFS ENV PROMPT_COMMAND SHELLOPTS PS0 PS4 EDITOR VISUAL PAGER BROWSER HOME SHELL CDPATH GLOBIGNORE EXECIGNORE
    ZDOTDIR CLASSPATH KUBECONFIG GCONV_PATH INPUTRC HISTFILE FCEDIT SUDO_ASKPASS TERMINFO
    _JAVA_OPTIONS MAKEFLAGS path fpath cdpath manpath module_path http_proxy https_proxy all_proxy HTTP_PROXY
    HTTPS_PROXY ALL_PROXY
    """
)
"""They change what other commands do."""
TELLING_PREFIXES: Final = (
    *("LD_", "DYLD_", "GIT_", "BASH", "PYTHON", "NODE_", "PERL", "RUBY", "LESS", "MAN", "SSH_", "DOCKER_", "JAVA_"),
    *("JDK_", "XDG_", "PIP_", "npm_", "NPM_", "CARGO", "RUST", "GO", "MAVEN_", "GRADLE_", "RIPGREP_", "BAT_", "TAR_"),
    *("GREP_", "SYSTEMD_", "RSYNC_", "CURL_", "OPENSSL_", "SSL_"),
)
"""So do all variables that begin like this."""

SECRET_VARIABLE: Final = re.compile(
    r"secret|token|passw|api_?key|private|credential|session|cookie|_key$", re.IGNORECASE
)

LOOKS_UP: Final = names("host dig nslookup ping traceroute")
READS: Final = LOOKS_UP | names(
    """
    ls cat head tail grep egrep fgrep zgrep rg ag ack wc uniq cut tr pwd echo printf date whoami id uname which type
    stat file du df diff cmp comm nl od hexdump strings md5sum sha1sum sha256sum sha512sum cksum basename dirname
    realpath readlink true false test [ seq less more man help ps top uptime free jq column fold paste join rev tac
    expr bc sleep cd tree sort cal nproc arch groups lsblk lscpu lsof dir vdir zcat bat exa eza fd locate whereis
    getconf tput clear : let read return exit wait jobs history pgrep tty logname look fmt pr dmesg netstat ss ip
    ifconfig journalctl local declare typeset readonly shift break continue getopts hash pushd popd dirs
    """
)

_BY_WHAT_THEY_DO: Final = (
    (MODEST, "makes files or folders", "mkdir touch mktemp"),
    (MODEST, "changes how the shell behaves", "export set umask ulimit shopt setopt"),
    (MEDIUM, "removes empty folders", "rmdir"),
    (MEDIUM, "changes files", "rename split patch vi vim nano ed emacs ex"),
    (MEDIUM, "packs or unpacks files, and may write over others", "unzip gunzip bunzip2 gzip zip 7z cpio xz"),
    (
        MEDIUM,
        "runs the project's own code",
        "make cmake ninja pytest tox nox gradle mvn bazel just rake",
    ),
    (MEDIUM, "acts on a database", "psql mysql mariadb sqlite3 duckdb clickhouse-client"),
    (SERIOUS, "acts on another machine", "ssh scp sftp mosh rsh"),
    (SERIOUS, "probes or listens to the network", "nmap masscan tcpdump tshark arp-scan"),
    (SERIOUS, "lets commands run later, or out of sight", "at batch screen tmux disown systemd-run start-stop-daemon"),
    (
        SERIOUS,
        "runs another command, which is not read",
        "parallel flock entr script setpriv runcon unbuffer expect firejail torsocks proxychains proot faketime sem",
    ),
    (SERIOUS, "ends processes", "kill pkill killall xkill fuser"),
    (SERIOUS, "makes words mean something else, or runs what they say", "eval source . trap alias enable bind"),
    (SERIOUS, "works with keys and secrets", "gpg openssl ssh-keygen ssh-add pass vault op security keyctl"),
    (SERIOUS, "looks into other processes", "gdb strace ltrace perf"),
    (SERIOUS, "acts on a database, and is not read", "mongo mongosh redis-cli valkey-cli cqlsh influx sqlcmd"),
    (SERIOUS, "sends mail", "sendmail mail mailx mutt swaks"),
    (HIGH, "opens a connection that anything can be sent through", "nc ncat netcat socat telnet ftp"),
    (HIGH, "changes which disks are in use", "mount umount swapoff swapon losetup cryptsetup"),
    (HIGH, "changes who can reach this machine", "iptables ip6tables nft ufw firewall-cmd route"),
    (
        HIGH,
        "changes who can log in, and as what",
        "useradd userdel usermod adduser deluser groupadd groupdel passwd chpasswd visudo chsh gpasswd",
    ),
    (HIGH, "changes the system itself", "insmod modprobe rmmod kexec sysctl setenforce setcap chattr update-grub"),
    (
        HIGH,
        "destroys what is stored",
        """
        mkfs wipefs fdisk sfdisk parted gdisk shred srm blkdiscard mkswap format diskpart vgremove lvremove zpool hdparm
        """,
    ),
    (HIGH, "stops this machine", "shutdown reboot halt poweroff init telinit"),
    (HIGH, "cuts files, and what was in them is gone", "truncate"),
    (HIGH, "removes files", "unlink del erase rd"),
    (
        HIGH,
        "changes a Windows system, and is not read",
        "Remove-Item Invoke-Expression iex reg regedit cmd cmd.exe wmic schtasks",
    ),
)
KNOWN: Final[Mapping[str, tuple[float, str]]] = {
    name: (score, does) for score, does, listed in _BY_WHAT_THEY_DO for name in listed.split()
}

WRAPPERS: Final[Mapping[str, tuple[frozenset[str], int]]] = {
    name: (names(valued), skipped)
    for name, valued, skipped in (
        ("sudo", "-u -g -h -p -C -T -U -r -t -D -R --user --group --host --prompt --chdir", 0),
        ("doas", "-u -C", 0),
        ("env", "-u -C --unset --chdir", 0),
        ("nice", "-n --adjustment", 0),
        ("ionice", "-c -n -p", 0),
        ("timeout", "-s -k --signal --kill-after", 1),
        ("nohup", "", 0),
        ("setsid", "", 0),
        ("time", "-o -f", 0),
        ("stdbuf", "-i -o -e", 0),
        ("command", "", 0),
        ("builtin", "", 0),
        ("exec", "-a", 0),
        ("busybox", "", 0),
        ("xargs", "-I -n -P -L -d -a -E -s --max-args --max-procs --delimiter --arg-file --replace", 0),
        ("watch", "-n --interval", 0),
        ("chroot", "", 1),
        ("unshare", "", 0),
        ("caffeinate", "", 0),
    )
}
"""Commands that run another one: their options that take a value, and how many words come before the command."""

KNOWN_FLAGS: Final = names(
    """
    - -- -i -n -E -H -b -k -S -s -v -V -0 -r -t -p -x -f -c -l -w -d -a --foreground --preserve-status --null
    --no-run-if-empty --verbose
    """
)
"""Options of theirs that take none."""
