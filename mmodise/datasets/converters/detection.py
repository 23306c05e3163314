"""Which layout a folder has, by what is in its files."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from .annotated import AnnotationError
from .cityscapes import ENDING
from .class_maps import find_maps
from .pictures import PictureFolder

FORMATS = ('coco_panoptic', 'coco', 'labelme', 'cityscapes', 'semantic')


def detect(
    folder: PictureFolder, given: str = 'auto', maps: Path | None = None
) -> tuple[str, list[Path]]:
    """Find the annotations of a folder.

    Panoptic annotations come before the instances that COCO has beside them.

    Args:
        folder (PictureFolder): The folder.
        given (str): One of ``FORMATS``, or 'auto'. Defaults to 'auto'.
        maps (Path, optional): The folder of semantic maps. Defaults to None.

    Returns:
        tuple[str, list[Path]]: One of ``FORMATS``, and the annotation files.

    Raises:
        AnnotationError: If there are none, or of several kinds.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    found['cityscapes'] = [path for path in folder.pictures if path.name.endswith(ENDING)]
    if maps is not None:
        found['semantic'] = find_maps(folder, maps)
    elif not found['cityscapes'] or given not in ('auto', 'cityscapes'):
        for path in folder.files:
            if path.suffix.lower() == '.json':
                found[sniff(path)].append(path)
    if not any(found[kind] for kind in FORMATS):
        found['semantic'] = find_maps(folder)
    if given != 'auto':
        return given, _not_empty(found[given] or (
            find_maps(folder) if given == 'semantic' else []), folder, given)
    if found['coco_panoptic']:
        found['coco'] = []
    kinds = [kind for kind in FORMATS if found[kind]]
    if len(kinds) > 1:
        raise AnnotationError(
            f'{folder.root} holds annotations of several kinds: ' + ', '.join(
                f'{len(found[kind])} {kind} ({found[kind][0]})' for kind in kinds)
            + '. Say with --format which to use.')
    kind = kinds[0] if kinds else 'auto'
    return kind, _not_empty(found[kind], folder, kind)


def sniff(path: Path) -> str:
    """What a JSON file holds: one of the kinds, or '' for what is no annotation of masks.

    Raises:
        AnnotationError: If it is no JSON.
    """
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise AnnotationError(f'{path} is no JSON, or was cut short: {error}') from error
    if not isinstance(content, Mapping):
        return ''
    if isinstance(content.get('shapes'), list):
        return 'labelme'
    if not isinstance(content.get('images'), list):
        return ''
    entries = content.get('annotations')
    first = entries[0] if isinstance(entries, list) and entries else {}
    if isinstance(first, Mapping) and 'segments_info' in first:
        return 'coco_panoptic'
    return 'coco' if isinstance(content.get('categories'), list) and isinstance(
        entries, list) and 'keypoints' not in first else ''


def _not_empty(paths: list[Path], folder: PictureFolder, kind: str) -> list[Path]:
    if paths:
        return paths
    raise AnnotationError(
        f'{folder.root} holds no annotations{f" of kind {kind}" if kind in FORMATS else ""}. '
        "Looked for: COCO's panoptic or instance JSON (also of CVAT, Roboflow and Label Studio), "
        "LabelMe's JSON, Cityscapes' *_instanceIds.png, and maps of classes in a folder such as "
        'masks/ or annotations/ (--maps DIR).')
