"""COCO-Stuff 164k: 171 labels without gaps."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from ..transforms.load_semantic_map import map_labels
from .class_maps import check_shape, read_numbers
from .preparation import (
    Prepared,
    classes_text,
    evaluation_advice,
    find,
    place,
    run_jobs,
    write_map,
    write_text,
)

_SPLITS = ('train2017', 'val2017')
_FOLDER = 'stuffthingmaps_detectron2'


def prepare_coco_stuff(
    source: Path, out: Path | None = None, split: str | None = None, workers: int = 1
) -> Prepared:
    """Write maps whose values are labels from 0 to 170, and 255 for void.

    Args:
        source (Path): The folder with ``stuffthingmaps/{train2017,val2017}`` and, beside it, the
            pictures of COCO in ``train2017`` and ``val2017``.
        out (Path, optional): Gets ``stuffthingmaps_detectron2``. Defaults to None, the source.
        split (str, optional): One of the two splits. Defaults to None, those that are there.
        workers (int): Processes. Defaults to 1.

    Raises:
        FileNotFoundError: If the maps are not there.
        AnnotationError: If maps are no maps of COCO-Stuff, or not of their pictures' sizes.
    """
    from ..benchmarks.coco_stuff import VALUES, COCOStuffDataset
    label_map = {**{value: label for label, value in enumerate(VALUES)}, 255: 255}
    source, out = Path(source), Path(out or source)
    maps = find(source / 'stuffthingmaps', source / 'annotations', what='stuffthingmaps')
    splits = [split] if split else [name for name in _SPLITS if (maps / name).is_dir()]
    jobs = [(path, find_picture(source, name, path), out / _FOLDER / name / path.name)
            for name in splits for path in _maps(maps / name)]
    if not jobs:
        raise FileNotFoundError(f'{maps} has none of the folders {", ".join(_SPLITS)} with maps.')
    new = sum(run_jobs(partial(_write, label_map=label_map), jobs, workers))
    new += write_text(classes_text(COCOStuffDataset.METAINFO['classes']),
                      out / _FOLDER / 'classes.txt')
    counts = {name: sum(job[2].parent.name == name for job in jobs) for name in splits}
    return Prepared(out / _FOLDER, counts, new, advice=evaluation_advice())


def _maps(folder: Path) -> list[Path]:
    paths = sorted(folder.glob('*.png'))
    if not paths:
        raise FileNotFoundError(f'{folder}/*.png are not there. Was the archive unpacked wholly?')
    return [path for path in paths if not path.stem.endswith('_labelTrainIds')]  # of mmseg's tool


def find_picture(source: Path, split: str, path: Path) -> Path:
    """The picture of a map, in one of the places where people have COCO's."""
    return find(source / split / f'{path.stem}.jpg', source / 'images' / split / f'{path.stem}.jpg',
                what=f'The picture of {path}')


def _write(job: tuple[Path, Path, Path], label_map: dict[int, int]) -> bool:
    source, picture, target = job
    numbers = read_numbers(str(source))
    with Image.open(picture) as image:
        check_shape(numbers, image.size[::-1], str(source))
    place(picture, target.parents[2] / target.parent.name / picture.name)
    return write_map(map_labels(numbers, label_map, str(source)).astype(np.uint8), target)
