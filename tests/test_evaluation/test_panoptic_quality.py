"""The same panoptic quality as mmdet's, from maps in memory."""

import json

import numpy as np
import pytest
import torch
from mmcv import imwrite
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.evaluation import CocoPanopticMetric as MmdetsMetric
from mmdet.structures import DetDataSample
from mmengine.structures import PixelData

from mmodise.datasets.panoptic.segments import Runs, Segments
from mmodise.evaluation import CheckedPanopticMetric
from mmodise.evaluation.panoptic_quality import match_segments

SIZE, IMAGES = 40, 6
THINGS, STUFF = ('ball', 'box', 'star'), ('grass', 'sky')
CLASSES = THINGS + STUFF
META = dict(classes=CLASSES, thing_classes=THINGS, stuff_classes=STUFF)


def blobs(rng, count):
    """A map of overlapping rectangles, numbered from 1; 0 is what none covers."""
    numbers = np.zeros((SIZE, SIZE), int)
    for number in range(1, count + 1):
        top, left = rng.integers(0, SIZE - 8, 2)
        height, width = rng.integers(6, 24, 2)
        numbers[top:top + height, left:left + width] = number
    return numbers


@pytest.fixture(params=range(6))
def files(request, tmp_path):
    """Random annotations in COCO's layout as mmdet reads it, and random results."""
    rng = np.random.default_rng(request.param)
    annotations, samples = [], []
    for image_id in range(IMAGES):
        truth = blobs(rng, 6)
        ids = np.zeros_like(truth)
        infos, labels = [], rng.integers(0, len(CLASSES), 7)
        for number in np.unique(truth[truth > 0]):
            segment_id = int(rng.integers(1, 256**3))
            ids[truth == number] = segment_id
            label = int(labels[number])
            infos.append(dict(
                id=segment_id, category_id=10 + label, area=int((truth == number).sum()),
                iscrowd=int(label < 3 and rng.random() < 0.3), bbox=[0, 0, 9, 9]))
        bgr = np.stack([ids // 65536, ids // 256 % 256, ids % 256], axis=-1)
        imwrite(bgr.astype(np.uint8), str(tmp_path / f'maps/{image_id}.png'))
        annotations.append(
            dict(image_id=image_id, file_name=f'{image_id}.png', segments_info=infos))
        # a result: most segments of the truth, moved, some as other classes, and some more
        result = np.full((SIZE, SIZE), len(CLASSES))
        moved = np.roll(truth, rng.integers(-2, 3, 2), axis=(0, 1))
        for number in np.unique(moved[moved > 0]):
            label = int(labels[number]) if rng.random() < 0.8 else int(rng.integers(0, 5))
            if rng.random() < 0.9:
                result[moved == number] = label + (label < 3) * INSTANCE_OFFSET * int(number)
        samples.append(DetDataSample(
            metainfo=dict(img_id=image_id, img_path=f'images/{image_id}.jpg',
                          ori_shape=(SIZE, SIZE)),
            pred_panoptic_seg=PixelData(
                sem_seg=torch.from_numpy(result)[None],
                metainfo=dict(ignore_index=len(CLASSES)))))
    (tmp_path / 'panoptic.json').write_text(json.dumps(dict(
        images=[dict(id=i, file_name=f'{i}.jpg', height=SIZE, width=SIZE) for i in range(IMAGES)],
        annotations=annotations,
        categories=[dict(id=10 + label, name=name, isthing=int(label < 3))
                    for label, name in enumerate(CLASSES)])))
    paths = dict(ann_file=str(tmp_path / 'panoptic.json'), seg_prefix=str(tmp_path / 'maps'))
    return paths, samples


def evaluate(metric, samples):
    metric.dataset_meta = META
    for sample in samples:
        metric.process({}, [sample.clone().to_dict()])
    return metric.evaluate(len(samples))


def clone(samples):
    """mmdet's metric writes into the results."""
    return [DetDataSample(
        metainfo=sample.metainfo, pred_panoptic_seg=PixelData(
            sem_seg=sample.pred_panoptic_seg.sem_seg.clone(),
            metainfo=dict(ignore_index=len(CLASSES)))) for sample in samples]


def test_the_figures_are_mmdets(files):
    paths, samples = files
    found = evaluate(CheckedPanopticMetric(**paths), clone(samples))
    expected = evaluate(MmdetsMetric(**paths), clone(samples))
    assert 20 < expected['coco_panoptic/PQ'] < 90, 'neither all right nor all wrong'
    assert found == pytest.approx(expected, abs=1e-9)


def test_areas_of_the_file_as_mmdet_has_them(files, tmp_path):
    """As in ADE20K: of before instances were pasted over stuff, some of which is not seen."""
    paths, samples = files
    content = json.loads((tmp_path / 'panoptic.json').read_text())
    for number, annotation in enumerate(content['annotations']):
        for info in annotation['segments_info'][number % 2::2]:
            info['area'] += 20 + number
        annotation['segments_info'].append(
            dict(id=256**3 - 1, category_id=13, area=50, iscrowd=0, bbox=[0, 0, 9, 9]))
    (tmp_path / 'panoptic.json').write_text(json.dumps(content))
    found = evaluate(CheckedPanopticMetric(**paths, areas='file'), clone(samples))
    expected = evaluate(MmdetsMetric(**paths), clone(samples))
    assert found == pytest.approx(expected, abs=1e-9)
    pixels = evaluate(CheckedPanopticMetric(**paths), clone(samples))
    assert pixels['coco_panoptic/PQ'] > found['coco_panoptic/PQ'] + 1
    with pytest.raises(ValueError, match="areas='json', expected 'pixels' or 'file'"):
        CheckedPanopticMetric(**paths, areas='json')


@pytest.mark.parametrize(('area', 'found', 'overlap'), [
    (10, 8, 8/10), (9, 6, 6/9), (9, 8, 8/9), (9, 10, 1), (1, 10, 1), (20, 10, 10/20),
    (19, 10, 10/19)])
def test_areas_of_the_file_count_larger_or_smaller(area, found, overlap):
    """Of 10 pixels; but no intersection over union exceeds 1, as it would in panopticapi."""
    numbers = np.ones((1, 10), np.uint8)
    predicted = np.where(np.arange(10) < found, 1, 0)[None]
    truth = Segments(Runs.of(numbers), (dict(label=3, iscrowd=0), ), np.array([area]))
    stat = match_segments(truth, predicted, [3])[3]
    assert stat.iou == (pytest.approx(overlap) if overlap > 0.5 else 0)
    assert (stat.tp, stat.fp, stat.fn) == ((1, 0, 0) if overlap > 0.5 else (0, 1, 1))


def test_the_files_are_mmdets(files, tmp_path):
    paths, samples = files
    for metric, folder in ((CheckedPanopticMetric, 'ours'), (MmdetsMetric, 'mmdets')):
        evaluate(metric(**paths, outfile_prefix=str(tmp_path / folder / 'results'), nproc=1),
                 clone(samples))
    ours, mmdets = (
        json.loads((tmp_path / folder / 'results.panoptic.json').read_text())['annotations']
        for folder in ('ours', 'mmdets'))
    for found, expected in zip(ours, mmdets, strict=True):
        assert found['file_name'] == expected['file_name']
        assert found['image_id'] == expected['image_id']

        def key(segment):
            return segment['id']
        assert sorted(found['segments_info'], key=key) == sorted(
            ({**segment, 'isthing': int(segment['isthing'])}
             for segment in expected['segments_info']), key=key)
        name = found['file_name']
        assert (tmp_path / 'ours/results.panoptic' / name).read_bytes() == (
            tmp_path / 'mmdets/results.panoptic' / name).read_bytes()


def test_the_first_class_may_be_stuff(files, tmp_path):
    """Its result has the number 0, which means void in a file."""
    paths, _ = files
    content = json.loads((tmp_path / 'panoptic.json').read_text())
    content['categories'] = content['categories'][3:]
    for annotation in content['annotations']:
        annotation['segments_info'] = [
            info for info in annotation['segments_info'] if info['category_id'] > 12]
    content['annotations'][0]['segments_info'] = content['annotations'][0]['segments_info'] or [
        dict(id=1, category_id=13)]
    (tmp_path / 'panoptic.json').write_text(json.dumps(content))
    metric = CheckedPanopticMetric(**paths, outfile_prefix=str(tmp_path / 'out/results'))
    metric.dataset_meta = dict(classes=STUFF, thing_classes=(), stuff_classes=STUFF)
    result = torch.zeros(1, SIZE, SIZE, dtype=torch.long)
    result[0, :, 20:] = 2  # void
    metric.process({}, [dict(img_id=1, img_path='1.jpg', ori_shape=(SIZE, SIZE),
                             pred_panoptic_seg=dict(sem_seg=result))])
    (_, written), = metric.results
    info, = written['segments_info']
    assert info['id'] > 0 and info['category_id'] == 13 and info['area'] == 20 * SIZE
