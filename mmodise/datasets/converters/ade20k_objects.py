"""ADE20K's full set: whole objects and their parts, as COCO's instance annotations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...utils import WholeFileBackend
from ..benchmarks.ade20k_full import ADE20K_847
from ..panoptic.annotation_file import read_json
from .annotated import AnnotationError
from .instance_files import write_instances
from .masks import instance_entry
from .preparation import run_jobs
from .prepared_files import check_labels, read_labels

_SEEN, _HIDDEN = 255, 128


class ObjectsJob(NamedTuple):
    """A picture whose objects are looked for.

    Attributes:
        picture (Path): In the data set, beside its maps.
        name (str): Its ``file_name``.
        shape (tuple[int, int]): Height and width.
        target (Path): A JSON file that gets its objects.
    """

    picture: Path
    name: str
    shape: tuple[int, int]
    target: Path


def write_objects(
    jobs: Sequence[ObjectsJob], wholes: Path, parts: Path, command: str, workers: int = 1
) -> int:
    """Write whole objects and parts, each into a COCO instance file.

    They are those of the pictures' JSON files. Masks are what is seen of each; what is hidden
    altogether is left out.

    Categories are the 847 classes and what else has an object; their ids are the data set's
    numbers. A part has ``part_level``, 1 or, for a part of a part, more, and ``part_of``, the
    id of what it is on, in either file, for no two of them have one id.

    Args:
        jobs (Sequence[ObjectsJob]): The pictures.
        wholes (Path): Gets whole objects.
        parts (Path): Gets parts.
        command (str): What makes the files, which name it.
        workers (int): Processes. Defaults to 1.

    Returns:
        int: Files that were not there with this content.

    Raises:
        AnnotationError: If JSON files or masks are not the data set's.
    """
    done = run_jobs(_find_objects, jobs, workers, 'Objects')
    numbers, found = count(1), ([], [])
    for each in done:
        ids = [next(numbers) for _ in each['objects']]
        for number, entry in zip(ids, each['objects'], strict=True):
            place = dict(id=number, image_id=each['image']['id'])
            if 'part_level' in entry:
                parent = entry['part_of']
                place['part_of'] = None if parent is None else ids[parent]
            found['part_level' in entry].append(dict(entry, **place))
    images, categories = [each['image'] for each in done], _categories(done)
    return sum(each['new'] for each in done) + sum(
        write_instances(path, command, images, entries, categories)
        for path, entries in zip((wholes, parts), found, strict=True))


def _categories(done: Sequence[dict]) -> list[dict]:
    names = {number: name for each in done for number, name in each['names']}
    names.update((number, name) for name, number in ADE20K_847.items())
    others = sorted(names.keys() - ADE20K_847.values())
    return [dict(id=number, name=names[number]) for number in (*ADE20K_847.values(), *others)]


def _find_objects(job: ObjectsJob) -> dict:
    """What an earlier run wrote of a picture, or anew: 'image', 'names', 'objects'; and 'new'."""
    if job.target.exists():
        return dict(json.loads(job.target.read_text(encoding='utf-8')), new=False)
    height, width = job.shape
    image = dict(id=job.picture.stem, file_name=job.name, width=width, height=height)
    places, objects, names = {}, [], {}
    for said in _said(job.picture):
        mask = _read_mask(job, said['instance_mask'])
        if mask.any():
            places[said['id']] = len(objects)
            objects.append(_entry(said, mask))
            names[said['name_ndx']] = said['name']
    for entry in objects:
        if 'part_of' in entry:
            wholes = np.atleast_1d(entry['part_of'])  # a number, or a list, which may be empty
            entry['part_of'] = places.get(int(wholes[0])) if wholes.size else None
    found = dict(image=image, names=list(names.items()), objects=objects)
    WholeFileBackend().put_text(json.dumps(found), job.target)
    return dict(found, new=True)


def _said(picture: Path) -> list[dict]:
    """Objects of a picture's JSON file, wholes before parts, so that ids rise in both files."""
    path, keys = picture.with_suffix('.json'), ('id', 'name', 'name_ndx', 'instance_mask', 'parts')
    try:
        objects = read_json(str(path))['annotation']['object']
        objects = [{key: each[key] for key in keys} for each in objects]
        return sorted(objects, key=lambda each: each['parts']['part_level'] > 0)
    except (KeyError, TypeError) as error:
        raise AnnotationError(f'{path}: expected "annotation" with a list "object", each with '
                              f'{", ".join(keys)} ({error!r}).') from error


def _entry(said: dict, mask: np.ndarray) -> dict:
    entry, parts = instance_entry(mask, said['name_ndx']), said['parts']
    if level := parts['part_level']:
        entry.update(part_level=level, part_of=parts['ispartof'])
    return entry


def _read_mask(job: ObjectsJob, name: str) -> np.ndarray:
    """What is seen of an object, (H, W), bool; ``name`` is of a file in the picture's folder."""
    path = job.picture.with_suffix('') / Path(name).name
    pixels = read_labels(path, job.picture, job.shape)
    check_labels(pixels, (0, _HIDDEN, _SEEN), path, '255 for seen, 128 for hidden, 0 for outside')
    return pixels == _SEEN
