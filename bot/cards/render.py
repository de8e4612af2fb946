"""Templates: where they are found, and what they may use. A template arranges; Python decides."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

from bot.cards.characters import pieces
from bot.cards.sentences import lasting, moment

OURS = Path(__file__).resolve().parents[2] / "templates"


def environment(theirs: Path | None = None) -> jinja2.Environment:
    """Templates of all surfaces; a file in `theirs` replaces ours of the same path (setting `ANDON_TEMPLATES`).

    HTML is escaped by the file's name (`….html.j2`); a name that a template uses and nobody gave is an error.
    """
    folders = [theirs, OURS] if theirs else [OURS]
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.FileSystemLoader(folder) for folder in folders]),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(("html.j2",), default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters: Mapping[str, object] = {
        "clock": _clock,
        "iso": _iso,
        "lasting": lasting,
        "moment": moment,
        "pieces": pieces,
    }
    made.filters.update(filters)
    return made


class JsonTemplates:
    """The templates of a surface that takes JSON."""

    def __init__(self, surface: str, theirs: Path | None, **filters: Callable[[str], object]) -> None:
        """Prepare those in the surface's folder; a file in `theirs` replaces ours of the same path.

        `filters` are the surface's own, by the names that its templates use.
        """
        self._surface = surface
        self._templates = environment(theirs)
        self._templates.filters.update(filters)

    def render(self, name: str, **given: object) -> Any:
        """The JSON that a template makes."""
        return json.loads(self._templates.get_template(f"{self._surface}/{name}.json.j2").render(**given))


def _clock(at: datetime) -> str:
    """`14:02 UTC`; the console's script turns it into the reader's own time."""
    return f"{at.astimezone(UTC):%H:%M} UTC"


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
