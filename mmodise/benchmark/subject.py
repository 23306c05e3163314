"""What a benchmark times: a model of a config, and images made up for it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from ..engine import enable_amp, load_config, set_tf32
from ..models.frozen import FrozenModule
from ..vocabulary import Vocabulary
from .heap import untuned
from .official_arrangement import arranged
from .random_weights import random_weights

PRECISIONS = dict(
    float32=torch.float32, bfloat16=torch.bfloat16, float16=torch.float16)
_NUMBERS = count(1)


@dataclass(frozen=True)
class Setting:
    """What is timed.

    Attributes:
        config (Path): Config file.
        options (dict): Settings of the config that are overridden.
        training (bool): Whether a step of training is timed, or else inference.
        size (tuple[int, int]): Height and width of the images.
        batch (int): Images a call.
        precision (str): 'float32': what the config says; or what autocast computes in.
        classes (int, optional): Classes to look for; None: the training vocabulary's.
        objects (int): Masks an image to train on.
        device (str): Such as 'cpu' or 'cuda'.
        official (bool): Whether the parts are arranged as the official release arranges its own.
    """

    config: Path
    options: dict = field(default_factory=dict)
    training: bool = False
    size: tuple[int, int] = (512, 512)
    batch: int = 1
    precision: str = 'float32'
    classes: int | None = None
    objects: int = 10
    device: str = 'cpu'
    official: bool = False

    def changed(self, name: str, value: object) -> Setting:
        """Another setting.

        Args:
            name (str): ``size``, ``batch``, ``precision``, ``classes`` or ``objects``; any other
                name is one of the config's.
            value (object): A size is a side, or 'HEIGHTxWIDTH'.

        Raises:
            ValueError: If the value is not one of the setting's.
        """
        if name == 'size':
            return replace(self, size=read_size(str(value)))
        if name == 'precision':
            if value not in PRECISIONS:
                raise ValueError(f'precision={value!r} is not one of {", ".join(PRECISIONS)}')
            return replace(self, precision=value)
        if name in ('batch', 'classes', 'objects'):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f'{name}={value!r} is not a number above 0')
            return replace(self, **{name: value})
        return replace(self, options={**self.options, name: value})

    @property
    def built_with(self) -> Setting:
        """Settings of equal ones take the same model."""
        trained = dict(precision=self.precision, classes=self.classes) if self.training else dict(
            precision='float32', classes=None)
        return replace(self, size=(0, 0), batch=0, objects=0, **trained)

    def read_config(self) -> Config:
        """The config, with what is overridden.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If a key is misspelt, the device lacks the precision, or the official
                release is of another kind.
        """
        options = dict(self.options)
        if self.training and self.classes is not None:
            options['model.panoptic_head.vocabulary'] = dict(
                zip(('thing_classes', 'stuff_classes'), _names(self.classes), strict=True))
        config = load_config(self.config, options, device=self.device)
        if self.training and self.precision != 'float32':
            enable_amp(config, torch.device(self.device).type, self.precision)
        return arranged(config) if self.official else config


def read_size(text: str) -> tuple[int, int]:
    """Height and width of '512' or '512x768'.

    Raises:
        ValueError: If it is neither.
    """
    sides = text.split('x')
    if len(sides) > 2 or not all(side.isdigit() and int(side) for side in sides):
        raise ValueError(f'size={text!r} is neither a side, such as 512, nor HEIGHTxWIDTH')
    return int(sides[0]), int(sides[-1])


class Subject:
    """A model, its optimizer if it is to be trained, and images for it.

    Weights that are not local are random, see :func:`random_weights`; what is trained always is.

    Args:
        setting (Setting): What is timed.

    Attributes:
        model (BaseModel): On the setting's device.
        optim_wrapper (OptimWrapper, optional): The config's own; None for inference.
        random (list[str]): Pretrained networks that are random.
    """

    def __init__(self, setting: Setting) -> None:
        config = setting.read_config()
        set_tf32(config)
        init_default_scope(config.get('default_scope') or 'mmdet')
        torch.manual_seed(0)
        with random_weights() as self.random:
            self.model: BaseModel = MODELS.build(config.model).to(setting.device)
        self.model.train(setting.training)
        self.optim_wrapper = None
        if setting.training:
            self.optim_wrapper = build_optim_wrapper(self.model, config.optim_wrapper)
            if setting.official:
                unet = self.model.backbone.extractor.frozen.unet
                self.optim_wrapper.frozen = [*unet.parameters()]
        self.use(setting)

    def use(self, setting: Setting) -> None:
        """Take images and classes of another setting; texts are new to the model."""
        self.setting = setting
        self._vocabulary = self._new_vocabulary()

    def images(self) -> dict:
        """A batch as a data loader would give it: uint8 on the host."""
        generator = torch.Generator().manual_seed(0)
        shape = (3, *self.setting.size)
        return dict(
            inputs=[torch.randint(256, shape, generator=generator, dtype=torch.uint8)
                    for _ in range(self.setting.batch)],
            data_samples=[self._sample() for _ in range(self.setting.batch)])

    def call(self, data: dict) -> list[DetDataSample] | dict[str, Tensor]:
        """What is timed: preprocessing and prediction, or a whole step of training: its losses."""
        setting = self.setting
        if setting.training:
            return self.model.train_step(data, self.optim_wrapper)
        autocast = nullcontext()
        if setting.precision != 'float32':
            autocast = torch.autocast(
                torch.device(setting.device).type, dtype=PRECISIONS[setting.precision])
        with torch.no_grad(), autocast:
            return self.model.test_step(data)

    def be_like(self, other: Subject) -> None:
        """Take another's trained weights, and look for the classes that it looks for."""
        self.model.load_state_dict(other.model.state_dict())
        self._vocabulary = other._vocabulary

    def tuning(self) -> AbstractContextManager:
        """What a call runs in: as a command has tuned the process, or untuned."""
        return untuned() if self.setting.official else nullcontext()

    def share_frozen(self, other: Subject) -> None:
        """Use another's frozen weights where they are equal: in memory once, as in one model."""
        theirs = dict(other.model.named_modules())
        for name, module in self.model.named_modules():
            if isinstance(module, FrozenModule) and isinstance(theirs.get(name), FrozenModule):
                for mine, same in zip(_weights([module]), _weights([theirs[name]]), strict=False):
                    if _equal(mine, same):
                        mine.data = same.data

    def held(self) -> dict[int, int]:
        """Bytes of weights, gradients and the optimizer's state, by their place in memory."""
        modules = [self.model, *(
            m for m in self.model.modules() if isinstance(m, FrozenModule))]
        weights = _weights(modules)
        tensors = [*weights, *(w.grad for w in weights if w.grad is not None)]
        if self.optim_wrapper is not None:
            for state in self.optim_wrapper.optimizer.state.values():
                tensors += [value for value in state.values() if isinstance(value, Tensor)]
        storages = [tensor.untyped_storage() for tensor in tensors]
        return {storage.data_ptr(): storage.nbytes() for storage in storages}

    def _new_vocabulary(self) -> Vocabulary | None:
        """Classes whose texts the model has not seen, unless it is trained; None without texts."""
        training = getattr(getattr(self.model, 'panoptic_head', None), 'vocabulary', None)
        if not isinstance(training, Vocabulary) or self.setting.training:
            return training
        things, stuff = training.things, training.stuff
        if self.setting.classes is not None:
            things, stuff = ([(name, ) for name in names]
                             for names in _names(self.setting.classes))
        number = next(_NUMBERS)
        return Vocabulary(*(
            tuple(tuple(f'{name} {number}' for name in names) for names in classes)
            for classes in (things, stuff)))

    def _sample(self) -> DetDataSample:
        height, width = self.setting.size
        sample = DetDataSample(metainfo=dict(
            img_shape=(height, width), ori_shape=(height, width), scale_factor=(1.0, 1.0),
            img_id=0, img_path='made up'))
        vocabulary = self._vocabulary
        if not self.setting.training:
            if vocabulary is not None:
                sample.set_metainfo(dict(text=vocabulary.things, stuff_text=vocabulary.stuff))
            return sample
        things = vocabulary.num_things if vocabulary else 1
        stuff = vocabulary.num_stuff if vocabulary else 0
        sample.set_metainfo(dict(words=[f'word {i}' for i in range(8)]))
        sample.gt_instances = _objects(self.setting, things)
        bands = torch.arange(height)[:, None].expand(height, width) * min(stuff, 3) // height
        classes = (bands + (things if stuff else 0))[None]
        sample.gt_sem_seg = PixelData(sem_seg=classes, data=classes)  # mmdet's name, and mmseg's
        return sample


