"""What an image brings along: its classes, its caption."""

from __future__ import annotations

import reprlib

from mmdet.structures import DetDataSample

from ..vocabulary import Vocabulary


def own_vocabulary(sample: DetDataSample) -> Vocabulary | None:
    """The classes that an image brings, see :meth:`ODISE.vocabulary_of`; None if it brings none.

    Raises:
        ValueError: If they are not valid; names the image.
    """
    own = sample.get('vocabulary')
    text, stuff_text = sample.get('text'), sample.get('stuff_text')
    if own is None and text is None and stuff_text is None:
        return None
    try:
        return _as_vocabulary(own) or Vocabulary.from_texts(text, stuff_text)
    except ValueError as error:
        brought = f'text={reprlib.repr(text)}, stuff_text={reprlib.repr(stuff_text)}'
        raise ValueError(
            f'The image {sample.get("img_path") or "without a name"} brings classes that '
            f'cannot be used, {brought if own is None else f"vocabulary={own!r}"}: {error}'
        ) from error


def own_caption(sample: DetDataSample) -> str:
    """The caption that an image brings, for a captioner that reads one.

    Raises:
        ValueError: If it brings none, or what is no string; names the image.
    """
    caption = sample.get('caption')
    if isinstance(caption, str):
        return caption
    found = 'no caption' if caption is None else f'caption={caption!r}, which is no string'
    raise ValueError(
        f'The captioner reads the caption of each image, and '
        f'{sample.get("img_path") or "an image"} '
        f"brings {found}: give the data set a caption_file, let the pipeline's DrawCaption choose "
        "one, and list 'caption' in the meta_keys of PackDetInputs; or give "
        'model.backbone.captioner another captioner, such as GivenCaption.')


def _as_vocabulary(value: object) -> Vocabulary | None:
    if value is None or isinstance(value, Vocabulary):
        return value
    raise ValueError(
        f"'vocabulary' is a {type(value).__name__}, not a Vocabulary. Build one with "
        'Vocabulary.from_lists, for example, or set text and stuff_text.')
