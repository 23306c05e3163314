"""The runner of evaluations, of models in which nothing is trained as well."""

from mmengine.device import get_device
from mmengine.runner import Runner
from torch import nn

from ..checkpoints import check_untrained


class EvaluationRunner(Runner):
    """mmengine's runner, which asks for a checkpoint if there is something to load.

    mmengine would evaluate random weights.
    """

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
