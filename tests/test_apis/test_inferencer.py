"""The small model that ships, asked from Python."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

import mmodise
from mmodise import ODISEInferencer, PanopticResult, Vocabulary
from mmodise.datasets.shapes_world import draw_scene

CONFIG = Path(__file__).parents[2] / 'configs/odise/odise_sd-small_shapes-panoptic.py'
NAMES = dict(vocabulary='ball, sphere; box; star', stuff='sand, beach; water; grass')


@pytest.fixture(scope='module')
def inferencer():
    return ODISEInferencer(device='cpu')


@pytest.fixture(scope='module')
def images():
    return [draw_scene(np.random.default_rng(i)).image for i in range(3)]


def assert_equal(one, other):
    assert np.array_equal(one.segment_ids, other.segment_ids)
    assert one.segments == other.segments
    assert one.vocabulary == other.vocabulary
    assert np.array_equal(one.mask_embeddings, other.mask_embeddings)


def label_map(result):
    labels = np.array([-1, *(segment.label for segment in result.segments)])
    return labels[result.segment_ids]


def test_a_result(inferencer, images):
    result, = inferencer(images[0], **NAMES)
    assert type(result) is PanopticResult and result.path is None
    assert np.array_equal(result.image, images[0])
    assert result.segment_ids.dtype == np.int32
    numbers = range(1, len(result.segments) + 1)
    assert len(numbers) > 1 and [s.id for s in result.segments] == [*numbers]
    assert result.mask_embeddings.shape == (len(numbers), 128)
    assert result.mask_embeddings.dtype == np.float32
    for segment in result.segments:
        mask = result.segment_ids == segment.id
        rows, columns = mask.any(1).nonzero()[0], mask.any(0).nonzero()[0]
        assert segment.area == mask.sum()
        assert segment.box == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert segment.names == result.vocabulary.classes[segment.label]
        assert segment.is_thing == (segment.label < 3)
        others = [name for name, _ in segment.runners_up]
        assert {segment.name, *others} == set(result.vocabulary.class_names)
        scores = [segment.score, *(score for _, score in segment.runners_up)]
        assert scores == sorted(scores, reverse=True) and 0 < sum(scores) <= 1.001
    assert len({s.name for s in result.segments if not s.is_thing}) == sum(
        not s.is_thing for s in result.segments), 'a stuff class is one segment'


def test_the_segments_are_those_of_mmdets_map(inferencer, images):
    for image in images:
        inputs, samples = inferencer._prepare(
            [mmodise.apis.inputs.Picture(image)], inferencer.device)
        with torch.no_grad():
            sample, = inferencer.model.predict(inputs, samples)
        expected = PanopticResult.from_panoptic_seg(
            sample.pred_panoptic_seg, inferencer.vocabulary)
        found, = inferencer(image)
        assert sorted((s.label, s.area, s.box) for s in found.segments) == sorted(
            (s.label, s.area, s.box) for s in expected.segments)
        for segment in expected.segments:
            here = np.unique(found.segment_ids[expected.segment_ids == segment.id])
            assert len(here) == 1


@pytest.mark.parametrize('settings', [
    {}, NAMES, dict(vocabulary=['star', ['ring', 'hoop']], alpha=0.0, beta=1.0),
    dict(vocabulary='coco', threshold=0.2)])
def test_a_session_answers_as_a_fresh_call(inferencer, images, settings):
    session = inferencer.open(images[0])
    session('red ball; sand')  # another question before
    assert_equal(session(**settings), inferencer(images[0], **settings)[0])
    assert_equal(session(**settings), session(**settings))


def test_networks_run_once_per_session(inferencer, images, monkeypatch):
    session = inferencer.open(images[0])
    expected = session()
    for part in ('backbone', 'panoptic_head.transformer_decoder', 'panoptic_head.pixel_decoder'):
        monkeypatch.setattr(type(inferencer.model.get_submodule(part)), 'forward', None)
    monkeypatch.setattr(type(inferencer.model.classifier.clip), 'encode_masks', None)
    assert_equal(session(), expected)


def test_what_a_session_keeps(inferencer, images):
    """Masks, two embeddings, and queries of 12 masks; the picture; neither maps nor inputs."""
    session = inferencer.open(images[0])
    side, width = images[0].shape[0], inferencer.model.classifier.clip.embed_dim
    masks = 12 * (side // 4)**2
    assert session.num_bytes == 4 * (masks + 2 * 12 * 128 + 12 * width) + images[0].nbytes


def test_alpha_beta_and_threshold_are_of_a_call(inferencer, images):
    session = inferencer.open(images[0])
    own = session()
    alone = session(alpha=0.0)
    assert [s.score for s in alone.segments] != [s.score for s in own.segments]
    assert_equal(session(), own)
    assert len(session(threshold=1.0).segments) == 0
    assert not session(threshold=1.0).segment_ids.any()
    some = sorted(s.score for s in own.segments)[1]
    assert min(s.score for s in session(threshold=some).segments) > some
    for wrong in (dict(alpha=1.5), dict(beta=-1), dict(threshold=2)):
        with pytest.raises(ValueError, match='must be between 0 and 1'):
            session(**wrong)


def test_ten_thousand_names(inferencer, images):
    """mmdet's encoding ends at 999; that of a result does not."""
    names = [f'thing {i}' for i in range(10_000)]
    names[7654] = 'red ball'
    vocabulary = Vocabulary.from_lists(names)
    for clip, prompt in inferencer.model.name_encoders():  # CLIP itself would take a minute
        noise = torch.randn(10_000, clip.embed_dim, generator=torch.Generator().manual_seed(0))
        noise[7654] = clip.encode_texts([prompt.format('red ball')])
        clip.remember_names(vocabulary, prompt, noise)
    result = inferencer.open(images[0])(vocabulary)
    assert len(result.segments) and len(result.vocabulary) == 10_000
    assert max(segment.label for segment in result.segments) > 999
    assert all(segment.name == names[segment.label] for segment in result.segments)


