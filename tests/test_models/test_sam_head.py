"""Segment Anything as a source of masks, of small random networks in folders as on the hub."""

import json

import numpy as np
import pytest
import torch
import transformers
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from safetensors.torch import load_file, save_file

from mmodise.models import SAMHead
from mmodise.models.sam import Frame, MaskFilter, loading
from mmodise.vocabulary import Vocabulary

VOCABULARY = dict(thing_classes=('ball, sphere', 'box'), stuff_classes=('sand', ))
SIDE = 64
DECODER = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, mlp_dim=16,
               iou_head_hidden_dim=16)
PROMPTS = dict(hidden_size=16, image_size=SIDE, patch_size=16, mask_input_channels=4)
VIT3 = dict(
    model_type='sam3_vit_model', hidden_size=16, intermediate_size=16, num_hidden_layers=1,
    num_attention_heads=2, image_size=SIDE, patch_size=16, window_size=2, global_attn_indexes=[0],
    pretrain_image_size=SIDE)
VISION3 = dict(backbone_config=VIT3, fpn_hidden_size=16,
               backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]])


def sam():
    from transformers import SamConfig, SamImageProcessor, SamModel
    vision = dict(hidden_size=16, output_channels=16, num_hidden_layers=1, num_attention_heads=2,
                  image_size=SIDE, patch_size=16, window_size=2, global_attn_indexes=[0],
                  num_pos_feats=8, mlp_dim=16)
    network = SamModel(SamConfig(
        vision_config=vision, prompt_encoder_config=PROMPTS, mask_decoder_config=DECODER))
    return network, SamImageProcessor(
        size=dict(longest_edge=SIDE), pad_size=dict(height=SIDE, width=SIDE))


def sam2():
    from transformers import Sam2Config, Sam2ImageProcessor, Sam2Model
    backbone = dict(
        model_type='sam2_hiera_det_model', hidden_size=8, num_attention_heads=1,
        image_size=[SIDE, SIDE], blocks_per_stage=[1, 2, 1, 1],
        embed_dim_per_stage=[8, 16, 32, 64], num_attention_heads_per_stage=[1, 1, 1, 1],
        window_size_per_stage=[4, 2, 2, 2], global_attention_blocks=[2],
        window_positional_embedding_background_size=[4, 4])
    vision = dict(
        backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8], fpn_hidden_size=16,
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]])
    network = Sam2Model(Sam2Config(
        vision_config=vision, prompt_encoder_config=PROMPTS, mask_decoder_config=DECODER))
    return network, Sam2ImageProcessor(size=dict(height=SIDE, width=SIDE))


def sam3_tracker():
    from transformers import Sam3ImageProcessor, Sam3TrackerConfig, Sam3TrackerModel
    vision = dict(VISION3, model_type='sam3_vision_model', scale_factors=[4.0, 2.0, 1.0])
    network = Sam3TrackerModel(Sam3TrackerConfig(
        vision_config=vision, prompt_encoder_config=PROMPTS, mask_decoder_config=DECODER))
    return network, Sam3ImageProcessor(size=dict(height=SIDE, width=SIDE))


def sam3():
    from transformers import Sam3Config, Sam3ImageProcessor, Sam3Model
    small = dict(hidden_size=16, num_layers=1, num_attention_heads=2, intermediate_size=16)
    text = dict(
        model_type='clip_text_model', vocab_size=1100, hidden_size=16, intermediate_size=16,
        projection_dim=16, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=32)
    network = Sam3Model(Sam3Config(
        vision_config=VISION3, text_config=text, geometry_encoder_config=small,
        detr_encoder_config=small, detr_decoder_config=dict(small, num_queries=5),
        mask_decoder_config=dict(hidden_size=16, num_attention_heads=2)))
    return network, Sam3ImageProcessor(size=dict(height=SIDE, width=SIDE))


MAKERS = dict(sam=sam, sam2=sam2, sam3_tracker=sam3_tracker, sam3=sam3)


