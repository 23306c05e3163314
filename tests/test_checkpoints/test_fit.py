from pathlib import Path

import pytest
import torch
from torch import nn

from mmodise.checkpoints import load_fitting
from mmodise.checkpoints.fit import RECIPES
from mmodise.models.frozen import FrozenModule, FrozenNetworks


@pytest.fixture
def model():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))  # 2 weights, and 5 with the counter


def test_all_fits_also_with_the_prefix_of_distributed_training_and_without_counters(model):
    weights = {f'module.{name}': value + 1 for name, value in model.state_dict().items()}
    del weights['module.1.num_batches_tracked']
    expected = model[0].weight + 1
    fit = load_fitting(model, dict(state_dict=weights, meta={}))
    assert (fit.num_found, fit.num_weights) == (7, 7)
    assert (fit.missing, fit.reshaped, fit.unexpected) == ((), (), ())
    assert str(fit) == "the checkpoint has 7 of the model's 7 weights"
    torch.testing.assert_close(model[0].weight, expected)


def test_what_does_not_fit_is_counted_and_named(model):
    weights = model.state_dict()
    weights['0.weight'] = torch.ones(3, 4)
    for name in ('0.bias', '1.weight', '1.bias', '1.running_mean'):
        weights[f'neck.{name}'] = weights.pop(name)
    weights['1.running_var'] = torch.full((3, ), 9.0)
    fit = load_fitting(model, weights)
    assert (fit.num_found, fit.num_weights) == (2, 7)
    assert str(fit) == (
        "the checkpoint has 2 of the model's 7 weights"
        '; 4 missing: 0.bias, 1.weight, 1.bias, ...'
        '; 1 of another shape: 0.weight (3, 4), expected (3, 2)'
        '; 4 that the model does not have: neck.0.bias, neck.1.weight, neck.1.bias, ...')
    assert model[1].running_var.tolist() == [9.0, 9.0, 9.0], 'what fits is loaded'


def test_frozen_networks_are_not_asked_for(model):
    class Holder(FrozenModule):
        def __init__(self):
            super().__init__(FrozenNetworks(network=nn.Linear(5, 5)))
            self.trained = nn.Linear(1, 1)

    weights = {'trained.weight': torch.ones(1, 1), 'trained.bias': torch.ones(1)}
    fit = load_fitting(Holder(), weights)
    assert (fit.num_found, fit.num_weights, fit.unexpected) == (2, 2, ())


class Head(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.mask_embedding = nn.ParameterDict(dict(log_scale=torch.ones(())))
        if kind == 'label':
            self.no_object = nn.Parameter(torch.ones(1, 1))
        else:
            self.cls_embed = nn.Linear(1, 2)


@pytest.mark.parametrize(('found', 'expected', 'recipe'), [
    ('label', 'caption', 'odise_sd-v1'), ('caption', 'label', 'odise-caption_sd-v1')])
def test_a_checkpoint_of_the_other_supervision_is_told_in_words(found, expected, recipe):
    weights, model = (
        nn.ModuleDict(dict(panoptic_head=Head(kind))) for kind in (found, expected))
    fit = load_fitting(model, weights.state_dict())
    with pytest.raises(ValueError, match=(
        f"; the checkpoint is of the kind 'ODISE {found}', the config of the kind 'ODISE {expected}"
        rf"': what fits this checkpoint at full size is configs/odise/{recipe}_\S+\.py")):
        fit.check_complete('odise.pth')
    assert (Path(__file__).parents[2] / RECIPES[found]).is_file()


def test_a_checkpoint_of_the_other_recipe_is_told_in_words():
    label, fcclip = Head('label'), Head('label')
    del fcclip.no_object
    fcclip.void_embedding = nn.Embedding(1, 3)
    label, fcclip = (nn.ModuleDict(dict(panoptic_head=head)) for head in (label, fcclip))
    for weights, model, found, expected, recipe in (
            (label, fcclip, 'ODISE label', 'FC-CLIP', 'odise_sd-v1'),
            (fcclip, label, 'FC-CLIP', 'ODISE label', 'fcclip_convnext-l')):
        with pytest.raises(ValueError, match=(
                f"of the kind '{found}', the config of the kind '{expected}': .*/{recipe}_")):
            load_fitting(model, weights.state_dict()).check_complete('model.pth')
    other = {'panoptic_head.void_embedding.weight': torch.ones(1, 4)}
    with pytest.raises(ValueError, match=r'with a CLIP of width 4, the config.s is 3 wide'):
        load_fitting(fcclip, other).check_complete('model.pth')


def test_mask2formers_checkpoint_is_not_taken_for_a_caption_models():
    model = nn.ModuleDict(dict(panoptic_head=Head('label')))
    fit = load_fitting(model, {'panoptic_head.cls_embed.weight': torch.ones(9, 1)})
    assert fit.num_found == 0 and 'caption' not in str(fit)


def test_a_checkpoint_of_another_clip_is_known_by_the_projection_of_its_texts():
    model = nn.ModuleDict(dict(text_proj=nn.Linear(5, 3)))
    names = ('text_proj.weight', 'text_proj.bias')
    fit = load_fitting(model, dict(zip(names, (torch.ones(3, 4), torch.ones(3)), strict=True)))
    assert str(fit).endswith(
        '; 1 of another shape: text_proj.weight (3, 4), expected (3, 5) '
        "(it was trained with a CLIP of width 4, the config's is 5 wide)")
    fit = load_fitting(model, dict(zip(names, (torch.ones(2, 5), torch.ones(2)), strict=True)))
    assert 'CLIP' not in str(fit)


def test_weights_can_be_taken_themselves(model):
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    load_fitting(model, weights, assign=True)
    assert model[0].weight.data_ptr() == weights['0.weight'].data_ptr()
