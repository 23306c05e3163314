"""ADE20K's benchmark of 150 classes: panoptic and instance annotations as detectron2's."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmdet.datasets import ADE20KSegDataset
from pycocotools import mask as coco_mask

from ...utils.masks import bounding_box, count_values
from ..benchmarks.ade20k_150 import SPELLINGS, STUFF_IDS, THING_IDS, ADE20KPanopticBenchmark
from ..panoptic import Findings
from ..panoptic.annotation_file import read_json
from ..panoptic.orientation import check_same_size
from ..panoptic.segment_map import read_colours
from .annotated import AnnotationError
from .conversion import read_written, write_segment_map
from .instance_files import number_objects
from .masks import instance_entry
from .preparation import Prepared, evaluation_advice, look_at_pictures, run_jobs
from .prepared_files import (
    FOLDERS,
    check_labels,
    find,
    is_whole,
    list_files,
    place,
    present_splits,
    read_labels,
    refuse_missing,
    tell_unpaired,
    write_text,
)

_COMMAND = 'mim run mmodise prepare_ade20k_150'
_SKYSCRAPER, _ITS_COLOUR = 48, (140, 140, 200)  # else road's, as in Mask2Former
_NEAR = 30  # how far the colours of a class' objects are from its own


class _Job(NamedTuple):
    picture: Path
    shape: tuple[int, int]
    classes: Path
    objects: Path
    target: Path


class _Done(NamedTuple):
    image: dict
    segments: list[dict]
    objects: list[dict]
    new: bool


def prepare_ade20k_150(
    source: Path, out: Path | None = None, split: str | None = None, workers: int = 1
) -> Prepared:
    """Write ``ade20k_panoptic_{train,val}{.json,/}`` and ``ade20k_instance_{train,val}.json``.

    As detectron2's scripts: stuff of ``annotations``, then each instance of
    ``annotations_instance`` over it; area and box of stuff in the JSON are from before, so that
    stuff that is wholly covered is there without a pixel. Pixels of things that no instance covers
    are void. Annotations that another tool made are left as they are.

    Args:
        source (Path): The folder with ``ADEChallengeData2016``, or this.
        out (Path, optional): Gets the pictures and semantic maps too, linked or copied. Defaults
            to None, ``ADEChallengeData2016`` itself.
        split (str, optional): 'train' or 'val'. Defaults to None, both.
        workers (int): Processes. Defaults to 1.

    Raises:
        FileNotFoundError: If pictures, maps or the maps of instances are not there.
        AnnotationError: If maps are not those of the benchmark, or not of their pictures' sizes; if
            there are annotations of another tool that do not go with them.
    """
    source = Path(source)
    root = find(source / 'ADEChallengeData2016/images', source / 'images',
                what='ADEChallengeData2016/images').parent
    find(root / 'annotations_instance', what='annotations_instance, which is a download of its own')
    out, findings = Path(out or root), Findings(str(root))
    counts, new = {}, 0
    splits = present_splits(
        split, lambda name: root / 'images' / FOLDERS[name], 'The folder of pictures')
    for name in splits:
        jobs = _jobs(root, out, name, findings, workers)
        counts[name] = len(jobs)
        targets = {kind: out / f'ade20k_{kind}_{name}.json' for kind in ('panoptic', 'instance')}
        foreign = {kind for kind, path in targets.items() if _is_foreign(path, jobs, kind)}
        for kind in foreign:
            findings.warning('annotations that another tool made', str(targets[kind]),
                             'They are left as they are.')
        new += _prepare(jobs, targets, foreign, workers, name) if len(foreign) < 2 else 0
        new += sum(place(path, out / path.relative_to(root)) for job in jobs
                   for path in (job.picture, job.classes))
    return Prepared(out, counts, new, list(findings), evaluation_advice())


def _jobs(root: Path, out: Path, split: str, findings: Findings, workers: int) -> list[_Job]:
    folder = FOLDERS[split]
    pictures = list_files(root / 'images' / folder, ('.jpg', ))
    if not pictures:
        raise FileNotFoundError(f'There is no picture {root / "images" / folder}/*.jpg.')
    shapes = look_at_pictures(pictures, findings, workers, f'Pictures ({split})')
    kinds = [root / kind / folder for kind in ('annotations', 'annotations_instance')]
    jobs = [_Job(path, shape, *(kind / f'{path.stem}.png' for kind in kinds),
                 out / f'ade20k_panoptic_{split}/{path.stem}.png')
            for path, shape in shapes.items()]
    for kind in kinds:
        tell_unpaired((path.stem for path in list_files(kind)), {job.picture.stem for job in jobs},
                      f'maps of {kind.parent.name} without a picture NAME.jpg ({split})', findings)
    refuse_missing([job.classes for job in jobs], 'maps')
    refuse_missing([job.objects for job in jobs], 'maps of instances')
    return jobs


def _is_foreign(path: Path, jobs: Sequence[_Job], kind: str) -> bool:
    """Whether annotations are another tool's, which are never overwritten.

    Raises:
        AnnotationError: If they are of other images, or have other classes.
    """
    if not path.exists():
        return False
    content = read_json(str(path))
    if not isinstance(content, dict) or content.get('info') != _info():
        expected = [{job.picture.stem for job in jobs}, _names(_categories(kind))]
        found = [{Path(entry.get('file_name', '')).stem for entry in content.get('images', ())},
                 _names(content.get('categories', ()))] if isinstance(content, dict) else None
        if found != expected:
            raise AnnotationError(
                f'{path} is there, and not what detectron2, mmdet or `{_COMMAND}` makes of these '
                f'{len(jobs)} pictures: other images, or other classes. It is not overwritten: '
                'name another folder, --out DIR, or move it away.')
        return True
    return False


def _names(categories: Sequence[dict]) -> set[str]:
    return {SPELLINGS.get(name := entry.get('name', ''), name).strip() for entry in categories}


def _prepare(
    jobs: Sequence[_Job], targets: dict[str, Path], foreign: set[str], workers: int, split: str
) -> int:
    work = _convert if 'panoptic' not in foreign else _convert_objects
    done = run_jobs(work, jobs, workers, f'Images ({split})')
    contents = dict(
        panoptic=[dict(image_id=each.image['id'], file_name=f'{each.image["id"]}.png',
                       segments_info=each.segments) for each in done],
        instance=number_objects(done))
    new = sum(each.new for each in done)
    for kind, path in targets.items():
        if kind not in foreign:
            new += write_text(json.dumps(dict(
                info=_info(), images=[each.image for each in done], annotations=contents[kind],
                categories=_categories(kind))), path)
    return new


def _info() -> dict:
    return dict(description=_COMMAND)


def _categories(kind: str = 'panoptic') -> list[dict]:
    """As detectron2's: ids from 0 in the order of the benchmark."""
    spellings = {name: spelling for spelling, name in SPELLINGS.items()}
    names = dict(zip((*THING_IDS, *STUFF_IDS), ADE20KPanopticBenchmark.METAINFO['classes'],
                     strict=True))
    return [dict(id=number, name=spellings.get(names[number], names[number]),
                 isthing=int(number in THING_IDS), color=list(_colour(number)))
            for number in sorted(names) if kind == 'panoptic' or number in THING_IDS]