@pytest.fixture(scope='module')
def folders(tmp_path_factory, small_models):
    """Folders by family, as save_pretrained writes them."""
    root = tmp_path_factory.mktemp('sam')
    for name, make in MAKERS.items():
        with torch.random.fork_rng():
            torch.manual_seed(3)
            network, processor = make()
            for weight in network.parameters():  # what begins as 0 or 1 tells nothing
                torch.nn.init.normal_(weight, std=0.3)
        network.eval().save_pretrained(root / name)
        processor.save_pretrained(root / name)
        if name == 'sam3':
            transformers.CLIPTokenizer.from_pretrained(small_models / 'clip').save_pretrained(
                root / name)
    return root


@pytest.fixture
def image():
    return torch.rand(3, 48, 32, generator=torch.Generator().manual_seed(1))


def padded(image):
    """A batch of one, as the preprocessor pads it."""
    batch = torch.zeros(1, 3, 64, 64)
    batch[0, :, :image.shape[1], :image.shape[2]] = image
    shape = tuple(image.shape[-2:])
    return (batch, ), [DetDataSample(metainfo=dict(
        img_shape=shape, ori_shape=shape, batch_input_shape=(64, 64)))]


def head_of(folder, **settings):
    everything = dict(pred_iou_thresh=-100, stability_score_thresh=0.0, nms_thresh=1.0)
    return SAMHead(str(folder), VOCABULARY, points_per_side=3, points_per_batch=4,
                   **everything | settings)


@pytest.mark.parametrize('family', ['sam', 'sam2', 'sam3_tracker'])
@torch.no_grad()
def test_masks_are_what_transformers_makes_of_the_picture(folders, image, family):
    """Of the picture without padding, by the processor and the network of the folder alone."""
    head = head_of(folders / family)
    found = head.find(*padded(image))
    assert head.finds_without_names and not list(head.parameters()) and not head.state_dict()
    network = transformers.AutoModel.from_pretrained(folders / family).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folders / family)
    inputs = processor(image, do_rescale=False, return_tensors='pt')
    scale = (SIDE / 48, SIDE / 48) if family == 'sam' else (SIDE / 32, SIDE / 48)
    if family == 'sam':
        assert inputs['reshaped_input_sizes'].tolist() == [[64, 43]]
        scale = (43 / 32, SIDE / 48)
    points = torch.tensor([[(32 * (i + 0.5) / 3) * scale[0], (48 * (j + 0.5) / 3) * scale[1]]
                           for j in range(3) for i in range(3)])
    outputs = network(pixel_values=inputs['pixel_values'], input_points=points[None, :, None])
    sizes = dict(original_sizes=[[48, 32]])
    if family == 'sam':
        sizes['reshaped_input_sizes'] = [[64, 43]]
    expected, = processor.post_process_masks(
        [outputs.pred_masks[0]], binarize=False, **sizes)
    expected, quality = expected.flatten(0, 1), outputs.iou_scores.flatten()
    kept = (expected > 0).flatten(1).any(1)
    best = quality[kept].argsort(descending=True, stable=True)
    masks = found.masks[0]
    assert masks.shape[1:] == (64, 64) and not (masks[:, 48:] > 0).any()
    assert not (masks[:, :, 32:] > 0).any()
    assert abs(len(masks) - int(kept.sum())) <= 1 and len(masks) > 3
    torch.testing.assert_close(
        found.objectness[0][:3], quality[kept][best][:3].clamp(0, 1), atol=1e-3, rtol=0)
    agrees = ((masks[:3, :48, :32] > 0) == (expected[kept][best][:3] > 0)).float().mean()
    assert agrees > 0.93  # interpolated once here, and twice there


