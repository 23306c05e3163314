"""Time the metrics of an evaluation beside the model.

python tools/analysis_tools/benchmark_evaluation.py [--classes 133 847]
python tools/analysis_tools/benchmark_evaluation.py CONFIG --size 1024

Draws pictures of the size of COCO's, 480 x 640, with 15 segments and 100 instances each, and times
PQ, AP, mIoU and the recall of masks, from results in memory and annotations in files. What a metric
takes is set against the model of CONFIG, if there is one, timed in the same run with random weights
where its own are not local. Writes OUT.json.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
import tempfile
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', type=Path, help='config file of a model')
    parser.add_argument('--size', default='1024', metavar='SIDE|HEIGHTxWIDTH',
                        help="of the model's picture (default: 1024)")
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU if there is one)')
    parser.add_argument('--classes', type=int, nargs='+', default=[133, 847], metavar='N',
                        help='(default: 133 847)')
    parser.add_argument('--images', type=int, default=4, help='that are drawn (default: 4)')
    parser.add_argument('--repeats', type=int, default=3, help='(default: 3)')
    parser.add_argument(
        '--matmul-size', type=int, metavar='N', help='rows and columns of matrices (default: 3072)')
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/benchmark/evaluation'), metavar='STEM',
        help='what to write, without the ending (default: work_dirs/benchmark/evaluation)')
    args = parser.parse_args(argv)
    if min(args.images, args.repeats, *args.classes) < 1:
        parser.error('--classes, --images and --repeats: at least 1')
    return args


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    import mmodise  # noqa: F401

    # isort: split
    import torch
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope
    from tqdm import tqdm

    from mmodise.benchmark.evaluation_costs import DrawnSet, table, time_metrics
    from mmodise.benchmark.machine import MatrixProduct, clock_of, machine
    from mmodise.benchmark.subject import Setting, Subject, read_size
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    init_default_scope('mmdet')
    device = torch.device(args.device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    product = MatrixProduct(torch.device('cpu'), 'float32', args.matmul_size)
    rates, model, costs = [], [], {}
    if args.config:
        try:
            subject = Subject(Setting(
                args.config, size=read_size(args.size), device=str(device)))
        except (OSError, ValueError) as error:
            sys.exit(f'benchmark_evaluation.py: {error}')
    with tqdm(total=len(args.classes) * args.images * (args.repeats + 1), unit='image') as bar:
        for classes in args.classes:
            rates.append(product.rate())
            with tempfile.TemporaryDirectory() as folder:
                drawn = DrawnSet(Path(folder, 'set'), classes, args.images)
                costs[classes] = time_metrics(drawn, args.repeats, bar.update)
        rates.append(product.rate())
    clock = clock_of(device)
    for _ in range(args.repeats + 1 if args.config else 0):
        data = subject.images()
        start = clock()
        subject.call(data)
        model.append(clock() - start)
    rate = statistics.median(rates)
    whole = statistics.median(model[1:]) if model else None
    print(table(costs, whole))
    of_model = f'The model: {whole:.2f} s an image. ' if model else ''
    print(f'{of_model}Matrix product: {rate / 1e9:.0f} GFLOP/s. {machine()}')
    args.out.parent.mkdir(parents=True, exist_ok=True)
    path = args.out.with_name(f'{args.out.name}.json')
    path.write_text(json.dumps(dict(
        machine=machine(), metrics_seconds=costs, model_seconds=whole,
        operations_a_second=rates), indent=1) + '\n', encoding='utf-8')
    print(path)


if __name__ == '__main__':
    main()
