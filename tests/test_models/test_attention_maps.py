"""Maps of a UNet's attention: what they are, and that nothing else is computed for them."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from mmodise.models import StableDiffusionExtractor


@pytest.fixture(scope='module')
def folder(small_models):
    return str(small_models / 'stable_diffusion')


@pytest.fixture(scope='module')
def images():
    return torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope='module')
def whole(folder):
    """Diffusers' own UNet."""
    return UNet2DConditionModel.from_pretrained(folder, subfolder='unet').float().eval()


def transformer_blocks(unet):
    """In the order of the pass, down path, middle, up path."""
    transformers = [t for stage in (*unet.down_blocks, unet.mid_block, *unet.up_blocks)
                    for t in getattr(stage, 'attentions', ())]
    return [block for transformer in transformers for block in transformer.transformer_blocks]


@torch.no_grad()
def inputs_and_outputs(extractor, unet, images, layers):
    """What the layers of the whole UNet are given and make, of the extractor's own latents."""
    notes = {}

    def note(layer, args, kwargs, result):
        notes[layer] = args[0], kwargs.get('encoder_hidden_states'), result

    hooks = [layer.register_forward_hook(note, with_kwargs=True) for layer in layers]
    latents = 0.5 * images[:, [0, 1, 2, 0], ::8, ::8]
    unet(latents, 0, extractor.frozen.empty_text.expand(len(images), -1, -1))
    for hook in hooks:
        hook.remove()
    return latents, [notes[layer] for layer in layers]


def probabilities_by_hand(layer, inputs, context, heads=2):
    context = inputs if context is None else context
    queries, keys = inputs @ layer.to_q.weight.T, context @ layer.to_k.weight.T
    width = queries.shape[-1] // heads
    of_heads = [
        torch.softmax(queries[..., part] @ keys[..., part].mT / width**0.5, dim=-1)
        for part in (slice(head * width, (head + 1) * width) for head in range(heads))]
    return sum(of_heads) / heads


NAMES = ('self1', 'features5', 'cross6', 'self9', 'features9', 'cross15')


def test_probabilities_and_features_are_those_of_the_layers(folder, whole, images, monkeypatch):
    extractor = StableDiffusionExtractor(folder, attentions=NAMES, unet_blocks=(8, ))
    blocks = transformer_blocks(whole)
    assert len(blocks) == 16
    layers = [getattr(blocks[number], layer) for number, layer in (
        (1, 'attn1'), (5, 'attn1'), (6, 'attn2'), (9, 'attn1'), (15, 'attn2'))]
    latents, found = inputs_and_outputs(extractor, whole, images, layers)
    monkeypatch.setattr(extractor, 'add_noise', lambda _: latents)
    with torch.no_grad():
        maps = dict(zip((m.name for m in extractor.maps), extractor(images), strict=True))
    (in1, *_), (_, _, out5), (in6, text, _), (in9, _, out9), (in15, _, _) = found
    assert text.shape == (2, 77, 64)
    expected = dict(
        self1=probabilities_by_hand(layers[0], in1, None), features5=out5,
        cross6=probabilities_by_hand(layers[2], in6, text),
        self9=probabilities_by_hand(layers[3], in9, None), features9=out9,
        cross15=probabilities_by_hand(layers[4], in15, text))
    for name, tokens in expected.items():
        torch.testing.assert_close(
            maps[name].flatten(2), tokens.mT.contiguous(), rtol=1e-4, atol=1e-6)
        if 'features' not in name:  # each cell's attention is all given away
            torch.testing.assert_close(maps[name].sum(1), torch.ones_like(maps[name][:, 0]))
    assert [m.name for m in extractor.maps] == [
        'encoder5', 'encoder7', 'self1', 'features5', 'cross6', 'self9', 'features9', 'unet8',
        'cross15', 'decoder2', 'decoder5']
    by_name = {m.name: m for m in extractor.maps}
    assert [(by_name[name].channels, by_name[name].stride) for name in NAMES] == [
        (256, 8), (40, 32), (77, 64), (16, 32), (40, 32), (77, 8)]
    assert by_name['self1'].chosen_by == ('attentions', 'self1') and by_name['self1'].noise == 0


def test_several_timesteps(folder, images):
    names = ('self4', 'cross7')
    both = StableDiffusionExtractor(folder, attentions=names, unet_blocks=(), timesteps=(0, 300))
    assert [m.name for m in both.maps[2:6]] == ['self4.0', 'cross7.0', 'self4.1', 'cross7.1']
    with torch.no_grad():
        maps = both(images)
        for i, timestep in enumerate(both.timesteps):
            one = StableDiffusionExtractor(
                folder, attentions=names, unet_blocks=(), timesteps=(timestep, ))
            expected = one(images)
            torch.testing.assert_close(
                maps[2 + 2 * i : 4 + 2 * i], expected[2:4], rtol=1e-4, atol=1e-6)
    assert (maps[2] - maps[4]).abs().max() > 1e-3


