"""ADE20K's full set: semantic with 847 classes, and its objects."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps

from ...utils import WholeFileBackend
from ..benchmarks.ade20k_full import ADE20K_847, ADE20KFullDataset
from ..panoptic import Findings
from ..panoptic.orientation import check_same_size
from ..panoptic.segment_map import read_colours
from .ade20k_objects import ObjectsJob, write_objects
from .annotated import AnnotationError
from .preparation import Prepared, evaluation_advice, look_at_pictures, run_jobs
from .prepared_files import (
    FOLDERS,
    JPEGS,
    classes_text,
    find,
    is_whole,
    list_files,
    place,
    refuse_missing,
    tell_unpaired,
    write_classes,
    write_map,
)

_SHORT_SIDE, _VOID = 512, 65535
_COMMAND = 'mim run mmodise prepare_ade20k_full'
_NUM_NAMES = 3688  # of the data set
_ENDING = '_seg.png'
_LOOKED_AT = 50  # pictures, of whose objects the names are compared


class _Job(NamedTuple):
    picture: Path
    shape: tuple[int, int]
    out: Path
    folder: str


def prepare_ade20k_full(
    source: Path, out: Path | None = None, split: str | None = None, workers: int = 1,
    instances: bool = False,
) -> Prepared:
    """Write ``images_detectron2`` and ``annotations_detectron2``, each ``{training,validation}``.

    Pictures and maps whose shorter side has more than 512 pixels are made smaller, to 512. Maps
    have labels of 16 bits, and 65535 for what is of none of the 847 classes. Parts of objects do
    not count. The index of the data set is not read, for that would run what is in it: pictures are
    looked for in all folders below ``images``.

    Args:
        source (Path): The folder with ``ADE20K_2021_17_01``, or this.
        out (Path, optional): Defaults to None, ``ADE20K_2021_17_01`` itself.
        split (str, optional): 'train' or 'val'. Defaults to None, both.
        workers (int): Processes. Defaults to 1.
        instances (bool): Write ``ade20k_full_instance_{train,val}.json`` too, at the size of the
            pictures in ``images/ADE``, and parts to ``ade20k_full_part_{train,val}.json``, see
            :func:`~.ade20k_objects.write_objects`. What was found in a picture is kept below
            ``objects``. Defaults to False.

    Raises:
        FileNotFoundError: If there are no pictures, or some have no map.
        AnnotationError: If maps are not those of this release, or not of their pictures' sizes.
    """
    source = Path(source)
    root = find(source / 'ADE20K_2021_17_01/images', source / 'images',
                what='ADE20K_2021_17_01/images').parent
    out, findings = Path(out or root), Findings(str(root))
    pictures = _find_pictures(root / 'images', split, findings)
    _check_release(pictures[:_LOOKED_AT])
    shapes = look_at_pictures(pictures, findings, workers)
    jobs = [_Job(path, shape, out, FOLDERS[_split(path)]) for path, shape in shapes.items()]
    new = sum(run_jobs(_prepare, jobs, workers))
    counts = {name: sum(job.folder == folder for job in jobs) for name, folder in FOLDERS.items()
              if split in (None, name)}
    if instances:
        new += sum(_write_objects([job for job in jobs if job.folder == FOLDERS[name]], root, out,
                                  name, workers) for name in counts)
    new += write_classes(classes_text(ADE20KFullDataset.METAINFO['thing_classes']),
                         out / 'annotations_detectron2')
    return Prepared(out, counts, new, list(findings), advice=evaluation_advice())


def _find_pictures(images: Path, split: str | None, findings: Findings) -> list[Path]:
    """The pictures of all scenes; results are in one folder, so that no two have one name."""
    files = [path for path in list_files(images, (*JPEGS, _ENDING), recursive=True)
             if path.name.startswith('ADE_') and split in (None, _split(path))]
    pictures = [path for path in files if not path.name.endswith(_ENDING)]
    if not pictures:
        raise FileNotFoundError(f'Below {images} there is no picture'
                                f'{f" of the split {split}" if split else ""} called ADE_*.jpg.')
    (name, count), = Counter(path.stem for path in pictures).most_common(1)
    if count > 1:
        raise AnnotationError('Two pictures have one name: ' + ' and '.join(
            str(path) for path in pictures if path.stem == name))
    maps = {_map_of(path) for path in pictures}
    refuse_missing(maps, 'maps')
    tell_unpaired(map(str, set(files).difference(pictures)), set(map(str, maps)),
                  'maps without a picture', findings)
    return pictures


def _split(path: Path) -> str:
    return 'val' if '_val_' in path.name else 'train'


def _map_of(picture: Path) -> Path:
    return picture.with_name(f'{picture.stem}{_ENDING}')


def _prepare(job: _Job) -> int:
    size = job.shape[::-1]
    smaller = _smaller(size)
    stem = job.picture.stem
    picture = job.out / 'images_detectron2' / job.folder / f'{stem}.jpg'
    labels = job.out / 'annotations_detectron2' / job.folder / f'{stem}.tif'
    new = 0
    if not is_whole(labels, smaller, 'I;16'):
        numbers = _read(_map_of(job.picture), job)
        if smaller != size:
            numbers = cv2.resize(numbers, smaller, interpolation=cv2.INTER_NEAREST)
        new += write_map(_table()[numbers], labels)
    if smaller == size:
        return new + place(job.picture, picture)
    if not is_whole(picture, smaller):
        _write_smaller(job.picture, smaller, picture)
        new += 1
    return new


def _smaller(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the results: as Mask2Former's script rounds them."""
    short = min(size)
    if short <= _SHORT_SIDE:
        return size
    width, height = (_SHORT_SIDE if side == short else round(side / short * _SHORT_SIDE)
                     for side in size)
    return width, height


