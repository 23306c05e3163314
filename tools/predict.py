"""Segment images with a vocabulary of one's own.

python tools/predict.py IMAGE... --config CONFIG --checkpoint FILE --texts "cat, kitten; dog"
    --stuff-texts "sky; grass, lawn" --out-dir DIR

Semicolons separate classes, commas the names of a class. For each image NAME.jpg, DIR gets
NAME.png, the picture with the segments and their names, and NAME_panoptic.png with
NAME_panoptic.json, the segments in COCO's panoptic format (category 1 is the first class). No file
is overwritten: where one of these names is taken, they are NAME_2.png and so on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from mmodise.apis import CheckedInferencer, PanopticResult, ResultFolder
    from mmodise.vocabulary import Vocabulary


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    from mmengine.config import DictAction
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('images', nargs='+', metavar='IMAGE', type=Path, help='image files')
    parser.add_argument('--config', required=True, help='config file')
    parser.add_argument('--checkpoint', required=True, help='checkpoint file')
    parser.add_argument(
        '--texts', default='', metavar='CLASSES',
        help='things to look for, "cat, kitten; dog"; or a file (FILE.txt, @FILE), which may hold '
        'stuff as well; or names of vocabularies, such as coco+lvis (default, if there are no '
        'stuff texts either: the classes that the model was trained on)')
    parser.add_argument(
        '--stuff-texts', default='', metavar='CLASSES', help='stuff to look for, likewise')
    parser.add_argument('--out-dir', type=Path, default=Path('predictions'),
                        help='folder to write into, made if missing (default: predictions)')
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU if there is one)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override settings of the config, e.g. model.test_cfg.object_mask_thr=0.3')
    return parser.parse_args(argv)


def read_vocabulary(texts: str, stuff_texts: str) -> Vocabulary | None:
    """Make the vocabulary that the command line asks for; None where it does not.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the classes are not valid.
    """
    from mmodise.vocabulary import Vocabulary
    if not texts.strip() and not stuff_texts.strip():
        return None
    return Vocabulary.read(texts, stuff_texts)


def build_inferencer(args: argparse.Namespace) -> CheckedInferencer:
    """Load the model.

    Raises:
        FileNotFoundError: If there is no such config or checkpoint.
        ValueError: If a key of the config is misspelt, or the checkpoint cannot be read or is of
            another model.
    """
    from mmodise.apis import CheckedInferencer
    from mmodise.engine import load_config
    from mmodise.weights import locate
    cfg = load_config(args.config, args.cfg_options)
    if not Path(locate(args.checkpoint)).is_file():
        raise FileNotFoundError(f'There is no checkpoint {args.checkpoint}.')
    if not cfg.model.get('test_cfg', {}).get('panoptic_on', True):
        raise ValueError(
            'model.test_cfg.panoptic_on is False, but panoptic results are what this script '
            'writes. For others use mmodise.apis.CheckedInferencer from Python.')
    return CheckedInferencer(cfg, args.checkpoint, device=args.device, show_progress=False)


def predict(
    inferencer: CheckedInferencer, image: np.ndarray, vocabulary: Vocabulary | None
) -> PanopticResult:
    """Segment one image, BGR, uint8, (H, W, 3)."""
    from mmodise.apis import PanopticResult
    texts = {} if vocabulary is None else dict(texts=[vocabulary])
    output = inferencer(image, return_datasamples=True, **texts)
    sample = output['predictions'][0]
    return PanopticResult.from_panoptic_seg(
        sample.pred_panoptic_seg, inferencer.model.vocabulary_of(sample))


def write_result(
    result: PanopticResult, image: np.ndarray, image_file: Path, folder: ResultFolder
) -> Path:
    """Write the picture and COCO's two files; tell where the picture went."""
    import cv2
    import numpy as np

    from mmodise.visualization import enlarge, paint_segments
    # void has no class: beyond the vocabulary
    segment_map = np.where(result.segment_ids, result.segment_ids, len(result.vocabulary))
    picture = paint_segments(
        *enlarge(image[..., ::-1].copy(), segment_map), result.vocabulary.class_names)
    png = cv2.imencode('.png', picture[..., ::-1])[1].tobytes()

    def make(stem: str) -> dict[str, bytes]:
        names = f'{stem}_panoptic.png', f'{stem}_panoptic.json'
        coco = result.encode(names[0], image_file.name)
        return {f'{stem}.png': png, **dict(zip(names, coco, strict=True))}

    return folder.write(image_file.stem, make)[0]


def format_segments(result: PanopticResult) -> str:
    """The segments as a table, the largest first."""
    from terminaltables import AsciiTable
    rows = [['class', 'kind', 'share', 'left, top, width, height']]
    for segment in sorted(result.segments_info, key=lambda segment: -segment['area']):
        rows.append([
            result.class_name(segment), 'thing' if segment['isthing'] else 'stuff',
            f'{segment["area"] / result.segment_ids.size:.1%}',
            ', '.join(map(str, segment['bbox']))])
    return AsciiTable(rows).table


def main() -> None:
    """Segment every image that can be read; exit with 1 if one could not."""
    args = parse_args()
    import mmodise  # noqa: F401  before mmdet; after the options, so that --help answers quickly
    from mmodise.apis import ResultFolder
    from mmodise.datasets.pictures import read_picture
    try:
        folder = ResultFolder(args.out_dir)
        vocabulary = read_vocabulary(args.texts, args.stuff_texts)
        inferencer = build_inferencer(args)
        model = inferencer.model
        model.panoptic_fusion_head.check_size([vocabulary or model.panoptic_head.vocabulary])
    except (OSError, ValueError) as error:
        sys.exit(f'predict.py: {error}')
    for name, classes in ({} if vocabulary is None else vocabulary.shared_names).items():
        print(f'predict.py: {name!r} is a name of several classes; where it fits best, the first '
              f'is found: {", ".join(classes)}', file=sys.stderr)
    failures = []
    for number, path in enumerate(args.images, start=1):
        try:
            image = read_picture(path)
        except OSError as error:
            failures.append(str(error))
            continue
        result = predict(inferencer, image, vocabulary)
        try:
            written = write_result(result, image, path, folder)
        except OSError as error:
            sys.exit(f'predict.py: {error}')
        print(f'[{number}/{len(args.images)}] {path} -> {written}: '
              f'{len(result.segments_info)} segments\n{format_segments(result)}', flush=True)
    if failures:
        summary = f'predict.py: {len(failures)} of {len(args.images)} images could not be read:'
        sys.exit('\n'.join([summary, *failures]))


if __name__ == '__main__':
    main()
