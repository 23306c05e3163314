"""A picture of some samples of data sets that were checked: are the masks where they should be?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
from mmdet.evaluation import INSTANCE_OFFSET
from PIL import Image, ImageDraw, ImageOps

from ..datasets.check.report import Report
from ..datasets.check.samples import Sample
from ..datasets.panoptic.findings import Findings
from ..datasets.panoptic.segments import read_segments
from .labels import load_font
from .picture_grid import picture_grid
from .segments import enlarge, paint_segments

_TILE, _COLUMNS = 480, 3


def draw_samples(report: Report, count: int = 6) -> np.ndarray | None:
    """Paint the segments of some samples of the report over their images, with names.

    They are taken at equal distances from the samples without an error, of all data sets. What is
    void, or of a category that is no class, is dark grey.

    Args:
        report (Report): Of the check.
        count (int): Number of samples. Defaults to 6.

    Returns:
        ndarray | None: RGB, uint8; None if no sample has segments.
    """
    usable = [(sample, names) for samples, names in report.usable for sample in samples]
    if not usable:
        return None
    chosen = sorted(set(np.linspace(0, len(usable) - 1, count).astype(int).tolist()))
    tiles = [_paint(*usable[i]) for i in chosen]
    columns = min(_COLUMNS, len(tiles))
    blank = np.full_like(tiles[0], 255)
    tiles += [blank] * (-len(tiles) % columns)
    rows = [tiles[i:i + columns] for i in range(0, len(tiles), columns)]
    return picture_grid(rows, [''] * columns, 'Dark grey: void')


def _paint(sample: Sample, names: Mapping[Hashable, str]) -> np.ndarray:
    segments = read_segments(
        sample.map_path, sample.infos, Findings(sample.map_path),
        backend_args=sample.backend_args)
    with Image.open(sample.image_path) as image:
        pixels = np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    keys = [info['category_id'] for info in segments.infos]
    # a class has one colour in all pictures, unless there are more than mmdet can number
    order = list(names) if len(names) < INSTANCE_OFFSET else [key for key in names if key in keys]
    values = [order.index(key) + INSTANCE_OFFSET * number if key in names else len(order)
              for number, key in enumerate(keys, start=1)]
    pixels, painted = enlarge(pixels, segments.paint(values, len(order)), _TILE)
    picture = paint_segments(pixels, painted, [names[key] for key in order])
    return _tile(picture, sample.entry)


def _tile(picture: np.ndarray, title: str) -> np.ndarray:
    """A picture in a square, and what it is of."""
    font = load_font(16)
    tile = Image.new('RGB', (_TILE, _TILE + 28), 'white')
    fitted = ImageOps.contain(Image.fromarray(picture), (_TILE, _TILE))
    tile.paste(fitted, ((_TILE - fitted.width) // 2, (_TILE - fitted.height) // 2))
    ImageDraw.Draw(tile).text((_TILE // 2, _TILE + 14), _shortened(title), font=font, fill='black',
                              anchor='mm')
    return np.asarray(tile)


def _shortened(title: str, length: int = 48) -> str:
    return title if len(title) <= length else f'...{title[-length + 3:]}'
