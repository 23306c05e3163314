"""Mapillary Vistas 1.2, of the package 1.2 or 2.0, in one layout."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PIL import Image

from ..panoptic import FolderListings, read_panoptic_file
from ..panoptic.annotation_file import read_json
from .annotated import AnnotationError
from .class_maps import check_shape, read_numbers
from .coco_panoptic import find_map
from .preparation import (
    Prepared,
    check_labels,
    evaluation_advice,
    find,
    place,
    refuse_missing,
    run_jobs,
)

_SPLITS = ('training', 'validation')
_KINDS = ('labels', 'panoptic')
_STEP = 256  # a map of instances is label x 256 + number


def prepare_mapillary(
    source: Path, out: Path | None = None, split: str | None = None, workers: int = 1
) -> Prepared:
    """Check the maps, and bring both packages into the layout of version 1.2.

    Files are not copied where the disk can link them.

    Args:
        source (Path): The folder with ``training``, ``validation`` and ``config_v1.2.json`` or
            ``config.json``.
        out (Path, optional): Gets the splits. Defaults to None, the source.
        split (str, optional): 'training' or 'validation'. Defaults to None, those that are there.
        workers (int): Processes. Defaults to 1.

    Raises:
        FileNotFoundError: If files are not there.
        AnnotationError: If the classes are of another version, or a map is not what it should be.
    """
    from ..benchmarks.mapillary import NAMES, VERSION
    source, out = Path(source), Path(out or source)
    _check_config(source, NAMES)
    splits = [split] if split else [name for name in _SPLITS if (source / name).is_dir()]
    if not splits:
        raise FileNotFoundError(f'{source} has none of the folders {", ".join(_SPLITS)}. Name the '
                                'folder that holds the data set as it was unpacked.')
    counts, new = {}, 0
    for name in splits:
        maps = source / name / VERSION
        maps = maps if maps.is_dir() else source / name
        pictures = sorted(path for path in (source / name / 'images').glob('*')
                          if path.suffix.lower() == '.jpg')
        if not pictures:
            raise FileNotFoundError(f'{source / name}/images/*.jpg are not there.')
        refuse_missing([maps / 'labels' / f'{path.stem}.png' for path in pictures], 'maps')
        run_jobs(partial(_check, maps=maps, void=len(NAMES)), pictures, workers,
                 f'Mapillary Vistas {name}')
        files = {path: out / name / 'images' / path.name for path in pictures}
        files.update(_maps(maps, out / name, NAMES))
        new += sum(place(path, target) for path, target in files.items() if path != target)
        counts[name] = len(pictures)
    return Prepared(out, counts, new, advice=evaluation_advice())


def _check_config(source: Path, names: tuple[str, ...]) -> None:
    path = find(source / 'config_v1.2.json', source / 'config.json',
                what='The config file of Mapillary Vistas 1.2')
    labels = read_json(str(path)).get('labels', [])
    found = tuple(label['readable'] for label in labels if label.get('evaluate'))
    if found != names:
        strange = sorted(set(found).symmetric_difference(names))[:3]
        raise AnnotationError(
            f'{path}: {len(found)} classes are evaluated, expected the {len(names)} of version '
            f'1.2, in its order{f"; different are {strange}" if strange else ""}.')


def _maps(maps: Path, target: Path, names: tuple[str, ...]) -> dict[Path, Path]:
    """Maps, and where they go to; the panoptic file is read and its classes are looked at."""
    path = find(maps / 'panoptic/panoptic_2018.json', what='The panoptic file')
    file, listings = read_panoptic_file(str(path)), FolderListings()
    categories = {category['id']: category['name'].strip() for category in file.categories}
    expected = dict(enumerate(names, start=1))
    if categories != expected:
        raise AnnotationError(f'{path}: its {len(categories)} categories are not the '
                              f'{len(names)} of version 1.2 with ids from 1.')
    for image_id in file.annotations:
        find_map(path, file.map_name(image_id), listings, f'{path}, {file.entry(image_id)}')
    return {path: target / kind / path.name for kind in (*_KINDS, 'instances')
            for path in sorted((maps / kind).glob('*.*'))}


def _check(picture: Path, maps: Path, void: int) -> None:
    path = maps / 'labels' / f'{picture.stem}.png'
    labels = read_numbers(str(path))
    with Image.open(picture) as image:
        check_shape(labels, image.size[::-1], str(path))
    check_labels(labels, {*range(void + 1), 255}, path, f'labels from 0 to {void}')
    instances = maps / 'instances' / path.name
    if instances.is_file() and (read_numbers(str(instances)) // _STEP != labels).any():
        raise AnnotationError(f'{instances}: it is not of the same classes as {path}. Are both of '
                              'version 1.2?')
