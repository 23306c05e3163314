"""Cityscapes as the field evaluates on it: panoptic annotations, and maps of train ids."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from ...utils.masks import bounding_box
from .annotated import AnnotationError
from .cityscapes import STEP, STUFF, THINGS
from .class_maps import check_shape, read_numbers
from .preparation import (
    Prepared,
    check_labels,
    evaluation_advice,
    find,
    is_whole,
    place,
    refuse_missing,
    run_jobs,
    write_map,
    write_text,
)

_SPLITS = ('train', 'val')
_INSTANCES, _VOID, _NUM_IDS = '_gtFine_instanceIds.png', 255, 34
_TRAIN_IDS = {value: place for place, value in enumerate(sorted({**THINGS, **STUFF}))}


def prepare_cityscapes(
    source: Path, out: Path | None = None, split: str | None = None, workers: int = 1
) -> Prepared:
    """Write what cityscapesScripts' ``createPanopticImgs`` and ``createTrainIdLabelImgs`` write.

    In the panoptic annotations, segments have the value of the map of instances as their id; groups
    are crowds; classes that are not evaluated are void. A panoptic file that is there, of the same
    images, is kept.

    Args:
        source (Path): The folder with ``leftImg8bit`` and ``gtFine``.
        out (Path, optional): Gets ``gtFine``. Defaults to None, the source.
        split (str, optional): 'train' or 'val'. Defaults to None, those that are there; 'test' has
            no truth.
        workers (int): Processes. Defaults to 1.

    Raises:
        FileNotFoundError: If maps or pictures are not there.
        AnnotationError: If a map is of another size than its picture, or has unknown values.
    """
    source = Path(source)
    truth, pictures = (find(source / name, what=f'The folder {name} of Cityscapes')
                       for name in ('gtFine', 'leftImg8bit'))
    target = Path(out or source) / 'gtFine'
    splits = [split] if split else [name for name in _SPLITS if (truth / name).is_dir()]
    counts, new = {}, 0
    for name in splits:
        stems = sorted(path.relative_to(truth).as_posix().removesuffix(_INSTANCES)
                       for path in (truth / name).glob(f'*/*{_INSTANCES}'))
        if not stems:
            raise FileNotFoundError(f'{truth / name}/CITY/*{_INSTANCES} are not there. Was the '
                                    'archive unpacked wholly?')
        refuse_missing([truth / f'{stem}_gtFine_labelIds.png' for stem in stems], 'maps')
        refuse_missing([pictures / f'{stem}_leftImg8bit.png' for stem in stems], 'pictures')
        folder = target / f'cityscapes_panoptic_{name}'
        written = run_jobs(_convert, [(truth, pictures, target, folder, stem) for stem in stems],
                           workers, f'Cityscapes {name}')
        counts[name], new = len(stems), new + sum(count for _, _, count in written)
        new += _write_file(folder.with_suffix('.json'), written)
    return Prepared(target, counts, new, advice=evaluation_advice())


def _convert(job: tuple[Path, Path, Path, Path, str]) -> tuple[dict, dict, int]:
    """Write the maps of an image; its entries in the panoptic file, and how many were written."""
    truth, pictures, target, folder, stem = job
    labels_path, instances_path = (truth / f'{stem}_gtFine_{kind}Ids.png'
                                   for kind in ('label', 'instance'))
    labels, instances = read_numbers(str(labels_path)), read_numbers(str(instances_path))
    path = pictures / f'{stem}_leftImg8bit.png'
    with Image.open(path) as picture:
        width, height = picture.size
    place(path, target.parent / 'leftImg8bit' / path.relative_to(pictures))
    for numbers, path in ((labels, labels_path), (instances, instances_path)):
        check_shape(numbers, (height, width), str(path))
    check_labels(labels, {*range(_NUM_IDS), _VOID}, labels_path, 'ids from 0 to 33')
    train_ids = np.full(256, _VOID, np.uint8)
    train_ids[list(_TRAIN_IDS)] = list(_TRAIN_IDS.values())
    infos = [info for value in np.unique(instances).tolist()
             if (info := _segment(value, instances == value))]
    shown = np.where(np.isin(instances, [info['id'] for info in infos]), instances, 0)
    colours = np.stack([shown % 256, shown // 256, np.zeros_like(shown)], -1).astype(np.uint8)
    key = stem.rpartition('/')[2]
    name = f'{key}_gtFine_panoptic.png'
    new = write_map(train_ids[labels], target / f'{stem}_gtFine_labelTrainIds.png')
    refuse_other_map(colours, folder / name, instances_path)
    new += write_map(colours, folder / name)
    image = dict(id=key, width=width, height=height, file_name=f'{key}_gtFine_leftImg8bit.png')
    return image, dict(image_id=key, file_name=name, segments_info=infos), new


def refuse_other_map(colours: np.ndarray, path: Path, source: Path) -> None:
    """Refuse to overwrite a whole map, (H, W, 3), of other segments.

    Raises:
        AnnotationError: If there is one.
    """
    if is_whole(path):
        with Image.open(path) as image:
            if not np.array_equal(np.asarray(image.convert('RGB')), colours):
                raise AnnotationError(f'{path} is there, and is of other segments than {source}. '
                                      'Move it away, and the JSON file of its folder too.')


def _segment(value: int, mask: np.ndarray) -> dict | None:
    """The entry of a value of a map of instances; None if its class is not evaluated."""
    label = value // STEP if value >= STEP else value
    if label not in _TRAIN_IDS:
        return None
    return dict(id=value, category_id=label, area=int(mask.sum()), bbox=bounding_box(mask),
                iscrowd=int(value < STEP and label in THINGS))


def _write_file(path: Path, written: list[tuple[dict, dict, int]]) -> bool:
    categories = [dict(id=value, name=name, isthing=int(value in THINGS))
                  for value, name in sorted({**THINGS, **STUFF}.items())]
    content = dict(images=[image for image, _, _ in written],
                   annotations=[annotation for _, annotation, _ in written], categories=categories)
    there = _read_there(path)
    if there is None:
        return write_text(json.dumps(content), path)
    if there != _segments(content):
        raise AnnotationError(
            f'{path} is there and is not of the {len(written)} maps *{_INSTANCES} that are there '
            'now: it has other images or segments. Move it away, and the maps beside it too.')
    return False


def _read_there(path: Path) -> dict | None:
    """What a file that another tool wrote, or an earlier run, says; None if it is not whole."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return _segments(json.loads(path.read_text(encoding='utf-8')))
    return None


def _segments(content: dict) -> dict[str, set[tuple[int, int, int]]]:
    return {annotation['image_id']: {
        (info['id'], info['area'], info['iscrowd']) for info in annotation['segments_info']}
        for annotation in content['annotations']}
