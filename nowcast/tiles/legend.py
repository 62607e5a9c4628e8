"""What the colours of a palette mean, for programs and drawn for people."""

import io
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from nowcast.tiles.palettes import Kind, Palette

ROW, SWATCH, GAP, MARGIN = 20, 30, 8, 10
TITLE_SIZE, TEXT_SIZE = 15, 13
PANEL, EDGE, INK = (255, 255, 255, 235), (0, 0, 0, 60), (20, 20, 20, 255)
"""A light panel of its own, so that the text can be read on light maps and dark ones."""


def told(kind: Kind, name: str, palette: Palette) -> dict[str, Any]:
    """As JSON has it; a class holds values from `from` up to but not at `to`, the last has no end."""
    ends = (*palette.bounds[1:], None)
    classes = [
        {"from": start, "to": end, "colour": colour}
        for start, end, colour in zip(palette.bounds, ends, palette.colours, strict=True)
    ]
    return {"kind": kind, "title": palette.title, "units": palette.units, "palette": name, "classes": classes}


def drawn(palette: Palette) -> bytes:
    """PNG: a swatch per class, the greatest on top, with the bound that each begins at."""
    title, text = ImageFont.load_default(TITLE_SIZE), ImageFont.load_default(TEXT_SIZE)
    heading = palette.title if palette.units == "1" else f"{palette.title} [{palette.units}]"
    width = int(max(title.getlength(heading), SWATCH + GAP + text.getlength("100%"))) + 2 * MARGIN
    top = MARGIN + TITLE_SIZE + GAP
    image = Image.new("RGBA", (width, top + ROW * len(palette.bounds) + MARGIN))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, image.width - 1, image.height - 1), radius=6, fill=PANEL, outline=EDGE)
    draw.text((MARGIN, MARGIN), heading, fill=INK, font=title, anchor="lt")
    for row, (bound, colour) in enumerate(reversed(list(zip(palette.bounds, palette.colours, strict=True)))):
        y = top + row * ROW
        draw.rectangle((MARGIN, y, MARGIN + SWATCH, y + ROW - 1), fill=colour)
        draw.text((MARGIN + SWATCH + GAP, y + ROW), _label(bound, palette.units), fill=INK, font=text, anchor="lm")
    body = io.BytesIO()
    image.save(body, "PNG", optimize=True)
    return body.getvalue()


def _label(bound: float, units: str) -> str:
    return f"{bound:.0%}" if units == "1" else f"{bound:g}"
