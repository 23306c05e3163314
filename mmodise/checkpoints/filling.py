"""Networks that are built around weights which are there already."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from .fit import CheckpointFit, load_fitting

Network = TypeVar('Network', bound=nn.Module)


def build_empty(build: Callable[..., Network], **settings: object) -> Network:
    """Build a network without memory and numbers for its parameters.

    Args:
        build (Callable): Its class, or a function that builds it.
        **settings: What it is built with.

    Returns:
        Module: Its parameters are on the meta device; its buffers have their content, since some of
        them are in no file of weights.
    """
    hook = register_module_parameter_registration_hook(_without_content)
    try:
        return build(**settings)
    finally:
        hook.remove()


def fill(network: nn.Module, weights: Mapping[str, Tensor]) -> CheckpointFit:
    """Make weights the parameters of a network.

    Args:
        network (Module): From :func:`build_empty`.
        weights (Mapping[str, Tensor]): Taken as they are, not copied, but for half precision, which
            becomes float32. They may lie in a file mapped into memory, or on the meta device.

    Returns:
        CheckpointFit: How well the weights fit; the network is not to be used unless they all do.
    """
    weights = {
        name: value.float() if value.is_floating_point() else value
        for name, value in weights.items()
    }
    return load_fitting(network, weights, assign=True)


def _without_content(
    module: nn.Module, name: str, parameter: nn.Parameter | None
) -> nn.Parameter | None:
    if parameter is None or parameter.is_meta:
        return None  # which leaves it as it is
    return nn.Parameter(parameter.to('meta'), requires_grad=parameter.requires_grad)
