"""Maps of the attention of transformers over tokens: of image and text apart, and joint."""

import mmodise  # noqa: F401  isort: skip, it makes the next ones importable
import pytest
import torch
from diffusers import SD3Transformer2DModel, UVit2DModel

from mmodise.benchmark.small_diffusion_transformer import (
    TRANSFORMER_CONFIG,
    make_stable_diffusion_3,
)
from mmodise.models import DiffusionTransformerExtractor, TokenDiffusionExtractor

HEADS, WIDTH = 3, 32
JOINT, APART = DiffusionTransformerExtractor, TokenDiffusionExtractor


@pytest.fixture(scope='module')
def folders(small_sd3, small_amused):
    return {JOINT: str(small_sd3), APART: str(small_amused)}


@pytest.fixture(scope='module')
def images():
    return torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))


def build(kind, folder, blocks=(), **settings):
    chosen = 'transformer_blocks' if kind is JOINT else 'transformer_layers'
    if kind is JOINT:
        settings.update(decoder_blocks=())
    return kind(folder, encoder_blocks=(), **{chosen: blocks}, **settings)


def whole(kind, folder):
    """Diffusers' own transformer, and its blocks."""
    network = {JOINT: SD3Transformer2DModel, APART: UVit2DModel}[kind]
    network = network.from_pretrained(folder, subfolder='transformer').eval()
    return network, getattr(
        network, 'transformer_blocks' if kind is JOINT else 'transformer_layers')


