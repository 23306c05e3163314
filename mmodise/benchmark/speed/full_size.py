"""The model of full size with each switch, of random weights: time and memory of one call."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from ...models.extractors.token_merging import MergedAttention
from ...models.extractors.unet_maps import merge_tokens_of
from ...utils.paths import configs_folder
from ..machine import HostMemory, memory_of
from ..subject import Setting, Subject
from .lines import FULL_CONFIG, SIDES, Line

_CLASSES = 20  # whose texts are embedded before
_BACKBONE = 'model.backbone'
_EXTRACTOR = f'{_BACKBONE}.extractor'
#: Settings that need no other weights: building takes longer than a call. With their defaults.
_SWITCHED = {
    f'{_BACKBONE}.caption_whole_images': False, f'{_BACKBONE}.window_size': 512,
    f'{_EXTRACTOR}.image_size': 512, f'{_EXTRACTOR}.merge_tokens': 0.0,
    f'{_EXTRACTOR}.merge_levels': 1, 'model.test_cfg.max_queries': None}


def measure_full_size(lines: Mapping[str, Line], against: str) -> dict[str, dict[str, float]]:
    """Seconds of a call, and the peak of the process's memory in GiB; once each, one after another.

    Args:
        lines (Mapping[str, Line]): By name; those with settings at full size.
        against (str): The line whose pictures are taken; it is repeated at the end, as 'NAME
            again', to tell how much the machine has changed meanwhile.
    """
    chosen = {name: line for name, line in lines.items()
              if line.full is not None and line.against == against}
    order = sorted(chosen, key=lambda name: list(map(str, _built(chosen[name]))))
    first = [name for name in order if _built(chosen[name]) == _built(chosen[against])]
    places = [against, *(name for name in first if name != against), f'{against} again',
              *(name for name in order if name not in first)]
    found, subject, built = {}, None, None
    for name in (progress := tqdm(places, unit='line')):
        line = chosen[name.removesuffix(' again')]
        if built != _built(line):
            subject, built = None, _built(line)  # the old one goes before the new one comes
            subject = _build(line, SIDES[against])
        found[name] = _time(subject, line)
        progress.write(f'{name}: {found[name]}')
    return found


def _built(line: Line) -> tuple[str, dict]:
    """What needs a model of its own: the config, and settings that are not switched."""
    settings = {key: value for key, value in line.full.items() if key not in _SWITCHED}
    return line.full_config or str(FULL_CONFIG), settings


def _build(line: Line, side: int) -> Subject:
    config, settings = _built(line)
    subject = Subject(Setting(
        Path(configs_folder(), config), settings, size=(min(SIDES.values()), ) * 2,
        classes=_CLASSES))
    subject.call(subject.images())  # embeds the texts, and warms up
    subject.setting = replace(subject.setting, size=(side, side))
    return subject


def _time(subject: Subject, line: Line) -> dict[str, float]:
    if line.full_config is None:
        switch(subject.model, line.full)
    data, memory = subject.images(), memory_of(torch.device('cpu'))
    if memory:
        memory.tidy()
        memory.reset()
    start = time.perf_counter()
    subject.call(data)
    found = dict(seconds=round(time.perf_counter() - start, 2))
    if isinstance(memory, HostMemory):
        found['gigabytes'] = round(memory.peak() / 2**30, 2)
    return found


def switch(model: nn.Module, settings: Mapping) -> None:
    """Set what an ODISE's config would set, and everything else of that kind back.

    Args:
        model (Module): An ODISE of full size.
        settings (Mapping): Of its config.
    """
    values = {**_SWITCHED, **{key: settings[key] for key in settings if key in _SWITCHED}}
    backbone, extractor = model.backbone, model.backbone.extractor
    backbone.caption_whole_images = values[f'{_BACKBONE}.caption_whole_images']
    backbone.window_size = values[f'{_BACKBONE}.window_size']
    extractor.image_size = values[f'{_EXTRACTOR}.image_size']
    model.panoptic_head.max_queries = values['model.test_cfg.max_queries']
    unet = extractor.frozen.unet
    for part in unet.modules():
        if isinstance(getattr(part, 'processor', None), MergedAttention):
            part.set_processor(part.processor.processor)
    if ratio := values[f'{_EXTRACTOR}.merge_tokens']:
        merge_tokens_of(unet, ratio, values[f'{_EXTRACTOR}.merge_levels'])
