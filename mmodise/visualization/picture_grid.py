"""Pictures in rows and columns, with titles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from .labels import load_font


def picture_grid(
    rows: Sequence[Sequence[np.ndarray]], titles: Sequence[str], note: str = '', gap: int = 12
) -> np.ndarray:
    """Lay out pictures on white, with a title over each column.

    Args:
        rows (Sequence[Sequence[ndarray]]): RGB pictures, uint8, all of one size (H, W, 3); as many
            a row as there are titles.
        titles (Sequence[str]): One a column.
        note (str): Written under the pictures. Defaults to none.
        gap (int): Space between the pictures and around them, in pixels. Defaults to 12.

    Returns:
        ndarray: RGB, uint8.
    """
    height, width = rows[0][0].shape[:2]
    font, small = load_font(max(14, height // 18)), load_font(max(12, height // 24))
    top = font.size + 2 * gap
    bottom = small.size + 2 * gap if note else gap
    sheet = Image.new(
        'RGB', (gap + len(titles) * (width + gap), top + len(rows) * (height + gap) - gap + bottom),
        'white')
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        left = gap + column * (width + gap)
        draw.text((left + width // 2, top // 2), title, font=font, fill='black', anchor='mm')
        for row, pictures in enumerate(rows):
            sheet.paste(Image.fromarray(pictures[column]), (left, top + row * (height + gap)))
    draw.text((gap, sheet.height - bottom // 2), note, font=small, fill='dimgray', anchor='lm')
    return np.asarray(sheet)
