"""Look at the predictions of a test: figures of classes and pictures, mistakes, the worst pictures.

python tools/test.py CONFIG CHECKPOINT --save-predictions
python tools/analysis_tools/analyze_predictions.py CONFIG WORK_DIR

Reads what was saved, and the truth that the config's metrics read; no model is needed. Results of
predict (coco-panoptic) do as well. Writes, beside the predictions, into the folder analysis:

  classes.csv, classes_PQ.png, ...   figures of each class, as compare_classes reads them
  pictures.csv                       of each picture, the worst first: PQ over its own segments of
                                     all classes together (overlaps of those that are right, over
                                     their number and half of that of the wrong and the missed)
  worst/                             the worst ones with truth and prediction, one file each and
                                     page.png
  confusion.csv, confusion.png, ...  which name is taken for which
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, help='config file of the test')
    parser.add_argument('predictions', type=Path,
                        help='work folder of the test, or folder of predictions')
    parser.add_argument('--data-set', metavar='NAME',
                        help='of a config with several, the one (default: all with predictions)')
    parser.add_argument('--worst', type=int, default=12, metavar='N',
                        help='pictures that are drawn (default: 12)')
    parser.add_argument('--skip-missing', action='store_true',
                        help='leave out pictures without a prediction')
    parser.add_argument('--out-dir', type=Path, help='folder to write into')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE',
        help='override settings of the config')
    args = parser.parse_args(argv)
    if args.worst < 0:
        parser.error('--worst: at least 0')
    return args


def main(argv: list[str] | None = None) -> None:
    """Analyse, write and print."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    import mmodise  # noqa: F401

    # isort: split
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope

    from mmodise.benchmark.analysis.evaluated_sets import evaluated_sets, find_predictions
    from mmodise.benchmark.analysis.report import analyze
    from mmodise.engine import load_config
    init_default_scope('mmdet')
    MMLogger.get_current_instance().setLevel('WARNING')  # tables of all classes are in the folder
    try:
        sets = evaluated_sets(load_config(args.config, args.cfg_options), args.data_set)
        found = find_predictions(sets, args.predictions)
        for evaluated in (each for each in sets if each.name in found):
            folder = found[evaluated.name]
            out_dir = args.out_dir or folder.with_name(
                'analysis' if folder.name == 'predictions' else f'{folder.name}_analysis')
            if args.out_dir and len(found) > 1:
                out_dir = args.out_dir / evaluated.name
            print(analyze(evaluated, folder, out_dir, args.worst, args.skip_missing))
    except (OSError, ValueError) as error:
        sys.exit(f'analyze_predictions.py: {error}')


if __name__ == '__main__':
    main()
