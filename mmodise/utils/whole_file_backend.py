"""Local files that are there as a whole or not at all."""

import os
import shutil
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend


@register_backend('whole_file')
class WholeFileBackend(LocalBackend):
    """mmengine's ``LocalBackend``, which writes beside a file and renames when all is written.

    Whatever happens meanwhile (a full disk, a signal, a power cut), the name holds what it held
    before. A process that is killed leaves ``NAME.part``, which the next try overwrites.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file; makes its folder if that is missing.

        Args:
            obj (bytes): What to write.
            filepath (str | Path): Where to.

        Raises:
            OSError: If it cannot be written; names the file and tells the room that is left.
        """
        path = Path(filepath)
        part = path.with_name(f'{path.name}.part')
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open('wb') as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())  # some disks say only now that they are full
            part.replace(path)
        except BaseException as error:
            part.unlink(missing_ok=True)
            if not isinstance(error, OSError):
                raise
            free = shutil.disk_usage(path.parent).free
            raise OSError(
                error.errno, f'{error.strerror}: {len(obj) / 1e6:.1f} MB could not be written, the '
                f'disk has {free / 1e6:.1f} MB free. What was written before is intact: make room, '
                'then start again, a training with --resume', str(path)
            ) from error

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write a text file, likewise."""
        self.put(obj.encode(encoding), filepath)
