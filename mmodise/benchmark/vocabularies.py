"""One model under several vocabularies: what it finds under each, as figures and as a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.runner import Runner
from PIL import Image
from terminaltables import AsciiTable
from tqdm import tqdm

from ..datasets.shapes_world import STUFF, THINGS
from ..engine import launched, load_config
from ..evaluation.own_vocabulary import find_figure
from ..utils.paths import configs_folder
from ..visualization import enlarge, paint_segments, picture_grid
from ..vocabulary import Vocabulary

CONFIG = configs_folder() / 'odise/odise_sd-small_shapes-panoptic.py'
CHECKPOINT = 'mmodise://shapes/odise.pth'
ABSENT_THINGS = (
    'green ball', 'purple ring', 'red triangle', 'blue pyramid', 'yellow moon', 'striped cup',
    'zebra', 'bicycle', 'pickup truck', 'teapot', 'umbrella', 'violin', 'giraffe', 'airplane',
    'banana', 'chair', 'scissors', 'clock', 'horse', 'toothbrush')
ABSENT_STUFF = (
    'marble', 'gravel', 'fog', 'cardboard', 'lava', 'cornfield', 'curtain', 'asphalt', 'moss',
    'ceiling tiles')
#: The variant with the names of what is in each picture alone.
ORACLE_NAME = 'own classes of each image'
Namer = Callable[[str], Sequence[str]]
"""Gives the names under which to look for a class of the data set."""


def all_names(class_name: str) -> Sequence[str]:
    """Display name and synonyms."""
    return (THINGS | STUFF)[class_name]


def other_words(training: Vocabulary) -> Namer:
    """The names of a class that no training vocabulary had; its display name if there is none."""
    def names(class_name: str) -> Sequence[str]:
        new = [name for name in all_names(class_name) if name not in training.names]
        return [name for name in new if name != class_name] or [class_name]
    return names


def present_classes(sample: dict) -> list[str]:
    """Display names of the classes in a sample of the data set."""
    classes = [*THINGS, *STUFF]
    return sorted({classes[segment['category']] for segment in sample['segments_info']},
                  key=classes.index)


def make_vocabulary(class_names: Sequence[str], names: Namer = all_names,
                    absent: bool = False) -> Vocabulary:
    """A vocabulary of some classes of the data set, with or without classes that it lacks."""
    things = [names(name) for name in class_names if name in THINGS]
    stuff = [names(name) for name in class_names if name in STUFF]
    return Vocabulary.from_lists(
        things + list(ABSENT_THINGS) * absent, stuff + list(ABSENT_STUFF) * absent)


def evaluate(runner: Runner, vocabulary_of: Callable[[dict], Vocabulary],
             name: str = '') -> dict[str, float]:
    """Evaluate a model under other vocabularies than the data set's.

    Args:
        runner (Runner): With model and test set; images of a batch may differ in vocabulary.
        vocabulary_of (Callable): Gives the vocabulary for a sample of the data set.
        name (str): Shown beside the progress bar.

    Returns:
        dict[str, float]: The metrics of the data set.
    """
    dataset = runner.test_dataloader.dataset
    infos = {dataset.get_data_info(i)['img_id']: dataset.get_data_info(i)
             for i in range(len(dataset))}
    for batch in tqdm(runner.test_dataloader, name):
        for sample in batch['data_samples']:
            vocabulary = vocabulary_of(infos[sample.img_id])
            sample.set_metainfo(dict(text=vocabulary.things, stuff_text=vocabulary.stuff))
        # the metrics find the data set's classes by the names of each picture's own
        runner.test_evaluator.process(runner.model.test_step(batch), batch)
    return runner.test_evaluator.evaluate(len(dataset))


def variants(training: Vocabulary) -> dict[str, Callable[[dict], Vocabulary]]:
    """What is compared: a name, and the vocabulary for each sample."""
    classes = [*THINGS, *STUFF]
    fixed = {
        'all names': make_vocabulary(classes),
        'display names only': make_vocabulary(classes, lambda name: [name]),
        'only untrained names': make_vocabulary(classes, other_words(training)),
        '30 absent classes more': make_vocabulary(classes, absent=True),
    }
    chosen = {name: lambda sample, v=vocabulary: v for name, vocabulary in fixed.items()}
    return chosen | {ORACLE_NAME: lambda s: make_vocabulary(present_classes(s))}


def format_table(results: dict[str, dict[str, float]]) -> str:
    """A row a vocabulary, 'oracle' if it is one: PQ of all, base and novel classes in percent."""
    rows = [['vocabulary', 'PQ', 'base', 'novel']]
    for name, metrics in results.items():
        found = [find_figure(metrics, f'coco_panoptic/{key}')
                 for key in ('PQ', 'base_PQ', 'novel_PQ')]
        kinds = {kind for kind, _ in filter(None, found) if kind}
        rows.append([' '.join([name, *(f'({kind})' for kind in kinds)]),
                     *('-' if each is None or math.isnan(each[1]) else f'{each[1]:.1f}'
                       for each in found)])
    table = AsciiTable(rows)
    table.justify_columns = dict.fromkeys(range(1, 4), 'right')
    return table.table


def draw_picture(runner: Runner, index: int, path: Path) -> None:
    """One image under each vocabulary."""
    dataset = runner.test_dataloader.dataset
    packed, info = dataset[index], dataset.get_data_info(index)
    image = packed['inputs'].permute(1, 2, 0).numpy()[..., ::-1].copy()  # BGR to RGB
    chosen = variants(runner.model.panoptic_head.vocabulary)
    pictures, titles = [enlarge(image, np.zeros(image.shape[:2], int))[0]], ['Input']
    for name, vocabulary_of in chosen.items():
        vocabulary = vocabulary_of(info)
        sample: DetDataSample = packed['data_samples'].clone()
        sample.set_metainfo(dict(text=vocabulary.things, stuff_text=vocabulary.stuff))
        output, = runner.model.test_step(dict(inputs=[packed['inputs']], data_samples=[sample]))
        segments = output.pred_panoptic_seg.sem_seg[0].cpu().numpy()
        pictures.append(paint_segments(*enlarge(image, segments), vocabulary.class_names))
        titles.append(name.capitalize() + ' (oracle)' * (name == ORACLE_NAME))
    halves = [picture_grid([pictures[i:i + 3]], titles[i:i + 3]) for i in (0, 3)]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(halves)).save(path, quality=85)


def load(config: str | Path, checkpoint: str, cfg_options: dict | None = None) -> Runner:
    """A runner with the model loaded, ready to test."""
    register_all_modules()
    cfg = load_config(config, cfg_options)
    cfg.update(load_from=checkpoint, work_dir='work_dirs/vocabularies', log_level='ERROR')
    for kind in ('train', 'val'):
        cfg.update({f'{kind}_dataloader': None, f'{kind}_cfg': None})
    cfg.update(val_evaluator=None, optim_wrapper=None, param_scheduler=None)
    with launched(cfg):
        runner = Runner.from_cfg(cfg)
        runner.test_loop  # noqa: B018  builds data set and metric
        runner.load_or_resume()
    runner.model.eval()
    return runner
