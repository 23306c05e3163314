"""What pretrained networks that are used and never trained have in common."""

from types import SimpleNamespace

from torch import nn


class Shared(SimpleNamespace):
    """A bag of objects of which a deep copy is the bag itself.

    An exponential moving average of the trained weights, for example, copies the model; the frozen
    networks in it are the same by definition.
    """

    def __deepcopy__(self, memo: dict) -> 'Shared':
        return self


class FrozenModule(nn.Module):
    """Base of the parts that use pretrained networks without training them.

    The networks are guests, not children: they follow :meth:`to` and the like, but they are no
    part of ``parameters()``, ``state_dict()`` and ``train()``. So no optimizer sees them, no
    gradient is kept for them, no process group broadcasts them, no checkpoint holds them, and none
    is asked for them. Gradients still flow through them to what is trained.

    Args:
        shared (Shared): Objects used by the subclass; its modules are frozen here.
    """

    def __init__(self, shared: Shared) -> None:
        super().__init__()
        self.frozen = shared
        for module in self.frozen_modules():
            module.eval().requires_grad_(False)

    def frozen_modules(self) -> list[nn.Module]:
        """The networks held, without those that were dropped."""
        return [value for value in vars(self.frozen).values() if isinstance(value, nn.Module)]

    def _apply(self, fn, recurse: bool = True) -> 'FrozenModule':
        super()._apply(fn, recurse)
        for module in self.frozen_modules():
            module._apply(fn, recurse)
        return self