def test_places_of_a_picture_in_the_square():
    frame = Frame(image=(30, 60), padded=(64, 64), resized=(32, 64), square=(64, 64))
    assert frame.grid_points(2, 'cpu').tolist() == [[16, 8], [48, 8], [16, 24], [48, 24]]
    logits = torch.full((1, 64, 64), -1.0)
    logits[0, :16, 32:] = 1  # the upper right quarter of the picture
    placed = frame.place(logits) > 0
    assert placed.shape == (1, 64, 64) and placed[0, :15, 30:60].all()
    assert placed.sum() == 15 * 30
    large = Frame((1000, 2000), (1024, 2048), (512, 1024), (1024, 1024))
    assert large.size == (342, 683) and abs(large.area - 9) < 0.1


def test_which_masks_are_kept():
    rows = torch.arange(10.0)[None, :, None].expand(1, 10, 10)
    sharp = torch.where(rows < 5, 4.0, -4.0)
    soft = (4.4 - rows) / 2  # 4 and 2 rows more are within 1 of the edge
    logits = torch.cat([sharp, soft, torch.full_like(sharp, -9)])
    assert MaskFilter().is_stable(logits).tolist() == [True, False, False]
    assert MaskFilter(stability=0.4).is_stable(logits).tolist() == [True, True, False]
    assert MaskFilter(min_area=201).is_stable(logits, 4).tolist() == [False] * 3
    assert MaskFilter(min_area=200).is_stable(logits, 4).tolist() == [True, False, False]
    masks = torch.zeros(4, 10, 10, dtype=torch.bool)
    masks[0, :8, :10] = masks[1, :10, :10] = masks[2, :8, :8] = masks[3, 9:, 9:] = True
    quality = torch.tensor([0.9, 0.95, 0.92, 0.9])
    # 0 is 80 % of 1; 2 is 64 %, and 80 % of 0, which is gone already
    assert MaskFilter().without_duplicates(masks, quality).tolist() == [1, 2, 3]
    assert MaskFilter(overlap=0.6).without_duplicates(masks, quality).tolist() == [1, 3]
    assert MaskFilter().without_duplicates(masks[:0], quality[:0]).tolist() == []


@torch.no_grad()
def test_thresholds_leave_out(folders, image):
    found = head_of(folders / 'sam').find(*padded(image))
    quality = found.objectness[0]
    edge = float(quality.clamp(0, 1).median())
    kept = head_of(folders / 'sam', pred_iou_thresh=edge).find(*padded(image))
    assert 0 < len(kept.masks[0]) < len(found.masks[0]) and (kept.objectness[0] > edge).all()
    none = head_of(folders / 'sam', pred_iou_thresh=1e9).find(*padded(image))
    assert none.masks[0].shape == (0, 64, 64) and len(none.objectness[0]) == 0


@torch.no_grad()
def test_names_are_asked_for_one_by_one(folders, image):
    head = head_of(folders / 'sam3', score_thresh=0.0, names_per_batch=3)
    assert not head.finds_without_names
    vocabulary = Vocabulary.from_metainfo(VOCABULARY)
    x, samples = padded(image)
    found = head.predict(x, samples, [vocabulary])
    masks, classes = found.masks[0], found.in_vocabulary[0].softmax(-1)
    assert masks.shape[1:] == (64, 64) and classes.shape == (len(masks), 4)
    labels = classes[:, :3].argmax(-1)
    assert (labels == 2).sum() <= 1 and labels.tolist() == sorted(labels.tolist())
    # the network alone, asked for 'box'
    pixels, frame = head.sam.prepare(image, (64, 64))
    tokens = head.sam.frozen.tokenizer(
        ['box'], padding='max_length', max_length=32, return_tensors='pt')
    outputs = head.sam.frozen.network(pixel_values=pixels, **tokens)
    scores = (outputs.pred_logits.sigmoid() * outputs.presence_logits.sigmoid())[0]
    there = (frame.place(outputs.pred_masks[0]) > 0).flatten(1).any(1)
    own = classes[labels == 1]
    torch.testing.assert_close(
        own[:, 1], scores[there].sort(descending=True).values, atol=1e-3, rtol=0)
    torch.testing.assert_close(own[:, 1] + own[:, 3], torch.ones(len(own)), atol=1e-5, rtol=0)
    stuff = head.predict(x, samples, [Vocabulary.from_lists([], ['box'])])
    region = frame.place(outputs.semantic_seg[0]) > 0
    assert region.any() and torch.equal(stuff.masks[0] > 0, region)
    torch.testing.assert_close(
        stuff.in_vocabulary[0].softmax(-1)[0, 0], outputs.presence_logits.sigmoid()[0, 0],
        atol=1e-4, rtol=0)
    nothing = head_of(folders / 'sam3', score_thresh=1.0).predict(x, samples, [vocabulary])
    assert nothing.masks[0].shape == (0, 64, 64) and nothing.in_vocabulary[0].shape == (0, 4)


