"""The UNet's blocks recomputed in the backward pass: the same numbers in less memory."""

import torch

from mmodise.models import StableDiffusionExtractor
from mmodise.models.extractors import stable_diffusion


def gradients_and_memory(folder, with_cp):
    """Gradients of both conditions, and the bytes that the graph keeps for the backward pass."""
    extractor = StableDiffusionExtractor(folder, timesteps=(0, 500), with_cp=with_cp)
    shape = extractor.condition
    generator = torch.Generator().manual_seed(0)
    images, text, time = (
        torch.randn(size, generator=generator) for size in (
            (2, 3, 128, 128), (2, shape['text_length'], shape['text_width']),
            (2, 2, shape['time_width'])))
    conditions = text.requires_grad_(), time.requires_grad_()
    weights = {weight.untyped_storage().data_ptr() for weight in extractor.frozen.unet.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        maps = extractor(images, *conditions)
    assert len(maps) == 4 + 2 * 4
    gradients = torch.autograd.grad(sum(m.square().mean() for m in maps), conditions)
    return gradients, sum(kept.values())


def test_equal_gradients_in_a_third_of_the_memory(small_models):
    folder = str(small_models / 'stable_diffusion')
    (expected, all_of_it), (gradients, memory) = (
        gradients_and_memory(folder, with_cp) for with_cp in (False, True))
    torch.testing.assert_close(gradients, expected, rtol=1e-5, atol=1e-9)
    assert all(gradient.abs().max() > 0 for gradient in gradients)
    assert memory < all_of_it / 3


def test_gates_are_never_kept(small_models, monkeypatch):
    folder = str(small_models / 'stable_diffusion')
    gradients, memory = gradients_and_memory(folder, with_cp=False)
    monkeypatch.setattr(stable_diffusion, '_recompute_gates', lambda unet: None)
    expected, all_of_it = gradients_and_memory(folder, with_cp=False)
    torch.testing.assert_close(gradients, expected, rtol=1e-5, atol=1e-9)
    assert memory < 0.8 * all_of_it
