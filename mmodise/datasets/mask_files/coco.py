"""Masks in COCO's layouts of instances and of results, as run lengths or polygons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..converters.masks import (
    check_polygons,
    check_run_lengths,
    decode_run_lengths,
    draw_polygons,
)
from ..panoptic import Findings
from ..panoptic.annotation_file import read_content
from ..panoptic.entries import check_images, is_id, short
from .picture_masks import MaskEntry, MaskFileError, PictureMasks, Shape

_OVERSHOOT = 0.02  # of a side, by which polygons that people draw may leave the picture
_LAYOUT = (
    "Masks are a list of results, [{'image_id', 'segmentation', 'score'}, ...], or an object with "
    "'images' and such a list 'annotations'; a segmentation is polygons, [[x, y, x, y, ...], ...], "
    "or run lengths, {'size', 'counts'}.")


def read_coco_masks(
    path: Path, content: Any, images_file: Path | None = None
) -> Iterator[MaskEntry]:
    """Read and check masks in COCO's layout of instances or of results.

    A picture that is listed and has no annotation has no masks. Results name pictures by their ids:
    those of ``images_file``; without it a text is the name of a picture, and a number the number in
    its name, as COCO's own are called. Entries without a mask, such as results of boxes, are left
    out and told.

    Args:
        path (Path): The file.
        content (Any): Of it.
        images_file (Path, optional): A JSON file with COCO's list ``images``. Defaults to None.

    Raises:
        MaskFileError: If an entry is not valid; names the first.
        ValueError: If ``images`` are not valid.
    """
    findings = Findings(str(path))
    images = _listed_images(content, images_file, findings)
    annotations = content.get('annotations') if isinstance(content, dict) else content
    if not isinstance(annotations, list):
        raise MaskFileError(f'{path} has no masks: {short(content)}. {_LAYOUT}')
    by_image = _by_image(path, annotations, images, findings)
    findings.tell()
    keys = by_image if images is None else images
    for image_id in keys:
        name, shape = _name_and_shape(image_id, images)
        entries = by_image.get(image_id, [])
        shape = _check_masks(entries, shape)
        yield MaskEntry(name, shape, partial(_draw, entries), path)


def _listed_images(
    content: Any, images_file: Path | None, findings: Findings
) -> dict[Hashable, dict] | None:
    if images_file is not None:
        content = read_content(str(images_file), lists=['images'])
        findings = Findings(str(images_file))
    elif not isinstance(content, dict):
        return None
    elif not isinstance(content.get('images'), list):
        raise MaskFileError(f"{findings.where} has no list 'images', but "
                            f'{short(sorted(content))}. {_LAYOUT}')
    images = check_images(content, findings)
    findings.raise_errors()
    return images


def _by_image(
    path: Path, annotations: Sequence, images: Mapping | None, findings: Findings
) -> dict[Hashable, list[tuple[str, Mapping]]]:
    """Entries that have a mask, each with how a message calls it, by image id."""
    found, scored = defaultdict(list), 0
    for number, entry in enumerate(annotations):
        where = f'{path}, entry {number}'
        if not isinstance(entry, Mapping) or not is_id(entry.get('image_id')):
            raise MaskFileError(f"{where}: {short(entry)} has no 'image_id'. {_LAYOUT}")
        where += f' of image {entry["image_id"]!r}'
        if images is not None and entry['image_id'] not in images:
            raise MaskFileError(
                f"{where}: no image with this id is listed; ids are {list(images)[:3]}. Note that "
                '7 and "7" are two ids.')
        if not entry.get('segmentation'):
            findings.warning('entries without a mask', where, 'They are left out.')
            continue
        scored += _has_score(entry, where)
        found[entry['image_id']].append((where, entry))
    total = sum(map(len, found.values()))
    if scored not in (0, total):
        raise MaskFileError(
            f"{path}: {scored} of {total} masks have a 'score'. Give each one, or none.")
    if annotations and not total:
        raise MaskFileError(f'{path} has {len(annotations)} entries, and none with a mask; are '
                            f'these results of boxes? {_LAYOUT}')
    return found


def _has_score(entry: Mapping, where: str) -> bool:
    score = entry.get('score')
    if score is not None and not (isinstance(score, (int, float)) and 0 <= score <= 1):
        raise MaskFileError(f"{where}: 'score' is {score!r}, not a number from 0 to 1.")
    return score is not None


def _name_and_shape(
    image_id: Hashable, images: Mapping | None
) -> tuple[str | int, Shape | None]:
    if images is None:
        return (image_id if isinstance(image_id, int) else str(image_id)), None
    image = images[image_id]
    size = image.get('height'), image.get('width')
    is_known = all(isinstance(side, int) and side > 0 for side in size)
    return image['file_name'], size if is_known else None


def _check_masks(
    entries: Sequence[tuple[str, Mapping]], shape: Shape | None
) -> Shape | None:
    """Check what can be without drawing; gives the size if the masks or the image list say it."""
    for where, entry in entries:
        segmentation = entry['segmentation']
        if isinstance(segmentation, Mapping):
            size = segmentation.get('size')
            if not _is_shape(size):
                raise MaskFileError(
                    f"{where}: the run lengths have 'size' {short(size)}, not height and width.")
            shape = shape or tuple(size)
            check_run_lengths(segmentation, shape, where)
        elif isinstance(segmentation, (list, tuple)):
            check_polygons(segmentation, where)
        else:
            raise MaskFileError(f'{where}: the segmentation is {short(segmentation)}. {_LAYOUT}')
    if shape is not None:
        _check_inside(entries, shape)
    return shape


def _is_shape(size: Any) -> bool:
    return isinstance(size, (list, tuple)) and len(size) == 2 and all(
        isinstance(side, int) and side > 0 for side in size)


def _check_inside(entries: Sequence[tuple[str, Mapping]], shape: Shape) -> None:
    """Refuse polygons of another picture, or in units that are no pixels."""
    for where, entry in entries:
        if isinstance(entry['segmentation'], Mapping):
            continue
        for polygon in entry['segmentation']:
            for axis, side in zip('xy', shape[::-1], strict=True):
                places = polygon['xy'.index(axis)::2]
                margin = max(2, _OVERSHOOT * side)
                if places and not -margin <= min(places) <= max(places) <= side + margin:
                    raise MaskFileError(
                        f'{where}: a polygon reaches from {axis} = {min(places):g} to '
                        f'{max(places):g}, and the picture has {shape[1]} x {shape[0]} pixels. '
                        'Is it of another picture, or of another size of this one?')


def _draw(entries: Sequence[tuple[str, Mapping]], shape: Shape) -> PictureMasks:
    _check_inside(entries, shape)
    masks = np.zeros((len(entries), *shape), bool)
    for mask, (where, entry) in zip(masks, entries, strict=True):
        segmentation = entry['segmentation']
        draw = decode_run_lengths if isinstance(segmentation, Mapping) else draw_polygons
        drawn = draw(segmentation, shape, where)
        if drawn is not None:  # of polygons with less than three points nothing is
            mask[:] = drawn
    is_scored = any('score' in entry and entry['score'] is not None for _, entry in entries)
    scores = np.array([entry['score'] for _, entry in entries], float) if is_scored else None
    return PictureMasks(masks, scores)