def _colour(number: int) -> tuple[int, ...]:
    palette = ADE20KSegDataset.METAINFO['palette']
    return _ITS_COLOUR if number == _SKYSCRAPER else tuple(palette[number])


def _convert(job: _Job) -> _Done:
    """Write the map of an image, unless an earlier run did."""
    written = read_written(job.target)
    if isinstance(written, dict):
        return _Done(**written, new=False)
    if is_whole(job.target):
        raise AnnotationError(f'{job.target} is there, and another tool made it, but not its JSON '
                              'file. It is not overwritten: name another folder, --out DIR.')
    classes = read_labels(job.classes, job.picture, job.shape)
    check_labels(classes, range(151), job.classes, 'numbers from 0, "other", to 150')
    done = _convert_objects(job)
    ids = np.zeros(classes.shape, np.int32)
    for value in count_values(classes):
        if value - 1 in STUFF_IDS:
            done.segments.append(_paint(classes == value, value - 1, done, ids))
    for found in done.objects:
        mask = coco_mask.decode(found['segmentation']).astype(bool)
        done.segments.append(_paint(mask, found['category_id'], done, ids))
    written = done._asdict()
    written.pop('new')
    write_segment_map(ids, written, job.target)
    return done._replace(new=True)


def _paint(mask: np.ndarray, number: int, done: _Done, ids: np.ndarray) -> dict:
    """Paint a segment in the colour of its class, or in one near it that is free."""
    taken = {0, *(segment['id'] for segment in done.segments)}
    colour, draw = _colour(number), random.Random(f'{done.image["id"]} {len(taken)}')
    while (segment_id := sum(value << 8 * i for i, value in enumerate(colour))) in taken:
        colour = [min(255, max(0, value + draw.randint(-_NEAR, _NEAR)))
                  for value in _colour(number)]
    ids[mask] = segment_id
    return dict(id=segment_id, category_id=number, area=int(mask.sum()), bbox=bounding_box(mask),
                iscrowd=0)


def _convert_objects(job: _Job) -> _Done:
    """The instances of an image, and the image."""
    kinds, numbers = _read_instances(job)
    height, width = numbers.shape
    objects = []
    for number in filter(None, count_values(numbers)):
        mask = numbers == number
        found = list(count_values(kinds[mask]))
        if len(found) > 1 or not 1 <= found[0] <= len(THING_IDS):
            raise AnnotationError(
                f'{job.objects}: the instance {number} (G) has the categories {found} (R); '
                f'expected one from 1 to {len(THING_IDS)}.')
        objects.append(instance_entry(mask, THING_IDS[found[0] - 1]))
    image = dict(id=job.picture.stem, file_name=job.picture.name, width=width, height=height)
    return _Done(image, [], objects, False)


def _read_instances(job: _Job) -> tuple[np.ndarray, np.ndarray]:
    """The category and the number of each pixel's instance, each (H, W)."""
    pixels = read_colours(str(job.objects))
    check_same_size(str(job.picture), job.shape, str(job.objects), pixels.shape[:2])
    kinds, numbers = pixels[..., 0], pixels[..., 1]
    if stray := int(np.count_nonzero((kinds > 0) & (numbers == 0))):
        raise AnnotationError(f'{job.objects}: {stray} pixels have a category (R) and are of no '
                              'instance (G is 0).')
    return kinds, numbers