@torch.no_grad()
def test_sam3_as_on_the_hub_takes_points_or_names(folders, tmp_path, image):
    """A folder with detector and tracker, which share the backbone."""
    folder = copied(folders / 'sam3', tmp_path / 'both', model_type='sam3_video', **{
        f'{part}_config': json.loads((folders / name / 'config.json').read_text())
        for part, name in (('detector', 'sam3'), ('tracker', 'sam3_tracker'))})
    detector, tracker = (load_file(folders / name / 'model.safetensors')
                         for name in ('sam3', 'sam3_tracker'))
    weights = {as_in_both(name): value for name, value in tracker.items()}
    weights |= {f'detector_model.{name}': value for name, value in detector.items()}
    save_file(weights, folder / 'model.safetensors', dict(format='pt'))
    points, names = head_of(folder), head_of(folder, prompts='names', score_thresh=0.0)
    assert points.finds_without_names and not names.finds_without_names
    both, alone = (head.sam.frozen.network.state_dict()
                   for head in (points, head_of(folders / 'sam3_tracker')))
    of_backbone = {name for name in alone if name.startswith('vision_encoder.backbone.')}
    assert of_backbone and all(torch.equal(both[name], alone[name])
                               for name in alone.keys() - of_backbone)
    same = names.sam.frozen.network.state_dict()
    assert all(torch.equal(same[name], both[name]) for name in of_backbone & same.keys())
    assert len(points.find(*padded(image)).masks[0])


def as_in_both(name):
    """The name of a tracker's weight beside a detector; some versions save it by that."""
    if name.startswith(('tracker_', 'detector_model.')):
        return name
    if name.startswith('vision_encoder.backbone.'):
        return f'detector_model.{name}'
    neck = 'vision_encoder.neck.'
    return f'tracker_neck.{name.removeprefix(neck)}' if name.startswith(neck) else (
        f'tracker_model.{name}')


@pytest.mark.parametrize(('family', 'is_named'), [('sam', True), ('sam3', False), ('sam3', True)])
@torch.no_grad()
def test_one_name_for_each_pixel(folders, image, clip_cfg, family, is_named):
    """Masks of either kind end in one result of the original size, with a classifier or without."""
    classifier = dict(type='CLIPClassifier', clip=clip_cfg) if is_named else None
    model = MODELS.build(ConfigDict(
        type='ODISE', data_preprocessor=dict(type='DetDataPreprocessor'),
        backbone=dict(type='PixelBackbone'), classifier=classifier,
        panoptic_head=dict(
            type='SAMHead', pretrained=str(folders / family), vocabulary=VOCABULARY,
            points_per_side=3, pred_iou_thresh=-100, stability_score_thresh=0.0, score_thresh=0.0,
            nms_thresh=1.0),
        panoptic_fusion_head=dict(type='OpenVocabularyFusionHead'),
        test_cfg=dict(object_mask_thr=0.0, iou_thr=0.0, semantic_on=True, instance_on=True))).eval()
    (batch, ), samples = padded(image)
    samples[0].set_metainfo(dict(ori_shape=(96, 64)))
    scores = model.predict_scores(batch, samples)
    masks, logits = scores.predictions.masks[0], model.fuse(scores)[0]
    assert logits.shape == (len(masks), 4) and len(masks) > 3 and logits.isfinite().all()
    result, = model.make_results(scores, samples)
    semantic, panoptic = result.pred_sem_seg.sem_seg, result.pred_panoptic_seg.sem_seg
    assert semantic.shape == panoptic.shape == (1, 96, 64) and semantic.max() < 3
    segments, = model.segment(scores, samples)
    kept = segments.probabilities.argmax(-1)
    assert (kept < 3).all() and len(segments.queries) == len(segments.ids.unique()) - int(
        (segments.ids == 0).any())


