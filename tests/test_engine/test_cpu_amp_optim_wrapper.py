import torch
from mmengine.registry import OPTIM_WRAPPERS

from mmodise.engine import CPUAmpOptimWrapper


def test_forward_in_bfloat16_and_gradients_in_float32():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 0.5)
    wrapper = OPTIM_WRAPPERS.build(
        dict(type='CPUAmpOptimWrapper', optimizer=torch.optim.SGD(model.parameters(), lr=0.25)))
    assert isinstance(wrapper, CPUAmpOptimWrapper)
    with wrapper.optim_context(model):
        output = model(torch.tensor([[257 / 256]]))  # bfloat16 rounds the input to 1
    assert output.dtype == torch.bfloat16
    wrapper.backward(output.float().sum())
    assert model.weight.grad.dtype == torch.float32
    wrapper.step()
    assert model.weight.item() == 0.25  # 0.5 - 0.25 * 1
    assert model(torch.ones(1, 1)).dtype == torch.float32  # the context is left