def _read(path: Path, job: _Job) -> np.ndarray:
    """The numbers of the classes, (H, W), uint16; 0 is what is not annotated."""
    pixels = read_colours(str(path))
    check_same_size(str(job.picture), job.shape, str(path), pixels.shape[:2])
    numbers = pixels[..., 0].astype(np.uint16) // 10 * 256 + pixels[..., 1]
    if numbers.max(initial=0) > _NUM_NAMES:
        raise AnnotationError(
            f'{path}: {int((numbers > _NUM_NAMES).sum())} pixels are of class {numbers.max()}; '
            f'expected R // 10 * 256 + G to be at most {_NUM_NAMES}.')
    return numbers


def _write_objects(
    jobs: Sequence[_Job], root: Path, out: Path, split: str, workers: int
) -> int:
    objects = [ObjectsJob(job.picture, job.picture.relative_to(root).as_posix(), job.shape,
                          out / f'objects/{job.folder}/{job.picture.stem}.json') for job in jobs]
    files = (out / f'ade20k_full_{kind}_{split}.json' for kind in ('instance', 'part'))
    return write_objects(objects, *files, _COMMAND, workers)


def _check_release(pictures: Sequence[Path]) -> None:
    """Refuse a release whose numbers mean something else, by the names of some objects."""
    names = {number: _first(name) for name, number in ADE20K_847.items()}
    found = [(_first(thing['name']), thing['name_ndx'], path) for path in (
        picture.with_suffix('.json') for picture in pictures) for thing in _objects(path)]
    known = [each for each in found if each[1] in names]
    wrong = [each for each in known if each[0] != names[each[1]]]
    if len(wrong) > len(known) / 2:
        name, number, path = wrong[0]
        raise AnnotationError(
            f'{path}: the object {name!r} has the number {number}, which is {names[number]!r} in '
            'the release 2021_17_01. Is it another release?')


def _objects(path: Path) -> list[dict]:
    with suppress(OSError, ValueError, KeyError):
        return json.loads(path.read_text(encoding='utf-8', errors='replace'))[
            'annotation']['object']
    return []


def _first(name: str) -> str:
    return name.split(',')[0].strip().casefold()


@lru_cache
def _table() -> np.ndarray:
    """The label of each number of the data set."""
    table = np.full(_NUM_NAMES + 1, _VOID, np.uint16)
    table[list(ADE20K_847.values())] = np.arange(len(ADE20K_847))
    return table


def _write_smaller(source: Path, size: tuple[int, int], target: Path) -> None:
    with Image.open(source) as image:
        image = ImageOps.exif_transpose(image)
        pixels = np.asarray(image if image.mode == 'L' else image.convert('RGB'))
    file = io.BytesIO()
    smaller = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    Image.fromarray(smaller).save(file, 'JPEG')
    WholeFileBackend().put(file.getvalue(), target)
