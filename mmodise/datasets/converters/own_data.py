"""From a folder of pictures with annotations to a config that trains."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...utils import WholeFileBackend
from ..panoptic import Finding, Findings, result_names
from .annotated import AnnotatedImage, AnnotationError, ExistingMap, Source
from .config_file import DataPlaces, Start, config_name, config_text
from .conversion import Converted, Job, convert
from .painting import Rules
from .preparation import map_jobs
from .splits import split_images
from .vocabulary_file import write_vocabulary

_STATE = 'make_config.json'


@dataclass(frozen=True)
class Options:
    """What a user says of own data; see the options of ``make_config``."""

    root: Path
    out_dir: Path
    name: str
    stuff: str | None = None
    void: str = ''
    overlap: str = 'later'
    val_share: float = 0.2
    seed: int = 0
    full: bool = False
    start: Start | None = None
    workers: int = 1


@dataclass(frozen=True)
class Made:
    """What was made, or was there.

    Args:
        config (Path): The config.
        vocabulary (Path): The vocabulary file.
        counts (dict[str, int]): Pictures per split.
        segments (dict[str, int]): Segments per class.
        things (tuple[str]): Classes of things.
        stuff (tuple[str]): Classes of stuff.
        findings (list[Finding]): What is told.
        new (list[Path]): Files that were not there before, without the maps.
    """

    config: Path
    vocabulary: Path
    counts: dict[str, int]
    segments: dict[str, int]
    things: tuple[str, ...]
    stuff: tuple[str, ...]
    findings: list[Finding]
    new: list[Path]


def make_own_data(source: Source, options: Options) -> Made:
    """Write panoptic annotations, a vocabulary and a config, as far as they are not there.

    Args:
        source (Source): What was found.
        options (Options): What the user says.

    Raises:
        ValueError: If an annotation cannot be used, if it is not said what is stuff, or if the
            folder for the results holds something else. What was written before is of use later.
    """
    things, stuff, void = sort_classes(source, options.stuff, options.void)
    rules = Rules(frozenset(stuff), frozenset(void), options.overlap)
    _check_pictures(source)
    text = write_vocabulary(things, stuff, options.name)
    splits = split_images(source.images, options.val_share, source.findings, options.seed)
    _claim(options, _digest(source, rules, options))
    jobs = {split: _jobs(images, options, split, rules) for split, images in splits.items()}
    done = list(map_jobs(convert, [job for part in jobs.values() for job in part],
                         options.workers, 'Annotations'))
    _gather(done, source.findings)
    segments = Counter(info['name'] for converted in done for info in converted.infos)
    if not segments:
        raise AnnotationError(
            f'{options.root}: no picture has a segment. Boxes without masks do not do.')
    for name in (name for name in (*things, *stuff) if not segments[name]):
        source.findings.warning('classes without a segment', repr(name),
                                'They stay in the vocabulary.')
    contents, results = {}, iter(done)
    for split, part in jobs.items():
        converted = [next(results) for _ in part]
        contents[options.out_dir / f'annotations/panoptic_{split}.json'] = json.dumps(
            _panoptic(part, converted, things, stuff, options, split))
    vocabulary = options.out_dir / (
        'vocabulary.json' if text.startswith('{') else 'vocabulary.txt')
    maps = _maps_prefix(source, options)
    config = options.out_dir / config_name(options.name, options.full, options.start)
    counts = {split: len(part) for split, part in jobs.items()}
    contents[vocabulary] = text
    contents[config] = config_text(
        DataPlaces(_root_prefix(options), maps, vocabulary.name), (*things, *stuff), counts,
        options.full, options.start)
    new = [path for path in contents if not path.exists()]
    for path in new:
        WholeFileBackend().put_text(contents[path], path)
    return Made(config, vocabulary, counts, dict(segments), things, stuff,
                list(source.findings), new)


def sort_classes(
    source: Source, stuff: str | None, void: str = ''
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Classes of things, of stuff, and those that are void.

    Args:
        source (Source): What was found.
        stuff (str, optional): Names with semicolons, or '' for none. None takes what the layout
            says.
        void (str): Names with semicolons.

    Raises:
        AnnotationError: If a name is not that of a class, or nobody says what is stuff.
    """
    void_names = split_names(void)
    _check_known('--void', void_names, source.classes)
    if stuff is None and source.stuff is None:
        raise AnnotationError(
            'Nothing in these annotations says which classes are stuff, that is, not countable: '
            f'floor, sky. The classes are: {"; ".join(source.classes)}. Say it, as in '
            f"--stuff {'; '.join(source.classes[-2:])!r}, or --stuff '' if none is.")
    stuff_names = source.stuff if stuff is None else split_names(stuff)
    _check_known('--stuff', stuff_names, source.classes)
    left = [name for name in source.classes if name not in void_names]
    if not left:
        raise AnnotationError('There is no class that is not void.')
    return (tuple(name for name in left if name not in stuff_names),
            tuple(name for name in left if name in stuff_names), tuple(void_names))


