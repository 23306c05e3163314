"""Lets mmdet's inferencer take stuff texts alone, and say which texts do not fit."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any


def pair_texts(call: Callable[..., dict]) -> Callable[..., dict]:
    """Hand mmdet's inferencer one entry of ``texts`` and ``stuff_texts`` for each picture.

    mmdet's own way is an assertion without words where a list has another length, and an
    ``IndexError`` where there are stuff texts alone (open-mmlab/mmdetection#11845).

    Args:
        call (Callable): ``DetInferencer.__call__``.

    Returns:
        Callable: The same method.
    """
    @functools.wraps(call)
    def run(self: Any, inputs: Any, *args, texts: Any = None, stuff_texts: Any = None,
            **kwargs) -> dict:
        pictures = self._inputs_to_list(inputs)
        texts, stuff_texts = (per_picture(what, classes, len(pictures)) for what, classes in
                              (('texts', texts), ('stuff_texts', stuff_texts)))
        if texts is None and stuff_texts is not None:
            texts = [None] * len(pictures)
        return call(self, pictures, *args, texts=texts, stuff_texts=stuff_texts, **kwargs)

    return run


def per_picture(what: str, classes: Any, count: int) -> list | None:
    """Make a list with the classes of each picture.

    Args:
        what (str): The name of the argument, for messages.
        classes: One vocabulary for all pictures, or a list or tuple with one for each; or None.
        count (int): The number of pictures.

    Raises:
        ValueError: If there are more or fewer than pictures, or they are of another type.
    """
    if classes is None:
        return None
    if isinstance(classes, str) or hasattr(classes, 'class_names'):  # a Vocabulary
        return [classes] * count
    if not isinstance(classes, Sequence):
        raise ValueError(f'{what} is a {type(classes).__name__}; it must be a text, a Vocabulary, '
                         'or a list with one of these per picture.')
    if len(classes) != count:
        raise ValueError(
            f'{what} is a list of {len(classes)}, for {count} picture(s): a list has one '
            'vocabulary per picture. The classes of one vocabulary are one text, with semicolons: '
            "'cat, kitten; dog'.")
    return list(classes)


def install() -> None:
    """Put it in the place of mmdet's; imports mmdet, so that other stand-ins come before."""
    from mmdet.apis import DetInferencer
    if not hasattr(DetInferencer.__call__, '__wrapped__'):
        DetInferencer.__call__ = pair_texts(DetInferencer.__call__)
