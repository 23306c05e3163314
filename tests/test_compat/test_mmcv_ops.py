import importlib.util
import sys
from types import ModuleType

import pytest
import torch
from mmcv.ops import multi_scale_deform_attn
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttention

from mmodise.compat import mmcv_ops


@pytest.fixture
def without_ops(monkeypatch):
    monkeypatch.setattr(multi_scale_deform_attn, 'IS_CUDA_AVAILABLE', True)
    monkeypatch.setitem(sys.modules, 'mmcv._ext', None)
    return mmcv_ops.install()


def attend():
    torch.manual_seed(0)
    attention = MultiScaleDeformableAttention(
        embed_dims=8, num_heads=2, num_levels=1, num_points=2, batch_first=True, dropout=0.0)
    return attention(
        torch.rand(1, 6, 8),
        reference_points=torch.rand(1, 6, 1, 2),
        spatial_shapes=torch.tensor([[2, 3]]),
        level_start_index=torch.tensor([0]))


def test_compiled_ops_are_left_alone(monkeypatch):
    compiled = ModuleType('mmcv._ext')
    monkeypatch.setitem(sys.modules, 'mmcv._ext', compiled)
    monkeypatch.setattr(multi_scale_deform_attn, 'IS_CUDA_AVAILABLE', True)
    assert mmcv_ops.install() is None
    assert sys.modules['mmcv._ext'] is compiled
    assert multi_scale_deform_attn.IS_CUDA_AVAILABLE


def test_missing_ops_have_a_stand_in_that_names_the_op(without_ops):
    assert without_ops == 'mmcv has no compiled ops, its PyTorch code is used'
    assert importlib.util.find_spec('mmcv._ext').name == 'mmcv._ext'
    ops = sys.modules['mmcv._ext']
    with pytest.raises(NotImplementedError, match=r'mmcv\._ext\.nms is not compiled'):
        ops.nms(torch.rand(2, 4))
    assert ops.get_compiler_version() == ops.get_compiling_cuda_version() == 'n/a'
    assert not hasattr(ops, '__file__')


def test_deformable_attention_takes_pytorch_code_on_cuda(without_ops, monkeypatch):
    expected = attend()  # on the CPU
    # Tensors that say they are on CUDA: enough for mmcv to choose, and all else can still run.
    monkeypatch.setattr(torch.Tensor, 'is_cuda', property(lambda tensor: True))
    assert torch.equal(attend(), expected)
    monkeypatch.setattr(multi_scale_deform_attn, 'IS_CUDA_AVAILABLE', True)
    monkeypatch.setattr(multi_scale_deform_attn, 'ext_module', sys.modules['mmcv._ext'])
    with pytest.raises(NotImplementedError, match='ms_deform_attn_forward'):
        attend()
