"""Words of Open Images that can be trained on: names of boxes, and of what is in a picture."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .open_images_files import find_boxes, find_labels, group_rows

_BOXES = ('LabelName', 'XMin', 'XMax', 'YMin', 'YMax')


def read_regions(
    source: Path, split: str, images: Sequence[Mapping], names: Mapping[str, str]
) -> dict:
    """The boxes of pictures and what they are called, in the layout of captions.

    A box is a caption with a ``bbox``; groups are boxes too. What people say is in the picture and
    has no box is a caption without one. What they say is not there is left out. Classes are all
    that have a name, also those without masks.

    Args:
        source (Path): The folder of the data set.
        split (str): Which.
        images (Sequence[Mapping]): ``id``, ``file_name``, ``width`` and ``height`` of the pictures.
        names (Mapping[str, str]): Of classes, by their MIDs.

    Returns:
        dict: ``images``, and ``annotations`` with ``caption``, ``phrases`` (the word), and ``bbox``
        or none.
    """
    keys = {image['id'] for image in images}
    boxes = group_rows(
        find_boxes(source, split), _BOXES, keys,
        lambda row: (sys.intern(row['LabelName']), *(float(row[key]) for key in _BOXES[1:])))
    labels = group_rows(
        find_labels(source, split), ('LabelName', 'Confidence'), keys,
        lambda row: sys.intern(row['LabelName']) if float(row['Confidence']) > 0 else None)
    words = {mid: word_of(name) for mid, name in names.items()}
    found = (dict(region, image_id=image['id']) for image in images for region in _describe(
        image, boxes.get(image['id'], ()), labels.get(image['id'], ()), words))
    return dict(
        images=[{key: image[key] for key in ('id', 'file_name', 'width', 'height')}
                for image in images],
        annotations=[dict(region, id=number) for number, region in enumerate(found, start=1)])


def word_of(name: str) -> str:
    """The name of a class as a word: 'Bat (Animal)' -> 'bat'."""
    return re.sub(r'\s*\(.*\)', '', name).lower()


def _describe(
    image: Mapping, boxes: Sequence[tuple], labels: Sequence[str | None], words: Mapping[str, str]
) -> Iterator[dict]:
    width, height = image['width'], image['height']
    for mid, left, right, top, bottom in boxes:
        if mid in words and right > left and bottom > top:
            yield _region(words[mid], bbox=[
                round(left * width, 1), round(top * height, 1),
                round((right - left) * width, 1), round((bottom - top) * height, 1)])
    boxed = {mid for mid, *_ in boxes}
    for mid in dict.fromkeys(labels):
        if mid in words and mid not in boxed:
            yield _region(words[mid])


def _region(word: str, **box: list[float]) -> dict:
    return dict(caption=word, phrases=[word], **box)
