"""Show what alpha and beta of the geometric ensemble do to the figures of a model.

python tools/analysis_tools/sweep_ensemble.py CONFIG CHECKPOINT

Tests once: the networks run once per picture, and only what alpha and beta decide is done for each
pair. Writes maps of PQ, AP and mIoU, as far as the config has their metrics, of all, base and novel
classes, with the recipe's pair marked, and a table of all figures (ensemble.csv).
"""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout
from pathlib import Path

from mmengine.config import DictAction


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--data-set', metavar='NAME', help='of a config with several, the one')
    parser.add_argument('--steps', type=int, default=6, metavar='N',
                        help='values of alpha, and of beta, from 0 to 1 (default: 6)')
    parser.add_argument('--pictures', type=int, metavar='N',
                        help='take the first N (default: all)')
    parser.add_argument('--out-dir', type=Path, default=Path('work_dirs/ensemble'),
                        help='folder to write into (default: work_dirs/ensemble)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE',
        help='override settings of the config')
    args = parser.parse_args(argv)
    for name, least in (('steps', 2), ('pictures', 1)):
        if getattr(args, name) is not None and getattr(args, name) < least:
            parser.error(f'--{name}: at least {least}')
    return args


def main(argv: list[str] | None = None) -> None:
    """Sweep, draw and print."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    import mmodise  # noqa: F401

    # isort: split
    from mmodise.benchmark.analysis.ensemble_maps import format_best, grid, sweep, write_maps
    from mmodise.engine import launched, load_config
    args.out_dir.mkdir(parents=True, exist_ok=True)
    log = args.out_dir / 'log.txt'  # what COCO's evaluation prints for each pair
    try:
        cfg = load_config(args.config, args.cfg_options, work_dir=args.out_dir)
        with launched(cfg), log.open('w', encoding='utf-8') as file, redirect_stdout(file):
            results, recipe = sweep(
                cfg, args.checkpoint, grid(args.steps), args.data_set, args.pictures)
    except (OSError, ValueError) as error:
        sys.exit(f'sweep_ensemble.py: {error}')
    pictures = write_maps(results, grid(args.steps), recipe, args.out_dir)
    print(format_best(results, recipe))
    print(f'Table: {args.out_dir / "ensemble.csv"}, maps: {", ".join(map(str, pictures))}')


if __name__ == '__main__':
    main()