def copied(folder, target, **changes):
    """A copy of a folder, with other values in its config.json."""
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    config = json.loads((target / 'config.json').read_text())
    (target / 'config.json').write_text(json.dumps(config | changes))
    return target


def test_a_variant_in_half_precision(folders, tmp_path):
    folder = copied(folders / 'sam', tmp_path / 'half')
    weights = load_file(folder / 'model.safetensors')
    (folder / 'model.safetensors').unlink()
    save_file({name: value.half() for name, value in weights.items()},
              folder / 'model.fp16.safetensors', dict(format='pt'))
    network = head_of(folder).sam.frozen.network
    assert next(network.parameters()).dtype == torch.float32
    half = {name: value.half().float() for name, value in weights.items()}
    assert torch.equal(network.state_dict()['vision_encoder.patch_embed.projection.weight'],
                       half['vision_encoder.patch_embed.projection.weight'])


def test_folders_that_cannot_be_used(folders, tmp_path, monkeypatch):
    def refused(folder, message, kind=ValueError, **settings):
        with pytest.raises(kind, match=f'(?s)SAMHead.*{message}'):
            head_of(folder, **settings)

    sam = folders / 'sam'
    refused(copied(sam, tmp_path / 'other', model_type='bert'), "'bert'.*sam2, ")
    refused(sam, "prompts='names', but a 'sam' takes points", prompts='names')
    refused(folders / 'sam3', 'takes names', prompts='points')
    refused(sam, 'dtype', dtype='int8')
    refused(tmp_path / 'none', 'config.json cannot be read', FileNotFoundError)
    folder = copied(sam, tmp_path / 'no-weights')
    (folder / 'model.safetensors').unlink()
    refused(folder, 'lacks.*model.safetensors.*has config.json, preproc', FileNotFoundError)
    (folder / 'model.safetensors').write_bytes(b'version https://git-lfs.github.com/spec/v1\n')
    refused(folder, 'pointer of Git LFS', FileNotFoundError)
    weights = load_file(sam / 'model.safetensors')
    name = next(iter(weights))
    save_file(weights | {name: torch.full_like(weights[name], np.nan)},
              folder / 'model.safetensors', dict(format='pt'))
    refused(folder, f'nan or infinity.*{name}')
    del weights[name]
    save_file(weights, folder / 'model.safetensors', dict(format='pt'))
    refused(folder, f'lack 1 weights: {name}')
    folder = copied(sam, tmp_path / 'no-processor')
    (folder / 'preprocessor_config.json').unlink()
    refused(folder, 'lacks preprocessor_config.json', FileNotFoundError)
    transformers.SamImageProcessor().save_pretrained(folder)
    refused(folder, '1024 x 1024 pixels.*network for 64 x 64')
    monkeypatch.setitem(loading.NETWORKS['sam'], 'points', 'Sam9Model')
    monkeypatch.setitem(loading._SINCE, 'Sam9Model', '9.0')
    refused(sam, 'Sam9Model needs transformers 9.0 or newer', ImportError)


def test_numbers_of_points(folders):
    with pytest.raises(ValueError, match='points_per_batch=0'):
        SAMHead(str(folders / 'sam'), VOCABULARY, points_per_batch=0)
