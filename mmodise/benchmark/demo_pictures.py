"""Pictures of the demo: input, ground truth and prediction side by side."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmdet.structures import DetDataSample
from mmengine.runner import Runner
from PIL import Image
from tqdm import tqdm

from ..datasets.panoptic import Findings, read_segments
from ..visualization import enlarge, paint_segments, picture_grid

NUM_PICTURES, NUM_IN_OVERVIEW = 12, 3


def ground_truth(sample: dict) -> np.ndarray:
    """Annotations of a sample of the data set as class + 1000 x instance, (H, W)."""
    path, infos = sample['seg_map_path'], sample['segments_info']
    segments = read_segments(path, infos, Findings(path))
    return segments.paint([
        info['category'] + (number * INSTANCE_OFFSET if info['is_thing'] else 0)
        for number, info in enumerate(segments.infos, start=1)], void=INSTANCE_OFFSET - 1)


def compare(image: np.ndarray, truth: np.ndarray, output: DetDataSample,
            class_names: list[str]) -> list[np.ndarray]:
    """Input, ground truth and prediction of one image, enlarged."""
    predicted = output.pred_panoptic_seg.sem_seg[0].cpu().numpy()
    painted = [paint_segments(*enlarge(image, ids), class_names) for ids in (truth, predicted)]
    return [enlarge(image, truth)[0], *painted]


def draw_pictures(runner: Runner, out_dir: Path) -> None:
    """Write comparisons of some validation images, and an overview of some with novel classes."""
    dataset = runner.test_dataloader.dataset
    novel = dataset.metainfo['novel_classes']
    names = [f'{name} *' if name in novel else name for name in dataset.metainfo['classes']]
    titles = 'Input', 'Ground truth', 'Prediction'
    note = '* class never seen in training; dark grey: no segment'
    (out_dir / 'pictures').mkdir(parents=True, exist_ok=True)
    rows, telling = [], []
    evenly = range(0, len(dataset), max(len(dataset) // NUM_PICTURES, 1))
    for index in tqdm(evenly, desc='Pictures', file=sys.__stderr__):
        packed, info = dataset[index], dataset.get_data_info(index)
        batch = dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']])
        image = packed['inputs'].permute(1, 2, 0).numpy()[..., ::-1].copy()  # BGR to RGB
        output = runner.model.test_step(batch)[0]
        rows.append(compare(image, ground_truth(info), output, names))
        if any(dataset.metainfo['classes'][s['category']] in novel for s in info['segments_info']):
            telling.append(rows[-1])
        path = out_dir / 'pictures' / f'{Path(info["img_path"]).stem}.png'
        Image.fromarray(picture_grid(rows[-1:], titles, note)).save(path)
    overview = picture_grid((telling or rows)[:NUM_IN_OVERVIEW], titles, note)
    Image.fromarray(overview).save(out_dir / 'overview.png')
