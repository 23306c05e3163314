"""Train and evaluate one config with one seed, and write down what came out and what it cost.

python -m mmodise.benchmark.claim_run CONFIG --seed 0 --work-dir WORK_DIR

Writes WORK_DIR/record.json: PQ, SQ and RQ with and without CLIPClassifier, over a grid of
alpha and beta where asked for, and the cost of the training. `compare_claims` starts one such run
for each line and seed. Interrupted and started again it continues from its last checkpoint, if
that is of the very same settings.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
from datetime import date
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.runner import Runner, find_latest_checkpoint
from torch.utils.flop_counter import FlopCounterMode

import mmodise  # noqa: F401  registers its parts

from ..checkpoints import load_from_local
from ..engine import launched, load_config, set_max_iters
from ..evaluation import summarize, sweep_ensemble
from .comparisons import COMPARISONS
from .cross_classifiers import evaluate_with

IN_VOCABULARY_ALONE = 0.0, 0.0
#: A run may be interrupted, is tested at its end, and nothing reads its other results.
SETTINGS = {
    'resume': True,  # where there is something to resume
    'default_hooks.checkpoint.interval': 100, 'default_hooks.checkpoint.max_keep_ckpts': 1,
    'val_cfg': None, 'val_dataloader': None, 'val_evaluator': None,
    'model.test_cfg.instance_on': False, 'model.test_cfg.semantic_on': False}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, help='config file')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--work-dir', type=Path, required=True, help='folder to write into')
    parser.add_argument('--max-iters', type=int, help='iterations of training')
    parser.add_argument(
        '--grid', type=int, default=0, metavar='N',
        help='evaluate with alpha and beta at 0, 1 / N ... 1 each (default: as configured only)')
    parser.add_argument(
        '--classifiers-of', metavar='TABLE',
        help='also test with the classifiers of this table, each over a grid of fifths')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE',
        help='override settings of the config')
    return parser.parse_args(argv)


def read_config(args: argparse.Namespace) -> Config:
    """Read the config and fit it to a run."""
    options = {**SETTINGS, 'randomness.seed': args.seed, **args.cfg_options}
    cfg = load_config(args.config, options, work_dir=args.work_dir)
    if args.max_iters:
        set_max_iters(cfg, args.max_iters)
    cfg.default_hooks.logger.interval = max(cfg.train_cfg.max_iters // 40, 1)
    return cfg


def forget_other_settings(cfg: Config) -> None:
    """Let a training start anew whose last checkpoint is lost, or was made with other settings."""
    last = find_latest_checkpoint(cfg.work_dir)
    if last is None:
        return
    if Path(last).is_file():
        meta = load_from_local(last, map_location='cpu')['meta']
        if meta['cfg'] == cfg.pretty_text:
            return
    print(f'{last} is not there or was trained with other settings: training anew')
    Path(cfg.work_dir, 'last_checkpoint').unlink()


def evaluate(runner: Runner, steps: int) -> dict:
    """Evaluate with the ensemble and with in-vocabulary scores alone, and over the grid."""
    both = runner.model.ensemble.alpha, runner.model.ensemble.beta
    shares = [step / steps for step in range(steps + 1)] if steps else []
    grid = list(itertools.product(shares, shares))
    metrics = sweep_ensemble(runner, dict.fromkeys([both, IN_VOCABULARY_ALONE, *grid]))
    results = {pair: summarize(values) for pair, values in metrics.items()}
    record = dict(
        shares=both, with_clip=results[both], without_clip=results[IN_VOCABULARY_ALONE])
    if grid:
        record['grid'] = [
            dict(alpha=pair[0], beta=pair[1],
                 **{group: values['PQ'] for group, values in results[pair].items()})
            for pair in grid]
    return record


def measure_cost(runner: Runner) -> dict[str, float]:
    """What the training took, and what an image takes in the backbone, forward and backward."""
    model = runner.model.train()
    seconds, _ = runner.message_hub.get_scalar('train/time').data
    batch = next(iter(runner.train_dataloader))
    data = model.data_preprocessor(batch, training=True)
    images = data['inputs']
    with FlopCounterMode(display=False) as counter:
        maps = model.extract_feat(images, data['data_samples'])
        trained = [one.sum() for one in maps if one.requires_grad]  # none over a frozen backbone
        if trained:
            sum(trained).backward()
    return dict(
        seconds_per_iteration=round(statistics.median(seconds.tolist()), 4),
        trained_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        backbone_gflops=round(counter.get_total_flops() / len(images) / 1e9, 4))


def describe_machine() -> str:
    """Processor or GPU, cores and the version of torch."""
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        cpuinfo = Path('/proc/cpuinfo')
        lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
        names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
        name = names[0] if names else platform.processor() or platform.machine()
        device = f'{name}, {os.cpu_count()} cores, {torch.get_num_threads()} used'
    return f'{device}, torch {torch.__version__}'


def main() -> None:
    """Train, evaluate, and write the record."""
    args = parse_args()
    cfg = read_config(args)
    args.work_dir.mkdir(parents=True, exist_ok=True)
    forget_other_settings(cfg)
    with launched(cfg):
        runner = Runner.from_cfg(cfg)
        runner.train()
        results = evaluate(runner, args.grid)
        if args.classifiers_of:
            classifiers = COMPARISONS[args.classifiers_of].classifiers
            results['classifiers'] = evaluate_with(runner, classifiers, steps=5)
    record = dict(
        config=args.config.stem, seed=args.seed, iterations=cfg.train_cfg.max_iters,
        batch_size=cfg.train_dataloader.batch_size, date=date.today().isoformat(),
        machine=describe_machine(), **results, cost=measure_cost(runner))
    path = args.work_dir / 'record.json'
    path.write_text(json.dumps(record, allow_nan=False), encoding='utf-8')
    print(f'Wrote {path}')


if __name__ == '__main__':
    main()
