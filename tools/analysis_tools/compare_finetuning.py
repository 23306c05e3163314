"""See what fine-tuning on few classes gains and forgets, with and without the recipe.

python tools/analysis_tools/compare_finetuning.py

Draws the embedded data set, pictures of one's own for each seed in which three classes are
annotated, and 240 pictures for testing; fine-tunes the shipped model in a process per config and
seed, and evaluates classes that are annotated in the fine-tuning, that were annotated before, and
that never were. Records are added to DOCS/finetuning/records.jsonl; started again, finished runs
are skipped. Prints the table of docs/finetuning.md, and draws its picture.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--lines', nargs='+', metavar='LINE',
                        help='some of before, plain, all-count, recipe (default: all)')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], metavar='SEED',
                        help='(default: 0 1 2)')
    parser.add_argument('--max-iters', type=int, help='iterations of each training')
    parser.add_argument('--num-test', type=int, default=240, help='pictures for testing')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='runs side by side, of one thread each where more than one')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/finetuning'),
                        help='folder for data, logs and checkpoints (default: '
                        'work_dirs/finetuning)')
    parser.add_argument('--docs', type=Path, default=Path('docs'),
                        help='folder for records and picture (default: docs)')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Do what is left to do, and print the table."""
    args = parse_args(argv)
    from mmodise.benchmark import finetuning_report, finetuning_runs  # --help answers quickly
    from mmodise.benchmark.runs import finish
    args.lines = args.lines or [*finetuning_report.LINES]
    if unknown := set(args.lines).difference(finetuning_report.LINES):
        sys.exit(f'compare_finetuning.py: --lines {" ".join(sorted(unknown))}: expected some of '
                 f'{", ".join(finetuning_report.LINES)}')
    runs = finetuning_runs.unfinished_runs(args)
    failed = []
    if runs:
        finetuning_runs.prepare(args)
        failed = finish(runs, args.docs / 'finetuning/records.jsonl', args.jobs)
    if failed:
        sys.exit(f'{len(failed)} runs failed; start again to repeat them')
    print(finetuning_report.write_report(args.docs))


if __name__ == '__main__':
    main()
