"""What is compared in the table of speed and quality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...utils.paths import configs_folder
from ..comparison import BASELINE
from ..comparisons.recipes import COMPARISON as RECIPES
from ..vocabularies import CONFIG

FULL_CONFIG = configs_folder() / 'odise/odise_sd-v1_32xb2-lsj-50e_coco-panoptic.py'
FAST_CONFIG = configs_folder() / '_base_/fast.py'
#: Lines that others are compared with: of one window per picture, and of four.
ONE, FOUR = 'one', 'four'
#: Sides of the pictures at full size, by these.
SIDES = {ONE: 512, FOUR: 1024}
_EXTRACTOR = 'model.backbone.extractor'
_MERGE = f'{_EXTRACTOR}.merge_tokens', f'{_EXTRACTOR}.merge_levels'
_CAPTION = {'model.backbone.caption_whole_images': True}
_WINDOW, _SIZE = 'model.backbone.window_size', f'{_EXTRACTOR}.image_size'
_FOUR = {_WINDOW: 64}  # of pictures of 128 pixels; the small generator sees each as 128


class Line(NamedTuple):
    """A line of the table.

    Attributes:
        title: In Markdown.
        against: The line that it is compared with, by name.
        small: Settings of the small model that comes with mmodise; None where it is not run: a
            model that was trained anew takes the time of the line that it is compared with.
        full: Settings at full size; None where nothing is timed.
        recipe: Of another model than ODISE's: its line of the table of recipes, where its quality
            comes from.
        full_config: Its config at full size.
    """

    title: str
    against: str
    small: Mapping | None
    full: Mapping | None
    recipe: str | None = None
    full_config: str | None = None


def _in(dtype: str, clip: str) -> dict[str, str]:
    """The precision of all frozen networks."""
    parts = 'backbone.captioner', 'panoptic_head', 'classifier'
    return {f'{_EXTRACTOR}.dtype': dtype,
            **{f'model.{part}.clip.precision': clip for part in parts}}


def _merged(ratio: float, levels: int) -> dict[str, float]:
    return dict(zip(_MERGE, (ratio, levels), strict=True))


def _queries(number: int) -> dict[str, int]:
    return {'model.test_cfg.max_queries': number}


def _both(title: str, against: str, settings: Mapping) -> Line:
    return Line(title, against, settings, settings)


_LOW = _in('bfloat16', 'bf16')
_LINES = {
    ONE: _both('float32', ONE, {}),
    'bfloat16': _both('bfloat16', ONE, _LOW),
    'int8': _both('int8', ONE, _in('int8', 'int8')),
    'int8-generator': Line('int8, CLIP in float32', ONE, _in('int8', 'fp32'), None),
    'merge': _both('half of the tokens merged, 1 level', ONE, _merged(0.5, 1)),
    'merge-more': _both('3/4 of the tokens merged, 3 levels', ONE, _merged(0.75, 3)),
    'queries': Line('half of the masks', ONE, _queries(6), _queries(50)),
    'queries-few': Line('a quarter of the masks', ONE, _queries(3), _queries(25)),
    'together': Line('bfloat16, half of the tokens and masks', ONE,
                     {**_LOW, **_merged(0.5, 1), **_queries(6)},
                     {**_LOW, **_merged(0.5, 1), **_queries(50)}),
    FOUR: Line('four windows, float32', FOUR, _FOUR, {}),
    'caption': Line('four windows, one caption', FOUR, {**_FOUR, **_CAPTION}, _CAPTION),
    'one-pass': Line('one window, as large', FOUR, {_WINDOW: 128, _SIZE: 256},
                     {_WINDOW: 1024, _SIZE: 1024}),
    'shrunk': Line('one window, shrunk to half', FOUR, {_WINDOW: 128}, {_WINDOW: 1024}),
    'four-together': Line('four windows, one caption, bfloat16', FOUR,
                          {**_LOW, **_FOUR, **_CAPTION}, {**_LOW, **_CAPTION}),
    BASELINE: Line('ODISE, trained anew', ONE, None, None, BASELINE),
    'r18': Line("ODISE's head, ResNet-18", ONE, {}, None, 'r18'),
    'convnext': Line('FC-CLIP, ConvNeXt', ONE, {}, {}, 'convnext',
                     'fcclip/fcclip_convnext-l_8xb2-lsj-50e_coco-panoptic.py'),
    'resnet': Line('FC-CLIP, ResNet', ONE, {}, {}, 'resnet',
                   'fcclip/fcclip_r50_8xb2-lsj-50e_coco-panoptic.py'),
}


def lines() -> dict[str, Line]:
    """All lines by name, with that of the fast setting, where there is one."""
    if not FAST_CONFIG.is_file():
        return dict(_LINES)
    return {ONE: _LINES[ONE], 'fast': _both('`fast`', ONE, {'fast': True}), **_LINES}


def small_config(line: Line) -> str:
    """The config on the embedded data set."""
    return str(CONFIG if line.recipe is None else configs_folder() / RECIPES.lines[line.recipe][0])
