"""What a path tells: where secrets are kept, and what must not be written. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from bot.risk._question import HIGH, MEDIUM, MOST, SERIOUS, Finding, quoted

_SECRET: Final = re.compile(
    r"(?:^|[/=@'\":])\.env(?:\.(?!example|sample|template|dist)[\w.-]+)?$|\.ssh(?:/|$)|id_(?:rsa|dsa|ecdsa|ed25519)"
    r"|\.aws(?:/|$)|\.netrc|\.pgpass|\.my\.cnf|/etc/(?:g?shadow|sudoers|ssl/private)|\.kube(?:/config|/?$)"
    r"|\.docker/config|\.gnupg|\.git-credentials|\.npmrc|\.pypirc|\.vault-token|\.?credentials?(?:\.(?:json|ya?ml|ini|db))?$"
    r"|secrets?(?:/|\.(?:json|ya?ml|toml|env|txt|ini))|(?:^|/)secrets?$|\.(?:pem|p12|pfx|jks|keystore|kdbx|key)$"
    r"|/proc/[^/]+/(?:environ|mem)|_history$|service[-_]?account\w*\.json|\.config/gcloud|\.azure(?:/|$)|\.terraform\.d"
    r"|Cookies$|Login Data$|keychain|wallet\.dat",
    re.IGNORECASE,
)
_DEVICE: Final = re.compile(r"^/dev/(?!null$|stdout$|stderr$|tty$|fd/\d+$|zero$|full$)")
_NETWORK: Final = re.compile(r"^/dev/(?:tcp|udp)/")
_SYSTEM: Final = re.compile(
    r"^/(?:etc|boot|bin|sbin|lib\w*|usr|sys|proc|root)(?:/|$)|(?:^|/)\.(?:bashrc|bash_profile|profile|zshrc|zprofile|ssh/|"
    r"git/|gitconfig|config/systemd|config/autostart)|/crontab|cron\.(?:d|daily)|authorized_keys|\.git/hooks|^[A-Za-z]:\\Windows",
    re.IGNORECASE,
)
_NOWHERE: Final = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/zero", "/dev/full", "-"})


def secret_path(text: str) -> bool:
    """Is this where secrets are usually kept?"""
    return bool(_SECRET.search(text))


def is_device(text: str) -> bool:
    """Is it a device that holds something?"""
    return bool(_DEVICE.match(text))


def is_network(text: str) -> bool:
    """Is it no file, but what a shell opens a connection by?"""
    return bool(re.search(r"/dev/(?:tcp|udp)(?:/|$)", text))


def is_system(text: str) -> bool:
    """Is it a part of the system, or of how a shell starts?"""
    return bool(_SYSTEM.search(text))


def read_path(text: str) -> Sequence[Finding]:
    """What reading from a file means."""
    if is_network(text):
        return (Finding(HIGH, f"It reads from the network: {quoted(text)}."),)
    if secret_path(text):
        return (Finding(HIGH, f"It reads {quoted(text)}, where secrets are kept."),)
    return (Finding(SERIOUS, f"It reads a device: {quoted(text)}."),) if is_device(text) else ()


def written_path(text: str) -> Sequence[Finding]:
    """What writing to a file means."""
    if text in _NOWHERE or text.startswith("/dev/fd/"):
        return ()
    if _NETWORK.match(text):
        return (Finding(HIGH, f"It sends to the network: {quoted(text)}."),)
    if is_device(text):
        return (Finding(MOST, f"It writes onto a device: {quoted(text)}."),)
    if is_system(text) or secret_path(text):
        return (Finding(HIGH, f"It writes to {quoted(text)}, which decides how the system or a login behaves."),)
    return (Finding(MEDIUM, f"It writes to the file {quoted(text)}."),)
