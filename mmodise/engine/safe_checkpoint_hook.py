"""Checkpoints that a full disk or a kill cannot harm."""

import copy
import os
import os.path as osp

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmengine.runner._flexible_runner import FlexibleRunner

from ..utils.whole_file_backend import WholeFileBackend
from .last_checkpoint import in_folder, point_to_own


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, which never leaves a run without a checkpoint to resume from.

    mmengine removes the outdated checkpoint, then writes the new one in place, then overwrites
    ``last_checkpoint``. Here files come by :class:`WholeFileBackend`, whole or not at all, and
    nothing is removed before the new checkpoint is there: the disk needs room for one more than
    ``max_keep_ckpts``. A run reads and removes checkpoints in its own folder only, also one that
    was copied or moved.

    Args:
        **kwargs: As for :class:`mmengine.hooks.CheckpointHook`.

    Raises:
        OSError: When a checkpoint cannot be written; says what to do.
    """

    def before_run(self, runner: Runner) -> None:
        """Look for the last checkpoint in the folder of this run, before it is resumed."""
        resumes = getattr(runner, '_resume', False) and runner._load_from is None
        point_to_own(runner.work_dir, self._folder(runner), required=resumes)

    def before_train(self, runner: Runner) -> None:
        """Use :class:`WholeFileBackend` for local files, unless there are ``backend_args``.

        What a resumed checkpoint calls the best one so far counts only if it is in the folder of
        this run: another run's is not to be removed.
        """
        info = runner.message_hub.runtime_info
        for name in [name for name in info if name.startswith('best_ckpt')]:
            info[name] = in_folder(info[name], self._folder(runner)) if info[name] else None
        folder = self.out_dir or runner.work_dir
        if self.backend_args is None and isinstance(get_file_backend(folder), LocalBackend):
            self.backend_args = dict(backend='whole_file')
        super().before_train(runner)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """What the parent does, in the order that loses nothing: write, point to it, remove."""
        outdated = None
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated = self._path(self.keep_ckpt_ids[0])
            self.keep_ckpt_ids.append(step)  # drops the oldest
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        self.last_ckpt = self._path(step)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        name = self.filename_tmpl.format(step)
        # a FlexibleRunner does not write by the backend that it is given
        part = f'{name}.part' if isinstance(runner, FlexibleRunner) else name
        runner.save_checkpoint(
            self.out_dir, part, save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler, meta=meta, by_epoch=self.by_epoch,
            backend_args=self.backend_args, **self.args)
        if is_main_process():
            if part != name:
                os.replace(osp.join(self.out_dir, part), self.last_ckpt)
            pointer = osp.join(runner.work_dir, 'last_checkpoint')
            WholeFileBackend().put_text(self.last_ckpt, pointer)
            if outdated is not None and self.file_backend.isfile(outdated):
                self.file_backend.remove(outdated)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """As the parent's, but the previous best is removed when the new one is there."""
        backend, outdated = self.file_backend, []
        self.file_backend = copy.copy(backend)
        self.file_backend.remove = outdated.append
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        for path in outdated:
            backend.remove(path)

    def _folder(self, runner: Runner) -> str:
        """Where the checkpoints of this run are, as the parent decides it in ``before_train``."""
        if self.out_dir in (None, runner.work_dir):
            return runner.work_dir
        return osp.join(self.out_dir, osp.basename(runner.work_dir.rstrip(osp.sep)))

    def _path(self, step: int) -> str:
        return self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))
