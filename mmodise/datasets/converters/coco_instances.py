"""COCO's instance annotations, and the exports of CVAT, Roboflow and Label Studio."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ..panoptic import Findings
from ..panoptic.annotation_file import read_content
from ..panoptic.entries import check_images, is_id, read_flag, short
from .annotated import AnnotatedImage, AnnotationError, Segment, Source
from .masks import decode_run_lengths, draw_polygons
from .pictures import PictureFolder, folder_split, split_of

_SEGMENTATION = (
    "'segmentation' is a list of polygons, [[x, y, x, y, ...], ...], or run lengths with 'size' "
    "and 'counts'.")


def read_coco_instances(
    paths: Sequence[Path],
    folder: PictureFolder,
    images: Path | None = None,
    crowds: str = 'auto',
) -> Source:
    """Read instance annotations, of one file a split.

    Names, not ids, say what a class is; classes of a name are one. Category 0 of Roboflow, the
    name of the project, is none.

    Args:
        paths (Sequence[Path]): The JSON files.
        folder (PictureFolder): Where pictures are looked for.
        images (Path, optional): Where ``file_name`` begins. Defaults to None, known places.
        crowds (str): 'keep': what has iscrowd 1 is a crowd; 'objects': it is an object like
            others; 'auto': objects in files of CVAT, which marks brush masks so. Defaults to
            'auto'.

    Raises:
        ValueError: If a file or an entry is not valid.
    """
    contents = {path: read_content(str(path)) for path in paths}
    findings = Findings('annotations')
    names = {path: _names(content, path) for path, content in contents.items()}
    projects = _projects(contents)
    source = Source([], tuple(dict.fromkeys(
        name for path in paths for key, name in names[path].items()
        if (key, name) not in projects)), paths, findings=findings)
    for path, content in contents.items():
        keep = crowds == 'keep' or (crowds == 'auto' and not _is_cvat(content))
        source.images += _images(path, content, names[path], folder, images, keep)
        source.meaning += f'{keep}'
        if not keep and any(_flag(entry) for entry in content.get('annotations', ())):
            source.note = ('iscrowd 1 is how CVAT marks brush masks and groups: they are objects '
                           'here; --crowds keep makes crowds of them.')
    return source


def read_instances(
    shape: tuple[int, int],
    findings: Findings,
    annotations: Sequence[Mapping],
    names: Mapping[Hashable, str],
    keep_crowds: bool,
    path: str,
) -> list[Segment]:
    """Draw the annotations of a picture, in their order."""
    segments, seen = [], []
    for annotation in annotations:
        where = f'{path}, annotation {annotation.get("id")!r} of image {annotation["image_id"]!r}'
        content = annotation['category_id'], annotation.get('segmentation')
        if content[1] and content in seen:
            findings.warning('annotations that stand twice', where, 'They count once.')
            continue
        seen.append(content)
        mask = _draw(annotation, shape, findings, where)
        if mask is not None:
            crowd = keep_crowds and _flag(annotation, where)
            segments.append(Segment(names[annotation['category_id']], mask, bool(crowd)))
    return segments


def _draw(
    annotation: Mapping, shape: tuple[int, int], findings: Findings, where: str
) -> np.ndarray | None:
    segmentation = annotation.get('segmentation')
    if isinstance(segmentation, Mapping) and segmentation:
        mask = decode_run_lengths(segmentation, shape, where)
    elif isinstance(segmentation, (list, tuple)) and segmentation:
        mask = draw_polygons(segmentation, shape, where)
    elif not segmentation:
        findings.warning('boxes without a mask', where, 'They are left out.')
        return None
    else:
        raise AnnotationError(f'{where}: {short(segmentation)}. {_SEGMENTATION}')
    if mask is None or not mask.any():
        findings.warning('annotations without a pixel', where, 'They are left out.')
        return None
    return mask


def _names(content: Mapping, path: Path) -> dict[Hashable, str]:
    names = {}
    for category in content['categories']:
        if not isinstance(category, Mapping) or not is_id(category.get('id')) or not isinstance(
                category.get('name'), str) or not category['name'].strip():
            raise AnnotationError(f"{path}: the category {short(category)} has no 'id' or 'name'.")
        if category['id'] in names:
            raise AnnotationError(f'{path}: two categories have the id {category["id"]!r}.')
        names[category['id']] = category['name'].strip()
    return names


def _projects(contents: Mapping[Path, Mapping]) -> set[tuple]:
    """Id and name of categories that are the name of the project, as Roboflow writes them."""
    used = {annotation.get('category_id') for content in contents.values()
            for annotation in content.get('annotations', ()) if isinstance(annotation, Mapping)}
    found = set()
    for content in contents.values():
        first = next((category for category in content['categories'] if category['id'] == 0), None)
        others = [category for category in content['categories'] if category is not first]
        above = {category.get('supercategory') for category in others}
        if others and first and 0 not in used and (
                above == {first['name']} or (first.get('supercategory') == 'none' and not (
                    above & {None, '', 'none'}))):
            found.add((first['id'], first['name'].strip()))
    return found


def _is_cvat(content: Mapping) -> bool:
    entries = [entry for entry in content.get('annotations', ()) if isinstance(entry, Mapping)]
    return bool(entries) and all(isinstance(entry.get('attributes'), Mapping) for entry in entries)


def _flag(annotation: Mapping, where: str = '') -> int | None:
    value = annotation.get('iscrowd') if isinstance(annotation, Mapping) else None
    flag = 0 if value is None else read_flag(value)
    if flag is None and where:
        raise AnnotationError(f"{where}: 'iscrowd' is {value!r}, neither 0 nor 1.")
    return flag


def _images(
    path: Path,
    content: Mapping,
    names: Mapping[Hashable, str],
    folder: PictureFolder,
    images: Path | None,
    keep_crowds: bool,
) -> Iterator[AnnotatedImage]:
    entries = _by_image(path, content, names)
    for image_id, image in _listed_images(path, content).items():
        where = f'{path}, image {image_id!r} ({image["file_name"]})'
        picture = folder.find(image['file_name'], _bases(path, folder.root, images), where)
        read = partial(read_instances, annotations=entries.get(image_id, []), names=names,
                       keep_crowds=keep_crowds, path=str(path))
        inside = path.parent.relative_to(folder.root) if path.is_relative_to(folder.root) else ''
        split = split_of(path.stem, inside) or folder_split(picture, folder.root)
        yield AnnotatedImage(picture, split, read, _size(image, where), where)


def _listed_images(path: Path, content: Mapping) -> dict[Hashable, dict]:
    findings = Findings(str(path))
    images = check_images(content, findings)
    findings.raise_errors()
    return images


def _by_image(path: Path, content: Mapping, names: Mapping) -> dict[Hashable, list[Mapping]]:
    """Annotations of each image, each of which has a known image and category."""
    images = {image['id'] for image in content['images'] if 'id' in image}
    entries, strays = defaultdict(list), []
    annotations = content.get('annotations')
    if not isinstance(annotations, list):
        raise AnnotationError(f"{path} has no list 'annotations': nothing to convert.")
    for annotation in annotations:
        if not isinstance(annotation, Mapping) or not is_id(annotation.get('image_id')):
            raise AnnotationError(
                f"{path}: the annotation {short(annotation)} has no 'image_id'.")
        if annotation.get('category_id') not in names:
            raise AnnotationError(
                f"{path}, annotation {annotation.get('id')!r}: 'category_id' "
                f"{annotation.get('category_id')!r} is not in 'categories', whose ids are "
                f'{list(names)[:5]}.')
        if annotation['image_id'] not in images:
            strays.append(annotation)
        entries[annotation['image_id']].append(annotation)
    if strays:
        raise AnnotationError(
            f"{path}: {len(strays)} of {len(annotations)} annotations are of images that 'images' "
            f'does not list, such as {strays[0]["image_id"]!r}. Add them, or take these out.')
    return entries


def _bases(path: Path, root: Path, images: Path | None) -> list[Path]:
    """Where names may begin: what the user says, else where the known tools put pictures."""
    if images is not None:
        return [images]
    subset = path.stem.removeprefix('instances_').removeprefix('person_keypoints_')
    above = path.parent.parent if path.parent != root else root
    return [above / 'images' / subset, above / subset, path.parent / 'images' / subset,
            path.parent, above / 'images', path.parent / 'images', above, root]


def _size(image: Mapping, where: str) -> tuple[int, int] | None:
    size = image.get('width'), image.get('height')
    if None in size:
        return None
    if not all(isinstance(value, (int, float)) and value == int(value) > 0 for value in size):
        raise AnnotationError(f'{where}: width and height are {size}.')
    return int(size[0]), int(size[1])
