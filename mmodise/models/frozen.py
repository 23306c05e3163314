"""Pretrained networks that are used and never trained."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from threading import RLock
from types import SimpleNamespace
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

_IN_USE: WeakValueDictionary[tuple, FrozenNetworks] = WeakValueDictionary()
_LOCK = RLock()


class FrozenNetworks(SimpleNamespace):
    """Pretrained networks, and what belongs to them, on one device and in one precision.

    Whatever is made from the same origin has the same numbers, so there is one in memory per
    device: :meth:`on` gives it. A deep copy is the object itself; the copy of a model that an
    exponential moving average makes, for example, uses the networks of the model.

    Args:
        origin (Hashable): What they are made from, with the precision; None for networks that no
            other module can name.
        prepare (Callable, optional): Called with the networks on each device that they are put on,
            for what a copy does not keep, such as compilation.
        **parts: Networks, tensors and other objects, which become attributes. Other objects are
            the same on all devices, unless they have a ``__deepcopy__``.
    """

    def __init__(
        self, origin: Hashable = None, prepare: Callable[[FrozenNetworks], None] | None = None,
        **parts: object,
    ) -> None:
        super().__init__(**parts)
        self._origin = object() if origin is None else origin
        self._prepare = prepare
        for network in self.networks():
            network.eval().requires_grad_(False)
            network.to(self.device)  # buffers of a network whose weights are on the meta device
        for name, value in parts.items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(self.device))  # likewise
        if prepare is not None:
            prepare(self)
        _IN_USE[self._origin, self.device] = self

    # each is itself only: SimpleNamespace would compare the parts
    __eq__, __hash__ = object.__eq__, object.__hash__

    def __deepcopy__(self, memo: dict) -> FrozenNetworks:
        return self

    @classmethod
    def obtain(cls, origin: Hashable, make: Callable[[], FrozenNetworks]) -> FrozenNetworks:
        """The networks of an origin that are in use, on any device, or new ones.

        Args:
            origin (Hashable): What they are made from, with the precision.
            make (Callable): Makes them, where there are none.
        """
        with _LOCK:
            found = {device.type: value for (key, device), value in list(_IN_USE.items())
                     if key == origin}
            without_numbers = found.pop('meta', None)
            if without_numbers is not None and torch.empty(0).is_meta:  # it is asked for by default
                return without_numbers
            return next(iter(found.values()), None) or make()

    def networks(self) -> list[nn.Module]:
        """The networks, without those that are None."""
        return [value for value in vars(self).values() if isinstance(value, nn.Module)]

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return next(self._tensors()).device

    def on(self, device: torch.device) -> FrozenNetworks:
        """The same networks on a device: those that are there, or a copy.

        Args:
            device (torch.device): With its index, as a tensor says it.
        """
        with _LOCK:
            found = _IN_USE.get((self._origin, device))
            return self._copy(device) if found is None else found

    @torch.no_grad()
    def _copy(self, device: torch.device) -> FrozenNetworks:
        # a network that is first used in inference mode must still pass gradients later
        with torch.inference_mode(False):
            moved = {
                id(tensor): nn.Parameter(tensor.to(device), requires_grad=False)
                if isinstance(tensor, nn.Parameter) else tensor.to(device)
                for tensor in self._tensors()}
            # what is in the memo is taken, so that nothing is held twice on the first device
            return FrozenNetworks(self._origin, self._prepare, **{
                name: copy.deepcopy(value, moved) if self._is_copied(value) else value
                for name, value in vars(self).items() if name[0] != '_'})

    @staticmethod
    def _is_copied(value: object) -> bool:
        return isinstance(value, (nn.Module, Tensor)) or hasattr(value, '__deepcopy__')

    def _tensors(self) -> Iterator[Tensor]:
        for network in self.networks():
            yield from chain(network.parameters(), network.buffers())
        yield from (value for value in vars(self).values() if isinstance(value, Tensor))


class FrozenModule(nn.Module):
    """Base of the parts that use pretrained networks without training them.

    The networks are no children: they follow the module to its device, but they are no part of
    ``parameters()``, ``state_dict()`` and ``train()``. So no optimizer sees them, no gradient is
    kept for them, no process group broadcasts them, no checkpoint holds them, and none is asked for
    them. Gradients still flow through them to what is trained. They keep the precision that they
    were made in, whatever ``.half()``, ``.float()`` or autocast say.

    Args:
        networks (FrozenNetworks): Used by the subclass as ``frozen``.
    """

    def __init__(self, networks: FrozenNetworks) -> None:
        super().__init__()
        self._networks = networks
        # holds nothing; its device is the module's, whoever moves it
        self.register_buffer('_place', torch.empty(0), persistent=False)

    @property
    def frozen(self) -> FrozenNetworks:
        """The networks, on the device of this module."""
        networks, device = self._networks, self._place.device
        if device.type == 'meta' and networks.device != device:
            self._meta = networks.on(device)  # the numbers are not given up
            return self._meta
        if networks.device != device:
            self._networks = networks = networks.on(device)
        return networks

    def frozen_modules(self) -> list[nn.Module]:
        """The networks held, without those that were dropped."""
        return self.frozen.networks()

    def own_precision(self) -> AbstractContextManager:
        """A context in which the networks compute in their own precision, whatever surrounds it."""
        kind = self._place.device.type
        available = torch.amp.is_autocast_available(kind)
        return torch.autocast(kind, enabled=False) if available else nullcontext()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> FrozenModule:
        super()._apply(fn, recurse)
        _ = self.frozen  # moved now, not in the first call
        return self
