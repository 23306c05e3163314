"""COCO panoptic as the field evaluates on it: everything that it takes is there, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..caption_file import captions_by_image, read_captions
from ..panoptic import Findings, read_panoptic_file, read_segments
from ..panoptic.annotation_file import read_content
from .annotated import AnnotationError
from .preparation import (
    Prepared,
    check_said_size,
    evaluation_advice,
    look_at_pictures,
    run_jobs,
)
from .prepared_files import find, place, refuse_missing

_SPLITS = ('train2017', 'val2017')


class _Job(NamedTuple):
    picture: Path
    shape: tuple[int, int]
    map: Path
    infos: Sequence[dict]


def prepare_coco(
    source: Path, out: Path | None = None, split: str | None = None, workers: int = 1
) -> Prepared:
    """Check the panoptic maps, the instances and the captions; have the maps in mmdet's place.

    Args:
        source (Path): The folder with ``train2017``, ``val2017`` and ``annotations``; maps are in
            ``annotations/panoptic_val2017`` or in ``panoptic_val2017``.
        out (Path, optional): Gets ``annotations/panoptic_val2017``. Defaults to None, the source.
        split (str, optional): One of the two splits. Defaults to None, those that are there.
        workers (int): Processes. Defaults to 1.

    Raises:
        FileNotFoundError: If files are not there.
        ValueError: If a file or a map is not what it should be.
    """
    source, out = Path(source), Path(out or source)
    annotations = find(source / 'annotations', what='annotations')
    splits = [split] if split else [
        name for name in _SPLITS if (annotations / f'panoptic_{name}.json').is_file()]
    if not splits:
        raise FileNotFoundError(f'{annotations}/panoptic_val2017.json is not there. Unpack '
                                'panoptic_annotations_trainval2017.zip.')
    counts, new, findings = {}, 0, Findings(str(annotations))
    for name in splits:
        counts[name], placed = _prepare_split(source, out, name, workers, findings)
        new += placed
    return Prepared(out, counts, new, list(findings), advice=evaluation_advice())


def _prepare_split(
    source: Path, out: Path, split: str, workers: int, findings: Findings
) -> tuple[int, int]:
    """Number of images, and of maps and files that are in mmdet's place now."""
    annotations, target = source / 'annotations', out / 'annotations'
    path = annotations / f'panoptic_{split}.json'
    file = read_panoptic_file(str(path))
    file.check_join(findings)
    findings.raise_errors()
    maps = find(annotations / path.stem, source / path.stem, what=f'The folder of maps {path.stem}')
    names = {key: file.map_name(key) for key in file.annotations}
    refuse_missing([maps / name for name in names.values()], 'maps')
    pictures = {key: source / split / file.images[key]['file_name'] for key in names}
    refuse_missing(pictures.values(), 'pictures')
    instances = annotations / f'instances_{split}.json'
    if instances.is_file():
        listed = {image['id'] for image in read_content(str(instances))['images']}
        if missing := [key for key in names if key not in listed]:
            raise AnnotationError(
                f'{instances}: {len(missing)} images of {path}, such as {missing[0]}, are not '
                'listed. Are both of the same split?')
    else:
        findings.warning('files of instances that are not there', instances.name,
                         'Mask AP needs them.')
    _look_at_captions(annotations / f'captions_{split}.json', names, findings)
    shapes = look_at_pictures(pictures.values(), findings, workers, f'Pictures ({split})')
    for key, picture in pictures.items():
        check_said_size(picture, shapes[picture], file.images[key], str(path))
    jobs = [_Job(pictures[key], shapes[pictures[key]], maps / name, file.segments(key))
            for key, name in names.items()]
    for part in run_jobs(_check, jobs, workers, f'COCO {split}'):
        findings.merge(part)
    files = {maps / name: target / path.stem / name for name in names.values()}
    files.update({source_file: target / source_file.name for source_file in (
        path, instances, annotations / f'captions_{split}.json') if source_file.is_file()})
    files.update((picture, out / picture.relative_to(source)) for picture in pictures.values())
    return len(names), sum(place(*pair) for pair in files.items())


def _look_at_captions(path: Path, images: dict, findings: Findings) -> None:
    if not path.is_file():
        findings.warning('files of captions that are not there', path.name,
                         'Caption supervision needs them.')
        return
    captioned = captions_by_image(read_captions(str(path)))
    if missing := [key for key in images if key not in captioned]:
        findings.warning('images without a caption', f'{path.name}: {missing[0]}',
                         'Their masks are learned, and no words.', len(missing))


def _check(job: _Job) -> Findings:
    findings = Findings(str(job.map))
    read_segments(str(job.map), job.infos, findings, job.shape, str(job.picture))
    return findings
