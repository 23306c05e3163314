"""A run that was copied or moved goes on from its own checkpoints."""

import os.path as osp

from mmengine.dist import barrier, is_main_process

from ..utils.whole_file_backend import WholeFileBackend


def in_folder(path: str, folder: str) -> str | None:
    """Where the file of a path is in a folder; None if it is not there.

    Args:
        path (str): Of a file that may lie elsewhere, such as in the folder of another run.
        folder (str): The folder of this run.
    """
    own = osp.join(folder, osp.basename(path.replace('\\', '/')))
    return own if osp.exists(own) else None


def point_to_own(work_dir: str, folder: str | None = None, required: bool = False) -> None:
    """Let ``last_checkpoint`` name the checkpoint beside it, where it names one elsewhere.

    mmengine writes a whole path there, so that the copy of a run would go on from the checkpoint of
    the original, and a run that was moved from none.

    Args:
        work_dir (str): Where ``last_checkpoint`` is; nothing is done where there is none.
        folder (str, optional): Where checkpoints are. Defaults to ``work_dir``.
        required (bool): Whether the checkpoint has to be there. Defaults to False.

    Raises:
        FileNotFoundError: If it is required and is not in ``folder``.
    """
    pointer, folder = osp.join(work_dir, 'last_checkpoint'), folder or work_dir
    if not osp.isfile(pointer):
        return
    with open(pointer, encoding='utf-8') as file:
        target = file.read().strip()
    if '://' in target:
        return
    own = in_folder(target, folder)
    if own is None and required:
        raise FileNotFoundError(
            f'{pointer} names {target}, but {osp.basename(target)} is not in {folder}. A run goes '
            'on from its own checkpoints only: copy the file there, or name another one with '
            '--resume CHECKPOINT.')
    if own is not None and osp.abspath(own) != osp.abspath(target):
        if is_main_process():
            WholeFileBackend().put_text(own, pointer)
        barrier()  # nobody reads it before it is right
