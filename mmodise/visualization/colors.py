"""Colours of classes, which depend on their names alone."""

from __future__ import annotations

import hashlib
import unicodedata
from functools import cache

from ..vocabulary import Vocabulary

Color = tuple[int, int, int]

# Each is as far as possible from all before it (CIEDE2000), for people with deuteranopia and with
# protanopia (Machado et al., 2009) too, among vivid colours. Any two of the first twelve are 10
# apart in all three ways of seeing; 2 can just be told.
_PALETTE = bytes.fromhex(
    '1980f0 f49020 fce348 c5112a 7ef8cf feb0f4 714185 159368 ff6084 eb0ac6 0a6311 a7cd7c '
    'a68438 aa9bff 9f1e57 00bda7 7315d6 bc5883 ca7fc1 75fe8a ff3e16 c7645c 7b6fbc 00cc4e '
    '9b2f00 d50055 f990bb 4954f7 995b9f 1e51a9 94333a 38d098 7ea455 ff9191 0099de 37e0d1 '
    '9b447b 037a4a 00ddff 23ae6f ad6937 c5d334 b4f2a7 e352a2 a71be2 d39ce8 d86f92 d41d8e '
    'b67200 facb68 fb0084 fea361 af485d a2473a 565ca7 cb8b38 e98573 9f0d76 608bfe c6266d '
    'ea95d3 de5dd4 86dc9e 516c1d c95f73 bb4eb2 fb6e0f 1dfee1 50faf3 5f8438 a11a9a cdae48 '
    'e7b017 00dfea 00e3bd fd5f9b 8143c0 d08854 fa29ef ee5069 ac7bd9 a44065 be6b49 8765d4 '
    'ca64b1 b74990 42ffba d50f19 00632f 8e3265 babe68 bcaeff 449960 78c17f f2382e e2eb66')


def class_color(name: str) -> Color:
    """The colour of a class, RGB, 0 to 255, the same wherever its name is drawn.

    It depends on nothing else: no vocabulary, no order, no process. The classes of COCO and of
    ADE20K follow the palette, in their order, so that common ones differ; others are spread over
    it by a digest.

    Args:
        name (str): The displayed name; capitals do not count.
    """
    key = unicodedata.normalize('NFC', name).casefold().strip()
    place = _common_names().get(key)
    if place is None:
        place = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), 'big')
    start = place % (len(_PALETTE) // 3) * 3
    return tuple(_PALETTE[start:start + 3])


@cache
def _common_names() -> dict[str, int]:
    names = Vocabulary.named('coco+ade20k').class_names
    return {name.casefold(): place for place, name in enumerate(names)}
