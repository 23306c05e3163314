"""COCO's panoptic annotation file: read, checked and joined in one place."""

from __future__ import annotations

import json
import os.path as osp
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.fileio import exists, get

from .entries import check_annotations, check_categories, check_images, some
from .findings import Findings


@dataclass(frozen=True, eq=False)
class PanopticFile:
    """The content of a panoptic annotation file, checked.

    Args:
        path (str): Where it is from.
        images (dict[Hashable, dict]): Entries of ``images`` by id, in the order of the file.
        annotations (dict[Hashable, dict]): Entries of ``annotations`` by image id; of each segment
            ``id`` is an integer from 1 to 256^3 - 1 and ``iscrowd`` 0 or 1; ``area`` and ``bbox``
            are there where the file has valid ones.
        categories (list[dict]): Each with ``id`` and ``name``; perhaps with ``isthing``.
        strays (list[Hashable]): Image ids of annotations whose image is not listed.
        is_annotated (bool): Whether the file has ``annotations``; those of test images do not.
    """

    path: str
    images: dict[Hashable, dict]
    annotations: dict[Hashable, dict]
    categories: list[dict]
    strays: list[Hashable]
    is_annotated: bool

    def map_name(self, image_id: Hashable) -> str:
        """The map of an image: the annotation's own ``file_name``, else the image's as ``.png``."""
        name = self.annotations.get(image_id, {}).get('file_name')
        return name or f'{osp.splitext(self.images[image_id]["file_name"])[0]}.png'

    def segments(self, image_id: Hashable) -> list[dict]:
        """What the file says of the segments of an image; nothing if it is not annotated."""
        return self.annotations.get(image_id, {}).get('segments_info', [])

    def entry(self, image_id: Hashable) -> str:
        """How a message calls an image."""
        return f'image {image_id!r} ({self.images[image_id]["file_name"]})'

    def count_uses(self) -> dict[Hashable, tuple[int, int]]:
        """Of each category that is used: the number of its segments, and of images with it."""
        segments, images = Counter(), Counter()
        for annotation in self.annotations.values():
            used = [segment['category_id'] for segment in annotation['segments_info']]
            segments.update(used)
            images.update(set(used))
        return {key: (segments[key], images[key]) for key in segments}

    def check_join(self, findings: Findings) -> None:
        """Find images without an annotation: an error if that is true of all of them."""
        missing = [image_id for image_id in self.images if image_id not in self.annotations]
        if len(missing) == len(self.images):
            findings.error(
                f'images, none of which has an annotation: they have ids {some(self.images)}, and '
                f'the annotations are of images {some(self.strays)}', count=len(missing),
                advice="'image_id' of an annotation must be the 'id' of an image, and of the same "
                       'type: 7 and "7" are two ids.')
        elif missing:
            findings.warning(
                f'of {len(self.images)} images have no annotation', some(missing),
                'They are left out.', len(missing))


def read_panoptic_file(
    path: str, backend_args: dict | None = None, findings: Findings | None = None
) -> PanopticFile:
    """Read a panoptic annotation file.

    Args:
        path (str): A JSON file in COCO's panoptic layout.
        backend_args (dict, optional): As in mmengine's ``fileio``. Defaults to None.
        findings (Findings, optional): Gets what is wrong with the entries, errors too. Defaults to
            None, with which errors are raised and warnings written to the log.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no JSON, or has another layout; without ``findings`` also if entries
            are not valid: ids that are missing, double or of no use, unknown categories, two
            images with one map.
    """
    content, given = read_content(path, backend_args), findings
    findings = Findings(path) if given is None else given
    images = check_images(content, findings)
    categories = check_categories(content, findings)
    annotations, strays = check_annotations(content, images, findings)
    file = PanopticFile(path, images, annotations, categories, strays, 'annotations' in content)
    _check_map_names(file, findings)
    if given is None:
        findings.raise_errors()
        findings.tell()
    return file


def read_content(
    path: str, backend_args: dict | None = None, lists: Sequence[str] = ('images', 'categories')
) -> dict:
    """Read a JSON file in one of COCO's layouts: an object with ``images`` and ``categories``.

    Args:
        path (str): The file.
        backend_args (dict, optional): As in mmengine's ``fileio``. Defaults to None.
        lists (Sequence[str]): Keys that must be there, as lists with content. Defaults to
            ('images', 'categories').

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no JSON, or lacks these lists.
    """
    content = read_json(path, backend_args)
    keys = sorted(content) if isinstance(content, dict) else type(content).__name__
    for key in lists:
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise ValueError(f"{path} has no list {key!r}, but {keys}. COCO's layout is an object "
                             "with 'images', 'annotations' and 'categories'.")
        if not content[key]:
            raise ValueError(f"{path}: the list {key!r} is empty.")
    return content


def read_json(path: str, backend_args: dict | None = None) -> Any:
    """Read a JSON file of annotations.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no JSON.
    """
    if not exists(path, backend_args=backend_args):
        raise FileNotFoundError(
            f'The annotation file {path} is not there. Check data_root and ann_file.')
    try:
        return json.loads(get(path, backend_args=backend_args))  # of any Unicode encoding
    except ValueError as error:
        raise ValueError(f'{path} is no JSON, or was cut short: {error}') from error


def _check_map_names(file: PanopticFile, findings: Findings) -> None:
    owners = {}
    for image_id in file.annotations:
        path = osp.normpath(file.map_name(image_id).replace('\\', '/'))
        if path in owners:
            findings.error(
                'images with the map of another',
                f'{file.entry(image_id)} and {file.entry(owners[path])}, {path}',
                "Give each annotation the 'file_name' of its own PNG.")
        owners.setdefault(path, image_id)
