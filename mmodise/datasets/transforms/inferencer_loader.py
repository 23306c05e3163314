"""What mmdet's inferencer loads its inputs with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mmdet.datasets import transforms
from mmdet.registry import TRANSFORMS
from PIL import Image

from ..panoptic.orientation import TURNED_FORMATS, read_orientation
from ..pictures import read_picture, to_bgr


@TRANSFORMS.register_module(force=True)  # mmdet's inferencer asks for this name
class InferencerLoader(transforms.InferencerLoader):
    """mmdet's transform of this name, for pictures in more clothes.

    Arrays may be grey, with alpha, or of other numbers than uint8, see :func:`to_bgr`; names of
    files may be a ``Path``. Pictures are turned as they are shown, whatever their format.

    Raises:
        OSError: If a file is no picture that can be read; names it.
        ValueError: If an array is no picture.
    """

    def transform(self, results: str | Path | np.ndarray | Image.Image | dict) -> dict:
        """Load an input."""
        inputs = dict(results) if isinstance(results, dict) else dict(img=results)
        picture = inputs.get('img', inputs.get('img_path'))
        if isinstance(picture, (str, Path)):
            inputs.pop('img', None)
            return self._load_file({**inputs, 'img_path': str(picture)})
        if not isinstance(picture, (np.ndarray, Image.Image)):
            raise ValueError(f'A {type(picture).__name__} is no picture. Give the name of a file, '
                             'or an array, BGR, (H, W, 3).')
        return self.from_ndarray({**inputs, 'img': to_bgr(picture)})

    def _load_file(self, inputs: dict) -> dict:
        path = inputs['img_path']
        try:
            loaded = self.from_file(inputs)
        except Exception:
            loaded = None  # read_picture reads it, or says what is wrong
        orientation, picture_format = read_orientation(path)
        is_as_shown = orientation == 1 or picture_format in TURNED_FORMATS
        # numbers of a TIFF may be floating point
        if loaded is not None and is_as_shown and not path.lower().endswith(('.tif', '.tiff')):
            return loaded
        turned = self.from_ndarray({**inputs, 'img': read_picture(path)})
        return {**turned, 'img_path': path}
