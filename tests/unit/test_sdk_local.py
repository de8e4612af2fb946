"""An agent finds its service: as told, from the environment, or the local one's files."""

from pathlib import Path

import pytest

from andon import Andon, NotConfigured
from andon._local import find_service, state_dir


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("ANDON_URL", "ANDON_KEY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANDON_STATE", str(tmp_path))
    return tmp_path


def serve(folder: Path) -> None:
    (folder / "url").write_text("http://127.0.0.1:8080\n")
    (folder / "agent.key").write_text("local-key\n")


def test_the_local_service_is_found(tmp_path: Path) -> None:
    serve(tmp_path)
    assert find_service(None, None) == ("http://127.0.0.1:8080", "local-key")


def test_the_environment_comes_before_the_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    serve(tmp_path)
    monkeypatch.setenv("ANDON_URL", "https://andon.example.com/")
    monkeypatch.setenv("ANDON_KEY", "set-key")
    assert find_service(None, None) == ("https://andon.example.com", "set-key")
    assert find_service("http://given", "given-key") == ("http://given", "given-key")


def test_the_local_key_is_not_sent_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    serve(tmp_path)
    monkeypatch.setenv("ANDON_URL", "https://andon.example.com")
    with pytest.raises(NotConfigured, match="set ANDON_KEY"):
        find_service(None, None)


def test_no_service_says_what_to_set() -> None:
    with pytest.raises(NotConfigured, match="set ANDON_URL"):
        Andon()


def test_no_key_says_what_to_set() -> None:
    with pytest.raises(NotConfigured, match="set ANDON_KEY"):
        Andon("http://127.0.0.1:1")


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(NotConfigured, match="reads like https://"):
        Andon("andon.example.com", "key")


def test_the_state_folder_is_the_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANDON_STATE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert state_dir() == Path("/var/state/andon")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert state_dir() == Path.home() / ".local/state/andon"
    monkeypatch.setattr("sys.platform", "darwin")
    assert state_dir() == Path.home() / "Library/Application Support/andon"
