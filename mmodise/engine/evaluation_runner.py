"""The runner of evaluations, of models in which nothing is trained as well."""

from mmengine.device import get_device
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from ..checkpoints import check_untrained
from .overlapped_evaluation import OverlappedEvaluator, ReadAheadLoader


class EvaluationRunner(Runner):
    """mmengine's runner, which asks for a checkpoint if there is something to load.

    mmengine would evaluate random weights. While a GPU computes, pictures are read and metrics
    see to results.
    """

    @staticmethod
    def build_dataloader(dataloader: object, *args: object, **kwargs: object) -> object:
        """Build a data loader that reads ahead: by worker processes, or else in a thread."""
        loader = Runner.build_dataloader(dataloader, *args, **kwargs)
        is_plain = isinstance(loader, DataLoader) and not loader.num_workers
        return ReadAheadLoader(loader) if is_plain else loader

    def build_evaluator(self, evaluator: object) -> Evaluator:
        """Build an evaluator that works in a thread, unless the config names another kind."""
        built = super().build_evaluator(evaluator)
        return OverlappedEvaluator(built.metrics) if type(built) is Evaluator else built

    def load_or_resume(self) -> None:
        """Load the checkpoint.

        Raises:
            ValueError: If there is none, and the model has trained weights.
        """
        if self._load_from is None and not self._has_loaded:
            check_untrained(self.model, self.cfg.filename or self.experiment_name)
        super().load_or_resume()

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Put the model on its device; torch's wrapper refuses one without parameters."""
        if any(parameter.requires_grad for parameter in model.parameters()):
            return super().wrap_model(model_wrapper_cfg, model)
        return model.to(get_device())
