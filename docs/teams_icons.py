"""Draws the two icons of the Teams app: the lamps of the console's own mark, `adapters/web/static/andon.svg`.

`python -m docs.teams_icons` writes them to `adapters/teams/icons`.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "adapters" / "teams" / "icons"

Colour = tuple[float, float, float, float]
"""Red, green and blue to 255, and how much it covers, to 1."""

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_RGBA: Final = 6
_CLEAR: Final[Colour] = (255, 255, 255, 0.0)
_WHITE: Final[Colour] = (255, 255, 255, 1.0)
_NIGHT: Final[Colour] = (29, 36, 51, 1.0)
_CASE: Final[Colour] = (11, 14, 20, 1.0)
_RIM: Final[Colour] = (139, 150, 165, 1.0)
_CORD: Final[Colour] = (176, 168, 156, 1.0)
_RED: Final[Colour] = (226, 80, 68, 1.0)
_AMBER: Final[Colour] = (242, 167, 27, 1.0)
_GREEN: Final[Colour] = (47, 165, 101, 1.0)


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle with round corners, filled, or with its edge alone where `stroke` says how wide that is."""

    x: float
    y: float
    width: float
    height: float
    radius: float
    colour: Colour
    stroke: float = 0.0

    def cover(self, x: float, y: float) -> float:
        """How much of the pixel around this point it covers, from 0 to 1."""
        dx = abs(x - self.x - self.width / 2) - self.width / 2 + self.radius
        dy = abs(y - self.y - self.height / 2) - self.height / 2 + self.radius
        distance = hypot(max(dx, 0.0), max(dy, 0.0)) + min(max(dx, dy), 0.0) - self.radius
        if self.stroke:
            distance = abs(distance) - self.stroke / 2
        return min(max(0.5 - distance, 0.0), 1.0)


def colour() -> bytes:
    """The icon in colours, 192 pixels square; the mark is within the 120 in the middle that every mask leaves."""
    lamps = zip((58.0, 86.0, 114.0), (_RED, _AMBER, _GREEN), strict=True)
    return png(
        192,
        _NIGHT,
        [
            Bar(92, 36, 8, 16, 4, _CORD),
            Bar(62, 48, 68, 98, 18, _CASE),
            Bar(62, 48, 68, 98, 18, _RIM, stroke=4),
            *(Bar(74, top, 44, 22, 8, lamp) for top, lamp in lamps),
            Bar(72, 148, 48, 8, 4, _CORD),
        ],
    )


def outline() -> bytes:
    """The icon in white on nothing, 32 pixels square."""
    return png(
        32,
        _CLEAR,
        [
            Bar(15, 1, 2, 5, 1, _WHITE),
            Bar(9, 6, 14, 22, 4, _WHITE, stroke=2),
            *(Bar(12, top, 8, 4, 1.5, _WHITE) for top in (9, 15, 21)),
            Bar(11, 29, 10, 2, 1, _WHITE),
        ],
    )


def png(size: int, ground: Colour, bars: Sequence[Bar]) -> bytes:
    """The bars over the ground, one after the other, as a square picture."""
    rows = bytearray()
    for row in range(size):
        rows.append(0)  # no filter
        for column in range(size):
            rows += pixel(ground, bars, column + 0.5, row + 0.5)
    header = struct.pack(">IIBBBBB", size, size, 8, _RGBA, 0, 0, 0)
    return _SIGNATURE + b"".join(
        (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(rows), 9)), chunk(b"IEND", b""))
    )


def pixel(ground: Colour, bars: Sequence[Bar], x: float, y: float) -> bytes:
    """What is seen at a point: each bar lies over those before it."""
    red, green, blue, alpha = ground
    for bar in bars:
        over = bar.cover(x, y)
        if over:
            both = over + alpha * (1 - over)
            seen = zip(bar.colour, (red, green, blue), strict=False)
            red, green, blue = ((new * over + old * alpha * (1 - over)) / both for new, old in seen)
            alpha = both
    return bytes(round(each) for each in (red, green, blue, alpha * 255))


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "color.png").write_bytes(colour())
    (FOLDER / "outline.png").write_bytes(outline())
