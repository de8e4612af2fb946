"""`python -m bot manifest`: write the app package that Teams takes."""

import argparse
import sys
from pathlib import Path
from typing import Final

from bot.app.surfaces import teams_package
from bot.config import Settings, load_settings

HELP: Final = """usage: python -m bot manifest --teams FILE [--name TEXT] [--version X.Y.Z] [--id ID]
                              [--developer TEXT] [--mentions-only]

  Write the app package for Microsoft Teams, made from TEAMS_APP_ID and ANDON_PUBLIC_URL: upload it in the Teams admin
  center. The same settings make the same bytes. (For Slack, paste the file manifest.yaml.)

  --teams FILE       write it here, e.g. andon.zip; a file that exists is left alone
  --name TEXT        what the app is called in Teams, up to 30 characters (default: Andon)
  --version X.Y.Z    of the package; Teams takes an update only with a higher one (default: that of Andon)
  --id ID            of the app in your catalogue, where it is there under another id (default: TEAMS_APP_ID)
  --developer TEXT   whom Teams names as its maker, up to 32 characters (default: Andon)
  --mentions-only    do not ask for consent to read messages that do not mention the app; "stop" then needs a mention

examples:
  python -m bot manifest --teams andon.zip
  python -m bot manifest --teams andon-2.zip --version 0.1.1 --name "Andon (staging)"
"""


def run(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Write the app package."""
    parser.add_argument("--teams", type=Path)
    parser.add_argument("--name")
    parser.add_argument("--version")
    parser.add_argument("--id", dest="app_id")
    parser.add_argument("--developer")
    parser.add_argument("--mentions-only", action="store_true")
    given = vars(parser.parse_args(words))
    given.pop("help")
    file = given.pop("teams")
    if not file:
        parser.error("say where to write it: --teams FILE")
    return write_teams(load_settings(), file, **given)


def write_teams(
    settings: Settings,
    file: Path,
    *,
    name: str | None,
    version: str | None,
    app_id: str | None,
    developer: str | None,
    mentions_only: bool,
) -> int:
    """Write the package, and say what to do with it.

    Raises:
        ConfigError: Every fault of the settings and options, one sentence each.
    """
    content, endpoint = teams_package(
        settings, name=name, version=version, app_id=app_id, developer=developer, mentions_only=mentions_only
    )
    try:
        with file.open("xb") as out:
            out.write(content)
    except FileExistsError:
        print(f"andon: {file} exists; remove it, or name another file", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"andon: cannot write {file}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"Wrote {file}. Upload it in the Teams admin center: Teams apps, Manage apps, Upload new app.")
    print(f"The Azure Bot's messaging endpoint must be {endpoint}")
    return 0
