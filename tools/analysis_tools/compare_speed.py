"""Compare what makes a model faster by time and by quality, and write the page with the tables.

python tools/analysis_tools/compare_speed.py
python tools/analysis_tools/compare_speed.py --parts full-size

Nothing is trained. What is measured is kept in DOCS/speed/records.json, part by part; then
DOCS/speed.md and its picture are written from all that is there, and from the trainings in
DOCS/recipes/records.jsonl (compare_claims --table recipes). Times want a machine with nothing else
running. The data set is needed (make_shapes), and for the times of FC-CLIP its small CLIPs
(train_small_models.py clip-convnext, clip-resnet). Full size takes ten minutes and 10 GiB.
"""

import argparse
import sys
from pathlib import Path

PARTS = 'quality', 'times', 'full-size', 'full-size-1024'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--parts', nargs='*', choices=PARTS, default=['quality', 'times'],
                        help='what is measured; none: only the page (default: quality times)')
    parser.add_argument('--lines', nargs='+', metavar='LINE',
                        help='such as int8 or merge; an unknown one lists them (default: all)')
    parser.add_argument('--four', metavar='CHECKPOINT',
                        help='of a training of odise_sd-small_shapes-panoptic.py with '
                        '--cfg-options model.backbone.window_size=64, for the quality of the lines '
                        'of four windows (default: mmodise://shapes/odise.pth, of one window)')
    parser.add_argument('--docs', type=Path, default=Path('docs'),
                        help='folder of page and records (default: docs)')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Measure, and write the page."""
    args = parse_args(argv)
    import mmodise  # noqa: F401  after the options: --help answers quickly

    # isort: split
    from mmodise.benchmark.speed import full_size, page, small
    from mmodise.benchmark.speed.lines import FOUR, ONE, lines
    from mmodise.engine import tune_process
    tune_process()
    every = lines()
    if unknown := set(args.lines or ()).difference(every):
        sys.exit(f'compare_speed.py: --lines {" ".join(sorted(unknown))}: expected some of '
                 f'{", ".join(every)}')
    chosen = {name: line for name, line in every.items() if name in (args.lines or every)}
    if 'quality' in args.parts:
        four = {'four': args.four} if args.four else {}
        page.keep(args.docs, 'quality', small.measure_quality(chosen, **four), together=False,
                  **four)
    if 'times' in args.parts:
        page.keep(args.docs, 'times', small.measure_times(chosen), together=True)
    for part, against in {'full-size': ONE, 'full-size-1024': FOUR}.items():
        if part in args.parts:
            page.keep(args.docs, f'full size, {against}',
                      full_size.measure_full_size(chosen, against), together=True)
    try:
        print(f'{page.write(args.docs, every)} is written')
    except FileNotFoundError as error:
        sys.exit(f'compare_speed.py: {error}')


if __name__ == '__main__':
    main()
