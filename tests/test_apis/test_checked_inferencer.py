"""Inputs of all kinds, texts that do not fit, and what is written where."""

import json
import shutil
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.config import Config
from PIL import Image

from mmodise.apis import CheckedInferencer
from mmodise.checkpoints import UnsafeFileError
from mmodise.vocabulary import Vocabulary

CONFIG = Path(__file__).parents[2] / 'configs/odise/odise_sd-small_shapes-panoptic.py'
TEXTS = dict(texts='ball; box', stuff_texts='grass')


@pytest.fixture(scope='module', params=[CheckedInferencer, DetInferencer])
def either(request, demo_dir, small_checkpoint):
    return build(request.param, demo_dir, small_checkpoint)


@pytest.fixture(scope='module')
def inferencer(demo_dir, small_checkpoint):
    return build(CheckedInferencer, demo_dir, small_checkpoint)


def build(kind, demo_dir, small_checkpoint):
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        patch.chdir(demo_dir)
        inferencer = kind(str(CONFIG), str(small_checkpoint), 'cpu', show_progress=False)
    # random masks overlap: let every one be seen
    inferencer.model.panoptic_fusion_head.test_cfg.iou_thr = 0.0
    return inferencer


@pytest.fixture(scope='module')
def files(demo_dir):
    return [demo_dir / f'data/shapes/val/{i:06}.jpg' for i in (1, 2)]


def maps(inferencer, inputs, **kwargs):
    output = inferencer(inputs, return_datasamples=True, **kwargs)
    return [sample.pred_panoptic_seg.sem_seg[0].numpy() for sample in output['predictions']]


@pytest.mark.parametrize('make', [
    lambda path, image: path,
    lambda path, image: image / 255,
    lambda path, image: image.astype(np.float32),
    lambda path, image: image.astype(np.uint16) * 257,
    lambda path, image: np.dstack([image, image[..., :1]]),
    lambda path, image: [path],
    lambda path, image: (str(path), )])
def test_a_picture_in_other_clothes_is_the_same_picture(either, files, make):
    image = cv2.imread(str(files[0]))
    expected, = maps(either, str(files[0]), **TEXTS)
    found, = maps(either, make(files[0], image), **TEXTS)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('make', [lambda grey: grey, lambda grey: grey[..., None]])
def test_grey_is_three_equal_channels(either, files, make):
    grey = cv2.imread(str(files[0]), cv2.IMREAD_GRAYSCALE)
    expected, = maps(either, np.dstack([grey] * 3), **TEXTS)
    found, = maps(either, make(grey), **TEXTS)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(('make', 'message'), [
    (lambda image: image.transpose(2, 0, 1), 'Move its channels to the end'),
    (lambda image: image[None], 'Give several as a list'),
    (lambda image: (image - 120.) / 60, 'before it was normalized'),
    (lambda image: 7, 'A int is no picture')])
def test_what_is_no_picture_is_refused(either, files, make, message):
    with pytest.raises(ValueError, match=message):
        either(make(cv2.imread(str(files[0]))), **TEXTS)


@pytest.mark.parametrize(('stuff', 'names'), [
    ('sand; water', ['sand', 'water']), (['sand'], ['sand']),
    ([['sand', 'water, lake']], ['sand', 'water']),
    (Vocabulary.from_lists((), ['sky']), ['sky'])])
def test_stuff_alone_is_a_vocabulary(either, files, stuff, names):
    output = either(files[0], stuff_texts=stuff, return_datasamples=True)
    assert output['predictions'][0].pred_panoptic_seg.label_names == names


def test_pictures_may_differ_in_what_they_look_for(inferencer, files):
    output = inferencer(files, batch_size=2, texts=['ball', None], stuff_texts=[None, 'sky'],
                        return_datasamples=True)
    assert [sample.pred_panoptic_seg.label_names for sample in output['predictions']] == [
        ['ball'], ['sky']]


@pytest.mark.parametrize(('texts', 'message'), [
    (dict(texts=['ball', 'box', 'star']), r'texts is a list of 3, for 2 picture.*cat, kitten; dog'),
    (dict(stuff_texts=['sand']), r'stuff_texts is a list of 1, for 2 picture'),
    (dict(texts={'ball', 'box'}), 'texts is a set; it must be')])
def test_texts_are_one_for_all_pictures_or_one_for_each(
        either, files, texts, message, monkeypatch):
    monkeypatch.setattr(either, 'forward', lambda *args: pytest.fail('too late'))
    with pytest.raises(ValueError, match=message):
        either(files, **texts)


@pytest.mark.parametrize(('texts', 'message'), [
    (dict(texts=['ball', '']), r'000002\.jpg brings classes .* The vocabulary is empty'),
    (dict(texts='ball', stuff_texts=['sand', 'ball']), r"000002\.jpg .* both called 'ball'"),
    (dict(texts='; '.join(map(str, range(10**3)))), 'has 1000 classes'),
    (dict(batch_size=0), 'batch_size is 0')])