def by_name(extractor, *inputs):
    with torch.no_grad():
        maps = extractor(*inputs)
    for of, found in zip(extractor.maps, maps, strict=True):
        assert tuple(found.shape) == (2, of.channels, 128 // of.stride, 128 // of.stride)
    return dict(zip((of.name for of in extractor.maps), maps, strict=True))


@torch.no_grad()
def calls_of(extractor, network, layers, images):
    """What layers of the whole network are given, and make, with the extractor's own inputs."""
    given, notes = [], {}
    hook = extractor.frozen.transformer.register_forward_pre_hook(
        lambda _, args, kwargs: given.append((args, kwargs)), with_kwargs=True)
    extractor(images)
    hook.remove()
    (args, kwargs), = given
    if 'pooled_projections' in kwargs:  # with the place of an offset
        kwargs = dict(kwargs, pooled_projections=kwargs['pooled_projections'][0])
    hooks = [layer.register_forward_hook(
        lambda layer, args, kwargs, made: notes.update({layer: (args, kwargs, made)}),
        with_kwargs=True) for layer in layers]
    network(*args, **kwargs)
    for hook in hooks:
        hook.remove()
    return [notes[layer] for layer in layers]


def heads_of(weights, states, norm=None):
    """Projections, (B, heads, N, C), with the root mean square of a head as norm."""
    projected = states @ weights.weight.mT
    if weights.bias is not None:
        projected = projected + weights.bias
    projected = projected.unflatten(-1, (HEADS, WIDTH)).transpose(1, 2)
    if norm is not None:
        projected = projected * (projected.square().mean(-1, keepdim=True) + 1e-6).rsqrt()
        projected = projected * norm.weight
    return projected


def softmax_by_hand(queries, keys):
    return torch.softmax(queries @ keys.mT / WIDTH**0.5, dim=-1).mean(1)


def assert_equal(found, tokens):
    torch.testing.assert_close(found.flatten(2).mT, tokens, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def randomize_norms(network):
    """So that a norm that is left out, or taken from another layer, is noticed."""
    generator = torch.Generator().manual_seed(1)
    for name, weight in network.named_parameters():
        if 'norm_' in name and '.attn' in name:
            weight.copy_(1 + torch.rand(weight.shape, generator=generator))


@pytest.mark.parametrize('dual', [(), (1, 2, 4)])
def test_joint_attention_is_one_softmax_over_image_and_text(tmp_path, images, dual):
    make_stable_diffusion_3(tmp_path)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformer = SD3Transformer2DModel(**{
            **TRANSFORMER_CONFIG, 'in_channels': 8, 'out_channels': 8,
            'dual_attention_layers': dual})
    randomize_norms(transformer)
    transformer.save_pretrained(tmp_path / 'transformer')
    names = ('cross2', 'self4', 'features2', 'self2', 'cross1', 'features4')
    extractor = build(JOINT, str(tmp_path), (2, ), attentions=names, t5_length=5)
    maps = by_name(extractor, images)
    assert list(maps) == [
        'cross1', 'transformer2', 'self2', 'cross2', 'features2', 'self4', 'features4']
    last = extractor.frozen.transformer.transformer_blocks[-1]
    assert not [*last.attn2.parameters(), *last.ff.parameters()]
    network, blocks = whole(JOINT, str(tmp_path))
    layers = [blocks[number].attn for number in (1, 2, 4)]
    calls = calls_of(extractor, network, layers, images)
    for number, layer, (_, given, made) in zip((1, 2, 4), layers, calls, strict=True):
        image, text = given['hidden_states'], given['encoder_hidden_states']
        assert text.shape[1] == 77 + 5
        keys = torch.cat([
            heads_of(layer.to_k, image, layer.norm_k),
            heads_of(layer.add_k_proj, text, layer.norm_added_k)], dim=2)
        expected = softmax_by_hand(heads_of(layer.to_q, image, layer.norm_q), keys)
        for name, tokens in ((f'self{number}', expected[..., :256]),
                             (f'cross{number}', expected[..., 256:]),
                             (f'features{number}', made[0])):
            if name in maps:
                assert_equal(maps[name], tokens)
    total = maps['self2'].sum(1) + maps['cross2'].sum(1)
    torch.testing.assert_close(total, torch.ones_like(total))
    assert 0.01 < maps['cross2'].sum(1).mean() < 0.99
    of = {found.name: found for found in extractor.maps}['cross2']
    assert (of.channels, of.stride, of.chosen_by, of.noise) == (
        82, 8, ('attentions', 'cross2'), 0)


def test_self_and_cross_attention_of_a_token_generator(folders, images):
    extractor = build(
        APART, folders[APART], (3, ), attentions=('cross3', 'self1', 'features1', 'self3'))
    maps = by_name(extractor, images)
    assert list(maps) == ['self1', 'features1', 'transformer3', 'self3', 'cross3']
    network, blocks = whole(APART, folders[APART])
    layers = [blocks[1].attn1, blocks[3].attn1, blocks[3].attn2]
    first, third, cross = calls_of(extractor, network, layers, images)
    for name, layer, (args, given, _) in zip(
            ('self1', 'self3', 'cross3'), layers, (first, third, cross), strict=True):
        context = args[0] if name != 'cross3' else given['encoder_hidden_states']
        expected = softmax_by_hand(
            heads_of(layer.to_q, args[0]), heads_of(layer.to_k, context))
        assert expected.shape[-1] == (77 if name == 'cross3' else 256)
        assert_equal(maps[name], expected)
        torch.testing.assert_close(maps[name].sum(1), torch.ones_like(maps[name][:, 0]))
    assert_equal(maps['features1'], first[2])


@pytest.mark.parametrize('kind', [JOINT, APART])
def test_several_levels_of_noise_and_all(folders, images, kind):
    levels = (0, 400) if kind is JOINT else (0.0, 0.5)
    setting = kind.noise_setting
    both = build(kind, folders[kind], attentions=('self1', 'cross2'), **{setting: levels})
    assert [(of.name, of.noise) for of in both.maps] == [
        ('self1.0', levels[0]), ('cross2.0', levels[0]), ('self1.1', levels[1]),
        ('cross2.1', levels[1])]
    maps = by_name(both, images)
    for i, level in enumerate(levels):
        one = by_name(build(
            kind, folders[kind], attentions=('self1', 'cross2'), **{setting: (level, )}), images)
        for name, found in one.items():
            torch.testing.assert_close(found, maps[f'{name}.{i}'], rtol=1e-4, atol=1e-6)
    assert (maps['self1.0'] - maps['self1.1']).abs().max() > 1e-4
    every = build(kind, folders[kind], 'all', attentions='all')
    assert [of.name for of in every.maps] == [
        f'{of}{i}' for i in range(5) for of in ('transformer', 'features')]


def parts_after(kind, network, block, name):
    """What comes after a map of the block."""
    if kind is JOINT:
        gone = [network.norm_out, network.proj_out, *network.transformer_blocks[3:], block.ff,
                block.ff_context, block.attn.to_add_out]
        if not name.startswith('features'):
            gone += [block.attn.to_v, block.attn.to_out, block.attn.add_q_proj,
                     block.attn.add_v_proj, block.attn.norm_added_q]
        return gone
    gone = [network.project_from_hidden_norm, network.project_from_hidden, network.up_block,
            network.mlm_layer, *network.transformer_layers[3:], block.ff, block.norm3]
    last = block.attn2 if name.startswith('cross') else block.attn1
    if not name.startswith('cross'):
        gone += [block.attn2, block.norm2]
    return gone if name.startswith('features') else [*gone, last.to_v, last.to_out]


@pytest.mark.parametrize('name', ['self2', 'cross2', 'features2'])
@pytest.mark.parametrize('kind', [JOINT, APART])
def test_nothing_after_the_last_map_is_run_or_kept(folders, images, kind, name):
    def size(*modules):
        return sum(p.numel() for m in modules for p in m.parameters())

    extractor = build(kind, folders[kind], attentions=(name, ))
    network, blocks = whole(kind, folders[kind])
    assert size(extractor.frozen.transformer) == size(network) - size(
        *parts_after(kind, network, blocks[2], name))
    more = build(kind, folders[kind], (4, ), attentions=(name, 'self0'))
    torch.testing.assert_close(
        by_name(extractor, images)[name], by_name(more, images)[name], rtol=1e-4, atol=1e-6)
    plain = build(kind, folders[kind], (4, ))
    assert size(plain.frozen.transformer) == size(more.frozen.transformer)
    assert not [m for m in plain.frozen.transformer.modules() if 'AttentionTap' in str(type(m))]


@pytest.mark.parametrize('kind', [JOINT, APART])
def test_gradients_with_less_memory(folders, images, kind):
    names, results = ('cross1', 'features2', 'self3'), []
    for with_cp in (False, True):
        extractor = build(kind, folders[kind], (2, ), attentions=names, with_cp=with_cp)
        shape = extractor.condition
        text = torch.zeros(2, 77, shape['text_width'], requires_grad=True)
        pooled = torch.zeros(2, shape['pooled_width'], requires_grad=True)
        maps = extractor(images, text, None, pooled)
        assert len(maps) == 4 and all(found.requires_grad for found in maps)
        results.append(
            torch.autograd.grad(sum(of.square().sum() for of in maps), (text, pooled)))
    for one, other in zip(*results, strict=True):
        assert one.abs().max() > 1e-6
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(one.abs().max()))


@pytest.mark.parametrize('kind', [JOINT, APART])
@pytest.mark.parametrize('name', ['self5', 'features-1', 'query1', 'cross'])
def test_maps_that_there_are_not(folders, kind, name):
    order = 'self0 to self4, cross0 to cross4, features0 to features4' if kind is JOINT else (
        'self0 to self4, features0 to features4, cross0 to cross4')
    message = (rf"{kind.__name__}: there is no attention map '{name}'\. There are: .*"
               rf'attentions {order}')
    with pytest.raises(ValueError, match=message):
        build(kind, folders[kind], attentions=(name, ))


@pytest.mark.parametrize('kind', [JOINT, APART])
def test_images_of_another_size_have_other_cells(folders, kind):
    extractor = build(kind, folders[kind], attentions=('self0', ))
    with pytest.raises(ValueError, match=r'64 keys and was to have 256.*image_size'):
        extractor(torch.rand(1, 3, 64, 64))
    half = build(kind, folders[kind], attentions=('self0', 'cross0'), image_size=64)
    assert [m.shape[-1] for m in half(torch.rand(1, 3, 64, 64))] == [8, 8]
