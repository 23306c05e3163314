"""PASCAL VOC 2012: semantic with 20 and with 21 classes, and its objects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...utils.masks import count_values
from ..benchmarks.pascal_voc import OBJECTS
from ..panoptic import Findings
from .annotated import AnnotationError
from .instance_files import FoundObjects, number_objects, write_instances
from .masks import instance_entry
from .preparation import Prepared, evaluation_advice, look_at_pictures, run_jobs
from .prepared_files import (
    FOLDERS,
    check_labels,
    classes_text,
    find,
    list_files,
    place,
    present_splits,
    read_labels,
    read_lines,
    refuse_missing,
    write_classes,
    write_map,
)

_COMMAND = 'mim run mmodise prepare_pascal_voc'
_VOID = 255
_MAPS = {20: 'annotations_pascal20', 21: 'annotations_pascal21'}


class _Job(NamedTuple):
    picture: Path
    shape: tuple[int, int]
    labels: Path
    out: Path
    folder: str


def prepare_pascal_voc(
    source: Path, out: Path | None = None, split: str | None = None, workers: int = 1,
    augmented: bool = False,
) -> Prepared:
    """Write ``images`` and ``annotations_pascal{20,21}``, each ``{training,validation}``.

    With 21 classes values are VOC's: 0 background, 255 border. With 20 they are less 1, and the
    background is 255 too. Where ``SegmentationObject`` is there, its objects are written to
    ``pascal_voc_instance_{train,val}.json`` too, without their borders; category 1 is the
    aeroplane.

    Args:
        source (Path): The folder with ``VOCdevkit/VOC2012``, or one of these.
        out (Path, optional): Defaults to None, ``data/pascal_voc_d2``.
        split (str, optional): 'train' or 'val'. Defaults to None, both.
        workers (int): Processes. Defaults to 1.
        augmented (bool): Take ``SegmentationClassAug``, which has no borders and no objects, and
            all of its pictures that are not for validation for training. Defaults to False.

    Raises:
        FileNotFoundError: If lists, pictures or maps are not there.
        AnnotationError: If maps are not VOC's, or not of their pictures' sizes.
    """
    source, out = Path(source), Path(out or 'data/pascal_voc_d2')
    root = find(source / 'VOCdevkit/VOC2012', source / 'VOC2012', source / 'JPEGImages',
                what='VOC2012')
    root = root.parent if root.name == 'JPEGImages' else root
    maps = find(root / ('SegmentationClassAug' if augmented else 'SegmentationClass'), what='It')
    splits = present_splits(split, partial(_list_of, root), 'The list of the split')
    names = {name: _names(root, maps, name, augmented) for name in splits}
    if both := set(names.get('train', ())).intersection(names.get('val', ())):
        raise AnnotationError(f'{_list_of(root, "train")} and {_list_of(root, "val")} both name '
                              f'{len(both)} pictures, such as {min(both)}.')
    stems = {root / f'JPEGImages/{stem}.jpg': name for name in splits for stem in names[name]}
    refuse_missing([maps / f'{path.stem}.png' for path in stems], 'maps')
    findings = Findings(str(root))
    shapes = look_at_pictures(stems, findings, workers)
    jobs = [_Job(path, shapes[path], maps / f'{path.stem}.png', out, FOLDERS[name])
            for path, name in stems.items()]
    new = sum(run_jobs(_write, jobs, workers))
    if not augmented and (root / 'SegmentationObject').is_dir():
        new += sum(_write_objects([job for job in jobs if job.folder == FOLDERS[name]],
                                  out / f'pascal_voc_instance_{name}.json', findings, workers)
                   for name in splits)
    for number, classes in ((20, OBJECTS), (21, ('background', *OBJECTS))):
        new += write_classes(classes_text(classes), out / _MAPS[number])
    return Prepared(out, {name: len(names[name]) for name in splits}, new, list(findings),
                    evaluation_advice())


def _names(root: Path, maps: Path, split: str, augmented: bool) -> list[str]:
    listed = _listed(root, split)
    if augmented and split == 'train':
        held_out = set(_listed(root, 'val'))
        return [path.stem for path in list_files(maps) if path.stem not in held_out]
    return listed


def _list_of(root: Path, split: str) -> Path:
    return root / f'ImageSets/Segmentation/{split}.txt'


def _listed(root: Path, split: str) -> list[str]:
    path = find(_list_of(root, split), what='The list of the split')
    names = read_lines(path)
    if not names or len(set(names)) < len(names):
        raise AnnotationError(f'{path} names {"a picture twice" if names else "no picture"}. '
                              'Expected one name a line.')
    return names


def _write(job: _Job) -> int:
    labels = read_labels(job.labels, job.picture, job.shape)
    check_labels(labels, {*range(len(OBJECTS) + 1), _VOID}, job.labels,
                 'indices from 0 to 20, and 255; a map of colours must be an indexed PNG')
    labels = labels.astype(np.uint8)
    objects = np.where(labels == 0, _VOID, labels - 1)
    objects[labels == _VOID] = _VOID
    new = place(job.picture, job.out / 'images' / job.folder / job.picture.name)
    for number, content in ((21, labels), (20, objects.astype(np.uint8))):
        new += write_map(content, job.out / _MAPS[number] / job.folder / job.labels.name)
    return new


def _write_objects(
    jobs: Sequence[_Job], path: Path, findings: Findings, workers: int
) -> bool:
    refuse_missing([_objects_of(job) for job in jobs], 'maps of objects')
    done = run_jobs(_find_objects, jobs, workers, f'Objects ({jobs[0].folder})')
    for _, part in done:
        findings.merge(part)
    found = [objects for objects, _ in done]
    categories = [dict(id=number, name=name) for number, name in enumerate(OBJECTS, 1)]
    return write_instances(
        path, _COMMAND, [each.image for each in found], number_objects(found), categories)


def _objects_of(job: _Job) -> Path:
    return job.labels.parents[1] / 'SegmentationObject' / job.labels.name


def _find_objects(job: _Job) -> tuple[FoundObjects, Findings]:
    """The objects of a picture; the class of each is the one that has most of its pixels."""
    path = _objects_of(job)
    numbers, labels = (read_labels(each, job.picture, job.shape) for each in (path, job.labels))
    objects, findings = [], Findings(str(path))
    for number in sorted({*count_values(numbers)}.difference({0, _VOID})):
        mask = numbers == number
        counts = count_values(labels[mask])
        known = {label: counts[label] for label in counts if 0 < label < _VOID}
        if not known:
            raise AnnotationError(f'{path}: the object {number} has no pixel of a class in '
                                  f'{job.labels}.')
        if len(counts) > 1:
            findings.warning('objects with pixels of several classes', f'{path}: {number}',
                             'Each is of the class that most of its pixels have.')
        objects.append(instance_entry(mask, max(known, key=known.get)))
    height, width = job.shape
    image = dict(id=job.picture.stem, file_name=job.picture.name, width=width, height=height)
    return FoundObjects(image, objects), findings
