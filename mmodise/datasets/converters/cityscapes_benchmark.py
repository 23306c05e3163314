"""Cityscapes as the field evaluates on it: panoptic annotations, and maps of train ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..panoptic import Findings
from ..panoptic.annotation_file import read_json
from ..panoptic.segments import measure_values
from .annotated import AnnotationError
from .cityscapes import STEP, STUFF, THINGS
from .preparation import Prepared, evaluation_advice, look_at_pictures, run_jobs
from .prepared_files import (
    check_labels,
    find,
    list_files,
    place,
    read_labels,
    refuse_missing,
    tell_unpaired,
    write_map,
    write_text,
)

_SPLITS = ('train', 'val')
_INSTANCES, _PICTURE = '_gtFine_instanceIds.png', '_leftImg8bit.png'
_VOID, _NUM_IDS = 255, 34
_TRAIN_IDS = {value: place for place, value in enumerate(sorted({**THINGS, **STUFF}))}


class _Job(NamedTuple):
    picture: Path
    shape: tuple[int, int]
    truth: Path  # where the maps of the image are, up to their endings
    target: Path
    panoptic: Path


def prepare_cityscapes(
    source: Path, out: Path | None = None, split: str | None = None, workers: int = 1
) -> Prepared:
    """Write what cityscapesScripts' ``createPanopticImgs`` and ``createTrainIdLabelImgs`` write.

    In the panoptic annotations, segments have the value of the map of instances as their id; groups
    are crowds; classes that are not evaluated are void. A panoptic file that is there, of the same
    images, is kept. Pictures and maps are linked where they are not there.

    Args:
        source (Path): The folder with ``leftImg8bit`` and ``gtFine``, or these in the folders of
            their archives, ``leftImg8bit_trainvaltest`` and ``gtFine_trainvaltest``.
        out (Path, optional): Gets ``gtFine`` and ``leftImg8bit``. Defaults to None, the source.
        split (str, optional): 'train' or 'val'. Defaults to None, those that are there; 'test' has
            no truth.
        workers (int): Processes. Defaults to 1.

    Raises:
        FileNotFoundError: If maps or pictures are not there.
        AnnotationError: If a map is of another size than its picture, or has unknown values.
    """
    source, out = Path(source), Path(out or source)
    truth, pictures = (
        find(source / name, source / f'{name}_trainvaltest' / name,
             what=f'The folder {name} of Cityscapes') for name in ('gtFine', 'leftImg8bit'))
    splits = [split] if split else [name for name in _SPLITS if (truth / name).is_dir()]
    counts, new, findings = {}, 0, Findings(str(truth))
    for name in splits:
        stems = _find_stems(truth, pictures, name, findings)
        shapes = look_at_pictures([pictures / f'{stem}{_PICTURE}' for stem in stems], findings,
                                  workers, f'Pictures ({name})')
        folder = out / f'gtFine/cityscapes_panoptic_{name}'
        jobs = [_Job(path, shape, truth / stem, out / 'gtFine' / stem, folder)
                for stem, (path, shape) in zip(stems, shapes.items(), strict=True)]
        written = run_jobs(_convert, jobs, workers, f'Cityscapes {name}')
        new += sum(count for _, _, count in written) + _write_file(
            folder.with_suffix('.json'), written)
        new += sum(place(job.picture, out / 'leftImg8bit' / f'{stem}{_PICTURE}')
                   for job, stem in zip(jobs, stems, strict=True))
        counts[name] = len(stems)
    return Prepared(out, counts, new, list(findings), evaluation_advice())


def _find_stems(truth: Path, pictures: Path, split: str, findings: Findings) -> list[str]:
    """What the maps of a split are called, up to their endings, from ``truth`` on."""
    stems = [path.relative_to(truth).as_posix().removesuffix(_INSTANCES)
             for path in list_files(truth / split, (_INSTANCES, ), recursive=True)]
    if not stems:
        raise FileNotFoundError(f'{truth / split}/CITY/*{_INSTANCES} are not there. Was the '
                                'archive unpacked wholly?')
    refuse_missing([truth / f'{stem}_gtFine_labelIds.png' for stem in stems], 'maps')
    there = list_files(pictures / split, (_PICTURE, ), recursive=True)
    tell_unpaired((path.relative_to(pictures).as_posix().removesuffix(_PICTURE) for path in there),
                  stems, f'pictures without a map of instances ({split})', findings)
    return stems


def _convert(job: _Job) -> tuple[dict, dict, int]:
    """Write the maps of an image; its entries in the panoptic file, and how many were written."""
    paths = [job.truth.with_name(f'{job.truth.name}_gtFine_{kind}Ids.png')
             for kind in ('label', 'instance')]
    labels, instances = (read_labels(path, job.picture, job.shape) for path in paths)
    check_labels(labels, {*range(_NUM_IDS), _VOID}, paths[0], 'ids from 0 to 33')
    classes = np.where(instances < STEP, instances, instances // STEP)
    if other := int(np.count_nonzero((classes != labels) & (labels != _VOID))):
        raise AnnotationError(f'{paths[1]}: {other} pixels are of other classes than in '
                              f'{paths[0]}. Are both of the same picture?')
    train_ids = np.full(256, _VOID, np.uint8)
    train_ids[list(_TRAIN_IDS)] = list(_TRAIN_IDS.values())
    train_map = train_ids[labels]
    shown = np.where(train_map == _VOID, 0, instances)
    infos = [_segment(value, *found) for value, found in measure_values(shown).items() if value]
    colours = np.stack([shown & 255, shown >> 8, np.zeros_like(shown)], -1).astype(np.uint8)
    key = job.target.name
    name = f'{key}_gtFine_panoptic.png'
    new = sum(place(path, job.target.with_name(path.name)) for path in paths)
    new += write_map(train_map, job.target.with_name(f'{key}_gtFine_labelTrainIds.png'))
    new += write_map(colours, job.panoptic / name)
    image = dict(id=key, width=job.shape[1], height=job.shape[0],
                 file_name=f'{key}_gtFine_leftImg8bit.png')
    return image, dict(image_id=key, file_name=name, segments_info=infos), new


def _segment(value: int, area: int, box: list[int]) -> dict:
    """The entry of a value of a map of instances, of a class that is evaluated."""
    label = value // STEP if value >= STEP else value
    return dict(id=value, category_id=label, area=area, bbox=box,
                iscrowd=int(value < STEP and label in THINGS))


def _write_file(path: Path, written: list[tuple[dict, dict, int]]) -> bool:
    categories = [dict(id=value, name=name, isthing=int(value in THINGS))
                  for value, name in sorted({**THINGS, **STUFF}.items())]
    content = dict(images=[image for image, _, _ in written],
                   annotations=[annotation for _, annotation, _ in written], categories=categories)
    if not path.exists():
        return write_text(json.dumps(content), path)
    try:
        is_same = _segments(read_json(str(path))) == _segments(content)
    except (KeyError, TypeError):
        is_same = False
    if not is_same:
        raise AnnotationError(
            f'{path} is there and is not of the {len(written)} maps *{_INSTANCES} that are there '
            'now: it has other images or segments. Move it away, and the maps beside it too.')
    return False


def _segments(content: dict) -> dict[str, set[tuple]]:
    """Of each image: id, name, area and whether it is a crowd, of each segment."""
    names = {category['id']: category['name'] for category in content['categories']}
    return {annotation['image_id']: {
        (info['id'], names[info['category_id']], info['area'], info['iscrowd'])
        for info in annotation['segments_info']} for annotation in content['annotations']}