def split_names(text: str) -> list[str]:
    """Names between semicolons or on lines."""
    return [name.strip() for name in text.replace('\n', ';').split(';') if name.strip()]


def _check_known(option: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise AnnotationError(
                f'{option}: {name!r} is no class. {f"Did you mean {near[0]!r}? " if near else ""}'
                f'The classes are: {"; ".join(known)}. Semicolons separate names.')


def _check_pictures(source: Source) -> None:
    if not source.images:
        raise AnnotationError('No picture is annotated.')
    owners: dict[Path, AnnotatedImage] = {}
    for image in source.images:
        path = image.path.resolve()
        if path in owners:
            raise AnnotationError(
                f'{image.path} is annotated twice: {owners[path].where}, and {image.where}. Take '
                'one out; --annotations FILE says which files count.')
        owners[path] = image


def _digest(source: Source, rules: Rules, options: Options) -> str:
    """What tells that an earlier run was of the same annotations and rules."""
    digest = hashlib.sha256(repr((
        sorted(rules.stuff), sorted(rules.void), rules.overlap, options.val_share, options.seed,
        source.classes, source.meaning,
        [(str(image.path.resolve()), image.split) for image in source.images])).encode())
    for path in sorted(source.files):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _claim(options: Options, digest: str) -> None:
    """Mark the folder for the results as that of this conversion; refuse another's."""
    state = options.out_dir / _STATE
    if state.exists():
        if json.loads(state.read_text(encoding='utf-8')).get('digest') != digest:
            raise AnnotationError(
                f'{options.out_dir} holds what was made of other annotations, or with other '
                'options. It is not overwritten: name another folder, --out-dir DIR, or delete it.')
        return
    if options.out_dir.exists() and any(
            not path.name.endswith('.part') for path in options.out_dir.iterdir()):
        raise AnnotationError(
            f'{options.out_dir} is not empty, and was not made by make_config. It is not touched: '
            'name another folder, --out-dir DIR.')
    WholeFileBackend().put_text(json.dumps(dict(digest=digest)), state)


def _jobs(
    images: Sequence[AnnotatedImage], options: Options, split: str, rules: Rules
) -> list[Job]:
    names = result_names({i: _relative(image.path, options.root)
                          for i, image in enumerate(images)})
    folder = options.out_dir / f'annotations/panoptic_{split}'
    return [Job(image, image.read.path if isinstance(image.read, ExistingMap)
                else folder / names[i], rules) for i, image in enumerate(images)]


def _gather(done: Sequence[Converted], findings: Findings) -> None:
    errors = [converted.error for converted in done if converted.error]
    if errors:
        more = f'\n... and {len(errors) - 5} more' if len(errors) > 5 else ''
        raise AnnotationError(
            '\n'.join(errors[:5]) + f'{more}\n{len(errors)} of {len(done)} pictures cannot be '
            'converted. Mend them and run again: what is done is kept.')
    for converted in done:
        for found in converted.findings:
            for example in found.examples:
                findings.warning(found.what, example, found.advice)


def _panoptic(
    jobs: Sequence[Job], converted: Sequence[Converted], things: tuple[str, ...],
    stuff: tuple[str, ...], options: Options, split: str,
) -> dict:
    """The content of a panoptic annotation file."""
    ids = {name: i for i, name in enumerate((*things, *stuff), 1)}
    images, annotations = [], []
    for image_id, (job, result) in enumerate(zip(jobs, converted, strict=True), 1):
        start = options.root if isinstance(job.image.read, ExistingMap) else (
            options.out_dir / f'annotations/panoptic_{split}')
        images.append(dict(id=image_id, file_name=_relative(job.image.path, options.root),
                           width=result.size[0], height=result.size[1]))
        annotations.append(dict(
            image_id=image_id, file_name=_relative(job.target, start),
            segments_info=[_with_id(info, ids) for info in result.infos]))
    return dict(images=images, annotations=annotations, categories=[
        dict(id=i, name=name, isthing=int(name in things)) for name, i in ids.items()])


def _with_id(info: dict, ids: dict[str, int]) -> dict:
    kept = {key: info[key] for key in ('id', 'area', 'bbox', 'iscrowd') if key in info}
    return dict(kept, category_id=ids[info['name']])


def _maps_prefix(source: Source, options: Options) -> str:
    if isinstance(source.images[0].read, ExistingMap):
        return _root_prefix(options)
    return 'annotations/panoptic_{}/'


def _root_prefix(options: Options) -> str:
    """The user's folder as seen from the results: if they lie beside it they move as one."""
    root, out_dir = options.root.resolve(), options.out_dir.resolve()
    beside = root.parent == out_dir.parent
    return f'{_relative(root, out_dir) if beside else root.as_posix().rstrip("/")}/'


def _relative(path: Path, start: Path) -> str:
    return Path(os.path.relpath(path.absolute(), start.absolute())).as_posix()
