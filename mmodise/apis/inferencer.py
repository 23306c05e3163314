"""Open-vocabulary segmentation from Python."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device
from torch import Tensor

from ..engine import make_fast, set_tf32
from ..models import ODISE
from ..utils.overlap import ahead
from ..vocabulary import Vocabulary
from .inputs import Picture, read_pictures
from .masks_of_files import take_masks
from .model_building import build_model, read_config
from .panoptic_result import PanopticResult
from .preparation import Preparation
from .session import Session, check_shares
from .vocabularies import one_per_picture, read_vocabulary


class ODISEInferencer:
    """Labels every pixel of pictures with names that are chosen when it is asked.

    ::

        inferencer = ODISEInferencer()
        result, = inferencer('street.jpg', 'car, automobile; person', stuff='road; sky')
        result.plot()

    Nothing of a call is kept, so that threads may share one. Several, on two devices or in two
    precisions, do not know of each other.

    Args:
        model (str | Path | Config, optional): A name of mmodise's metafiles, or a config. Defaults
            to the small model that comes with mmodise.
        weights (str | Path, optional): A checkpoint: a file, an address, or ``mmodise://``.
            Defaults to those of the metafile; a model in which nothing is trained needs none.
        device (str, optional): Such as ``'cuda:1'``. Defaults to a GPU if there is one.
        precision (str, optional): ``'float32'``, ``'bfloat16'`` or ``'float16'``, of all but CLIP.
            Defaults to what the config says.
        masks (str | Path, optional): A file of masks, which are named in place of the model's own:
            see :func:`take_masks`. Pictures are then given as files. Defaults to None.
        fast (bool): Frozen networks in bfloat16, if the device has it: see :func:`make_fast`.
            Defaults to False.

    Raises:
        FileNotFoundError: If there is no such model, config or checkpoint.
        ValueError: If weights are missing, or are not of this model, which are never replaced by
            random ones; if the config is of another kind of model; or if the device lacks the
            precision.
    """

    def __init__(
        self, model: str | Path | Config | None = None, weights: str | Path | None = None,
        device: str | torch.device | None = None, precision: str | None = None,
        masks: str | Path | None = None, fast: bool = False,
    ) -> None:
        cfg, weights = read_config(model, weights)
        if masks is not None:
            cfg = take_masks(cfg, masks)
        device = torch.device(device or get_device())
        if fast:
            make_fast(cfg, device)
        self._start(build_model(cfg, weights, device, precision), cfg, precision)

    @classmethod
    def of_model(cls, model: ODISE, cfg: Config, precision: str | None = None) -> ODISEInferencer:
        """An inferencer of a model in memory, such as one that was just trained.

        Args:
            model (ODISE): On its device; is set to testing.
            cfg (Config): Its config, for what is done with pictures before the model sees them.
            precision (str, optional): What autocast computes in.
        """
        inferencer = cls.__new__(cls)
        inferencer._start(model, cfg, precision)
        return inferencer

    def _start(self, model: ODISE, cfg: Config, precision: str | None) -> None:
        set_tf32(cfg)
        self.model = model.eval()
        self.cfg = cfg
        self.precision = precision
        self._prepare = Preparation(cfg, model.data_preprocessor)

    @property
    def vocabulary(self) -> Vocabulary:
        """The classes of the training."""
        return self.model.panoptic_head.vocabulary

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.data_preprocessor.device

    def __call__(
        self, inputs: object, vocabulary: object = None, *, stuff: object = None,
        stream: bool = False, batch_size: int = 1, alpha: float | None = None,
        beta: float | None = None, threshold: float | None = None,
    ) -> list[PanopticResult] | Iterator[PanopticResult]:
        """Label pictures.

        Args:
            inputs: A picture or many: see :func:`list_sources`.
            vocabulary: Names; see :meth:`read_vocabulary`. Or a list of :class:`Vocabulary`, one
                per picture. Defaults to the classes of the training.
            stuff: More names, of regions that are not counted, likewise.
            stream (bool): Give an iterator, which takes pictures as results are asked for:
                ``batch_size`` at a time. Of files the next ones are read while a GPU computes.
                Defaults to False, a list.
            batch_size (int): Pictures at a time. Those of one size go through the networks
                together. Defaults to 1.
            alpha (float, optional): Weight of the out-of-vocabulary score, 0 to 1, for classes that
                were seen in training. Defaults to the config's.
            beta (float, optional): The same for all other classes.
            threshold (float, optional): What the score of a segment must exceed, 0 to 1. Defaults
                to the config's ``object_mask_thr``.

        Returns:
            list[PanopticResult] | Iterator[PanopticResult]: In the order of the inputs.

        Raises:
            OSError: If a file or an address cannot be read as a picture; names it.
            ValueError: If something is no picture, the vocabulary cannot be read, or a number is
                out of range.
        """
        if batch_size < 1:
            raise ValueError(f'batch_size is {batch_size}; it must be 1 or more.')
        check_shares(alpha=alpha, beta=beta, threshold=threshold)
        vocabularies = one_per_picture(vocabulary, stuff, self.read_vocabulary)
        results = (
            session(chosen, alpha=alpha, beta=beta, threshold=threshold)
            for session, chosen in vocabularies.pair(self._sessions(inputs, batch_size)))
        return results if stream else list(results)

    def open(self, image: object) -> Session:
        """Look at a picture once, to ask about it again and again.

        Args:
            image: One picture: a file, an address, an array (RGB), or an image of Pillow's.

        Raises:
            OSError: If it cannot be read; names it.
            ValueError: If it is no picture, or several.
        """
        return next(self._observe([_only_one(image)]))

    def features(self, image: object) -> dict[str, Tensor]:
        """The maps of a picture that masks are made from, for those who want these alone.

        Args:
            image: One picture, as for :meth:`open`.

        Returns:
            dict[str, Tensor]: The extractor's maps by their names, such as ``'unet8'``, of the
            picture with its padding, (1, C, H / stride, W / stride); and the pyramid made of them,
            ``'pyramid4'``, ``'pyramid8'`` and so on. Another backbone than
            :class:`DiffusionBackbone` has the pyramid only.
        """
        inputs, _ = self._prepare([_only_one(image)], self.device)
        with self.computing():
            return self.model.extract_maps(inputs)

    def read_vocabulary(self, vocabulary: object = None, stuff: object = None) -> Vocabulary:
        """Find out what is meant by a vocabulary.

        Args:
            vocabulary: ``'cat, kitten; dog'``, a list, a file, a name or a sum of names such as
                ``'coco+lvis'``, ``'everything'`` (all of them), or a :class:`Vocabulary`; see
                :meth:`Vocabulary.read`. A file of :meth:`save_vocabulary`. None: the classes of the
                training, unless there is ``stuff``.
            stuff: Classes that are not counted, likewise.

        Raises:
            FileNotFoundError: If a file does not exist.
            ValueError: If it is not understood, or a saved one is of another CLIP.
        """
        return read_vocabulary(self.model, vocabulary, stuff)

    def save_vocabulary(
        self, path: str | Path, vocabulary: object = None, stuff: object = None
    ) -> None:
        """Save a vocabulary with what CLIP makes of its names, to start at once with it.

        Args:
            path (str | Path): Ends with ``.safetensors``. Is then a vocabulary for every model that
                has this CLIP and puts names into the same prompts.
            vocabulary: As in :meth:`read_vocabulary`.
            stuff: Likewise.

        Raises:
            OSError: If it cannot be written.
            ValueError: If the path ends otherwise, or the vocabulary cannot be read.
        """
        from .saved_vocabulary import save_vocabulary
        with self.computing():
            save_vocabulary(path, self.model, self.read_vocabulary(vocabulary, stuff))

    @contextmanager
    def computing(self) -> Iterator[None]:
        """A context in which the model computes as it does for results."""
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            if self.precision not in (None, 'float32'):
                stack.enter_context(torch.autocast(
                    self.device.type, dtype=getattr(torch, self.precision)))
            yield

    def _sessions(self, inputs: object, batch_size: int) -> Iterator[Session]:
        pictures = read_pictures(inputs)
        if _are_files(inputs):
            pictures = ahead(pictures, self.device, batch_size)
        while batch := list(itertools.islice(pictures, batch_size)):
            yield from self._observe(batch)

    def _observe(self, pictures: list[Picture]) -> Iterator[Session]:
        """Look at pictures, those together that are of one size for the model."""
        sessions: list[Session | None] = [None] * len(pictures)
        for places, inputs, samples in self._prepare.batches(pictures, self.device):
            with self.computing():
                observation = self.model.observe(inputs, samples)
            for i, (place, sample) in enumerate(zip(places, samples, strict=True)):
                sessions[place] = Session(
                    self, pictures[place], sample, observation.of_image(i))
        return iter(sessions)


def _are_files(inputs: object) -> bool:
    """Whether nobody sees when they are read, as who gives pictures in memory might."""
    names = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    return all(isinstance(name, (str, Path)) for name in names)


def _only_one(image: object) -> Picture:
    pictures: Iterable[Picture] = read_pictures(image)
    first = next(pictures, None)
    if first is None or next(pictures, None) is not None:
        raise ValueError('One picture is opened at a time. Call open for each of several.')
    return first
