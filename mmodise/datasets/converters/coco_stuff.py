"""COCO-Stuff 164k: 171 labels without gaps."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from ..panoptic import Findings
from ..transforms.load_semantic_map import map_labels
from .preparation import Prepared, evaluation_advice, look_at_pictures, run_jobs
from .prepared_files import (
    classes_text,
    find,
    list_files,
    place,
    read_labels,
    tell_unpaired,
    write_classes,
    write_map,
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
    pairs = [(path, find_picture(source, name, path)) for name in splits
             for path in _maps(maps / name)]
    if not pairs:
        raise FileNotFoundError(f'{maps} has none of the folders {", ".join(_SPLITS)} with maps.')
    findings = Findings(str(maps))
    for folder in dict.fromkeys(picture.parent for _, picture in pairs):
        tell_unpaired((path.stem for path in list_files(folder, ('.jpg', ))),
                      {path.stem for path, _ in pairs}, f'pictures of {folder} without a map',
                      findings)
    shapes = look_at_pictures((picture for _, picture in pairs), findings, workers)
    jobs = [(path, picture, shapes[picture], out / _FOLDER / path.parent.name / path.name)
            for path, picture in pairs]
    new = sum(run_jobs(partial(_write, label_map=label_map), jobs, workers))
    new += write_classes(classes_text(COCOStuffDataset.METAINFO['classes']), out / _FOLDER)
    counts = {name: sum(path.parent.name == name for path, _ in pairs) for name in splits}
    return Prepared(out / _FOLDER, counts, new, list(findings), evaluation_advice())


def _maps(folder: Path) -> list[Path]:
    paths = list_files(folder)
    if not paths:
        raise FileNotFoundError(f'{folder}/*.png are not there. Was the archive unpacked wholly?')
    return [path for path in paths if not path.stem.endswith('_labelTrainIds')]  # of mmseg's tool


def find_picture(source: Path, split: str, path: Path) -> Path:
    """The picture of a map, in one of the places where people have COCO's."""
    return find(source / split / f'{path.stem}.jpg', source / 'images' / split / f'{path.stem}.jpg',
                what=f'The picture of {path}')


def _write(
    job: tuple[Path, Path, tuple[int, int], Path], label_map: dict[int, int]
) -> bool:
    source, picture, shape, target = job
    numbers = read_labels(source, picture, shape)
    place(picture, target.parents[2] / target.parent.name / picture.name)
    return write_map(map_labels(numbers, label_map, str(source)).astype(np.uint8), target)
