"""Put the paper's claims to the test: train every line of the table with every seed, and write it.

python tools/analysis_tools/compare_claims.py
python tools/analysis_tools/compare_claims.py --table consistency

A line is a config: the recipe itself, or one that changes one thing of it (configs/claims, or the
folder of another table). Each run is a process of its own; its record is added to
DOCS/TABLE/records.jsonl as soon as it has finished. Interrupted and started again, finished runs
are skipped and unfinished ones go on. At the end DOCS/TABLE.md and its pictures are written.

A run counts as finished if there is a record of its config, seed and number of iterations: take
records away that were made with other data, weights or --cfg-options.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--table', default='claims',
                        help='what is compared; an unknown one lists them (default: claims)')
    parser.add_argument('--lines', nargs='+', metavar='LINE',
                        help='such as recipe or r18; an unknown one lists them (default: all)')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], metavar='SEED',
                        help='(default: 0 1 2)')
    parser.add_argument('--max-iters', type=int, help='iterations of each training')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='runs side by side, of one thread each where more than one')
    parser.add_argument('--work-dir', type=Path,
                        help='folder for logs and checkpoints (default: work_dirs/TABLE)')
    parser.add_argument('--docs', type=Path, default=Path('docs'),
                        help='folder for records, page and pictures (default: docs)')
    parser.add_argument('--table-only', action='store_true',
                        help='train nothing: write page and pictures from the records')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='override settings of all configs')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Do what is left to do, and write the page."""
    args = parse_args(argv)
    from mmodise.benchmark import claim_runs  # after the options: --help answers quickly
    from mmodise.benchmark.comparisons import COMPARISONS
    from mmodise.benchmark.runs import finish
    comparison = COMPARISONS.get(args.table)
    if comparison is None:
        sys.exit(f'compare_claims.py: --table {args.table}: expected one of '
                 f'{", ".join(COMPARISONS)}')
    args.lines = args.lines or [*comparison.lines]
    args.work_dir = args.work_dir or Path('work_dirs', comparison.name)
    if unknown := set(args.lines).difference(comparison.lines):
        sys.exit(f'compare_claims.py: --lines {" ".join(sorted(unknown))}: expected some of '
                 f'{", ".join(comparison.lines)}')
    failed = []
    if not args.table_only:
        runs = claim_runs.unfinished_runs(comparison, args)
        print(f'{len(args.lines) * len(args.seeds) - len(runs)} runs are finished, '
              f'{len(runs)} are left')
        if runs:
            claim_runs.prepare()
            failed = finish(runs, comparison.records_file(args.docs), args.jobs)
    if failed and len(failed) == len(args.lines) * len(args.seeds):
        sys.exit(f'No run finished; see {failed[0].log}')
    page = comparison.write_report(args.docs, args.max_iters)
    print(f'{page} and its pictures are written')
    if failed:
        sys.exit(f'{len(failed)} runs failed; start again to repeat them')


if __name__ == '__main__':
    main()
