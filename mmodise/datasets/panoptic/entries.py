"""Entries of annotation files in COCO's layouts: what they must have, and what is wrong."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from .findings import Findings

MAX_SEGMENT_ID = 256**3 - 1  # what three bytes hold; 0 is void
#: The id of both in ODISE's ADE20K files: their colour, (140, 140, 140).
ROAD_AND_SKYSCRAPER = 140 * (1 + 256 + 256**2)

_PANOPTIC = (
    "A panoptic annotation has 'image_id', 'file_name' (its PNG) and 'segments_info', a list with "
    "'id' and 'category_id'.")


def check_images(content: Mapping, findings: Findings) -> dict[Hashable, dict]:
    """The images of an annotation file by id; what is wrong with them goes to ``findings``."""
    images = {}
    for image in content['images']:
        if not isinstance(image, dict) or not is_id(image.get('id')):
            findings.error("entries of 'images' without an 'id'", short(image))
        elif image['id'] in images:
            findings.error(
                "entries of 'images' with the id of another", repr(image['id']),
                'Were two files put together? Number the images of one of them anew, and the '
                "'image_id' of their annotations.")
        elif not isinstance(image.get('file_name'), str) or not image['file_name']:
            findings.error(
                "entries of 'images' without a 'file_name'", short(image),
                'It says where the picture is, from data_prefix.img on.')
        else:
            images[image['id']] = image
    return images


def check_categories(content: Mapping, findings: Findings) -> list[dict]:
    """The categories of an annotation file; what is wrong with them goes to ``findings``."""
    categories, ids, names = [], set(), set()
    for category in content['categories']:
        if not isinstance(category, dict) or not is_id(category.get('id')) or not isinstance(
                category.get('name'), str) or not category['name'].strip():
            findings.error("entries of 'categories' without 'id' and 'name'", short(category),
                           "A 'name' is a text.")
        elif category['id'] in ids:
            findings.error("entries of 'categories' with the id of another", short(category))
        elif category['name'].strip() in names:
            findings.error(
                "entries of 'categories' with the name of another", short(category),
                'Classes are found by name: make two of one name one category.')
        else:
            categories.append(category)
            ids.add(category['id'])
            names.add(category['name'].strip())
    return categories


def check_annotations(
    content: Mapping, images: Mapping, findings: Findings
) -> tuple[dict[Hashable, dict], list[Hashable]]:
    """The panoptic annotations of a file by image id, and image ids that are not listed.

    What is wrong with them goes to ``findings``; flags and ids become integers, and areas and boxes
    that cannot be are taken out.
    """
    annotations, strays = {}, []
    category_ids = {category['id'] for category in content['categories']
                    if isinstance(category, dict) and is_id(category.get('id'))}
    entries = content.get('annotations', [])
    if not isinstance(entries, list):
        raise ValueError(f"{findings.where}: 'annotations' is no list, but {short(entries)}.")
    for annotation in entries:
        if not isinstance(annotation, dict) or not isinstance(
                annotation.get('segments_info'), list):
            of_instances = isinstance(annotation, dict) and 'segmentation' in annotation
            findings.error(
                "annotations without a list 'segments_info'", short(annotation),
                f'{"They look like instance annotations. " if of_instances else ""}{_PANOPTIC}')
            continue
        image_id, name = annotation.get('image_id'), annotation.get('file_name')
        if not is_id(image_id) or not (name is None or isinstance(name, str)):
            findings.error("annotations whose 'image_id' or 'file_name' is none",
                           short(annotation), _PANOPTIC)
        elif image_id not in images:
            strays.append(image_id)
        elif image_id in annotations:
            findings.error('annotations of an image that has one before', repr(image_id),
                           'An image has one map: join them, or take one out.')
        else:
            annotations[image_id] = annotation
            _check_segments(annotation, images[image_id], category_ids, findings)
    if strays:
        findings.warning("annotations of images that 'images' does not list", some(strays),
                         'They are left out.', len(strays))
    return annotations, strays


def read_flag(value: Any) -> int | None:
    """0 or 1, of a number, a boolean or a text; None of anything else."""
    if value in (0, 1):  # what it is nearly always; True is 1
        return int(value)
    text = str(value).strip().lower()
    return {'0': 0, 'false': 0, '1': 1, 'true': 1}.get(text)


def some(ids: Iterable) -> str:
    """The first three of ids."""
    ids = list(ids)
    first = ', '.join(map(repr, ids[:3]))
    return f'{first}, ...' if len(ids) > 3 else first or 'none'


def short(value: Any) -> str:
    """The beginning of what an entry looks like."""
    text = repr(value)
    return text if len(text) < 120 else f'{text[:120]}...'


def is_id(value: Any) -> bool:
    """Whether something can be an id: a number or a text."""
    return isinstance(value, Hashable) and value is not None


def _check_segments(
    annotation: dict, image: dict, category_ids: set, findings: Findings
) -> None:
    seen, where = set(), f'of image {image["id"]!r} ({image["file_name"]})'
    for segment in tuple(annotation['segments_info']):
        if not isinstance(segment, dict):
            findings.error('segments that are no objects', f'{short(segment)} {where}', _PANOPTIC)
            continue
        segment_id = segment['id'] = _whole(segment.get('id'))
        if type(segment_id) is not int or not 0 < segment_id <= MAX_SEGMENT_ID:
            findings.error(
                "segments whose 'id' is no whole number from 1 to 256^3 - 1",
                f'{short(segment_id)} {where}',
                'An id is what the colour of a pixel means, R + 256 G + 256^2 B; 0 is void, number '
                'segments from 1.')
        elif segment_id == ROAD_AND_SKYSCRAPER and segment_id in seen:
            _keep_last(annotation, where, findings)
        elif segment_id in seen:
            findings.error(
                'segments with the id of another of their image', f'{segment_id} {where}',
                'Their pixels cannot be told apart: give each its own id, in the PNG too.')
        else:
            seen.add(segment_id)
        category_id = segment.get('category_id')
        if not is_id(category_id) or category_id not in category_ids:
            findings.error(
                "segments whose 'category_id' is not in 'categories'",
                f'{short(category_id)} of segment {segment_id} {where}',
                f'The ids there are {some(category_ids)}.')
        _complete(segment, where, findings)


def _keep_last(annotation: dict, where: str, findings: Findings) -> None:
    """As panopticapi, whose table of segments by their ids holds the later."""
    infos = annotation['segments_info']
    first = next(i for i, info in enumerate(infos) if info['id'] == ROAD_AND_SKYSCRAPER)
    findings.warning(
        "segments of road and skyscraper with one id, as ODISE's ADE20K files have",
        f'{ROAD_AND_SKYSCRAPER} {where}', 'The pixels of both are of the later, as in the field.')
    del infos[first]


def _complete(segment: dict, where: str, findings: Findings) -> None:
    """Take out an area and a box that cannot be, for they can be made of the pixels."""
    flag = segment.get('iscrowd')
    segment['iscrowd'] = 0 if flag is None else read_flag(flag)
    if segment['iscrowd'] is None:
        findings.error("segments whose 'iscrowd' is neither 0 nor 1",
                       f'{short(flag)} of segment {segment["id"]} {where}')
    for key, is_valid in (('area', _is_area), ('bbox', _is_box)):
        value = segment.get(key)
        if value is not None and not is_valid(value):
            findings.warning(
                f"segments whose {key!r} cannot be", f'{short(segment.pop(key))} of segment '
                f'{segment["id"]} {where}', 'It is made from the pixels.')


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and not isinstance(value, bool)


def _is_area(value: Any) -> bool:
    return _is_number(value) and value >= 1


def _is_box(value: Any) -> bool:
    """Left, top, width and height, of a pixel at least."""
    return (isinstance(value, (list, tuple)) and len(value) == 4 and all(map(_is_number, value))
            and value[2] >= 1 and value[3] >= 1)
