"""The check of what a data set says before any image is read: annotations, classes, files."""

from __future__ import annotations

import os.path as osp
from collections.abc import Hashable
from dataclasses import dataclass, field

from mmengine.fileio import LocalBackend, get_file_backend

from ..caption_file import captions_by_image, read_captions
from ..captioned_images import CaptionedImagesDataset
from ..panoptic.annotation_file import PanopticFile, read_panoptic_file
from ..panoptic.classes import check_classes
from ..panoptic.entries import MAX_SEGMENT_ID, some
from ..panoptic.file_names import FolderListings
from ..panoptic.findings import Findings
from .data_sets import NamedSet
from .samples import Sample

_MISSING = "Check data_root and data_prefix, and the 'file_name' in the annotation file."


@dataclass
class SetFiles:
    """What a data set names.

    Args:
        named (NamedSet): The data set.
        findings (Findings): What was found so far.
        file (PanopticFile | None): None if it cannot be read, or is one of captions.
        labels (dict): Of the categories that are classes, by id.
        samples (list[Sample]): What is to be read.
        folders (dict[str, str]): Of ``'images'`` and ``'maps'``, if they are on a local disk.
    """

    named: NamedSet
    findings: Findings
    file: PanopticFile | None = None
    labels: dict[Hashable, int] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    folders: dict[str, str] = field(default_factory=dict)


def read_files(named: NamedSet) -> SetFiles:
    """Read the annotation file of a data set, and look for the files that it names."""
    dataset = named.dataset
    files = SetFiles(named, Findings(dataset.ann_file))
    try:
        if isinstance(dataset, CaptionedImagesDataset):
            _read_captioned(files)
        else:
            _read_annotations(files)
    except (OSError, ValueError) as error:
        files.findings.error('annotation files that cannot be used', str(error))
    return files


def _read_annotations(files: SetFiles) -> None:
    dataset, findings = files.named.dataset, files.findings
    file = files.file = read_panoptic_file(dataset.ann_file, dataset.backend_args, findings)
    image_ids, has_maps = list(file.images), 'seg' in dataset.data_prefix
    try:
        if dataset.metainfo:
            check_classes(dataset.metainfo)
        match, image_ids = dataset.join(file, findings)
        files.labels, has_maps = match.labels, dataset.has_maps
    except ValueError as error:
        findings.error("classes that do not go with the annotation file", str(error))
    _check_uses(file, files.labels, findings)
    _collect(files, [
        (file.entry(image_id), file.images[image_id], file.map_name(image_id) if has_maps else None,
         _usable(file.segments(image_id)) if has_maps else [])
        for image_id in image_ids])
    if dataset.caption_file:
        _check_captions(files)


def _usable(infos: list[dict]) -> list[dict]:
    """Segments that a map can be compared with; the others are errors already."""
    by_id = {info['id']: info for info in infos if isinstance(info, dict)
             and type(info['id']) is int and 0 < info['id'] <= MAX_SEGMENT_ID}
    return list(by_id.values())


def _check_uses(file: PanopticFile, labels: dict[Hashable, int], findings: Findings) -> None:
    uses = file.count_uses()
    for category in file.categories if file.is_annotated else ():
        if category['id'] in labels and category['id'] not in uses:
            findings.warning('classes without an annotation', repr(category['name']),
                             'Nothing can be learned or measured of them.')


def _check_captions(files: SetFiles) -> None:
    dataset, file, findings = files.named.dataset, files.file, files.findings
    try:
        captions = captions_by_image(read_captions(dataset.caption_file, dataset.backend_args))
    except (OSError, ValueError) as error:
        findings.error('captions files that cannot be used', str(error))
        return
    missing = [image_id for image_id in file.images if image_id not in captions]
    if len(missing) == len(file.images):
        findings.error(
            'captions files without a caption of one of the images', f'{dataset.caption_file}, of '
            f'images {some(captions)}; the images here are {some(file.images)}',
            'Are they of two splits?')
        return
    for image_id in missing:
        findings.warning('images without a caption', file.entry(image_id),
                         'Their masks are learned, and no words.')


def _read_captioned(files: SetFiles) -> None:
    dataset, findings = files.named.dataset, files.findings
    content = read_captions(dataset.ann_file, dataset.backend_args)
    captions, used = captions_by_image(content), []
    for image in content['images']:
        if not isinstance(image.get('file_name'), str) or 'id' not in image:
            findings.error("entries of 'images' without an 'id' or a 'file_name'", repr(image))
        elif image['id'] not in captions:
            findings.warning('images without a caption', image['file_name'], 'They are left out.')
        else:
            used.append((f'image {image["id"]!r} ({image["file_name"]})', image, None, []))
    if not captions:
        findings.error('captions files without a caption', dataset.ann_file)
    _collect(files, used)


def _collect(files: SetFiles, used: list[tuple]) -> None:
    """Make samples of entries, images, names of maps and segments."""
    dataset, listings = files.named.dataset, FolderListings()
    prefix = dataset.data_prefix
    backend = get_file_backend(prefix['img'], backend_args=dataset.backend_args)
    is_local = isinstance(backend, LocalBackend)
    if is_local:
        files.folders = {'images': prefix['img']}
        if 'seg' in prefix:
            files.folders['maps'] = prefix['seg']

    def find(what: str, folder: str, name: str, entry: str) -> str | None:
        path = osp.join(folder, name)
        found = listings.find(folder, name) if is_local else path
        if found is None:
            near = listings.nearest(path)
            files.findings.error(
                f'{what} that are not there',
                f'{path}, of {entry}{f"; there is {near}" if near else ""}', _MISSING)
        return found

    for entry, image, map_name, infos in used:
        files.samples.append(Sample(
            entry, find('images', prefix['img'], image['file_name'], entry),
            None if map_name is None else find('maps', prefix['seg'], map_name, entry),
            (image.get('height'), image.get('width')), infos, dataset.backend_args))
