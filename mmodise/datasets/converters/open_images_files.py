"""The files of Open Images: tables, classes, hierarchy and masks, as they are downloaded."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..panoptic.annotation_file import read_json
from .annotated import AnnotationError
from .prepared_files import find, list_files

_INSIDE = 122  # of grey masks; a greater value is inside


def read_rows(path: Path, columns: Collection[str]) -> Iterator[dict[str, str]]:
    """Rows of a table with a header.

    Raises:
        AnnotationError: If a column is missing, or a row is cut short; names the line.
    """
    with path.open(encoding='utf-8-sig', newline='') as file:
        reader = csv.DictReader(file)
        if missing := sorted(set(columns).difference(reader.fieldnames or ())):
            raise AnnotationError(f'{path}: the column {missing[0]!r} is missing; it has '
                                  f'{reader.fieldnames}.')
        for row in reader:
            if any(row[column] is None for column in columns):
                raise AnnotationError(f'{path}, line {reader.line_num}: the row is cut short.')
            yield row


def group_rows(
    path: Path,
    columns: Collection[str],
    images: Collection[str],
    keep: Callable[[dict[str, str]], Any],
    absent: set[str] | None = None,
) -> dict[str, list]:
    """What is kept of the rows of some images, which need not be together, by image.

    Args:
        path (Path): A table.
        columns (Collection[str]): That must be there.
        images (Collection[str]): Ids.
        keep (Callable): Makes a row small: tables have millions of them.
        absent (set[str], optional): Gets the ids of other images. Defaults to None.

    Raises:
        AnnotationError: If a column is missing, or a value is no number; names the line.
    """
    grouped = defaultdict(list)
    for number, row in enumerate(read_rows(path, ('ImageID', *columns)), start=2):
        if row['ImageID'] in images:
            try:
                grouped[row['ImageID']].append(keep(row))
            except ValueError as error:
                raise AnnotationError(
                    f'{path}, line {number}: {error}; expected numbers.') from error
        elif absent is not None:
            absent.add(row['ImageID'])
    return grouped


def find_boxes(source: Path, split: str) -> Path:
    """The table of boxes of a split."""
    return find(*(source / f'{before}{split}-annotations-bbox.csv' for before in ('', 'oidv6-')),
                what='The table of boxes')


def find_labels(source: Path, split: str) -> Path:
    """The table of what people say is in the pictures of a split, and what is not."""
    return find(*(source / f'{before}{split}-annotations-human-imagelabels-boxable.csv'
                  for before in ('', 'oidv7-')), what="The table of images' labels")


def read_names(source: Path) -> dict[str, str]:
    """Names of all classes that are described, by their MIDs."""
    with _descriptions(source).open(encoding='utf-8-sig', newline='') as file:
        return {row[0].strip(): row[1].strip() for row in csv.reader(file) if len(row) > 1}


def _descriptions(source: Path) -> Path:
    return find(
        source / 'class-descriptions-boxable.csv', source / 'oidv7-class-descriptions-boxable.csv',
        source / 'class-descriptions.csv', what='The table of names')


def read_classes(source: Path) -> dict[str, str]:
    """Names of the classes that have masks, by their MIDs, in the order of the list.

    Raises:
        FileNotFoundError: If a file is not there.
        AnnotationError: If a class has no name.
    """
    listed = find(source / 'classes-segmentation.txt', source / 'oidv7-classes-segmentation.txt',
                  what='The list of classes with masks')
    names = read_names(source)
    mids = listed.read_text(encoding='utf-8-sig').split()
    if unknown := [mid for mid in mids if mid not in names]:
        raise AnnotationError(f'{listed}: {unknown[0]} has no name in {_descriptions(source)}.')
    return {mid: names[mid] for mid in mids}


def read_ancestors(path: Path) -> dict[str, set[str]]:
    """Of each MID in the hierarchy, the MIDs of all that it is a kind of."""
    ancestors = defaultdict(set)

    def walk(node: dict, above: tuple[str, ...]) -> None:
        mid = node['LabelName']
        ancestors[mid].update(above)
        for child in node.get('Subcategory', ()):
            walk(child, (*above, mid))

    walk(read_json(str(path)), ())
    return ancestors


def index_masks(source: Path, split: str) -> dict[str, Path]:
    """All masks of a split by their names, in a folder per archive or all in one.

    Raises:
        FileNotFoundError: If there is no folder of masks.
    """
    folders = [path for path in source.glob(f'{split}-masks-*') if path.is_dir()] or [
        find(source / f'{split}-masks', source / 'masks' / split, source / split / 'masks',
             source / 'masks', what=f'The folder of masks of {split}')]
    return {path.name: path for folder in folders for path in list_files(folder, recursive=True)}


def read_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A mask resized to its picture without smoothing, (H, W), bool.

    Args:
        path (Path): Black and white, or grey, of any size.
        size (tuple[int, int]): Width and height of the picture.

    Raises:
        AnnotationError: If it cannot be read, or is of another shape than the picture.
    """
    try:
        with Image.open(path) as image:
            values = np.asarray(image.convert('L'))
    except Exception as error:  # Pillow has many kinds
        raise AnnotationError(f'{path} cannot be read ({error}). Unpack it again.') from error
    height, width = values.shape
    scale = min(width / size[0], height / size[1])
    if abs(width / size[0] - height / size[1]) * min(size) > 2 * max(scale, 1):
        raise AnnotationError(f'{path} has {width} x {height} pixels, its picture {size[0]} x '
                              f'{size[1]}, which is another shape.')
    inside = values > (_INSIDE if values.max() > 1 else 0)
    return np.asarray(Image.fromarray(inside).resize(size, Image.Resampling.NEAREST))
