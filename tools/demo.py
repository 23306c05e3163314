"""Show all of mmodise within minutes, without a download: data set, training, figures, pictures.

python tools/demo.py

Draws the embedded data set where it is missing, trains the recipe for it on annotations of its
base classes, evaluates it with and without CLIPClassifier, and writes into WORK_DIR::

    results.json          PQ, SQ and RQ in percent; null where a group has no class
    overview.png          input, ground truth and prediction of some validation images
    pictures/             the same, a file an image
    training_curve.png
    weights.pth           the trained parameters, without the optimizer's state
    console.log           what mmdet had to say

Interrupted and started again it continues from its last checkpoint; after it has finished it
trains anew.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config, DictAction
from mmengine.hooks import Hook
from mmengine.runner import Runner, find_latest_checkpoint
from PIL import Image
from terminaltables import AsciiTable
from tqdm import tqdm

import mmodise  # noqa: F401  before mmdet

# isort: split
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmdet.structures import DetDataSample
from panopticapi.utils import rgb2id

from mmodise.benchmark.training_curve import draw_training_curve
from mmodise.checkpoints import load_from_local
from mmodise.datasets.shapes_world.writer import make_missing
from mmodise.engine import set_max_iters
from mmodise.evaluation import GROUPS, summarize
from mmodise.utils.paths import configs_folder
from mmodise.visualization import enlarge, paint_segments, picture_grid

CONFIG = configs_folder() / 'odise/odise_sd-small_shapes-panoptic.py'
NUM_PICTURES, NUM_IN_OVERVIEW = 12, 3


class ProgressBar(Hook):
    """One line for a whole training or evaluation in place of mmengine's many."""

    def before_train(self, runner: Runner) -> None:
        """Start at the iteration that a resumed training starts at."""
        self.bar = tqdm(
            total=runner.max_iters, initial=runner.iter, desc='Training', unit='it',
            file=sys.__stderr__)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Show the latest loss."""
        self.bar.set_postfix(loss=f'{float(outputs["loss"]):.1f}', refresh=False)
        self.bar.update()

    def after_train(self, runner: Runner) -> None:
        """Leave the line as it is."""
        self.bar.close()

    def before_test_epoch(self, runner: Runner) -> None:
        """Count batches."""
        self.bar = tqdm(
            total=len(runner.test_dataloader), desc='Evaluation', unit='batch',
            file=sys.__stderr__)

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Count a batch."""
        self.bar.update()

    def after_test_epoch(self, runner, metrics=None) -> None:
        """Leave the line as it is."""
        self.bar.close()


class Stopwatch:
    """Seconds that each stage has taken, by its name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what is done inside."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'),
                        help='folder to write into (default: work_dirs/demo)')
    parser.add_argument('--max-iters', type=int, help='iterations of training')
    parser.add_argument(
        '--publish', type=Path, metavar='FILE',
        help='write the weights into this file too, in half precision; so was made what comes '
        'with mmodise as mmodise://shapes/odise.pth')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override settings of the config, e.g. train_dataloader.batch_size=4')
    return parser.parse_args(argv)


def load_config(args: argparse.Namespace) -> Config:
    """Read the recipe and fit it to a demo, which may be interrupted and is not validated."""
    cfg = Config.fromfile(CONFIG)
    cfg.work_dir = str(args.work_dir)
    cfg.default_hooks.checkpoint.update(interval=100, max_keep_ckpts=1)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None  # it is tested once it is trained
    cfg.merge_from_dict(args.cfg_options or {})
    if args.max_iters:
        set_max_iters(cfg, args.max_iters)
    cfg.default_hooks.logger.interval = max(cfg.train_cfg.max_iters // 40, 1)
    cfg.resume = is_unfinished(args.work_dir, cfg.train_cfg.max_iters)
    return cfg


def is_unfinished(work_dir: Path, max_iters: int) -> bool:
    """Whether there is a checkpoint of an earlier iteration than the last, to continue from."""
    if not (work_dir / 'last_checkpoint').is_file():
        return False
    iteration = int(Path(find_latest_checkpoint(str(work_dir))).stem.removeprefix('iter_'))
    unfinished = iteration < max_iters
    print(f'{work_dir} has iteration {iteration} of {max_iters}: '
          + ('going on from there' if unfinished else 'finished before, training anew'))
    return unfinished


@contextmanager
def quiet(log_file: Path) -> Iterator[None]:
    """Send what libraries print into a file; what fails inside is raised as ever."""
    with log_file.open('a', encoding='utf-8') as log, redirect_stdout(log), redirect_stderr(log):
        yield


def evaluate(runner: Runner) -> dict[str, dict[str, float | None]]:
    """Evaluate the trained model as it is, and once more with the head's opinion alone."""
    results = summarize(runner.test())
    classifier, runner.model.classifier = runner.model.classifier, None
    without_clip = summarize(runner.test())
    runner.model.classifier = classifier
    return results | {f'{group}_without_clip': values for group, values in without_clip.items()}


