"""Weights of another model are refused before the first iteration."""

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner, find_latest_checkpoint

from ..checkpoints.fit import load_fitting


@HOOKS.register_module()
class CheckpointFitHook(Hook):
    """Refuses a checkpoint of another model; mmengine warns, and goes on with random weights.

    For evaluation each weight of the model must be in the checkpoint. To resume, the two must have
    the same weights. To start a training from a checkpoint (``load_from``) some of them must fit; a
    warning tells which do not.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the checkpoint with the model.

        Raises:
            ValueError: If they do not fit; gives the numbers of weights and the first names.
        """
        source = runner._load_from or find_latest_checkpoint(runner.work_dir)
        try:
            fit = load_fitting(runner.model, checkpoint)
        except ValueError as error:
            raise ValueError(f'{source}: {error}') from error
        trains = isinstance(runner.optim_wrapper, OptimWrapper)
        if trains and not runner._resume:
            if fit.num_found == 0:
                raise ValueError(f'load_from={source!r} is of another model: {fit}.')
            if fit.num_found < fit.num_weights:
                runner.logger.warning(
                    f'load_from={source!r} fits in part: {fit}. What is missing or of another '
                    'shape starts as if there were no checkpoint.')
        elif trains and (fit.num_found < fit.num_weights or fit.unexpected):
            raise ValueError(
                f'{source} cannot be resumed with this config: {fit}. Resume with the config that '
                'it was written with, or start anew from its weights: load_from, without --resume.')
        elif trains and 'iter' not in checkpoint.get('meta', {}):
            raise ValueError(
                f'{source} has weights only, so a training cannot be resumed from it. Start anew '
                'from its weights: load_from, without --resume.')
        else:
            fit.check_complete(source)
