"""Segment pictures and videos with a vocabulary of one's own.

python tools/predict.py photos/ --vocab "cat, kitten; dog" --stuff "sky; grass, lawn" --out-dir out

Semicolons separate classes, commas the names of a class. Inputs are pictures, folders, patterns,
videos, addresses, and .txt files with one of these per line. For each picture NAME.jpg, the folder
gets what --format says:

  picture         NAME.png, the picture with the segments and their names
  coco-panoptic   NAME_panoptic.png and NAME_panoptic.json (category 1 is the first class)
  coco-instances  NAME_instances.json, the things, with run lengths
  labelme         NAME.json
  semantic        NAME_semantic.png, the class of each pixel, and NAME_semantic.txt, what they are
  json, csv       NAME_segments.json, NAME.csv

and for each video NAME.mp4 with the segments. No file is overwritten: where one of these names is
taken, they are NAME_2.png and so on. What is done is not done again when the command is repeated.
"""

from __future__ import annotations

import argparse
import multiprocessing.connection
import os
import socket
import sys
from pathlib import Path

FORMATS = ('picture', 'coco-panoptic', 'coco-instances', 'labelme', 'semantic', 'json', 'csv')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog='predict.py', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'inputs', nargs='*', metavar='INPUT',
        help='picture, folder, pattern, video, address, or list (.txt)')
    parser.add_argument(
        '--camera', type=int, action='append', default=[], metavar='NUMBER',
        help='a camera, from 0; may be repeated')
    parser.add_argument('--out-dir', type=Path, default=Path('predictions'),
                        help='folder to write into, made if missing (default: predictions)')
    parser.add_argument(
        '--format', nargs='+', choices=FORMATS, default=['picture', 'coco-panoptic'],
        metavar='FORMAT', help='what to write (default: picture coco-panoptic)')
    parser.add_argument(
        '--again', action='store_true', help='do again what is done and has not changed')
    _add_words(parser.add_argument_group('vocabulary (default: the classes of the training)'))
    _add_model(parser.add_argument_group('model (default: the small one that comes with mmodise)'))
    _add_video(parser.add_argument_group('videos and cameras'))
    _add_processes(parser.add_argument_group('processes'))
    args = parser.parse_args(argv)
    if not args.inputs and not args.camera:
        parser.error('give a picture, a folder, another INPUT, or --camera NUMBER')
    if args.mask_images and not args.masks:
        parser.error('--mask-images needs --masks')
    for name in ('workers', 'batch_size', 'every', 'max_frames'):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} must be 1 or more')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def _add_words(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--vocab', '--texts', default='', metavar='CLASSES',
        help='"cat, kitten; dog"; or a file (FILE.txt, FILE.safetensors, @FILE), which may hold '
        'stuff as well; or names of vocabularies, such as coco+lvis, or everything')
    group.add_argument('--stuff', '--stuff-texts', default='', metavar='CLASSES',
                       help='classes that are not counted, likewise')
    group.add_argument('--caption', default='', metavar='SENTENCE',
                       help='its nouns are classes: "a dog on green grass"')


def _add_model(group: argparse._ArgumentGroup) -> None:
    from mmengine.config import DictAction
    group.add_argument('--model', '--config', metavar='NAME', help='model or config file')
    group.add_argument('--weights', '--checkpoint', metavar='FILE', help='checkpoint of the model')
    group.add_argument(
        '--masks', metavar='FILE',
        help="masks to name in place of the model's own: COCO's panoptic JSON with its PNGs, "
        'instances or results (JSON), NPZ, or a folder of them')
    group.add_argument(
        '--mask-images', metavar='FILE',
        help="a JSON with the list 'images' that the ids of COCO's results are of")
    group.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU if there is one)')
    group.add_argument('--precision', choices=['float32', 'bfloat16', 'float16'])
    group.add_argument(
        '--fast', action='store_true',
        help='frozen networks in bfloat16, if the device has it, as configs/_base_/fast.py')
    group.add_argument('--batch-size', type=int, default=1, help='pictures at a time (default: 1)')
    for name, text in (
            ('alpha', 'weight of the out-of-vocabulary score for classes of the training'),
            ('beta', 'the same for all other classes'),
            ('threshold', 'what the score of a segment must exceed')):
        group.add_argument(f'--{name}', type=_share, metavar='0..1', help=text)
    group.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override settings of the config, e.g. model.test_cfg.object_mask_thr=0.3')


def _share(text: str) -> float:
    if not 0 <= float(text) <= 1:
        raise argparse.ArgumentTypeError(f'{text} is not a number from 0 to 1')
    return float(text)


def _add_video(group: argparse._ArgumentGroup) -> None:
    group.add_argument('--every', type=int, default=1, metavar='N',
                       help='take the first of N frames (default: 1, all)')
    group.add_argument('--max-frames', type=int, metavar='N',
                       help='stop after so many (default: at the end, a camera at Ctrl-C)')


def _add_processes(group: argparse._ArgumentGroup) -> None:
    group.add_argument('--workers', type=int, default=1, metavar='N',
                       help='processes of this machine, which share the inputs (default: 1)')
    group.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
                       help='if something else has started them: torchrun, slurm, mpi')
    group.add_argument('--local_rank', '--local-rank', type=int, default=0,
                       help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Do what the options say, and give the exit code."""
    import mmodise  # noqa: F401  before mmdet; after the options, so that --help answers quickly
    from mmodise.apis.prediction.command import run
    return run(args)


def run_workers(args: argparse.Namespace) -> int:
    """Do the same in several processes, which meet as those of torchrun do."""
    threads = max(1, (os.cpu_count() or 1) // args.workers)
    os.environ.setdefault('OMP_NUM_THREADS', str(threads))
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=port, WORLD_SIZE=str(args.workers))
    args.launcher = 'pytorch'
    spawn = multiprocessing.get_context('spawn')
    running = [spawn.Process(target=_work, args=(rank, args)) for rank in range(args.workers)]
    for process in running:
        process.start()
    try:
        return _wait(running)
    except KeyboardInterrupt:  # they have got it, too
        for process in running:
            process.join()
        return 130


def _work(rank: int, args: argparse.Namespace) -> None:
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
    sys.exit(run(args))


def _wait(processes: list) -> int:
    """Wait for all; if one was killed, the others would wait for it, so they end as well."""
    running = {process.sentinel: process for process in processes}
    while running:
        for sentinel in multiprocessing.connection.wait(list(running)):
            process = running.pop(sentinel)
            process.join()
            if process.exitcode < 0:
                for other in running.values():
                    other.terminate()
    return max(abs(process.exitcode) for process in processes)


def main() -> None:
    """Segment every input that can be read; exit with 1 if one could not."""
    args = parse_args()
    code = run_workers(args) if args.workers > 1 and args.launcher == 'none' else run(args)
    if code:
        sys.exit(code)


if __name__ == '__main__':
    main()
