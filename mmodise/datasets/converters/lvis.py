"""LVIS v1: what the field evaluates on is there, and its classes with synonyms."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from ..panoptic import Findings
from ..panoptic.annotation_file import read_content
from .annotated import AnnotationError
from .masks import check_polygons, check_run_lengths
from .preparation import Prepared, check_said_size, evaluation_advice, look_at_pictures
from .prepared_files import find, refuse_double_ids, write_classes

_NUM_CLASSES = 1203
_SPLITS = ('train', 'val')


def prepare_lvis(
    source: Path, out: Path | None = None, split: str | None = None, workers: int = 1
) -> Prepared:
    """Check the annotations and the pictures, and write ``classes.txt`` with all synonyms.

    Args:
        source (Path): The folder with ``lvis/lvis_v1_{train,val}.json`` and ``coco``, or ``lvis``
            itself with ``coco`` beside it.
        out (Path, optional): Gets ``classes.txt``. Defaults to None, the folder of the annotations.
        split (str, optional): 'train' or 'val'. Defaults to None, those that are there.
        workers (int): Processes. Defaults to 1.

    Raises:
        FileNotFoundError: If files are not there.
        AnnotationError: If the annotations are not those of LVIS v1, or pictures of other sizes.
    """
    source = Path(source)
    folder = find(source / 'lvis', source, what='The folder lvis')
    pictures = find(folder.parent / 'coco', source / 'coco', what='The folder of pictures, coco')
    splits = [split] if split else [
        name for name in _SPLITS if (folder / f'lvis_v1_{name}.json').is_file()]
    if not splits:
        raise FileNotFoundError(f'{folder} has none of the files lvis_v1_train.json and '
                                'lvis_v1_val.json.')
    counts, findings, categories = {}, Findings(str(folder)), []
    for name in splits:
        path = folder / f'lvis_v1_{name}.json'
        content = read_content(str(path))
        categories = _check_categories(path, content)
        _check_annotations(path, content, findings)
        paths = [_picture(pictures, path, image) for image in content['images']]
        shapes = look_at_pictures(paths, findings, workers, f'LVIS {name}')
        for picture, image in zip(paths, content['images'], strict=True):
            check_said_size(picture, shapes[picture], image, str(path))
        counts[name] = len(paths)
    out = Path(out or folder)
    new = write_classes(''.join(map(_line, categories)), out)
    return Prepared(out, counts, int(new), list(findings), advice=evaluation_advice())


def _check_categories(path: Path, content: dict) -> list[dict]:
    categories = sorted(content['categories'], key=lambda category: category['id'])
    if [category['id'] for category in categories] != list(range(1, _NUM_CLASSES + 1)):
        raise AnnotationError(f'{path}: it has {len(categories)} categories, expected the '
                              f'{_NUM_CLASSES} of LVIS v1 with ids from 1.')
    for category in categories:
        if category.get('frequency') not in ('r', 'c', 'f'):
            raise AnnotationError(f"{path}: category {category['id']} has the 'frequency' "
                                  f"{category.get('frequency')!r}, expected r, c or f.")
    return categories


def _check_annotations(path: Path, content: dict, findings: Findings) -> None:
    for key in ('images', 'annotations'):
        refuse_double_ids(path, key, content.get(key, ()))
    images, seen = {image['id']: image for image in content['images']}, defaultdict(set)
    for annotation in content.get('annotations', []):
        where = f'{path}, annotation {annotation.get("id")}'
        if annotation.get('image_id') not in images:
            raise AnnotationError(f'{where}: its image {annotation.get("image_id")} is not listed.')
        if not 1 <= annotation.get('category_id', 0) <= _NUM_CLASSES:
            raise AnnotationError(f'{where}: category_id {annotation.get("category_id")}, expected '
                                  f'1 to {_NUM_CLASSES}.')
        _check_mask(annotation.get('segmentation'), images[annotation['image_id']], where)
        seen[annotation['image_id']].add(annotation['category_id'])
    for image in content['images']:
        for key in ('neg_category_ids', 'not_exhaustive_category_ids'):
            if key not in image:
                raise AnnotationError(f'{path}: image {image["id"]} has no {key!r}. AP of LVIS '
                                      'needs it: is it a file of the test set?')
            if strange := set(image[key]).difference(range(1, _NUM_CLASSES + 1)):
                raise AnnotationError(f'{path}: image {image["id"]} has the category '
                                      f'{strange.pop()} in {key!r}, expected 1 to {_NUM_CLASSES}.')
        if both := seen[image['id']].intersection(image['neg_category_ids']):
            findings.warning('images with instances of a class that is said to be absent',
                             f'{path.name}, image {image["id"]}, class {min(both)}',
                             'Their instances count.')


def _check_mask(mask: object, image: dict, where: str) -> None:
    if isinstance(mask, dict):
        check_run_lengths(mask, (image['height'], image['width']), where)
    elif isinstance(mask, list) and mask:
        check_polygons(mask, where)
    else:
        raise AnnotationError(f"{where}: 'segmentation' is {str(mask)[:40]}, expected polygons.")


def _picture(pictures: Path, path: Path, image: dict) -> Path:
    if 'coco_url' not in image:
        raise AnnotationError(f"{path}: image {image['id']} has no 'coco_url'.")
    return pictures.joinpath(*image['coco_url'].split('/')[-2:])


def _line(category: dict) -> str:
    """A line ``id:name,synonym`` of a category, without underscores."""
    names = [name.replace('_', ' ')
             for name in (category['name'], *category.get('synonyms', ()))]
    return f'{category["id"]}:{",".join(dict.fromkeys(names))}\n'
