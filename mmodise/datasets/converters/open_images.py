"""Open Images V6: masks, groups and what is absent, joined into one file a split."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from ..panoptic import Finding, Findings
from .annotated import AnnotationError
from .masks import instance_entry
from .open_images_files import (
    find_boxes,
    find_labels,
    group_rows,
    index_masks,
    read_ancestors,
    read_classes,
    read_mask,
    read_names,
)
from .open_images_regions import read_regions
from .parts import run_in_parts
from .preparation import Prepared, evaluation_advice, look_at_pictures
from .prepared_files import JPEGS, find, list_files, place, write_classes, write_text

_SPLITS = ('train', 'validation', 'test')
_MASKS = ('MaskPath', 'LabelName', 'BoxID')
_BOXES = ('LabelName', 'XMin', 'XMax', 'YMin', 'YMax', 'IsGroupOf')


def prepare_open_images(
    source: Path, out: Path | None = None, split: str | None = None, workers: int = 1
) -> Prepared:
    """Write annotations in the layout of LVIS, and ``classes.txt``.

    ``annotations/SPLIT.json`` has what was annotated; in ``SPLIT_expanded.json`` an instance is
    also one of each class that it is a kind of. Masks are resized to their pictures. Groups are
    crowds, their boxes as masks. What is verified to be absent is in ``neg_category_ids``; classes
    that are present and have a box or label without a mask, in ``not_exhaustive_category_ids``.
    Flags of -1 are not known, and are no flags. ``regions_train.json`` has words to train on, see
    :func:`read_regions`.

    Args:
        source (Path): The folder with pictures (``validation/ID.jpg``), tables and masks.
        out (Path, optional): Gets the files, and the pictures, linked or copied. Defaults to
            None, the source.
        split (str, optional): One of train, validation, test. Defaults to None, those whose table
            of masks is there.
        workers (int): Processes. Defaults to 1.

    Raises:
        FileNotFoundError: If a file is not there.
        AnnotationError: If a table or a mask is not valid.
    """
    source, out = Path(source), Path(out or source)
    names = read_classes(source)
    splits = [split] if split else [name for name in _SPLITS if _table(source, name).is_file()]
    if not splits:
        raise FileNotFoundError(f'{_table(source, "validation")} is not there.')
    hierarchy = source / 'bbox_labels_600_hierarchy.json'
    ancestors = read_ancestors(hierarchy) if hierarchy.is_file() else None
    new, counts, told = write_classes(_classes_text([*names.values()]), out), {}, []
    for name in splits:
        parts = out / f'annotations/{name}.parts'
        content, findings = read_split(source, name, names, parts, workers)
        new += write_text(json.dumps(content), out / f'annotations/{name}.json')
        if ancestors is not None:
            expanded = expand(content, names, ancestors)
            new += write_text(json.dumps(expanded), out / f'annotations/{name}_expanded.json')
        if name == 'train':
            regions = read_regions(source, name, content['images'], read_names(source))
            new += write_text(json.dumps(regions), out / 'annotations/regions_train.json')
        shutil.rmtree(parts, ignore_errors=True)
        new += sum(place(source / image['file_name'], out / image['file_name'])
                   for image in content['images'])
        counts[name] = len(content['images'])
        told += findings
    return Prepared(out, counts, new, told, advice=evaluation_advice())


def read_split(
    source: Path, split: str, names: dict[str, str], parts: Path, workers: int = 1
) -> tuple[dict, list[Finding]]:
    """The content of the file of a split, and what is told.

    Args:
        source (Path): The folder of the data set.
        split (str): Which.
        names (dict[str, str]): Names of the classes by MID, in order.
        parts (Path): A folder for what is done, by which a run that was stopped goes on.
        workers (int): Processes. Defaults to 1.
    """
    findings, absent = Findings(split), set()
    pictures = _find_pictures(source / split)
    shapes = look_at_pictures(pictures.values(), findings, workers, f'Pictures ({split})')
    masks = group_rows(find(_table(source, split), what='The table of masks'), _MASKS, pictures,
                       lambda row: tuple(row[key] for key in _MASKS), absent)
    if absent:
        findings.warning(f'pictures with masks that are not in {source / split}', min(absent),
                         'They are left out.', len(absent))
    for key, rows in masks.items():
        masks[key] = list(dict.fromkeys(rows))
        if doubles := len(rows) - len(masks[key]):
            findings.warning('rows of masks that stand twice', key, 'They count once.', doubles)
    boxes = group_rows(find_boxes(source, split), _BOXES, pictures, _keep_box)
    labels = group_rows(
        find_labels(source, split), ('LabelName', 'Confidence'), pictures,
        lambda row: (sys.intern(row['LabelName']), float(row['Confidence']) > 0))
    files = index_masks(source, split)
    missing = [name for rows in masks.values() for name, mid, _ in rows
               if mid in names and name not in files]
    if missing:
        raise FileNotFoundError(f'{split}: {len(missing)} masks of pictures that are there are '
                                f'missing, the first is {missing[0]}. Are all 16 archives there?')
    ids = {mid: place for place, mid in enumerate(names, start=1)}
    jobs = [(path.relative_to(source).as_posix(), shapes[path],
             [(files.get(name), mid, box) for name, mid, box in masks.get(key, ())],
             boxes.get(key, []), labels.get(key, [])) for key, path in pictures.items()]
    done = run_in_parts(partial(_join, ids=ids), jobs, parts, workers, f'Open Images {split}')
    annotations = [dict(annotation, id=number) for number, annotation in enumerate(
        (annotation for _, found, _ in done for annotation in found), start=1)]
    categories = [dict(id=i, name=names[mid], mid=mid) for mid, i in ids.items()]
    for finding in (finding for _, _, told in done for finding in told):
        findings.warning(*finding)
    return dict(images=[image for image, _, _ in done], annotations=annotations,
                categories=categories), list(findings)


def expand(content: dict, names: dict[str, str], ancestors: dict[str, set[str]]) -> dict:
    """The same with every instance also as one of the classes that it is a kind of.

    What is absent, all kinds of it are too.
    """
    ids = {mid: place for place, mid in enumerate(names, start=1)}
    above = {i: {ids[other] for other in ancestors.get(mid, ()) if other in ids}
             for mid, i in ids.items()}
    below = {i: {other for other in above if i in above[other]} for i in above}
    annotations = [dict(annotation, category_id=i) for annotation in content['annotations']
                   for i in (annotation['category_id'], *sorted(above[annotation['category_id']]))]
    images = [dict(
        image, neg_category_ids=_spread(image['neg_category_ids'], below),
        not_exhaustive_category_ids=_spread(image['not_exhaustive_category_ids'], above))
        for image in content['images']]
    return dict(content, images=images, annotations=[
        dict(annotation, id=number) for number, annotation in enumerate(annotations, start=1)])


def _find_pictures(folder: Path) -> dict[str, Path]:
    """The pictures of a split by their ids, in one folder or a folder for each archive."""
    paths = list_files(folder, JPEGS, recursive=True)
    if not paths:
        raise FileNotFoundError(f'{folder}/*.jpg are not there.')
    pictures = {path.stem: path for path in paths}
    double = next((path for path in paths if pictures[path.stem] != path), None)
    if double:
        raise AnnotationError(f'{double} and {pictures[double.stem]} are of one image. Take one '
                              'away.')
    return pictures


def _classes_text(names: list[str]) -> str:
    """A vocabulary file, in which commas of names are quoted: no synonyms follow them."""
    return ''.join(f'{i}:"{name}"\n' if ',' in name else f'{i}:{name}\n'
                   for i, name in enumerate(names))


def _table(source: Path, split: str) -> Path:
    return source / f'{split}-annotations-object-segmentation.csv'


def _spread(chosen: list[int], further: dict[int, set[int]]) -> list[int]:
    return sorted(set(chosen).union(*(further[i] for i in chosen)))


def _join(job: tuple, ids: dict[str, int]) -> tuple[dict, list[dict], list[tuple]]:
    """The entry of an image, its annotations, and what is told."""
    file_name, shape, masks, boxes, labels = job
    key, told, size = Path(file_name).stem, [], tuple(shape[::-1])
    annotations = []
    for file, mid, box_id in masks:
        if mid not in ids:
            told.append(('masks of classes that are not in the list', f'{key}, {mid}',
                         'They are left out.'))
            continue
        mask = read_mask(file, size)
        if mask.any():
            annotations.append(dict(instance_entry(mask, ids[mid], 0), box_id=box_id))
        else:
            told.append(('masks without a pixel', file.name, 'They are left out.'))
    has_mask = Counter(mid for _, mid, _ in masks)
    groups = [box for box in boxes if isinstance(box, tuple) and box[0] in ids]
    boxed = Counter(box for box in boxes if isinstance(box, str))
    for mid, *sides in groups:
        mask = _fill_box(sides, size)
        if mask.any():
            annotations.append(instance_entry(mask, ids[mid], 1))
    present = {mid for mid, is_present in labels if is_present}
    absent = {mid for mid, is_present in labels if not is_present}
    grouped = {mid for mid, *_ in groups}
    open_classes = {mid for mid, count in boxed.items() if count > has_mask[mid]}
    open_classes |= present - has_mask.keys() - grouped
    image = dict(id=key, file_name=file_name, width=size[0],
                 height=size[1], neg_category_ids=_known(absent - present - has_mask.keys(), ids),
                 not_exhaustive_category_ids=_known(open_classes, ids))
    return image, [dict(annotation, image_id=key) for annotation in annotations], told


def _known(mids: set[str], ids: dict[str, int]) -> list[int]:
    return sorted(ids[mid] for mid in mids if mid in ids)


def _keep_box(row: dict[str, str]) -> str | tuple:
    """A group with its sides, else the class alone."""
    mid = sys.intern(row['LabelName'])
    return (mid, *(float(row[key]) for key in _BOXES[1:5])) if row['IsGroupOf'] == '1' else mid


def _fill_box(sides: list[float], size: tuple[int, int]) -> np.ndarray:
    """The mask of a box, whose sides are shares of the picture's."""
    left, right, top, bottom = sides
    mask = np.zeros(size[::-1], bool)
    mask[round(top * size[1]):round(bottom * size[1]),
         round(left * size[0]):round(right * size[0])] = True
    return mask
