"""A config for own data."""

from __future__ import annotations

import re
from pathlib import Path
from pprint import pformat
from typing import NamedTuple

from ...checkpoints.reading import load_shipped
from ...utils.paths import configs_folder
from ...weights import PREFIX

_TEXT = '''\
# {title}
_base_ = [
    {bases}
]

from importlib import import_module
from os.path import join

data_root = """{{{{ fileDirname }}}}/"""  # of this file: data may move as one
images = {images!r}  # from data_root on, and so are maps
maps = {maps!r}

# As in the annotation files, things first. Synonyms belong into the vocabulary file, which is read
# whenever this config is.
classes = {classes}
vocabulary = import_module('mmodise.vocabulary').Vocabulary.from_file(
    data_root + {vocabulary!r}).to_metainfo()
metainfo = dict(classes=classes, **vocabulary)

{model}

train_dataloader = dict(dataset=dict(
    data_root=data_root, ann_file='annotations/panoptic_train.json', metainfo=metainfo,
    data_prefix=dict(img=images, seg=maps.format('train'))))
val_dataloader = dict(dataset=dict(
    data_root=data_root, ann_file='annotations/panoptic_val.json', metainfo=metainfo,
    data_prefix=dict(img=images, seg=maps.format('val'))))
test_dataloader = dict(dataset=dict(
    data_root=data_root, ann_file='annotations/panoptic_{test}.json', metainfo=metainfo,
    data_prefix=dict(img=images, seg=maps.format({test!r}))))

{evaluators}
# {note}
max_iters = {max_iters}
train_cfg = dict({train_cfg})
param_scheduler = [
    dict(type='LinearLR', start_factor=0.067, by_epoch=False, begin=0, end={warmup}),
    {decay}
]
'''
_EVALUATORS = '''\
panoptic = dict(ann_file=data_root + 'annotations/panoptic_{split}.json',
                seg_prefix=join(data_root, maps.format('{split}')))
{name}_evaluator = [
    dict(type='CocoPanopticMetric', **panoptic),
    dict(type='OpenVocabularyInstanceMetric', **panoptic),
    dict(type='OpenVocabularySemanticMetric', **panoptic)
]
'''
_SMALL_MODEL = '''\
model = dict(
    panoptic_head=dict(vocabulary=vocabulary, num_queries={num_queries}),
    train_cfg=dict(num_points=2048))'''
_SMALL_DECAY = '''dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=max_iters,
         T_max=max_iters - 20, eta_min=1e-5)'''
_FULL_MODEL = '''\
model = dict(panoptic_head=dict(vocabulary=vocabulary, num_queries={num_queries}))'''
_START = '''

# Fine-tuning: a fifth of the learning rate, and of the iterations. What it makes the model forget
# comes back by averaging the weights with these: mim run mmodise average_weights
load_from = {checkpoint!r}
optim_wrapper = dict(optimizer=dict(lr={rate}))'''
_FULL_DECAY = '''dict(type='MultiStepLR', by_epoch=False, gamma=0.1,
         milestones=[int(0.889 * max_iters), int(0.963 * max_iters)])'''


class DataPlaces(NamedTuple):
    """Where the parts of a data set are.

    The config lies in the folder with ``annotations``, and so does the vocabulary file. What
    begins elsewhere is relative to that folder, or absolute.

    Args:
        images (str): Where the names of pictures begin.
        maps (str): Where the names of maps begin, with ``{}`` for the split.
        vocabulary (str): The name of the vocabulary file.
    """

    images: str
    maps: str
    vocabulary: str


class Start(NamedTuple):
    """What a fine-tuning starts from.

    Args:
        checkpoint (str): A path, or the name of a checkpoint that comes with mmodise.
        num_queries (int): Queries of its head.
    """

    checkpoint: str
    num_queries: int

    @classmethod
    def read(cls, checkpoint: str) -> Start:
        """Look into a checkpoint.

        Raises:
            FileNotFoundError: If it is not there.
            ValueError: If it is none of ODISE's.
        """
        content = load_shipped(checkpoint, map_location='cpu')
        queries = content.get('state_dict', content).get('panoptic_head.query_feat.weight')
        if queries is None:
            raise ValueError(f'--finetune {checkpoint}: this checkpoint has no queries of an ODISE '
                             'head (panoptic_head.query_feat.weight).')
        is_shipped = checkpoint.startswith(PREFIX)
        return cls(checkpoint if is_shipped else Path(checkpoint).resolve().as_posix(),
                   len(queries))


def config_name(name: str, full: bool, start: Start | None = None) -> str:
    """The name of the config of a data set."""
    plain = re.sub(r'[^\w-]+', '-', name).strip('-') or 'data'
    return f'odise_sd-{"v1" if full else "small"}_{plain}{"-finetune" if start else ""}.py'


def config_text(
    places: DataPlaces, classes: tuple[str, ...], counts: dict[str, int], full: bool,
    start: Start | None = None,
) -> str:
    """The content of a config that trains and tests on own data.

    Args:
        places (DataPlaces): Where the data are.
        classes (tuple[str]): Names as in the annotations, things first.
        counts (dict[str, int]): Pictures per split.
        full (bool): Whether the models are those of the paper, or the small ones.
        start (Start, optional): What is fine-tuned. Defaults to None, a training from scratch.
    """
    parts = ('models/odise', 'datasets/coco_panoptic', 'schedules/odise_coco') if full else (
        'models/odise_small', 'datasets/coco_panoptic_sample', 'schedules/odise_minutes')
    base = configs_folder().resolve() / '_base_'
    bases = [(base / f'{part}.py').as_posix() for part in (*parts, 'default_runtime')]
    test = 'test' if 'test' in counts else 'val'
    max_iters = min(max(2000, 25 * counts['train']), 92188) if full else 1000
    num_queries = 100 if full else 60
    if start:
        max_iters, num_queries = max_iters // 5, start.num_queries
    model = (_FULL_MODEL if full else _SMALL_MODEL).format(num_queries=num_queries)
    if start:
        model += _START.format(checkpoint=start.checkpoint, rate='2e-5' if full else '2e-4')
    return _TEXT.format(
        title='Made by make_config: ' + ', '.join(f'{n} images in {s}' for s, n in counts.items()),
        bases=',\n    '.join(map(repr, bases)),
        images=places.images, maps=places.maps, classes=pformat(classes, width=90),
        vocabulary=places.vocabulary, test=test,
        model=model, evaluators=_evaluators(test),
        note='Iterations of 2 pictures per GPU; --auto-scale-lr fits the rate of learning to it.'
        if full else 'Enough to see it learn; more pictures deserve more iterations.',
        max_iters=max_iters, warmup=250 if full else 20,
        train_cfg=f"max_iters=max_iters, val_interval={'max_iters // 4' if full else 'max_iters'}"
        + (', dynamic_intervals=None' if full else ''), decay=_FULL_DECAY if full else _SMALL_DECAY)


def _evaluators(test: str) -> str:
    text = _EVALUATORS.format(split='val', name='val')
    if test == 'val':
        return text + 'test_evaluator = val_evaluator\n'
    return text + _EVALUATORS.format(split=test, name='test')
