"""COCO's instance files of images whose objects were found in maps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..panoptic.annotation_file import read_json
from .annotated import AnnotationError
from .prepared_files import OVERWRITTEN, write_text


class FoundObjects(NamedTuple):
    """The objects of an image.

    Attributes:
        image (dict): ``id``, ``file_name``, ``width`` and ``height``.
        objects (list[dict]): Each as :func:`~.masks.instance_entry` has it.
    """

    image: dict
    objects: list[dict]


def number_objects(found: Iterable[FoundObjects]) -> list[dict]:
    """Annotations of all images, with ids from 1 on."""
    objects = [(each.image['id'], entry) for each in found for entry in each.objects]
    return [dict(id=number, image_id=image_id, **entry)
            for number, (image_id, entry) in enumerate(objects, 1)]


def write_instances(
    path: Path, command: str, images: Sequence[dict], annotations: Sequence[dict],
    categories: Sequence[dict],
) -> bool:
    """Write an instance file as a whole, unless it is there with this content.

    Args:
        path (Path): The file.
        command (str): What makes it, which the file names.
        images (Sequence[dict]): Of all images.
        annotations (Sequence[dict]): Of all objects.
        categories (Sequence[dict]): Each ``id`` and ``name``.

    Returns:
        bool: Whether it was written.

    Raises:
        AnnotationError: If a file is there that something else made.
    """
    info = dict(description=command)
    if path.exists():
        content = read_json(str(path))
        if not isinstance(content, dict) or content.get('info') != info:
            raise AnnotationError(
                f'{path} is there, and `{command}` did not make it. {OVERWRITTEN}')
    content = dict(info=info, images=list(images), annotations=list(annotations),
                   categories=list(categories))
    return write_text(json.dumps(content), path)