def format_results(results: dict[str, dict[str, float | None]]) -> str:
    """The results as a table."""
    rows = [['classes', 'PQ', 'SQ', 'RQ', 'PQ without CLIP', 'SQ', 'RQ']]
    for group in GROUPS:
        values = [*results[group].values(), *results[f'{group}_without_clip'].values()]
        rows.append([group, *('-' if v is None else f'{v:.1f}' for v in values)])
    table = AsciiTable(rows)
    table.justify_columns = dict.fromkeys(range(1, 7), 'right')
    return table.table


def ground_truth(sample: dict) -> np.ndarray:
    """Annotations of a sample of the data set as class + 1000 x instance, (H, W)."""
    segment_ids = rgb2id(np.asarray(Image.open(sample['seg_map_path'])))
    segment_map = np.full(segment_ids.shape, INSTANCE_OFFSET - 1, np.int64)  # void
    for number, segment in enumerate(sample['segments_info'], start=1):
        instance = number * INSTANCE_OFFSET if segment['is_thing'] else 0
        segment_map[segment_ids == segment['id']] = segment['category'] + instance
    return segment_map


def compare(image: np.ndarray, truth: np.ndarray, output: DetDataSample,
            class_names: list[str]) -> list[np.ndarray]:
    """Input, ground truth and prediction of one image, enlarged."""
    predicted = output.pred_panoptic_seg.sem_seg[0].cpu().numpy()
    painted = [paint_segments(*enlarge(image, ids), class_names) for ids in (truth, predicted)]
    return [enlarge(image, truth)[0], *painted]


def draw_pictures(runner: Runner, out_dir: Path) -> None:
    """Write comparisons of some validation images, and an overview of some with novel classes."""
    dataset = runner.test_dataloader.dataset
    novel = dataset.metainfo['novel_classes']
    names = [f'{name} *' if name in novel else name for name in dataset.metainfo['classes']]
    titles = 'Input', 'Ground truth', 'Prediction'
    note = '* class never seen in training; dark grey: no segment'
    (out_dir / 'pictures').mkdir(parents=True, exist_ok=True)
    rows, telling = [], []
    evenly = range(0, len(dataset), max(len(dataset) // NUM_PICTURES, 1))
    for index in tqdm(evenly, desc='Pictures', file=sys.__stderr__):
        packed, info = dataset[index], dataset.get_data_info(index)
        batch = dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']])
        image = packed['inputs'].permute(1, 2, 0).numpy()[..., ::-1].copy()  # BGR to RGB
        output = runner.model.test_step(batch)[0]
        rows.append(compare(image, ground_truth(info), output, names))
        if any(dataset.metainfo['classes'][s['category']] in novel for s in info['segments_info']):
            telling.append(rows[-1])
        path = out_dir / 'pictures' / f'{Path(info["img_path"]).stem}.png'
        Image.fromarray(picture_grid(rows[-1:], titles, note)).save(path)
    overview = picture_grid((telling or rows)[:NUM_IN_OVERVIEW], titles, note)
    Image.fromarray(overview).save(out_dir / 'overview.png')


def save_weights(work_dir: Path, publish: Path | None = None) -> str:
    """Keep the last checkpoint without the optimizer's state; returns a line that says so."""
    last = load_from_local(find_latest_checkpoint(str(work_dir)), map_location='cpu')
    path, weights = work_dir / 'weights.pth', dict(last['state_dict'])
    meta = dict(dataset_meta=last['meta']['dataset_meta'])  # what mmdet's inferencer reads
    torch.save(dict(meta=meta, state_dict=weights), path)
    if publish:
        half = {name: value.half() for name, value in weights.items()}
        torch.save(dict(meta=meta, state_dict=half), publish)
    count = sum(value.numel() for value in weights.values())
    return f'{path}: {path.stat().st_size / 1e6:.2f} MB for {count / 1e6:.2f} M trained parameters'


def peak_memory() -> tuple[float, float]:
    """Largest resident size of this process and of any process it started, in GB."""
    unit = 1e9 if sys.platform == 'darwin' else 1e9 / 1024  # bytes there, kilobytes elsewhere
    return tuple(resource.getrusage(who).ru_maxrss / unit
                 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> None:
    """Run the demo."""
    args = parse_args()
    args.work_dir.mkdir(parents=True, exist_ok=True)
    watch = Stopwatch()
    with watch.stage('data'):
        make_missing(Path('data/shapes'))
    cfg = load_config(args)
    with quiet(args.work_dir / 'console.log'):
        with watch.stage('training'):
            runner = Runner.from_cfg(cfg)
            runner.register_hook(ProgressBar())
            runner.train()
        with watch.stage('evaluation'):
            results = evaluate(runner)
        with watch.stage('pictures'):
            draw_pictures(runner, args.work_dir)
            draw_training_curve(args.work_dir, args.work_dir / 'training_curve.png')
    (args.work_dir / 'results.json').write_text(
        json.dumps(results, indent=2, allow_nan=False), encoding='utf-8')
    print(format_results(results))
    print(save_weights(args.work_dir, args.publish))
    print('Seconds: ' + ', '.join(f'{name} {s:.0f}' for name, s in watch.seconds.items()))
    print('Peak memory: {:.2f} GB, and {:.2f} GB in a helper process'.format(*peak_memory()))
    print(f'Results, pictures and training curve are in {args.work_dir.resolve()}')


if __name__ == '__main__':
    main()