def test_all_are_the_features(folder):
    extractor = StableDiffusionExtractor(folder, attentions='all', unet_blocks=())
    assert [m.name for m in extractor.maps[2:-2]] == [f'features{i}' for i in range(16)]


def size(*modules):
    return sum(p.numel() for m in modules for p in m.parameters())


def parts_after(unet, name):
    """What of a UNet comes after the attention maps that the test reads."""
    ends = [unet.conv_norm_out, unet.conv_out]
    if name == 'features5':  # the last transformer of the down path
        level = unet.down_blocks[2]
        block = level.attentions[1].transformer_blocks[0]
        return [level.attentions[1].proj_out, block.attn2, block.norm2, block.norm3, block.ff,
                *level.downsamplers, unet.down_blocks[3], unet.mid_block, unet.up_blocks, *ends]
    if name == 'cross6':
        transformer = unet.mid_block.attentions[0]
        block = transformer.transformer_blocks[0]
        return [transformer.proj_out, block.norm3, block.ff, block.attn2.to_v, block.attn2.to_out,
                unet.mid_block.resnets[1], unet.up_blocks, *ends]
    transformer = unet.up_blocks[1].attentions[1]  # self8
    block = transformer.transformer_blocks[0]
    return [transformer.proj_out, block.attn1.to_v, block.attn1.to_out, block.attn2, block.norm2,
            block.norm3, block.ff, unet.up_blocks[1].resnets[2], unet.up_blocks[1].attentions[2],
            *unet.up_blocks[1].upsamplers, *unet.up_blocks[2:], *ends]


@pytest.mark.parametrize('name', ['features5', 'cross6', 'self8'])
def test_nothing_after_the_last_map_is_run_or_kept(folder, whole, images, name):
    extractor = StableDiffusionExtractor(folder, attentions=(name, ), unet_blocks=())
    unet = extractor.frozen.unet
    assert size(unet) == size(whole) - size(*parts_after(whole, name))
    every = StableDiffusionExtractor(folder, attentions=('self0', name), unet_blocks=(11, ))
    with torch.no_grad():
        map_, = extractor(images)[2:-2]
        expected = dict(zip((m.name for m in every.maps), every(images), strict=True))[name]
    torch.testing.assert_close(map_, expected, rtol=1e-4, atol=1e-6)


def gradients(extractor, images):
    shape = extractor.condition
    text = torch.zeros(2, shape['text_length'], shape['text_width'], requires_grad=True)
    time = torch.zeros(2, 1, shape['time_width'], requires_grad=True)
    maps = extractor(images, text, time)
    return maps, torch.autograd.grad(sum(m.square().sum() for m in maps), (text, time))


@pytest.mark.parametrize('options', [
    dict(with_cp=True), dict(compile=True), dict(compile=True, with_cp=True)])
def test_gradients_with_less_memory_and_compiled(folder, images, options):
    names = dict(attentions=('self8', 'cross10', 'features12'), unet_blocks=(5, ))
    expected, of_offsets = gradients(StableDiffusionExtractor(folder, **names), images)
    assert all(float(gradient.abs().max()) > 0 for gradient in of_offsets)
    if 'compile' in options:
        options = dict(options, compile=dict(backend='eager'))
    maps, ours = gradients(StableDiffusionExtractor(folder, **names, **options), images)
    assert len(maps) == len(expected) == 8
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-6)
    for a, b in zip(ours, of_offsets, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6 * float(b.abs().max()))


@pytest.mark.parametrize('name', ['self16', 'cross-1', 'query3', 'self'])
def test_maps_that_there_are_not(folder, name):
    message = (rf"StableDiffusionExtractor: there is no attention map '{name}'\. There are: "
               'encoder_blocks 0 to 7; decoder_blocks 0 to 11; unet_blocks 0 to 11; attentions '
               'self0 to self15, features0 to features15, cross0 to cross15')
    with pytest.raises(ValueError, match=message):
        StableDiffusionExtractor(folder, attentions=(name, ))


def test_images_of_another_size_have_other_cells(folder):
    extractor = StableDiffusionExtractor(folder, attentions=('self0', ))
    with pytest.raises(ValueError, match=r'64 keys and was to have 256.*image_size'):
        extractor(torch.rand(1, 3, 64, 64))
