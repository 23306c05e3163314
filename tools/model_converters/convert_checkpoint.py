"""Convert an official checkpoint of ODISE or FC-CLIP to one of ours, or back.

python tools/model_converters/convert_checkpoint.py OFFICIAL.pth OURS.pth
python tools/model_converters/convert_checkpoint.py OURS.pth OFFICIAL.pth --to-official

ODISE's label and caption models and FC-CLIP, of any size; the kind is told. Every weight is
accounted for: an unknown or missing one is an error. A checkpoint that was converted gives the same
official file again; where FC-CLIP's held its frozen CLIP, with `--clip`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from mmodise.checkpoints.official import Conversion


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=Path, help='checkpoint file to convert')
    parser.add_argument('out', type=Path, help='file to write, in an existing folder')
    parser.add_argument('--to-official', action='store_true', help='from ours to the official one')
    parser.add_argument(
        '--num-classes', type=int, metavar='K',
        help='with --to-official: classes that a label model was trained on (default: as the '
        'checkpoint tells)')
    parser.add_argument(
        '--clip', type=Path, metavar='FILE',
        help="with --to-official, for FC-CLIP: weights of its CLIP, or an official file that holds "
        "them, to be put into the file, as the authors' training does (default: without, as the "
        'published file)')
    parser.add_argument(
        '--allow-pickle', action='store_true',
        help='also read an official file that holds objects beyond tensors; this can run any code '
        'that its maker put there')
    args = parser.parse_args(argv)
    if args.num_classes is not None and (not args.to_official or args.num_classes < 1):
        parser.error('--num-classes: give a positive number, and only with --to-official')
    if args.clip is not None and not args.to_official:
        parser.error('--clip: only with --to-official')
    return args


def check_out(out: Path) -> None:
    """Look whether the result can be written, before anything is read.

    Raises:
        OSError: If the file exists already, or its folder does not.
    """
    if not out.parent.is_dir():
        raise FileNotFoundError(f'There is no folder {out.parent} to write {out.name} into.')
    if out.exists():
        raise FileExistsError(f'{out} exists already; give another name, or remove it.')


def convert(args: argparse.Namespace) -> Conversion:
    """Read and convert.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it cannot be read or converted.
    """
    from mmodise.checkpoints import load_from_local
    from mmodise.checkpoints.official import from_official, read_official, to_official
    if args.to_official:
        checkpoint = load_from_local(str(args.checkpoint), 'cpu')
    else:
        checkpoint = read_official(args.checkpoint, args.allow_pickle)
    clip = read_clip(args.clip) if args.clip is not None else None
    try:
        return to_official(checkpoint, args.num_classes, clip) if args.to_official else (
            from_official(checkpoint))
    except ValueError as error:
        raise ValueError(f'{args.checkpoint}: {error}') from error


def read_clip(path: Path) -> dict[str, Tensor]:
    """Read a CLIP's weights in open_clip's names.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or holds no CLIP.
    """
    from mmodise.checkpoints.clip_file import clip_part
    from mmodise.checkpoints.safe_loading import read_weights
    weights = read_weights(path)
    weights = clip_part(weights) or weights
    if 'text_projection' not in weights:
        raise ValueError(
            f"--clip {path} holds no CLIP in open_clip's names: its weights begin with "
            f'{", ".join([*weights][:3])}.')
    return weights


def write(conversion: Conversion, out: Path) -> None:
    """Write the file, whole or not at all.

    Raises:
        OSError: If it cannot be written.
    """
    import io

    import torch

    from mmodise.utils import WholeFileBackend
    file = io.BytesIO()
    torch.save(conversion.checkpoint, file)
    WholeFileBackend().put(file.getvalue(), out)


def report(conversion: Conversion, args: argparse.Namespace) -> str:
    """What was made."""
    counts = {**conversion.num_parameters, 'all': sum(conversion.num_parameters.values())}
    from mmodise.checkpoints.official import TITLES
    sort = 'official format' if args.to_official else 'checkpoint of mmodise'
    return '\n'.join([
        f'{args.checkpoint} -> {args.out}',
        f'{TITLES[conversion.kind]} model, {sort}, {args.out.stat().st_size / 1e6:.1f} MB; '
        'parameters:',
        *(f'  {part:26} {count:>12,}' for part, count in counts.items()),
        *(f'dropped: {name} ({reason})' for name, reason in conversion.dropped.items())])


def main(argv: list[str] | None = None) -> None:
    """Convert one checkpoint; exit with 1 and the reason if that cannot be done."""
    args = parse_args(argv)
    import mmodise  # noqa: F401  after the options, so that --help answers quickly
    try:
        check_out(args.out)
        conversion = convert(args)
        write(conversion, args.out)
    except (OSError, ValueError) as error:
        sys.exit(f'convert_checkpoint.py: {error}')
    print(report(conversion, args))


if __name__ == '__main__':
    main()
