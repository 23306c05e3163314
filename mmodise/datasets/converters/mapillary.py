"""Mapillary Vistas 1.2, of the package 1.2 or 2.0, in one layout."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ..panoptic import Findings, FolderListings, read_panoptic_file, read_segments
from ..panoptic.annotation_file import read_json
from .annotated import AnnotationError
from .coco_panoptic import find_map
from .preparation import Prepared, evaluation_advice, look_at_pictures, run_jobs
from .prepared_files import (
    check_labels,
    find,
    list_files,
    place,
    read_labels,
    refuse_missing,
    tell_unpaired,
)

_SPLITS = ('training', 'validation')
_KINDS = ('labels', 'panoptic', 'instances')
_STEP = 256  # a map of instances is label x 256 + number


class _Job(NamedTuple):
    picture: Path
    shape: tuple[int, int]
    maps: Path
    panoptic: Path | None
    infos: Sequence[dict]


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
    counts, new, findings = {}, 0, Findings(str(source))
    for name in splits:
        maps = source / name / VERSION
        maps = maps if maps.is_dir() else source / name
        pictures = list_files(source / name / 'images', ('.jpg', ))
        if not pictures:
            raise FileNotFoundError(f'{source / name}/images/*.jpg are not there.')
        jobs = _jobs(pictures, maps, NAMES, findings, workers)
        check = partial(_check, void=len(NAMES))
        for part in run_jobs(check, jobs, workers, f'Mapillary Vistas {name}'):
            findings.merge(part)
        files = {path: out / name / 'images' / path.name for path in pictures}
        files.update((path, out / name / kind / path.name) for kind in _KINDS
                     for path in list_files(maps / kind, ('.png', '.json')))
        new += sum(place(path, target) for path, target in files.items())
        counts[name] = len(pictures)
    return Prepared(out, counts, new, list(findings), evaluation_advice())


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


def _jobs(
    pictures: Sequence[Path], maps: Path, names: tuple[str, ...], findings: Findings, workers: int
) -> list[_Job]:
    """Pictures with their maps; the panoptic file is read and its classes are looked at."""
    path = find(maps / 'panoptic/panoptic_2018.json', what='The panoptic file')
    file, listings = read_panoptic_file(str(path)), FolderListings()
    file.check_join(findings)
    findings.raise_errors()
    categories = {category['id']: category['name'].strip() for category in file.categories}
    if categories != dict(enumerate(names, start=1)):
        raise AnnotationError(f'{path}: its {len(categories)} categories are not the '
                              f'{len(names)} of version 1.2 with ids from 1.')
    stems = {picture.stem for picture in pictures}
    refuse_missing([maps / 'labels' / f'{stem}.png' for stem in sorted(stems)], 'maps')
    tell_unpaired((label.stem for label in list_files(maps / 'labels')), stems,
                  f'maps of {maps / "labels"} without a picture', findings)
    panoptic = {Path(file.images[key]['file_name']).stem: (
        find_map(path, file.map_name(key), listings, f'{path}, {file.entry(key)}'),
        file.segments(key)) for key in file.annotations}
    refuse_missing([pictures[0].with_name(file.images[key]['file_name'])
                    for key in file.annotations], f'pictures that {path} lists')
    tell_unpaired(stems, panoptic, f'pictures that {path} does not list, without PQ', findings)
    shapes = look_at_pictures(pictures, findings, workers, f'Pictures ({pictures[0].parts[-3]})')
    return [_Job(picture, shape, maps, *panoptic.get(picture.stem, (None, ())))
            for picture, shape in shapes.items()]


def _check(job: _Job, void: int) -> Findings:
    path = job.maps / 'labels' / f'{job.picture.stem}.png'
    labels = read_labels(path, job.picture, job.shape)
    check_labels(labels, {*range(void + 1), 255}, path, f'labels from 0 to {void}')
    instances = job.maps / 'instances' / path.name
    if instances.is_file() and (
            read_labels(instances, job.picture, job.shape) // _STEP != labels).any():
        raise AnnotationError(f'{instances}: it is not of the same classes as {path}. Are both of '
                              'version 1.2?')
    findings = Findings(str(job.panoptic))
    if job.panoptic:
        read_segments(str(job.panoptic), job.infos, findings, job.shape, str(job.picture))
    return findings
