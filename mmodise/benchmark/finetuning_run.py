"""Fine-tune with one config and one seed, and evaluate groups of classes before and after.

python -m mmodise.benchmark.finetuning_run CONFIG --seed 0 --own DIR --test DIR --work-dir WORK_DIR

Writes WORK_DIR/record.json: PQ of the classes that are annotated in the fine-tuning, of those that
never were, and of those that were annotated in the first training, for shares of what was
fine-tuned in the average of the weights (0 is the start, 1 the end). `compare_finetuning` starts
one such run for each config and seed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner

import mmodise  # noqa: F401  registers its parts

from ..checkpoints import load_fitting
from ..checkpoints.averaging import average_weights
from ..checkpoints.reading import load_shipped
from ..datasets.shapes_world import BASE_STUFF, BASE_THINGS, NOVEL_CLASSES
from ..engine import launched, load_config, set_max_iters
from .claim_run import describe_machine

ANNOTATED = 'red box', 'blue star', 'snow'
GROUPS = dict(
    annotated=ANNOTATED,
    never=tuple(name for name in NOVEL_CLASSES if name not in ANNOTATED),
    base=(*BASE_THINGS, *BASE_STUFF))
SHIPPED = 'mmodise://shapes/odise.pth'
SHARES = 0.0, 0.25, 0.5, 0.75, 1.0


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, help='config file')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--own', type=Path, required=True, help="the pictures of one's own")
    parser.add_argument('--original', type=Path, required=True, help='of the first training')
    parser.add_argument('--test', type=Path, required=True, help='for the evaluation')
    parser.add_argument('--work-dir', type=Path, required=True, help='folder to write into')
    parser.add_argument('--max-iters', type=int,
                        help='iterations of training; 0 evaluates the shipped model')
    return parser.parse_args(argv)


def read_config(args: argparse.Namespace) -> Config:
    """Read the config, and give it the data of this run."""
    cfg = load_config(args.config, {
        'randomness.seed': args.seed, 'val_cfg': None, 'val_dataloader': None,
        'val_evaluator': None, 'model.test_cfg.instance_on': False,
        'model.test_cfg.semantic_on': False}, work_dir=args.work_dir)
    if args.max_iters == 0:
        cfg.load_from = SHIPPED
    elif args.max_iters:
        set_max_iters(cfg, args.max_iters)
    roots = {'data/own_shapes/': args.own, 'data/shapes/': args.original}
    for data_set in data_sets(cfg.train_dataloader.dataset):
        data_set.data_root = f'{roots[data_set.data_root]}/'
    cfg.test_dataloader.dataset.data_root = f'{args.test}/'
    cfg.test_evaluator.update(
        ann_file=str(args.test / 'annotations/panoptic_val.json'),
        seg_prefix=str(args.test / 'annotations/panoptic_val'))
    return cfg


def data_sets(cfg: Config) -> list[Config]:
    """The data sets that a config mixes, or the only one."""
    if 'datasets' in cfg:
        return [found for part in cfg.datasets for found in data_sets(part)]
    return data_sets(cfg.dataset) if 'dataset' in cfg else [cfg]


@torch.no_grad()
def evaluate(runner: Runner, groups: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """PQ of groups of classes, in percent, from one pass over the test set."""
    model, loader = runner.model.eval(), runner.test_dataloader
    evaluators = {name: runner.build_evaluator(runner.cfg.test_evaluator) for name in groups}
    for name, evaluator in evaluators.items():
        evaluator.dataset_meta = dict(loader.dataset.metainfo, novel_classes=groups[name])
    for batch in loader:
        samples = model.test_step(batch)
        for evaluator in evaluators.values():
            evaluator.process(samples, batch)
    metrics = {name: evaluator.evaluate(len(loader.dataset))
               for name, evaluator in evaluators.items()}
    return {name: values['coco_panoptic/novel_PQ'] for name, values in metrics.items()}


def evaluate_averages(runner: Runner) -> dict[str, dict[str, float]]:
    """PQ of the groups for each share of what was fine-tuned."""
    tuned = {name: value.clone() for name, value in runner.model.state_dict().items()}
    start = load_shipped(runner.cfg.load_from, map_location='cpu')['state_dict']
    results = {}
    for share in SHARES:
        load_fitting(runner.model, average_weights(start, tuned, share))
        results[f'{share:g}'] = evaluate(runner, GROUPS)
    return results


def main() -> None:
    """Train, evaluate, and write the record."""
    args = parse_args()
    cfg = read_config(args)
    with launched(cfg):
        runner = Runner.from_cfg(cfg)
        if args.max_iters == 0:
            runner.load_or_resume()
            results = {'0': evaluate(runner, GROUPS)}
        else:
            runner.train()
            results = evaluate_averages(runner)
    record = dict(
        config=args.config.stem, seed=args.seed, iterations=runner.iter,
        images=len(runner.train_dataloader.dataset), date=date.today().isoformat(),
        machine=describe_machine(), shares=results)
    path = args.work_dir / 'record.json'
    path.write_text(json.dumps(record, allow_nan=False), encoding='utf-8')
    print(f'Wrote {path}')


if __name__ == '__main__':
    main()
