"""The pictures with the worst predictions, beside their truth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ...datasets.panoptic import thing_classes
from ...datasets.pictures import read_picture
from ...visualization import draw_panoptic, enlarge, picture_grid
from .replay import PictureFigures, Replay

_SIDE = 480  # of a picture, in pixels
_PAGE_WIDTH = 1100
_TITLES = 'Picture', 'Truth', 'Prediction'


class _Drawn(NamedTuple):
    id: int
    name: str
    is_thing: bool


def draw_worst(replay: Replay, worst: Sequence[PictureFigures], key: str, folder: Path) -> None:
    """Draw pictures with their truth and their prediction, one file each, and all on one page.

    The files are ``NN_NAME.png`` and ``page.png``; such files of an earlier analysis are removed.

    Args:
        replay (Replay): With the pictures.
        worst (Sequence[PictureFigures]): Those that are drawn.
        key (str): The figure that they are sorted by.
        folder (Path): Where to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob('*.png'):
        if re.match(r'\d\d+_|page\.png', old.name):
            old.unlink()
    rows = []
    for rank, picture in enumerate(worst, start=1):
        row = draw_row(replay, picture, key)
        Image.fromarray(row).save(folder / f'{rank:02}_{Path(picture.path).stem}.png')
        row = _shrink(row, _PAGE_WIDTH)
        rows.append(_pad(row, len(row), _PAGE_WIDTH))
    if rows:
        Image.fromarray(np.concatenate(rows)).save(folder / 'page.png')


def draw_row(replay: Replay, picture: PictureFigures, key: str) -> np.ndarray:
    """A picture, its truth and its prediction side by side, RGB, with its figures below.

    Args:
        replay (Replay): With the picture.
        picture (PictureFigures): What its prediction is worth.
        key (str): The main figure.
    """
    sample = replay.read(picture.place)
    image = np.ascontiguousarray(read_picture(picture.path)[..., ::-1])
    truth, predicted = segments_of(replay, sample)
    panels = [enlarge(image, truth[0], _SIDE)[0], _draw(image, *truth), _draw(image, *predicted)]
    panels = [_shrink(panel, 2 * _SIDE) for panel in panels]
    height = max(len(panel) for panel in panels)
    padded = [_pad(panel, height, panel.shape[1]) for panel in panels]
    note = f'{Path(picture.path).name}: {replay.called(key)} {picture.figures[key]:.1f}'
    if 'right' in picture.figures:
        counts = (f'{picture.figures[name]} {name}' for name in ('right', 'wrong', 'missed'))
        note += f' (segments: {", ".join(counts)})'
    if replay.metainfo.get('novel_classes'):
        note += '; * not seen in training'
    return picture_grid([padded], _TITLES, note)


def segments_of(
    replay: Replay, sample: dict
) -> tuple[tuple[np.ndarray, list[_Drawn]], tuple[np.ndarray, list[_Drawn]]]:
    """Numbers of segments, (H, W), 0 where there is none, and the segments: true and predicted."""
    metainfo = replay.metainfo
    novel, num_things = set(metainfo.get('novel_classes') or ()), len(thing_classes(metainfo))
    names = [f'{name} *' if name in novel else name for name in metainfo['classes']]

    def drawn(labels: Sequence[int]) -> list[_Drawn]:
        return [_Drawn(number, names[label], label < num_things)
                for number, label in enumerate(labels, start=1)]

    if replay.panoptic is not None:
        truth = replay.panoptic.read_truth(sample)
        predicted = replay.panoptic.read_prediction(sample)
        return ((truth.numbers, drawn([info['label'] for info in truth.infos])),
                (predicted.numbers, drawn(predicted.labels)))
    labels = sample['pred_sem_seg']['sem_seg'][0].numpy()
    maps = replay.semantic.read_labels(sample, labels.shape).numpy(), labels
    found = [_number_labels(each, len(names)) for each in maps]
    return tuple((numbers, drawn(present)) for numbers, present in found)


def _number_labels(labels: np.ndarray, void: int) -> tuple[np.ndarray, list[int]]:
    """The classes of a map numbered from 1, and which they are; 0 is void."""
    values, places = np.unique(labels, return_inverse=True)
    present = values < void
    numbers = (present.cumsum() * present)[places].reshape(labels.shape)
    return numbers, values[present].tolist()


def _draw(image: np.ndarray, numbers: np.ndarray, segments: Sequence[_Drawn]) -> np.ndarray:
    image, numbers = enlarge(image, numbers, _SIDE)
    return draw_panoptic(image, numbers, segments)


def _shrink(picture: np.ndarray, width: int) -> np.ndarray:
    """A picture that is no wider."""
    if picture.shape[1] <= width:
        return picture
    height = max(1, round(len(picture) * width / picture.shape[1]))
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def _pad(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture on white, in the upper left."""
    rows, columns = height - len(picture), width - picture.shape[1]
    return np.pad(picture, ((0, rows), (0, columns), (0, 0)), constant_values=255)
