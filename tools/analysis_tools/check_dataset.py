"""Check your own data before you train: read every file once, and say what is wrong or odd.

python tools/analysis_tools/check_dataset.py CONFIG
python tools/analysis_tools/check_dataset.py --img-dir DIR --ann-file FILE --seg-dir DIR

Checks the data sets that a config trains, validates and tests with, or a folder of images with an
annotation file in COCO's panoptic layout and its maps. Prints one report: what is an error, what is
only odd, how often, and the first examples; and draws six samples with the names of their segments.
The exit code is 1 if there are errors.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from mmengine.config import DictAction


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, nargs='?', help='config file')
    parser.add_argument('--img-dir', metavar='DIR', help='images, in place of a config')
    parser.add_argument('--ann-file', metavar='FILE', help='panoptic annotations of these')
    parser.add_argument('--seg-dir', metavar='DIR', help='maps of these')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE',
        help='override settings of the config')
    parser.add_argument('--workers', type=int, help='processes (default: one per core)')
    parser.add_argument('--out', type=Path, metavar='FILE.json', help='write the report as JSON')
    parser.add_argument(
        '--picture', type=Path, metavar='FILE.png',
        help='where to draw the samples (default: work_dirs/check_dataset/NAME.png)')
    args = parser.parse_args(argv)
    if (args.config is None) == (args.ann_file is None):
        parser.error('give a config, or --img-dir, --ann-file and --seg-dir')
    if (args.img_dir is None) != (args.ann_file is None):
        parser.error('--img-dir and --ann-file go together')
    if args.workers is not None and args.workers < 1:
        parser.error('--workers: at least 1')
    return args


def main(argv: list[str] | None = None) -> None:
    """Check, print and write."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    import mmodise  # noqa: F401

    # isort: split
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope
    from tqdm import tqdm

    from mmodise.datasets.check import check_data_sets, configured_sets, folder_set
    from mmodise.datasets.check.output import refuse_foreign, write_picture, write_report
    from mmodise.engine.config import load_config
    from mmodise.visualization.annotated_samples import draw_samples
    MMLogger.get_current_instance().setLevel(logging.ERROR)  # what is told is in the report
    init_default_scope('mmdet')
    picture = args.picture or Path(
        'work_dirs/check_dataset', f'{Path(args.config or args.ann_file).stem}.png')
    try:
        refuse_foreign(args.out, picture)
        if args.config:
            sets = configured_sets(load_config(args.config, args.cfg_options))
        else:
            sets = [folder_set(args.img_dir, args.ann_file, args.seg_dir)]
        with tqdm(unit='image') as progress:
            report = check_data_sets(sets, args.workers, progress.reset, progress.update)
    except (OSError, ValueError) as error:
        sys.exit(f'check_dataset.py: {error}')
    print(report.text())
    drawn = draw_samples(report)
    if drawn is not None:
        write_picture(drawn, picture)
        print(f'Look at {picture}: are the segments where they should be?')
    if args.out:
        shown = None if drawn is None else str(picture)
        write_report(json.dumps(dict(report.content(), picture=shown), indent=1), args.out)
        print(f'Report: {args.out}')
    sys.exit(1 if report.count(is_error=True) else 0)


if __name__ == '__main__':
    main()