def _objects(setting: Setting, num_classes: int) -> InstanceData:
    """Rectangles side by side, each with the next class."""
    height, width = setting.size
    number = setting.objects if num_classes else 0
    masks = np.zeros((number, height, width), np.uint8)
    boxes = torch.zeros(number, 4)
    for i in range(number):
        left, right = i * width // number, max((i + 1) * width // number, 1)
        masks[i, height // 4 : height // 4 * 3, left:right] = 1
        boxes[i] = torch.tensor([left, height // 4, right, height // 4 * 3])
    return InstanceData(
        labels=torch.arange(number) % max(num_classes, 1), bboxes=HorizontalBoxes(boxes),
        masks=BitmapMasks(masks, height, width))


def _names(num_classes: int) -> tuple[list[str], list[str]]:
    """Names of things, and of stuff: three in five are things, as in COCO."""
    names = [f'class {i + 1}' for i in range(num_classes)]
    things = -(-3 * num_classes // 5)
    return names[:things], names[things:]


def _weights(modules: list[torch.nn.Module]) -> list[Tensor]:
    networks = [network for module in modules for network in (
        module, *(module.frozen_modules() if isinstance(module, FrozenModule) else ()))]
    return [tensor for network in networks
            for tensor in (*network.parameters(), *network.buffers())]


def _equal(one: Tensor, other: Tensor) -> bool:
    alike = (one.shape, one.stride(), one.dtype, one.device) == (
        other.shape, other.stride(), other.dtype, other.device)
    return alike and torch.equal(one, other)
