"""Take the weights out of a file that also holds Python objects, without running any code of it.

Checkpoints of PyTorch Lightning, for example, hold its callbacks; mmodise refuses such files. The
new file has the tensors of the checkpoint's `state_dict` under the same names, bit for bit:

    python tools/model_converters/keep_weights.py sd-v1-4.ckpt sd-v1-4.safetensors
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('file', type=Path, help='the file that was refused')
    parser.add_argument('out', type=Path, help='the new file, FILE.safetensors')
    args = parser.parse_args(argv)
    if args.out.suffix != '.safetensors':
        parser.error(f'{args.out}: the name of the new file must end in .safetensors')
    return args


def main(argv: list[str] | None = None) -> None:
    """Write the new file."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from safetensors.torch import save_file

    from mmodise.checkpoints import keep_weights
    try:
        weights = keep_weights(args.file)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from error
    # safetensors takes neither views nor two names of one tensor
    save_file({name: tensor.clone().contiguous() for name, tensor in weights.items()}, args.out)
    print(f'{args.out}: {len(weights)} tensors of {args.file}; nothing else was kept.')


if __name__ == '__main__':
    main()