def test_texts_that_are_no_vocabulary_are_refused_before_the_first_picture(
        inferencer, files, texts, message, monkeypatch):
    monkeypatch.setattr(inferencer, 'forward', lambda *args: pytest.fail('too late'))
    with pytest.raises(ValueError, match=message):
        inferencer(files, **texts)


def test_a_folder_is_read_by_name_whatever_the_endings(inferencer, files, tmp_path):
    for name, path in dict(zip(('b.JPG', 'a.jpeg'), files, strict=True)).items():
        shutil.copy(path, tmp_path / name)
    (tmp_path / 'notes.txt').write_text('no picture')
    output = inferencer(tmp_path, return_datasamples=True, **TEXTS)
    assert [Path(sample.img_path).name for sample in output['predictions']] == ['a.jpeg', 'b.JPG']
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match=r'empty has no pictures \(\.jpg, '):
        inferencer(tmp_path / 'empty')


def test_results_of_inputs_with_one_stem_are_kept_apart(inferencer, files, tmp_path):
    inputs = [tmp_path / name for name in ('x/a.jpg', 'y/a.jpg', 'y/a.png', 'y/A.jpg')]
    for path, source in zip(inputs, [*files, *files[::-1]], strict=True):
        path.parent.mkdir(exist_ok=True)
        Image.open(source).save(path)
    out = tmp_path / 'out'
    predictions = inferencer(inputs, batch_size=3, out_dir=out, no_save_pred=False,
                             **TEXTS)['predictions']
    assert {path.name for path in (out / 'vis').iterdir()} == {
        'a.jpg', 'a_2.jpg', 'a_3.png', 'A_4.jpg'}
    for stem, result, path in zip(('a', 'a_2', 'a_3', 'A_4'), predictions, inputs, strict=True):
        assert result['panoptic_seg_path'] == str(out / f'preds/{stem}_panoptic_seg.png')
        assert json.loads((out / f'preds/{stem}.json').read_text()) == json.loads(
            json.dumps(result))
        alone = inferencer(path, **TEXTS)['predictions'][0]['panoptic_seg']
        written = np.asarray(Image.open(result['panoptic_seg_path']))
        assert (written == alone).mean() > 0.99  # a batch is computed in another order


def test_pictures_beside_their_results_are_kept(inferencer, files, tmp_path):
    (tmp_path / 'vis').mkdir()
    picture = tmp_path / 'vis/a.jpg'
    shutil.copy(files[0], picture)
    inferencer(picture, out_dir=tmp_path, **TEXTS)
    assert picture.read_bytes() == files[0].read_bytes()
    assert sorted(path.name for path in (tmp_path / 'vis').iterdir()) == ['a.jpg', 'a_2.jpg']
    inferencer(picture, out_dir=tmp_path, texts='star')
    assert len(list((tmp_path / 'vis').iterdir())) == 3


def test_arrays_have_results_of_their_own_in_every_run(inferencer, files, tmp_path, monkeypatch):
    images = [cv2.imread(str(path)) for path in files]
    for image in images:
        monkeypatch.setattr(inferencer, 'num_predicted_imgs', 0)  # as in another process
        inferencer([image, image], out_dir=str(tmp_path), no_save_pred=False, **TEXTS)
    assert sorted(path.name for path in (tmp_path / 'vis').iterdir()) == [
        '00000000.jpg', '00000000_2.jpg', '00000001.jpg', '00000001_2.jpg']
    assert len(list((tmp_path / 'preds').iterdir())) == 8


def test_arrays_are_painted_in_their_colours(inferencer, files):
    image = cv2.imread(str(files[0]))
    by_name, by_array = (inferencer(picture, return_vis=True, **TEXTS)['visualization'][0]
                         for picture in (files[0], image))
    np.testing.assert_array_equal(by_name, by_array)


def test_without_a_folder_nothing_is_written(inferencer, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = inferencer(files[0], **TEXTS)
    assert output['visualization'] == [] and not list(tmp_path.iterdir())


class Callback:
    """An object that no checkpoint of mmengine's holds."""


def test_a_checkpoint_with_python_objects_is_refused(tmp_path):
    torch.save(dict(state_dict={}, callback=Callback()), tmp_path / 'bad.pth')
    with pytest.raises(UnsafeFileError, match=r'bad\.pth .* objects of .*Callback'):
        CheckedInferencer(str(CONFIG), str(tmp_path / 'bad.pth'), 'cpu')


@pytest.mark.parametrize('tf32', [True, False])
def test_float32_is_what_the_config_says(small_checkpoint, tf32):
    cfg = Config.fromfile(CONFIG)
    cfg.tf32 = tf32
    CheckedInferencer(cfg, str(small_checkpoint), 'cpu')
    assert torch.backends.cudnn.allow_tf32 is tf32