def test_a_generator_is_asked_for_one_picture_at_a_time(inferencer, images):
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield images[taken[-1] % len(images)]

    results = inferencer(endless(), stream=True)
    assert taken == []
    first, second = next(results), next(results)
    assert taken == [0, 1]
    assert_equal(first, inferencer(images[0])[0])
    assert_equal(second, inferencer(images[1])[0])
    next(inferencer(endless(), stream=True, batch_size=2))
    assert taken == [0, 1, 2, 3]


def test_batches_hold_pictures_of_one_size(inferencer, images):
    """So that a result does not depend on those beside it: padding would change masks."""
    other = images[1][:100, :70]
    together = inferencer([images[0], other, images[2]], batch_size=3)
    for result, image in zip(together, [images[0], other, images[2]], strict=True):
        alone, = inferencer(image)
        assert (result.segment_ids == alone.segment_ids).mean() > 0.999
        assert [s.name for s in result.segments] == [s.name for s in alone.segments]
        np.testing.assert_allclose(
            result.mask_embeddings, alone.mask_embeddings, rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match='batch_size is 0'):
        inferencer(other, batch_size=0)


def test_a_vocabulary_per_picture(inferencer, images):
    own = [Vocabulary.from_string('ball'), Vocabulary.from_string('box', 'sand')]
    one, two = inferencer(images[:2], own)
    assert (one.vocabulary, two.vocabulary) == tuple(own)
    first, second = inferencer(images[:2], [own[0], None])
    assert_equal(first, one)
    assert second.vocabulary == inferencer.vocabulary
    with pytest.raises(ValueError, match='There are 2 vocabularies for 3 or more pictures'):
        inferencer(images, own)
    with pytest.raises(ValueError, match='There are 2 vocabularies for 1 pictures'):
        inferencer(images[0], own)
    with pytest.raises(ValueError, match=r"a Vocabulary is one .* for each picture, but 'box'"):
        inferencer(images[:2], [own[0], 'box'])


@pytest.mark.parametrize(('vocabulary', 'stuff', 'expected'), [
    ('cat, kitten; dog', None, (('cat', 'kitten'), ('dog', ))),
    (['cat', ('dog', 'puppy')], 'sky', (('cat', ), ('dog', 'puppy'), ('sky', ))),
    (None, ['sky'], (('sky', ), )),
    ('🚗; 🐈', None, (('🚗', ), ('🐈', ))),
    ('cat', None, (('cat', ), ))])
def test_vocabularies(inferencer, vocabulary, stuff, expected):
    found = inferencer.read_vocabulary(vocabulary, stuff)
    assert found.classes == expected
    assert found.num_stuff == (stuff is not None)


def test_named_vocabularies(inferencer, tmp_path):
    assert inferencer.read_vocabulary() is inferencer.vocabulary
    assert inferencer.read_vocabulary('coco+ade20k') == Vocabulary.named('coco+ade20k')
    assert inferencer.read_vocabulary('everything') == Vocabulary.named('everything')
    (tmp_path / 'mine.txt').write_text('cat\n# stuff\nsky')
    for path in (tmp_path / 'mine.txt', str(tmp_path / 'mine.txt')):
        assert inferencer.read_vocabulary(path) == Vocabulary.from_string('cat', 'sky')
    with pytest.raises(ValueError, match='The vocabulary is empty'):
        inferencer.read_vocabulary('')


def test_threads_share_an_inferencer(inferencer, images):
    """Each asks about another picture with other names and weights."""
    settings = [
        dict(inputs=images[i % 3], vocabulary=('ball; box', 'star; ring, hoop')[i % 2],
             stuff='sand', alpha=(0.0, 1.0)[i % 2]) for i in range(8)]
    expected = [inferencer(**one)[0] for one in settings]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: inferencer(**one)[0], settings))
    for ours, alone in zip(found, expected, strict=True):
        assert_equal(ours, alone)


