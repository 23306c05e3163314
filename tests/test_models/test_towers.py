"""Maps of CLIP's ConvNeXt and ResNet towers, and embeddings of their cells."""

import json

import open_clip
import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS

from mmodise.models import CLIPBackbone, FrozenCLIP
from mmodise.models.mask_pooling import pool_masks

kinds = pytest.mark.parametrize('kind', ['convnext', 'resnet'])
WIDTHS = dict(convnext=(8, 16, 24, 32), resnet=(32, 64, 128, 256))


@pytest.fixture
def clip(dense_clips, kind):
    return MODELS.build(dense_clips[kind])


def images(height, width, count=1):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


@kinds
def test_maps_of_any_size(clip, kind):
    assert clip.stage_widths == WIDTHS[kind]
    maps = clip.encode_maps(images(70, 101, 2))
    assert [tuple(m.shape) for m in maps] == [
        (2, width, 70 // stride, 101 // stride)
        for width, stride in zip(WIDTHS[kind], (4, 8, 16, 32), strict=True)]
    backbone = CLIPBackbone(dict(type='FrozenCLIP', **_without_type(clip)))
    assert backbone.out_widths == WIDTHS[kind] and not [*backbone.parameters()]
    for ours, theirs in zip(backbone(images(70, 101, 2)), maps, strict=True):
        assert torch.equal(ours, theirs) and not ours.requires_grad


def _without_type(clip):
    _, path, _, _, architecture = clip.frozen._origin
    return dict(model=path, architecture=json.loads(architecture))


@pytest.mark.parametrize('kind', ['convnext'])
def test_all_cells_are_the_whole_image(clip, kind):
    image = images(64, 64)
    embedded = clip.embed_cells(clip.encode_maps(image)[-1], torch.ones(1, 1, 2, 2).bool())
    torch.testing.assert_close(embedded[:, 0], clip.encode_images(image), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('kind', ['resnet'])
def test_a_resnets_query_is_the_mean_of_all_cells_and_its_keys_are_the_masks(clip, kind):
    """As torch's own attention computes it, on a map of the size that the pool was made for."""
    dense = clip.encode_maps(images(64, 64))[-1]
    cells = torch.tensor([[True, False, True, True], [False, True, False, False]])
    pool = clip.frozen.model.visual.attnpool
    with torch.no_grad():
        flat = dense.flatten(2)[0].t()
        keys = flat + pool.positional_embedding[1:]
        query = (flat.mean(0) + pool.positional_embedding[0]).expand(2, -1)
        expected, _ = F.multi_head_attention_forward(
            query, keys, keys, 256, pool.num_heads, None,
            torch.cat([pool.q_proj.bias, pool.k_proj.bias, pool.v_proj.bias]), None, None, False,
            0.0, pool.c_proj.weight, pool.c_proj.bias, use_separate_proj_weight=True,
            q_proj_weight=pool.q_proj.weight, k_proj_weight=pool.k_proj.weight,
            v_proj_weight=pool.v_proj.weight, attn_mask=~cells, training=False)
    embedded = clip.embed_cells(dense, cells.view(1, 2, 2, 2))[0]
    torch.testing.assert_close(embedded, expected, rtol=1e-4, atol=1e-5)


@kinds
def test_no_cell_gets_what_the_head_makes_of_nothing(clip, kind):
    dense = clip.encode_maps(images(64, 96))[-1]
    nothing = clip.embed_cells(dense, torch.zeros(1, 2, 2, 3).bool())[0, 0]
    visual = clip.frozen.model.visual
    if kind == 'resnet':
        assert torch.equal(nothing, visual.attnpool.c_proj.bias)
    else:
        zeros = visual.head(visual.trunk.forward_head(torch.zeros(1, 32, 1, 1)))[0]
        torch.testing.assert_close(nothing, zeros)
    assert clip.embed_cells(dense, torch.zeros(1, 0, 2, 3).bool()).shape == (1, 0, 16)


@kinds
def test_cells_may_have_weights_and_gradients(clip, kind):
    dense = clip.encode_maps(images(64, 96))[-1]
    hard = torch.tensor([[[1.0, 0, 0], [0, 1, 1]], [[0, 0, 0.0], [1, 0, 0]]])[None]
    soft = torch.rand(1, 2, 2, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.equal(clip.embed_cells(dense, hard), clip.embed_cells(dense, hard.bool()))
    torch.testing.assert_close(  # shares of each other are what counts
        clip.embed_cells(dense, 0.25 * soft), clip.embed_cells(dense, soft), rtol=1e-4, atol=1e-5)
    clip.embed_cells(dense, soft).square().sum().backward()
    assert soft.grad.abs().min() > 0


def test_masks_pool_in_float32():
    features = torch.full((1, 2, 300, 300), 3.0, dtype=torch.float16)
    masks = torch.ones(1, 2, 300, 300, dtype=torch.bool)
    masks[:, 1] = False
    with torch.autocast('cpu', dtype=torch.bfloat16):
        pooled = pool_masks(masks, features)
    assert pooled.dtype == torch.float32 and pooled.tolist() == [[[3, 3], [0, 0]]]


@kinds
def test_a_picture_smaller_than_a_cell_is_refused(clip, kind):
    with pytest.raises(ValueError, match=r'31 x 64 pixels is smaller.*pad_size_divisor=32'):
        clip.encode_maps(images(31, 64))


def test_a_vision_transformer_gives_no_maps(clip_cfg):
    message = r'ConvNeXt.*convnext_large_d_320.*this one is a VisionTransformer.*CLIPClassifier'
    with pytest.raises(ValueError, match=message):
        CLIPBackbone(clip_cfg)


@kinds
def test_a_resnet_and_a_convnext_take_no_mask_tokens(clip, kind):
    with pytest.raises(ValueError, match=r'mask tokens need .*is a (TimmModel|ModifiedResNet)'):
        _ = clip.patch_size


@kinds
def test_half_precision_is_near(clip, dense_clips, kind):
    low = FrozenCLIP(dense_clips[kind]['model'], precision='bf16',
                     architecture=dense_clips[kind]['architecture'])
    picture, cells = images(64, 96), torch.ones(1, 1, 2, 3).bool()
    dense = [c.encode_maps(picture)[-1] for c in (low, clip)]
    embedded = [c.embed_cells(d, cells) for c, d in zip((low, clip), dense, strict=True)]
    for ours, expected in (dense, embedded):
        assert ours.dtype == torch.float32
        assert 1e-4 < (ours - expected).norm() / expected.norm() < 5e-2


def test_a_folder_in_open_clips_format(dense_clips, tmp_path):
    config = dense_clips['convnext']
    preprocess = dict(mean=[0.5, 0.4, 0.3], std=[0.2, 0.2, 0.2])
    (tmp_path / 'open_clip_config.json').write_text(json.dumps(
        dict(model_cfg=config['architecture'], preprocess_cfg=preprocess)))
    torch.save(torch.load(config['model'], weights_only=True), tmp_path / 'open_clip_model.bin')
    clip = FrozenCLIP(str(tmp_path))
    assert clip.mean_colour.flatten().tolist() == pytest.approx(preprocess['mean'])
    same = MODELS.build(config).frozen.model.visual.state_dict()
    assert all(torch.equal(value, same[name])
               for name, value in clip.frozen.model.visual.state_dict().items())


def test_a_resnet_in_openais_format_tells_its_architecture(dense_clips, tmp_path):
    """A TorchScript archive, as OpenAI's are; but for narrow heads nothing has to be said."""
    config = dense_clips['resnet']
    network = open_clip.CLIP(**config['architecture']).eval()
    network.load_state_dict(torch.load(config['model'], weights_only=True))
    torch.jit.script(network).save(tmp_path / 'rn.pt')
    clip = FrozenCLIP(str(tmp_path / 'rn.pt'), architecture=dict(text_cfg=dict(heads=2)))
    assert (clip.image_size, clip.stage_widths) == ((64, 64), WIDTHS['resnet'])
    other = MODELS.build(config)
    assert torch.equal(clip.encode_maps(images(64, 64))[-1], other.encode_maps(images(64, 64))[-1])
    assert torch.equal(clip.encode_texts(['a cat']), other.encode_texts(['a cat']))


def test_a_clip_is_read_from_fcclips_checkpoint(dense_clips, tmp_path):
    config = dense_clips['convnext']
    weights = torch.load(config['model'], weights_only=True)
    inside = {f'backbone.clip_model.{name}': value for name, value in weights.items()}
    torch.save(dict(model={'void_embedding.weight': torch.ones(1, 16), **inside}),
               tmp_path / 'with.pth')
    torch.save(dict(model={'void_embedding.weight': torch.ones(1, 16)}), tmp_path / 'without.pth')
    clip = FrozenCLIP(str(tmp_path / 'with.pth'), architecture=config['architecture'])
    assert torch.equal(clip.frozen.model.text_projection, weights['text_projection'])
    with pytest.raises(RuntimeError, match=r'not the weights of a CLIP .*begin with void_emb'):
        FrozenCLIP(str(tmp_path / 'without.pth'), architecture=config['architecture'])


def test_a_convnexts_architecture_is_asked_for(dense_clips, tmp_path):
    """Its weights tell less than others', also in an archive."""
    config = dense_clips['convnext']
    names = ('input_resolution', 'context_length')
    torch.save({name: torch.tensor(0) for name in names} | torch.load(
        config['model'], weights_only=True), tmp_path / 'marked.pt')
    for path in (config['model'], str(tmp_path / 'marked.pt')):
        with pytest.raises(RuntimeError, match=r'nor of a ConvNeXt the size of pictures. Name its'):
            FrozenCLIP(path)
