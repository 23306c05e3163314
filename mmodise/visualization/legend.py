"""A legend: names with their colours, below a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from .colors import Color
from .labels import load_font

_INK, _PAPER = (40, 40, 40), (255, 255, 255)


def add_legend(
    image: np.ndarray, entries: Sequence[tuple[str, Color]], font_size: int
) -> np.ndarray:
    """Put a strip below a picture with a row or more of names and their colours.

    It is at most half as high as the picture; how many more names there are is told.

    Args:
        image (ndarray): RGB, uint8, (H, W, 3).
        entries (Sequence[tuple[str, tuple[int, int, int]]]): Names and colours.
        font_size (int): In pixels.

    Returns:
        ndarray: RGB, uint8, (H + strip, W, 3); the picture itself if there are no entries.
    """
    if not entries:
        return image
    height, width = image.shape[:2]
    line = round(1.6 * font_size)
    max_rows = max(1, (height // 2 - font_size) // line)
    rows = _break_rows(entries, width - font_size, font_size)
    if len(rows) > max_rows:
        rows = _shorten(rows, max_rows)
    strip = Image.new('RGB', (width, line * len(rows) + font_size // 2), _PAPER)
    draw = ImageDraw.Draw(strip)
    for number, row in enumerate(rows):
        x, y = font_size // 2, font_size // 4 + line * number + line // 2
        for name, color in row:
            x += _draw_entry(draw, (x, y), name, color, font_size)
    return np.concatenate([image, np.asarray(strip)])


def _draw_entry(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], name: str, color: Color | None,
    font_size: int,
) -> int:
    x, y = place
    half = font_size // 2
    if color is not None:
        draw.rounded_rectangle(
            (x, y - half, x + 2 * half, y + half), radius=font_size // 5, fill=color,
            outline=_INK)
    draw.text((x + 1.4 * font_size * (color is not None), y), name, font=load_font(font_size),
              fill=_INK, anchor='lm')
    return _entry_width(name, font_size)


def _entry_width(name: str, font_size: int) -> int:
    return round(load_font(font_size).getlength(name) + 2.4 * font_size)


def _break_rows(
    entries: Sequence[tuple[str, Color]], width: int, font_size: int
) -> list[list[tuple[str, Color | None]]]:
    rows, left = [[]], width
    for name, color in entries:
        name = _fit(name, width, font_size)
        needed = _entry_width(name, font_size)
        if rows[-1] and needed - font_size > left:  # the space behind the last may be cut
            rows.append([])
            left = width
        rows[-1].append((name, color))
        left -= needed
    return rows


def _fit(name: str, width: int, font_size: int) -> str:
    if _entry_width(name, font_size) - font_size <= width:
        return name
    while len(name) > 1 and _entry_width(f'{name}…', font_size) - font_size > width:
        name = name[:-1]
    return f'{name}…'


def _shorten(rows: list[list], count: int) -> list[list]:
    kept, more = rows[:count], sum(map(len, rows[count - 1:]))
    return [*kept[:-1], [(f'and {more} more', None)]]
