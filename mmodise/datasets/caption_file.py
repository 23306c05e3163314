"""Captions in COCO's layout, checked, and joined with images by id."""

import json
import logging
from collections import Counter, defaultdict
from itertools import islice
from typing import Any

from mmengine.fileio import exists, get
from mmengine.logging import print_log

# About every third word of English captions, and few of any other language's. ('in' and 'an' are
# left out, since they are German, too.)
_ENGLISH = frozenset(('a', 'and', 'are', 'his', 'is', 'of', 'on', 'the', 'to', 'two', 'with'))
_LEAST_ENGLISH = 0.15


def read_captions(path: str, backend_args: dict | None = None) -> dict:
    """Read a captions file.

    Args:
        path (str): A file in the layout of COCO's ``captions_train2017.json``: ``images`` with
            ``id``, and ``annotations`` with ``image_id`` and ``caption``. Where annotations also
            have ``phrases``, as ``mim run mmodise extract_phrases`` writes them, no extractor is
            needed.
        backend_args (dict, optional): As in mmengine's ``fileio``. Defaults to None.

    Returns:
        dict: The content of the file, checked. Either all annotations have ``phrases``, a list of
        strings, or none.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no JSON, has another layout, ids that repeat, or captions that are no
            English sentences and bring no phrases.
    """
    if not exists(path, backend_args):
        raise FileNotFoundError(
            f'The captions file {path} is not there. COCO has captions_train2017.json beside its '
            'instances_train2017.json; a path that is not absolute starts at data_root.')
    try:
        content = json.loads(get(path, backend_args=backend_args))  # of any Unicode encoding
    except ValueError as error:
        raise ValueError(f'{path} is no JSON, or was cut short: {error}') from error
    _check_layout(path, content)
    for name in ('images', 'annotations'):
        _check_ids(path, name, content[name])
    if not has_phrases(content):
        _check_language(path, content['annotations'])
    return content


def has_phrases(content: dict) -> bool:
    """Whether the annotations of a captions file bring their noun phrases."""
    return bool(content['annotations']) and 'phrases' in content['annotations'][0]


def captions_by_image(content: dict) -> dict[Any, dict]:
    """What a captions file says of each image, by the image's id.

    Returns:
        dict: An entry for each image that has a caption. An entry has ``captions``, strings that
        are not empty, and if the file brings them, ``phrases``, of each caption a list.
    """
    images = defaultdict(lambda: defaultdict(list))
    for annotation in content['annotations']:
        if annotation['caption'].strip():
            image = images[annotation['image_id']]
            image['captions'].append(annotation['caption'])
            if 'phrases' in annotation:
                image['phrases'].append(annotation['phrases'])
    return {image_id: dict(image) for image_id, image in images.items()}


def join_captions(data_list: list[dict], ann_file: str, path: str, content: dict) -> None:
    """Give samples of a data set their captions, and warn once if some have none.

    Args:
        data_list (list[dict]): Samples with ``img_id``; get ``captions`` and maybe ``phrases``, as
            in :func:`captions_by_image`; an empty list where there are none.
        ann_file (str): Where the samples are from.
        path (str): Where the captions are from.
        content (dict): Of :func:`read_captions`.

    Raises:
        ValueError: If no sample has a caption, as when the captions are those of another split.
    """
    images = captions_by_image(content)
    missing = [info['img_id'] for info in data_list if info['img_id'] not in images]
    if len(missing) == len(data_list) and data_list:
        raise ValueError(
            f'{path} has captions of {len(images)} images (ids {_some(images)}), {ann_file} has '
            f'{len(data_list)} images (ids {_some(missing)}), and no id is in both. Are they of '
            'two splits? panoptic_train2017.json goes with captions_train2017.json.')
    if missing:
        print_log(
            f'{len(missing)} of {len(data_list)} images of {ann_file} have no caption in {path} '
            f'(ids {_some(missing)}): their masks are learned, and no words.',
            'current', logging.WARNING)
    for info in data_list:
        info.update(images.get(info['img_id'], dict(captions=[])))


def _check_layout(path: str, content: Any) -> None:
    layout = ("a captions file has 'images', and 'annotations' with 'image_id' and 'caption', a "
              'string')
    if not isinstance(content, dict) or not all(
            isinstance(content.get(name), list) for name in ('images', 'annotations')):
        raise ValueError(f"{path} lacks a list 'images' or 'annotations': {layout}.")
    annotations = content['annotations']
    for annotation in annotations:
        if not isinstance(annotation, dict) or 'image_id' not in annotation or not isinstance(
                annotation.get('caption'), str):
            raise ValueError(
                f'{path} has an annotation {_short(annotation)}: {layout}. Is it the file of '
                'captions, and not that of masks?')
        phrases = annotation.get('phrases', [])
        if ('phrases' in annotation) != has_phrases(content) or not (
                isinstance(phrases, list) and all(isinstance(phrase, str) for phrase in phrases)):
            raise ValueError(
                f"{path} has an annotation {_short(annotation)}: if one has 'phrases', all must, "
                'each a list of strings. `mim run mmodise extract_phrases` writes such a file.')


def _check_ids(path: str, name: str, entries: list[dict]) -> None:
    counts = Counter(entry['id'] for entry in entries if 'id' in entry)
    repeated = [entry_id for entry_id, count in counts.items() if count > 1]
    if repeated:
        raise ValueError(
            f"{path} has {len(repeated)} ids more than once in '{name}': {_some(repeated)}. Were "
            'two files put together? Captions are joined with images by id; number them anew.')


def _check_language(path: str, annotations: list[dict]) -> None:
    captions = [annotation['caption'] for annotation in annotations[:1000]]
    words = [word for caption in captions for word in caption.lower().split()]
    share = sum(word in _ENGLISH for word in words) / max(len(words), 1)
    if words and share < _LEAST_ENGLISH:
        example = next(caption for caption in captions if caption.strip())
        raise ValueError(
            f"{path} does not read like English sentences: {share:.0%} of the words are such as "
            f"'the', 'of' and 'with', as in {_short(example)}. Noun phrases can only be found in "
            "English; for other texts give each annotation its 'phrases', a list of strings.")


def _some(ids: Any) -> str:
    first = ', '.join(map(repr, islice(ids, 3)))
    return f'{first}, ...' if len(ids) > 3 else first or 'none'


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 120 else f'{text[:120]}...'
