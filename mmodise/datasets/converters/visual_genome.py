"""Visual Genome's regions: phrases that belong to boxes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from ...phrases import PhraseExtractor, extract_phrases
from ...vocabulary.names import find_fault
from ..panoptic import Findings
from ..panoptic.annotation_file import read_content, read_json
from .annotated import AnnotationError
from .preparation import Prepared, check_said_size, look_at_pictures
from .prepared_files import (
    classes_text,
    find,
    refuse_double_ids,
    write_classes,
    write_text,
)

_NUM_NAMES = 1600


def prepare_visual_genome(
    source: Path, out: Path | None = None, exclude: Sequence[Path] = (), workers: int = 1
) -> Prepared:
    """Write regions in the layout of captions, with ``phrases`` and ``bbox``; and ``classes.txt``.

    ``annotations/regions_train.json`` leaves out the pictures that are evaluated on as COCO's;
    ``annotations/regions_not_coco.json``, to evaluate on, all that are COCO's. Both are made of the
    same pictures: who trains on the one does not evaluate on the other. Boxes are cut off at the
    edges of the picture, and a phrase whose box is wholly outside has none. Names are the most
    frequent last words of the noun phrases.

    Args:
        source (Path): The folder with ``VG_100K``, ``VG_100K_2``, ``image_data.json`` and
            ``region_descriptions.json``.
        out (Path, optional): Gets the files. Defaults to None, the source.
        exclude (Sequence[Path]): Annotation files of what is evaluated on, in a layout of COCO,
            such as ``panoptic_val2017.json`` and ``lvis_v1_val.json``.
        workers (int): Processes. Defaults to 1.

    Raises:
        FileNotFoundError: If files are not there.
        AnnotationError: If nothing is excluded, or an entry is not valid.
    """
    source, out = Path(source), Path(out or source)
    if not exclude:
        raise AnnotationError(
            'About half of the pictures are COCO\'s. Name with --exclude the files of what you '
            'evaluate on, such as data/coco/annotations/panoptic_val2017.json, whose pictures are '
            'left out of training.')
    evaluated = {image['id'] for path in exclude
                 for image in read_content(str(path), lists=('images', ))['images']}
    path = find(source / 'image_data.json', what='The file of images')
    images, findings = [_image(entry, path) for entry in read_json(str(path))], Findings(str(path))
    refuse_double_ids(path, 'images', images)
    pictures = [source / image['file_name'] for image in images]
    shapes = look_at_pictures(pictures, findings, workers, 'Visual Genome')
    for picture, image in zip(pictures, images, strict=True):
        check_said_size(picture, shapes[picture], image, str(path))
    regions = read_regions(source, images, findings)
    add_phrases((region for found in regions.values() for region in found), workers)
    splits = dict(
        train=[image for image in images if image['coco_id'] not in evaluated],
        not_coco=[image for image in images if image['coco_id'] is None])
    new = 0
    for name, chosen in splits.items():
        annotations = [
            dict(region, id=number) for number, region in enumerate(
                (region for image in chosen for region in regions[image['id']]), start=1)]
        new += write_text(json.dumps(dict(images=chosen, annotations=annotations)),
                          out / f'annotations/regions_{name}.json')
    names = frequent_names(
        region for image in splits['train'] for region in regions[image['id']])
    new += write_classes(classes_text(names), out)
    left_out = len(images) - len(splits['train'])
    findings.warning(f'of {len(images)} pictures are evaluated on as COCO\'s', '',
                     'They are left out of training.', left_out)
    counts = {name: len(chosen) for name, chosen in splits.items()}
    return Prepared(out, counts, new, list(findings), advice=(
        f"dict(type='VisualGenomeRegions', data_root='{out}',\n         "
        f"ann_file='annotations/regions_train.json', data_prefix=dict(img='{source}'))"))


def read_regions(source: Path, images: Sequence[dict], findings: Findings) -> dict[int, list]:
    """Regions of each image, cleaned: entries with ``caption``, and ``bbox`` if it has pixels.

    Raises:
        AnnotationError: If an entry has another layout.
    """
    path = find(source / 'region_descriptions.json', what='The file of regions')
    sizes = {image['id']: (image['width'], image['height']) for image in images}
    found, known = {key: [] for key in sizes}, set()
    for entry in read_json(str(path)):
        key = entry.get('id', entry.get('image_id'))
        if key not in sizes:
            findings.warning('images with regions that the file of images does not list',
                             str(key), 'They are left out.')
            continue
        for region in entry.get('regions', ()):
            try:
                caption = ' '.join((region['phrase'] or '').split())
                box = clip_box([region[k] for k in ('x', 'y', 'width', 'height')], sizes[key])
                number = region['region_id']
            except (KeyError, TypeError, AttributeError) as error:
                raise AnnotationError(f'{path}, image {key}: the region {str(region)[:100]} has '
                                      f'no valid {error}.') from error
            if number in known:
                findings.warning('regions with the id of another', f'region {number}',
                                 'They are left out.')
                continue
            known.add(number)
            if not caption:
                findings.warning('regions with an empty phrase', f'image {key}',
                                 'They are left out.')
                continue
            if box is None:
                findings.warning('regions wholly outside of their pictures',
                                 f'region {number}', 'Their phrases have no box.')
            found[key].append(dict(region_id=number, image_id=key, caption=caption,
                                   **({} if box is None else dict(bbox=box))))
    return found


def clip_box(box: Sequence[int], size: tuple[int, int]) -> list[int] | None:
    """The part of a box, left, top, width and height, in a picture; None if there is none."""
    left, top = max(box[0], 0), max(box[1], 0)
    right, bottom = min(box[0] + box[2], size[0]), min(box[1] + box[3], size[1])
    return [left, top, right - left, bottom - top] if right > left and bottom > top else None


def add_phrases(regions: Iterable[dict], workers: int = 1) -> None:
    """Give each region the noun phrases of its caption, ``phrases``."""
    regions = list(regions)
    texts = list(dict.fromkeys(region['caption'] for region in regions))
    found = extract_phrases(texts, PhraseExtractor('builtin'), workers)
    phrases = dict(zip(texts, found, strict=True))
    for region in regions:
        region['phrases'] = phrases[region['caption']]


def frequent_names(regions: Iterable[dict], number: int = _NUM_NAMES) -> list[str]:
    """The most frequent last words of the noun phrases of regions, the most frequent first."""
    names = Counter(
        name for region in regions for name in {text.split()[-1] for text in region['phrases']})
    ranked = sorted(names.items(), key=lambda item: (-item[1], item[0]))
    return list(islice((name for name, _ in ranked if not find_fault((name, ))), number))


def _image(entry: dict, path: Path) -> dict:
    try:
        key = 'image_id' if 'image_id' in entry else 'id'  # of versions 1.2 and 1.0
        return dict(id=entry[key], file_name='/'.join(entry['url'].split('/')[-2:]),
                    width=entry['width'], height=entry['height'], coco_id=entry.get('coco_id'))
    except (KeyError, AttributeError) as error:
        raise AnnotationError(f'{path}: the entry {str(entry)[:100]} has no valid {error}; '
                              'expected image_id, url, width and height.') from error
