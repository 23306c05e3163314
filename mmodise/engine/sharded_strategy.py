"""FSDP through mmengine's FlexibleRunner, with the same numbers as DDP."""

from mmengine._strategy import FSDPStrategy
from mmengine.device import get_device
from mmengine.dist import all_reduce
from mmengine.optim import BaseOptimWrapper
from mmengine.registry import STRATEGIES
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.distributed.fsdp import OptimStateKeyType

from .last_checkpoint import point_to_own


@STRATEGIES.register_module()
class ShardedStrategy(FSDPStrategy):
    """mmengine's ``FSDPStrategy``, for what it does not do by itself.

    FSDP shards what is trained: its parameters, gradients and optimizer states. Frozen networks
    are no children of a :class:`FrozenModule`: FSDP does not see them, each rank keeps its own.

    - FSDP takes no parameter without a dimension, such as a temperature. Each rank keeps these
      whole, and their gradients are averaged as DDP does it.
    - mmengine clips each rank's shard by the norm of that shard; here it is the norm of all.
    - Checkpoints are those of any other run; only the state of loss scaling is left out.

    Args:
        **kwargs: As in mmengine's ``FSDPStrategy``, without ``state_dict_cfg``.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(state_dict_cfg='full', **kwargs)

    def prepare(self, *args, **kwargs) -> tuple:
        """As the parent's; a copied run is to be resumed from its own checkpoint."""
        point_to_own(self.work_dir)  # a FlexibleRunner resumes before any hook is called
        return super().prepare(*args, **kwargs)

    def _init_state_dict_cfg(self, state_dict_cfg: str | dict) -> None:
        super()._init_state_dict_cfg(state_dict_cfg)
        if get_device() == 'cpu':  # torch would free what is "copied" from the CPU to the CPU
            self.state_dict_config.offload_to_cpu = False
            self.optim_state_dict_config.offload_to_cpu = False

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        model = model.to(get_device())  # with its frozen networks, which FSDP would leave behind
        scalars = [parameter for parameter in model.parameters() if parameter.ndim == 0]
        for parameter in scalars:
            parameter.register_post_accumulate_grad_hook(_average_gradient)
        self.model_wrapper = {**(self.model_wrapper or {}), 'ignored_states': scalars}
        return super()._wrap_model(model)

    def build_optim_wrapper(self, optim_wrapper: dict, model: nn.Module) -> BaseOptimWrapper:
        """As the parent's; clips by the norm of the gradients on all ranks."""
        wrapper = super().build_optim_wrapper(optim_wrapper, model)
        if wrapper.clip_grad_kwargs and wrapper.grad_name == 'grad_norm':
            wrapper.clip_func = lambda parameters, **kwargs: model.clip_grad_norm_(**kwargs)
        return wrapper

    def optim_state_dict(self) -> dict:
        """The state of the optimizer as it is without FSDP; nothing on ranks that do not save."""
        state_dict = super().optim_state_dict()
        return state_dict and self._rekey(state_dict, OptimStateKeyType.PARAM_ID)

    def load_optim_state_dict(self, state_dict: dict) -> None:
        """Load the state of an optimizer, of a run with or without FSDP."""
        optimizer = self.optim_wrapper.optimizer
        state_dict = self._rekey(state_dict, OptimStateKeyType.PARAM_NAME)
        # by their names: torch 2.1 has changed the order
        self.optim_wrapper.load_state_dict(FSDP.optim_state_dict_to_load(
            model=self.model, optim=optimizer, optim_state_dict=state_dict))

    def _rekey(self, state_dict: dict, key_type: OptimStateKeyType) -> dict:
        """Call parameters by their names, or by their numbers as optimizers do."""
        return FSDP.rekey_optim_state_dict(
            state_dict, key_type, self.model, optim=self.optim_wrapper.optimizer)


def _average_gradient(parameter: Tensor) -> None:
    all_reduce(parameter.grad, op='mean')
