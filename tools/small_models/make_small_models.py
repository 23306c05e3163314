"""Write a small CLIP and a small Stable Diffusion, with random weights, into local folders.

python tools/small_models/make_small_models.py data/small_models

Both are built like the full-size models, of the same classes, and are written in the formats that
open_clip and diffusers read from a local folder::

    OUT_DIR/clip/               open_clip.create_model('local-dir:OUT_DIR/clip')
    OUT_DIR/stable_diffusion/   from_pretrained('OUT_DIR/stable_diffusion', subfolder='vae' ...)

As in Stable Diffusion 1.x, the text encoder is CLIP's own text tower. Equal seeds give equal
files. With --xl, a Stable Diffusion XL in all forms that it comes in::

    OUT_DIR/stable_diffusion_xl/            as diffusers writes it
    OUT_DIR/stable_diffusion_xl_fp16/       with weights of the variant 'fp16' only
    OUT_DIR/stable_diffusion_xl.safetensors one file, in CompVis' layout

With --sd3, a Stable Diffusion 3 without T5 in OUT_DIR/stable_diffusion_3/; with --amused, an aMUSEd
in OUT_DIR/amused/.
"""

import argparse
from pathlib import Path


def main(argv: list[str] | None = None) -> None:
    """Write both models into the folder that was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out_dir', type=Path, help='folder to write into, made if missing')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--xl', action='store_true', help='write a Stable Diffusion XL instead')
    parser.add_argument('--sd3', action='store_true', help='write a Stable Diffusion 3 instead')
    parser.add_argument('--amused', action='store_true', help='write an aMUSEd instead')
    args = parser.parse_args(argv)
    if args.xl:
        from mmodise.benchmark.small_stable_diffusion_xl import make_stable_diffusion_xl
        make_stable_diffusion_xl(args.out_dir, args.seed)
        print(f'Wrote {args.out_dir / "stable_diffusion_xl"} in three forms')
        return
    if args.sd3:
        from mmodise.benchmark.small_diffusion_transformer import make_stable_diffusion_3
        make_stable_diffusion_3(args.out_dir / 'stable_diffusion_3', args.seed)
        print(f'Wrote {args.out_dir / "stable_diffusion_3"}')
        return
    if args.amused:
        from mmodise.benchmark.small_token_generator import make_amused
        make_amused(args.out_dir / 'amused', args.seed)
        print(f'Wrote {args.out_dir / "amused"}')
        return
    from mmodise.benchmark.small_models import make_small_models
    make_small_models(args.out_dir, args.seed)
    print(f'Wrote {args.out_dir / "clip"} and {args.out_dir / "stable_diffusion"}')


if __name__ == '__main__':
    main()