def test_two_precisions_do_not_know_of_each_other(inferencer, images):
    before, = inferencer(images[0])
    low = ODISEInferencer(device='cpu', precision='bfloat16')
    lower, = low(images[0])
    after, = inferencer(images[0])
    assert_equal(before, after)
    assert not np.array_equal(before.mask_embeddings, lower.mask_embeddings)
    assert (label_map(before) == label_map(lower)).mean() > 0.9
    assert low.model.backbone.extractor.frozen.unet.dtype == torch.bfloat16
    assert not torch.is_autocast_enabled('cpu')
    assert_equal(low.open(images[0])(), lower)


def test_models_are_built_in_threads():
    built, barrier = [], threading.Barrier(2)

    def build():
        barrier.wait()
        built.append(ODISEInferencer(device='cpu'))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 2


def test_features(inferencer, images):
    maps = inferencer.features(images[0])
    extractor = inferencer.model.backbone.extractor
    side = images[0].shape[0]
    for told in extractor.maps:
        stride = told.stride
        assert maps[told.name].shape == (1, told.channels, side // stride, side // stride)
    inputs, _ = inferencer._prepare([mmodise.apis.inputs.Picture(images[0])], inferencer.device)
    with torch.no_grad():
        pyramid = inferencer.model.extract_feat(inputs)
    for stride, expected in zip((4, 8, 16, 32), pyramid, strict=True):
        torch.testing.assert_close(maps[f'pyramid{stride}'], expected, rtol=0, atol=0)
    wide = inferencer.features(np.tile(images[0], (1, 2, 1)))
    name = extractor.maps[0].name
    assert wide[name].shape[-1] == 2 * maps[name].shape[-1], 'two windows, stitched'
    torch.testing.assert_close(wide[name][..., :maps[name].shape[-1]], maps[name])


def test_large_pictures_are_made_smaller_and_results_are_not(inferencer, images, monkeypatch):
    from mmodise.apis import preparation
    monkeypatch.setattr(preparation, '_MAX_PIXELS', 128 * 128)
    large = np.asarray(Image.fromarray(images[0]).resize((640, 640), Image.NEAREST))
    result, = inferencer(large)
    assert result.segment_ids.shape == (640, 640)
    small, = inferencer(images[0])
    assert (label_map(result)[2::5, 2::5] == label_map(small)).mean() > 0.95
    inputs, _ = inferencer._prepare([mmodise.apis.inputs.Picture(large)], inferencer.device)
    assert inputs.shape == (1, 3, 128, 128)


def test_of_one_pixel(inferencer):
    result, = inferencer(np.zeros((1, 1, 3), np.uint8), 'night sky')
    assert result.segment_ids.shape == (1, 1)


def test_one_picture_is_opened_at_a_time(inferencer, images):
    for several in (images, []):
        with pytest.raises(ValueError, match='One picture is opened at a time'):
            inferencer.open(several)


@pytest.mark.parametrize('model', [
    'odise_sd-small_shapes-panoptic', CONFIG, str(CONFIG)])
def test_models_by_name_and_by_path(inferencer, images, model):
    assert_equal(ODISEInferencer(model, device='cpu')(images[0])[0], inferencer(images[0])[0])


def test_models_by_config(inferencer, images):
    cfg = Config.fromfile(CONFIG)
    cfg.model.test_cfg.object_mask_thr = 0.6
    weights = 'mmodise://shapes/odise.pth'
    strict = ODISEInferencer(cfg, weights, device='cpu')
    assert_equal(strict(images[0])[0], inferencer(images[0], threshold=0.6)[0])
    assert strict(images[0])[0].segments != inferencer(images[0])[0].segments
    own = ODISEInferencer.of_model(strict.model, cfg)
    assert_equal(own(images[0])[0], strict(images[0])[0])


@pytest.mark.parametrize(('arguments', 'error', 'message'), [
    (dict(model='odise_sd-smal_shapes-panoptic'), FileNotFoundError,
     r"no config odise_sd-smal.*Did you mean 'odise_sd-small_shapes-panoptic'"),
    (dict(model='odise-caption_sd-small_shapes-panoptic'), ValueError,
     'has no weights of its own. Give weights'),
    (dict(model='odise-caption_sd-small_shapes-panoptic', weights='mmodise://shapes/odise.pth'),
     ValueError, r'mmodise://shapes/odise\.pth is of another model: the checkpoint has \d+ of'),
    (dict(weights='nowhere.pth'), FileNotFoundError, r'nowhere\.pth can not be found'),
    (dict(weights='mmodise://shapes/other.pth'), FileNotFoundError, 'does not come with mmodise'),
    (dict(device='cuda:99'), ValueError, 'The device cuda:99 cannot be used here'),
    (dict(precision='float8'), ValueError, "precision='float8'; give one of float32"),
    (dict(device='cpu', precision='float16'), ValueError, 'float16 needs a GPU')])
def test_what_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        ODISEInferencer(**{'device': 'cpu', **arguments})


def test_another_kind_of_model_is_refused(tmp_path):
    path = tmp_path / 'weights.pth'
    torch.save(dict(state_dict={}), path)
    with pytest.raises(ValueError, match='is of a MaskRCNN, which knows only the classes'):
        ODISEInferencer('mask-rcnn_sd-small-fpn_shapes-instance', path, device='cpu')
