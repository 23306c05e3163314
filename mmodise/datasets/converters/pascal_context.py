"""PASCAL Context, semantic, with 59 and with 459 classes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.io import loadmat

from ..benchmarks.pascal_context import CONTEXT_59, NUM_459
from ..panoptic import Findings
from ..panoptic.annotation_file import read_json
from ..panoptic.orientation import check_same_size
from .annotated import AnnotationError
from .masks import decode_run_lengths, draw_polygons
from .preparation import Prepared, evaluation_advice, look_at_pictures, run_jobs
from .prepared_files import (
    FOLDERS,
    check_labels,
    classes_text,
    find,
    list_files,
    place,
    read_lines,
    refuse_missing,
    write_classes,
    write_map,
)

_VOID, _VOID_459 = 255, 65535
_DETAIL = 'trainval_merged.json'
_SPELLINGS = {'diningtable': 'table'}


class _Job(NamedTuple):
    picture: Path
    shape: tuple[int, int]
    out: Path
    folder: str
    where: str
    masks: Sequence[dict] | None  # None without the JSON
    labels: Path | None  # None without the .mat files


def prepare_pascal_context(
    source: Path, out: Path | None = None, split: str | None = None, workers: int = 1
) -> Prepared:
    """Write ``images`` and ``annotations_ctx{59,459}``, each ``{training,validation}``.

    With 59 classes the masks of ``trainval_merged.json`` are painted in the order of the file; a
    label is the rank of a class among the 59, and 255 is what is none of them. With 459 classes
    labels are those of ``trainval/*.mat`` less 1, of 16 bits, and 65535 is what has none. The
    splits are the phases that the JSON says; without it, what ``pascalcontext_val.txt`` lists is
    for validation.

    Args:
        source (Path): The folder with ``VOCdevkit/VOC2010``, or one of these.
        out (Path, optional): Defaults to None, ``data/pascal_ctx_d2``.
        split (str, optional): 'train' or 'val'. Defaults to None, both.
        workers (int): Processes. Defaults to 1.

    Raises:
        FileNotFoundError: If there are neither annotations, or pictures are missing.
        AnnotationError: If annotations are not those of PASCAL Context, or not of their pictures'
            sizes.
    """
    source, out = Path(source), Path(out or 'data/pascal_ctx_d2')
    root = find(source / 'VOCdevkit/VOC2010', source / 'VOC2010', source / 'JPEGImages',
                what='VOC2010')
    root = root.parent if root.name == 'JPEGImages' else root
    findings = Findings(str(root))
    find(root / _DETAIL, root / 'trainval', what='An annotation of PASCAL Context')
    images = _read_detail(root / _DETAIL, findings) if (root / _DETAIL).exists() else (
        _read_lists(root))
    with_mat = (root / 'trainval').is_dir()
    pictures = {root / 'JPEGImages' / image['file_name']: image for image in images
                if split in (None, image['phase'])}
    mats = {path: root / f'trainval/{path.stem}.mat' if with_mat else None for path in pictures}
    refuse_missing([path for path in mats.values() if path], 'files of labels')
    shapes = look_at_pictures(pictures, findings, workers)
    jobs = [_Job(path, shapes[path], out, FOLDERS[image['phase']], image['where'], image['masks'],
                 mats[path]) for path, image in pictures.items()]
    new = sum(run_jobs(_write, jobs, workers))
    if jobs and jobs[0].masks is not None:
        new += write_classes(classes_text([*CONTEXT_59]), out / 'annotations_ctx59')
    else:
        findings.warning('annotations that are not there', _DETAIL, 'PC-59 is left out.')
    if with_mat:
        new += write_classes(classes_text(_read_names(root)), out / 'annotations_ctx459')
    else:
        findings.warning('folders that are not there', 'trainval/*.mat', 'PC-459 is left out.')
    counts = {name: sum(job.folder == folder for job in jobs) for name, folder in FOLDERS.items()
              if split in (None, name)}
    return Prepared(out, counts, new, list(findings), evaluation_advice())


def _read_detail(path: Path, findings: Findings) -> list[dict]:
    """The images for training and validation, each with its masks in the order of the file."""
    content = read_json(str(path))
    for key in ('images', 'annos_segmentation', 'categories'):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise AnnotationError(f'{path} has no list {key!r}. Expected PASCAL in Detail.')
    try:
        images = _join(content, path, findings)
    except (KeyError, TypeError) as error:
        raise AnnotationError(
            f'{path}: an entry lacks {error}. Expected PASCAL in Detail.') from error
    if not images:
        raise AnnotationError(f"{path}: no image has the 'phase' {' or '.join(FOLDERS)}.")
    (name, count), = Counter(image['file_name'] for image in images).most_common(1)
    if count > 1:
        raise AnnotationError(f"{path}: 'images' lists {name} {count} times.")
    return images


def _join(content: dict, path: Path, findings: Findings) -> list[dict]:
    known = _check_categories(content['categories'], path, findings)
    masks: dict[Any, list[dict]] = defaultdict(list)
    for mask in content['annos_segmentation']:
        if mask['category_id'] not in known:
            raise AnnotationError(f"{path}: the annotation {mask.get('id')} has category_id "
                                  f"{mask['category_id']}, which 'categories' does not list.")
        masks[mask['image_id']].append(mask)
    images = []
    for image in content['images']:
        if image.get('phase') in FOLDERS:
            of_image = masks.pop(image['image_id'], [])
            if not of_image:
                findings.warning('images without a mask', image['file_name'],
                                 'They are all void among the 59.')
            where = f'{path}, image {image["image_id"]} ({image["file_name"]})'
            images.append(dict(image, masks=of_image, where=where))
        elif masks.pop(image['image_id'], None):
            findings.warning('images of no split that have masks', image['file_name'],
                             'They are left out.')
    if masks:
        findings.warning("annotations of images that 'images' does not list", repr(next(
            iter(masks))), 'They are left out.', sum(map(len, masks.values())))
    return images


def _check_categories(categories: Sequence[dict], path: Path, findings: Findings) -> set:
    """The ids of the file; those of the 59 must have the names of the 59."""
    names = {number: name for name, number in CONTEXT_59.items()}
    for category in categories:
        number, name = category['category_id'], str(category['name']).replace(' ', '')
        if number not in names:
            findings.warning('categories that are none of the 59', f'{number}: {name}',
                             'Their pixels are void.')
        elif _SPELLINGS.get(name, name) != names[number]:
            raise AnnotationError(
                f'{path}: the category {number} is {name!r}; in the list of PASCAL Context, by '
                f'whose numbers labels go, it is {names[number]!r}.')
    return {category['category_id'] for category in categories}


def _read_lists(root: Path) -> list[dict]:
    """Images that have a file of labels, by the list of those for validation."""
    path = find(root / 'pascalcontext_val.txt',
                what=f'Neither {root / _DETAIL} nor the list of images for validation')
    held_out = set(read_lines(path))
    stems = [file.stem for file in list_files(root / 'trainval', ('.mat', ))]
    refuse_missing([root / f'trainval/{stem}.mat' for stem in sorted(held_out)],
                   f'files of labels that {path} names')
    return [dict(file_name=f'{stem}.jpg', phase='val' if stem in held_out else 'train',
                 masks=None, where=str(root / f'trainval/{stem}.mat')) for stem in stems]


def _read_names(root: Path) -> list[str]:
    path = find(root / 'labels.txt', what='The names of the 459 classes')
    pairs = [line.partition(':') for line in read_lines(path)]
    if [number.strip() for number, _, _ in pairs] != [str(i + 1) for i in range(NUM_459)]:
        raise AnnotationError(f"{path}: expected {NUM_459} lines, '1: accordion' and so on.")
    return [name.strip() for _, _, name in pairs]


def _write(job: _Job) -> int:
    stem, new = job.picture.stem, 0
    maps = []
    if job.masks is not None:
        maps.append((_paint(job), f'annotations_ctx59/{job.folder}/{stem}.png'))
    if job.labels is not None:
        maps.append((_read_mat(job.labels, job), f'annotations_ctx459/{job.folder}/{stem}.tif'))
    for labels, name in maps:
        new += write_map(labels, job.out / name)
    return new + place(job.picture, job.out / 'images' / job.folder / job.picture.name)


def _paint(job: _Job) -> np.ndarray:
    ranks = {number: rank for rank, number in enumerate(CONTEXT_59.values())}
    labels = np.full(job.shape, _VOID, np.uint8)
    for mask in job.masks:
        where = f'{job.where}, annotation {mask.get("id")}'
        runs = mask.get('segmentation')
        inside = (draw_polygons(runs, job.shape, where) if isinstance(runs, list)
                  else decode_run_lengths(runs or {}, job.shape, where))
        if inside is not None:
            labels[inside] = ranks.get(mask['category_id'], _VOID)
    return labels


def _read_mat(path: Path, job: _Job) -> np.ndarray:
    try:
        numbers = loadmat(str(path))['LabelMap'].astype(np.int64)
    except Exception as error:  # SciPy has many kinds
        raise AnnotationError(
            f'{path} cannot be read, or has no LabelMap; was it cut short? ({error})') from error
    check_same_size(str(job.picture), job.shape, str(path), numbers.shape)
    check_labels(numbers, range(NUM_459 + 1), path, f'numbers of classes, from 0 to {NUM_459}')
    return np.where(numbers == 0, _VOID_459, numbers - 1).astype(np.uint16)
