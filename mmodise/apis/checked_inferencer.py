"""Inference with checked weights and inputs, whose results overwrite nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import mmengine
import numpy as np
from mmdet.apis import DetInferencer
from mmdet.apis.det_inferencer import IMG_EXTENSIONS
from mmdet.structures import DetDataSample
from mmdet.utils import ConfigType
from mmengine.config import Config
from mmengine.logging import print_log
from PIL import Image
from torch import nn

from ..checkpoints import load_fitting, reading_safely
from ..compat.inferencer_texts import per_picture
from ..datasets.pictures import read_picture, to_bgr
from ..engine import set_tf32
from ..vocabulary import Vocabulary
from .result_folder import ResultFolder

_WRITTEN = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
_Picture = str | Path | np.ndarray | Image.Image
_Classes = str | Vocabulary | Sequence | None


class CheckedInferencer(DetInferencer):
    """mmdet's ``DetInferencer``, which takes neither weights nor inputs on trust.

    It differs in this:

    - A checkpoint of another model is refused, where mmdet warns, and goes on with random weights.
      It is read without running what may be in it, and float32 is what the config's ``tf32`` says.
    - Pictures may also be a ``Path``, an image of Pillow's, or arrays of the kinds that
      :func:`to_bgr` reads. Those of a folder are taken in the order of their names, whatever the
      capitals of their endings.
    - ``stuff_texts`` may be given alone. Either is one vocabulary for all pictures, or a list with
      one for each; vocabularies that are not valid are refused before the first picture.
    - What is written into ``out_dir`` overwrites nothing, see :class:`ResultFolder`: results of
      inputs with one name, and of arrays, which have none, are numbered.

    Raises:
        ValueError: If a weight of the model is not in the checkpoint, or has another shape there;
            if the checkpoint holds other objects than mmengine's do. When called, if an input is
            no picture, or texts do not fit.
        OSError: When called, if a file cannot be read.
    """

    def _init_model(self, cfg: ConfigType, weights: str | None, device: str = 'cpu') -> nn.Module:
        self._source = weights
        with reading_safely():
            return super()._init_model(cfg, weights, device)

    def _load_weights_to_model(
        self, model: nn.Module, checkpoint: dict | None, cfg: ConfigType | None
    ) -> None:
        if checkpoint is not None:
            load_fitting(model, checkpoint).check_complete(self._source)
        set_tf32(cfg or Config())
        super()._load_weights_to_model(model, checkpoint, cfg)

    def __call__(
        self,
        inputs: _Picture | Sequence[_Picture],
        batch_size: int = 1,
        *,
        texts: _Classes = None,
        stuff_texts: _Classes = None,
        out_dir: str | Path = '',
        **kwargs,
    ) -> dict:
        """Find classes in pictures.

        Args:
            inputs: A picture, a folder of them, or a list of pictures: names of files, or arrays.
            batch_size (int): Pictures at a time. Defaults to 1.
            texts: Things; ``'cat, kitten; dog'``, a :class:`Vocabulary`, or a list with one of
                these, or a list of names, per picture. Without any, and without ``stuff_texts``,
                the classes of the training.
            stuff_texts: Stuff, likewise.
            out_dir (str | Path): Gets ``vis``, and ``preds`` with ``no_save_pred=False``. Defaults
                to '', which writes nothing.
            **kwargs: As for mmdet's.

        Returns:
            dict: As mmdet's.
        """
        if batch_size < 1:
            raise ValueError(f'batch_size is {batch_size}; it must be 1 or more.')
        pictures = self._inputs_to_list(inputs)
        texts = per_picture('texts', texts, len(pictures))
        stuff_texts = per_picture('stuff_texts', stuff_texts, len(pictures))
        if texts or stuff_texts:
            texts = texts or [None] * len(pictures)
            stuff_texts = stuff_texts or [None] * len(pictures)
            self._check_vocabularies(pictures, texts, stuff_texts)
        self._results = ResultFolder(out_dir) if out_dir else None
        return super().__call__(
            pictures, batch_size, texts=texts, stuff_texts=stuff_texts,
            out_dir=os.fspath(out_dir), **kwargs)

    def visualize(
        self, inputs: list, preds: list[DetDataSample], return_vis: bool = False,
        no_save_vis: bool = False, img_out_dir: str = '', **kwargs,
    ) -> list[np.ndarray] | None:
        """Paint a batch, as mmdet's; :meth:`postprocess` writes what it gives back."""
        self._batch = [self._name(picture) for picture in inputs]
        self._saves_vis = bool(img_out_dir) and not no_save_vis
        if not (self._saves_vis or return_vis or kwargs.get('show')):
            return None
        images = [np.ascontiguousarray(_load(picture)[..., ::-1]) for picture in inputs]
        return super().visualize(images, preds, return_vis=True, **kwargs)

    def postprocess(
        self, preds: list[DetDataSample], visualization: list[np.ndarray] | None = None,
        return_datasamples: bool = False, no_save_pred: bool = False, pred_out_dir: str = '',
        **kwargs,
    ) -> dict:
        """Make and write the results of a batch, as mmdet's."""
        saves_pred = bool(pred_out_dir) and not no_save_pred
        output = super().postprocess(
            preds, visualization, return_datasamples, no_save_pred=no_save_pred,
            pred_out_dir=pred_out_dir if return_datasamples else '', **kwargs)
        saves_pred = saves_pred and not return_datasamples
        for place, (name, result) in enumerate(zip(
                self._batch, output['predictions'], strict=True)):
            painted = visualization[place] if self._saves_vis else None
            if painted is not None or saves_pred:
                self._write(name, painted, result if saves_pred else None)
        return output

    def _inputs_to_list(self, inputs: _Picture | Sequence[_Picture]) -> list:
        if isinstance(inputs, (str, Path)) and os.path.isdir(inputs):
            pictures = sorted(str(path) for path in Path(inputs).iterdir()
                              if path.suffix.lower() in IMG_EXTENSIONS)
            if not pictures:
                raise ValueError(f'The folder {inputs} has no pictures '
                                 f'({", ".join(IMG_EXTENSIONS)}).')
            return pictures
        return [_as_input(picture) for picture in super()._inputs_to_list(inputs)]

    def _check_vocabularies(self, pictures: list, texts: list, stuff_texts: list) -> None:
        if not hasattr(self.model, 'vocabulary_of'):
            return
        for picture, text, stuff_text in zip(pictures, texts, stuff_texts, strict=True):
            path = picture if isinstance(picture, str) else None
            sample = DetDataSample(
                metainfo=dict(img_path=path, text=text, stuff_text=stuff_text))
            self.model.panoptic_fusion_head.check_size([self.model.vocabulary_of(sample)])

    def _name(self, picture: str | np.ndarray) -> str:
        """What the results of a picture are called after: arrays by their number."""
        if isinstance(picture, str):
            return os.path.basename(picture)
        self.num_predicted_imgs += 1
        return f'{self.num_predicted_imgs - 1:08}.jpg'

    def _write(self, name: str, painted: np.ndarray | None, result: dict | None) -> None:
        stem, ending = os.path.splitext(name)
        segments = None if result is None else result.pop('panoptic_seg', None)
        painted = painted if painted is None else _encode(ending, painted)
        png = segments if segments is None else _encode('.png', segments)

        def make(stem: str) -> dict[str, bytes]:
            files = {} if painted is None else {f'vis/{stem}{painted[0]}': painted[1]}
            if png is not None:
                files[f'preds/{stem}_panoptic_seg.png'] = png[1]
                result['panoptic_seg_path'] = str(
                    self._results.folder / f'preds/{stem}_panoptic_seg.png')
            if result is not None:
                text = mmengine.dump(result, file_format='json')
                files[f'preds/{stem}.json'] = text.encode()
            return files

        paths = self._results.write(stem, make)
        print_log(f'{name} -> {", ".join(map(str, paths))}', 'current', logging.INFO)


def _as_input(picture: object) -> str | np.ndarray:
    if isinstance(picture, (str, Path)):
        return str(picture)
    if isinstance(picture, (np.ndarray, Image.Image)):
        return to_bgr(picture)
    raise ValueError(
        f'A {type(picture).__name__} is no picture. Give the name of a file or of a folder, an '
        'array, BGR, (H, W, 3), or a list of these.')


def _load(picture: str | np.ndarray) -> np.ndarray:
    return read_picture(picture) if isinstance(picture, str) else picture


def _encode(ending: str, image: np.ndarray) -> tuple[str, bytes]:
    """Encode RGB, uint8, (H, W, 3), as PNG where the ending says nothing else."""
    ending = ending if ending.lower() in _WRITTEN else '.png'
    return ending, cv2.imencode(ending, image[..., ::-1])[1].tobytes()
