"""Names written into segments, where there is room for them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]
Size = tuple[int, int]


@cache
def load_font(size: int) -> ImageFont.FreeTypeFont:
    """The font that matplotlib brings; it has accents, Greek and Cyrillic."""
    path = Path(matplotlib.get_data_path(), 'fonts/ttf/DejaVuSans.ttf')
    return ImageFont.truetype(str(path), size)


def draw_labels(
    image: np.ndarray, masks: Sequence[np.ndarray], names: Sequence[str], colors: Sequence[Color]
) -> np.ndarray:
    """Write the name of each segment into it, on a dark plate with a rim of the segment's colour.

    Args:
        image (ndarray): RGB, uint8, (H, W, 3).
        masks (Sequence[ndarray]): The segments, bool, (H, W) each, none of them empty.
        names (Sequence[str]): One a mask.
        colors (Sequence[tuple[int, int, int]]): RGB, one a mask.

    Returns:
        ndarray: RGB, uint8, (H, W, 3).
    """
    font = load_font(max(11, min(image.shape[:2]) // 30))
    margin = font.size // 4
    boxes = [font.getbbox(name) for name in names]  # left, top, right, bottom
    sizes = [(right - left + 2 * margin, bottom - top + 2 * margin)
             for left, top, right, bottom in boxes]
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture, 'RGBA')
    corners = place_labels(masks, sizes)
    for (x, y), (w, h), box, name, color in zip(corners, sizes, boxes, names, colors, strict=True):
        draw.rounded_rectangle(
            (x, y, x + w, y + h), radius=margin, fill=(0, 0, 0, 170), outline=color)
        draw.text((x + margin - box[0], y + margin - box[1]), name, font=font, fill='white')
    return np.asarray(picture)


def place_labels(masks: Sequence[np.ndarray], sizes: Sequence[Size]) -> list[tuple[int, int]]:
    """Find a place for the label of each mask: inside it, apart from the other labels.

    Args:
        masks (Sequence[ndarray]): bool, (H, W) each, none of them empty.
        sizes (Sequence[tuple[int, int]]): Width and height of each label in pixels.

    Returns:
        list[tuple[int, int]]: The upper left corner of each label, (x, y), inside the image as far
        as the label is not larger than the image.
    """
    corners = [(0, 0)] * len(masks)
    if not len(masks):
        return corners
    taken = np.zeros(masks[0].shape, np.float32)
    # Small segments choose first: a large one has room elsewhere.
    for index in sorted(range(len(masks)), key=lambda i: masks[i].sum()):
        width, height = sizes[index]
        x, y = corners[index] = _best_corner(masks[index], taken, (width, height))
        taken[y:y + height, x:x + width] = 1
    return corners


def _best_corner(mask: np.ndarray, taken: np.ndarray, size: Size) -> tuple[int, int]:
    """Where most of the label is on the mask, little on other labels, and deep inside."""
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    fit = _share(mask.astype(np.float32), size) - 3 * _share(taken, size) + depth / depth.max()
    (left, right), (top, bottom) = (
        _centres(extent, of_label) for extent, of_label in zip(mask.shape[::-1], size, strict=True)
    )
    room = fit[top:bottom, left:right]
    y, x = np.unravel_index(room.argmax(), room.shape)
    return (max(int(x) + left - size[0] // 2, 0), max(int(y) + top - size[1] // 2, 0))


def _share(area: np.ndarray, size: Size) -> np.ndarray:
    """The share of a label, centred at each pixel, that lies on an area."""
    return cv2.blur(area, size, borderType=cv2.BORDER_CONSTANT)


def _centres(extent: int, of_label: int) -> tuple[int, int]:
    """Range of centres, end excluded, that keep a label in the image; the middle if none does."""
    first, last = of_label // 2, extent - (of_label - of_label // 2)
    return (first, last + 1) if first <= last else (extent // 2, extent // 2 + 1)
