"""See which maps of a frozen generator know what is where, and at which timesteps.

python tools/analysis_tools/probe_features.py CONFIG --timesteps 0 100 300
python tools/analysis_tools/probe_features.py CONFIG --maps unet5 unet8 --num-images 60

Reads maps of the extractor of a config's backbone, under the empty caption, and ranks them twice:
by a linear probe, which learns the classes of cells of 4 x 4 pixels from one half of the pictures
and is measured with the other; and by k-means clusters, which are matched with the classes. Writes
OUT_DIR/table.md, table.csv, heat_map.png, and pca.png, the principal components of the best maps
as colours. Started again it goes on where it stopped; with other timesteps or maps it adds to what
is there. Other settings of the extractor: --cfg-options model.backbone.extractor.KEY=VALUE; another
one: model.backbone.extractor._delete_=True, type and pretrained.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from mmengine.config import DictAction


def number(text: str) -> float:
    """An integer where it is one: a timestep; or else a share."""
    value = float(text)
    return int(value) if value.is_integer() else value


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, help='config file')
    parser.add_argument(
        '--timesteps', '--noise', type=number, nargs='+', metavar='T', dest='levels',
        help="levels of noise: timesteps, or what else the extractor has (default: the config's)")
    parser.add_argument(
        '--maps', nargs='+', default=['all'], metavar='NAME',
        help='all, config (those that it reads), or names, such as unet5 (default: all)')
    parser.add_argument(
        '--split', choices=['train', 'val', 'test'], default='val',
        help="whose data loader's pictures (default: val)")
    parser.add_argument(
        '--num-images', type=int, metavar='N',
        help='pictures, half of them to measure with (default: 120, or all if there are fewer)')
    parser.add_argument(
        '--cells', type=int, default=100, metavar='N',
        help='cells to learn from, per picture (default: 100)')
    parser.add_argument(
        '--clusters', type=int, metavar='K', help='clusters (default: as many as classes)')
    parser.add_argument(
        '--pictures', type=int, default=4, metavar='N', help='rows of pca.png (default: 4)')
    parser.add_argument('--seed', type=int, default=0, help='of all random numbers (default: 0)')
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU if there is one)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE',
        help='override settings of the config')
    parser.add_argument(
        '--out-dir', type=Path, help='folder to write into (default: work_dirs/probe/CONFIG_NAME)')
    args = parser.parse_args(argv)
    if min(args.cells, args.clusters or 2) < 1 or args.clusters == 1 or args.pictures < 0:
        parser.error('--cells: at least 1; --clusters: at least 2; --pictures: at least 0')
    return args


def main(argv: list[str] | None = None) -> None:
    """Measure what is not measured yet, and write the report."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    import mmodise  # noqa: F401

    # isort: split
    import torch
    from mmengine.logging import MMLogger
    from transformers.utils.logging import disable_progress_bar

    from mmodise.benchmark.probing.report import write_report
    from mmodise.benchmark.probing.run import Run, Settings
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    disable_progress_bar()  # of each loading of a text encoder
    folder = args.out_dir or Path('work_dirs/probe', args.config.stem)
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        run = Run(Settings(
            args.config, args.cfg_options, args.levels, args.maps, args.split, args.num_images,
            args.cells, args.clusters, args.seed, device), folder)
        run.finish()
        table = write_report(run, args.pictures)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'probe_features.py: {error}')
    print(table)
    print(f'In {folder}: {", ".join(sorted(path.name for path in folder.iterdir()))}')


if __name__ == '__main__':
    main()
