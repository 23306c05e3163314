"""mmdet's own DetInferencer on a config of ours: names, void, vocabularies per image."""

import warnings
from pathlib import Path

import mmcv
import numpy as np
import pytest
from mmdet.apis import DetInferencer
from panopticapi.utils import rgb2id

from mmodise.datasets.shapes_world import BASE_STUFF, BASE_THINGS

CONFIG = Path(__file__).parents[2] / 'configs/odise/odise_sd-small_shapes-panoptic.py'
TEXTS = ['ball', 'ball, sphere; box; star; ring']
STUFF_TEXTS = ['grass', 'sand; water']
NAMES = [['ball', 'grass'], ['ball', 'box', 'star', 'ring', 'sand', 'water']]


@pytest.fixture(scope='module')
def inferencer(demo_dir, small_checkpoint):
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        patch.chdir(demo_dir)
        inferencer = DetInferencer(str(CONFIG), str(small_checkpoint), 'cpu', show_progress=False)
    # random masks overlap: let every one be seen
    inferencer.model.panoptic_fusion_head.test_cfg.iou_thr = 0.0
    return inferencer


@pytest.fixture(scope='module')
def images(demo_dir):
    return [str(demo_dir / f'data/shapes/val/{i:06}.jpg') for i in (1, 2)]


def segment_maps(inferencer, inputs, **kwargs):
    output = inferencer(inputs, return_datasamples=True, **kwargs)
    return [sample.pred_panoptic_seg for sample in output['predictions']]


def test_without_texts_the_training_vocabulary_is_used(inferencer, images):
    panoptic, = segment_maps(inferencer, images[0])
    assert panoptic.label_names == [*BASE_THINGS, *BASE_STUFF]
    assert panoptic.ignore_index == 18


def test_images_of_a_batch_have_vocabularies_of_their_own(inferencer, images):
    together = segment_maps(
        inferencer, images, batch_size=2, texts=TEXTS, stuff_texts=STUFF_TEXTS)
    assert [panoptic.label_names for panoptic in together] == NAMES
    for image, panoptic, *texts in zip(images, together, TEXTS, STUFF_TEXTS, strict=True):
        alone, = segment_maps(inferencer, image, texts=texts[0], stuff_texts=texts[1])
        num_classes, void = len(panoptic.label_names), 6
        labels, labels_alone = (p.sem_seg.numpy() % 1000 for p in (panoptic, alone))
        assert (labels == void).any() and (labels < num_classes).any()
        # the void of a batch is that of its longest vocabulary
        labels_alone[labels_alone == num_classes] = void
        assert (labels == labels_alone).mean() > 0.99  # a batch is computed in another order


def test_things_alone_are_a_vocabulary(inferencer, images):
    panoptic, = segment_maps(inferencer, images[0], texts='ball; box')
    assert panoptic.label_names == ['ball', 'box'] and panoptic.ignore_index == 2
    assert (panoptic.sem_seg.numpy() % 1000 <= 2).all()


def test_saved_files_know_void(inferencer, images, tmp_path):
    output = inferencer(
        images, batch_size=2, texts=TEXTS, stuff_texts=STUFF_TEXTS, out_dir=str(tmp_path),
        no_save_pred=False)
    expected = segment_maps(
        inferencer, images, batch_size=2, texts=TEXTS, stuff_texts=STUFF_TEXTS)
    for result, panoptic in zip(output['predictions'], expected, strict=True):
        ids = rgb2id(mmcv.imread(result['panoptic_seg_path'], channel_order='rgb'))
        segment_map = panoptic.sem_seg[0].numpy()
        is_void = segment_map % 1000 == 6
        assert is_void.any() and not is_void.all()
        np.testing.assert_array_equal(ids, np.where(is_void, 0, segment_map))
    assert sorted(path.name for path in (tmp_path / 'vis').iterdir()) == [
        '000001.jpg', '000002.jpg']


def test_after_a_short_vocabulary_void_is_right_for_a_long_one(inferencer, images, tmp_path):
    inferencer(images[0], texts='ball')
    output = inferencer(images[0], out_dir=str(tmp_path), no_save_pred=False)
    panoptic, = segment_maps(inferencer, images[0])
    ids = rgb2id(mmcv.imread(output['predictions'][0]['panoptic_seg_path'], channel_order='rgb'))
    segment_map = panoptic.sem_seg[0].numpy()
    np.testing.assert_array_equal(ids, np.where(segment_map % 1000 == 18, 0, segment_map))
