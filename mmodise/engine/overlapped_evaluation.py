"""Pictures are read, and metrics see to results, while a GPU computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmengine.device import get_device
from mmengine.evaluator import Evaluator
from mmengine.registry import EVALUATOR
from torch.utils.data import DataLoader

from ..utils.overlap import Behind, ahead, as_they_are


@EVALUATOR.register_module()
class OverlappedEvaluator(Evaluator):
    """mmengine's evaluator, whose metrics get results in a thread, in the same order.

    On a CPU it is mmengine's. Figures are the same. An error of a metric is raised with the next
    batch, or at the end.

    Args:
        metrics (dict | BaseMetric | Sequence): As mmengine's.
    """

    def __init__(self, metrics: object) -> None:
        super().__init__(metrics)
        self._behind = Behind(get_device())

    def process(self, data_samples: Sequence, data_batch: object = None) -> None:
        """Give results to the metrics, once they are done with those before."""
        self._behind(super().process, as_they_are(data_samples), data_batch)

    def finish(self) -> None:
        """Wait until the metrics have seen all results."""
        self._behind.finish()

    def evaluate(self, size: int) -> dict:
        """Compute the figures, once the metrics have seen all results."""
        self.finish()
        return super().evaluate(size)


class ReadAheadLoader:
    """A data loader whose next batch is read in a thread, unless the network is on a CPU.

    For those without worker processes, which read ahead themselves.

    Args:
        loader (DataLoader): Everything else is asked of it.
    """

    def __init__(self, loader: DataLoader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> object:
        if name == '_loader':  # while it is copied
            raise AttributeError(name)
        return getattr(self._loader, name)

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator:
        return ahead(self._loader, get_device())
