"""Our own parts, put together as the official release arranges its own, to be timed beside ours.

Its results are ours. What it does beyond them: UNet and VAE decoder run to their ends; windows go
through the networks one by one, each with a pass of the text encoder whose result nothing reads;
each part has a CLIP of its own; mask tokens attend together with those of the image; results are
made from masks of all queries at full size; attention of the diffusion model is written out, as it
was before torch had its own; all weights of the UNet get gradients in training, its blocks are
computed again in the backward pass (the memory that it takes has no room for what they would keep),
and all that deformable attention samples is kept.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention, AttnProcessor, AttnProcessor2_0
from mmdet.models.layers import MSDeformAttnPixelDecoder
from mmdet.structures import SampleList
from mmengine.config import Config, ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.structures import PixelData
from torch import Tensor, nn

from ..engine.config_check import configs_of
from ..models.classifiers.clip_mask_classifier import resize
from ..models.clip import FrozenCLIP, TunedTower
from ..models.extractors import StableDiffusionExtractor, text_encoder
from ..models.extractors.taps import Tap
from ..models.frozen import FrozenNetworks
from ..models.results import OpenVocabularyFusionHead
from ..models.results.banded_results import semantic_scores
from ..vocabulary import Vocabulary
from .recording import wrapped

#: Settings of a config that it can be made of, and the values that are accepted.
_NEEDED = {
    'model.type': ['ODISE'],
    'model.backbone.type': ['DiffusionBackbone'],
    'model.backbone.extractor.type': ['StableDiffusionExtractor'],
    'model.panoptic_head.pixel_decoder.type': ['MSDeformAttnPixelDecoder'],
    'model.classifier.type': ['CLIPClassifier', None],
    'model.classifier.soft_masks': [False, None],
    'model.classifier.last_blocks': [None],
    'model.panoptic_fusion_head.type': ['OpenVocabularyFusionHead'],
    'model.test_cfg.semantic_at_input': [False, None],
    'optim_wrapper.type': ['OptimWrapper', None],
}
#: Settings of the extractor that decide what is computed; others decide how.
_KEPT = (
    'pretrained', 'encoder_blocks', 'unet_blocks', 'decoder_blocks', 'timesteps', 'architecture',
    'attentions', 'noise', 'unet_weights')


def arranged(config: Config) -> Config:
    """The config of a model as the official release arranges it, in float32.

    Args:
        config (Config): Of an ODISE over Stable Diffusion; it is changed.

    Raises:
        ValueError: If it is of another model; names the setting.
    """
    for key, accepted in _NEEDED.items():
        if (value := _setting(config, key)) not in accepted:
            raise ValueError(
                f'official-arrangement: {key}={value!r}, and the official release is an ODISE over '
                f'Stable Diffusion: expected {" or ".join(map(repr, accepted))}. Choose such a '
                'config, as those in configs/odise.')
    model = config.model
    extractor = model.backbone.extractor
    model.backbone.extractor = dict(
        {name: extractor[name] for name in _KEPT if name in extractor}, type=WholeExtractor,
        dtype='float32', channels_last=False, compile=False, with_cp=True)
    model.backbone.max_windows = 1
    model.panoptic_head.pixel_decoder.type = WholePixelDecoder
    model.panoptic_fusion_head.type = WholeMasksFusionHead
    for clip in configs_of(model, FrozenCLIP, 'precision'):
        clip.update(type=OwnCLIP, precision='fp32')
    if 'optim_wrapper' in config:
        config.optim_wrapper.type = WholeNormOptimWrapper
    return config


def in_float32(config: Config) -> bool:
    """Whether a model computes in float32 throughout, as far as its config says."""
    model = config.model
    return model.backbone.extractor.get('dtype', 'float32') == 'float32' and all(
        clip.get('precision', 'fp32') == 'fp32'
        for clip in configs_of(model, FrozenCLIP, 'precision'))


def _setting(config: Config, key: str) -> object:
    """What a key with dots stands for; None where there is nothing."""
    for name in key.split('.'):
        config = None if config is None else config.get(name)
    return config


class WholeExtractor(StableDiffusionExtractor):
    """Runs the networks to their ends, with attention written out, and encodes the empty text."""

    def __init__(self, pretrained: str, architecture: dict | None = None, **kwargs) -> None:
        super().__init__(pretrained, architecture=architecture, **kwargs)
        for network in (self.frozen.vae, self.frozen.unet):
            _write_out(network)
        encoder = text_encoder.load_text_encoder(pretrained, architecture)
        self.frozen.text_encoder = encoder.eval().requires_grad_(False)

    def _tap(self, vae: nn.Module, unet: nn.Module, *args) -> list:
        """As the parent's, and nothing is dropped."""
        children = {part: dict(part.named_children())
                    for network in (vae, unet) for part in network.modules()}
        maps = super()._tap(vae, unet, *args)
        for part, whole in children.items():
            for name, child in whole.items():
                tap = getattr(part, name)
                if isinstance(tap, Tap):
                    tap.block = child
                else:
                    setattr(part, name, child)
        return maps

    def train(self, mode: bool = True) -> WholeExtractor:
        """As the parent's; in training all weights of the UNet get gradients."""
        self.frozen.unet.requires_grad_(mode)
        return super().train(mode)

    def _extract(self, images: Tensor, condition: Sequence[Tensor | None]) -> list[Tensor]:
        self.encode_nothing(images)
        return super()._extract(images, condition)

    @torch.no_grad()
    def encode_nothing(self, images: Tensor) -> None:
        """Run the text encoder for each image; which tokens it is given, nothing depends on."""
        encoder = self.frozen.text_encoder
        last, length = encoder.config.vocab_size - 1, encoder.config.max_position_embeddings
        encoder(torch.full((len(images), length), last, device=images.device))


def _write_out(network: nn.Module) -> None:
    """Compute attention step by step: scores, their softmax, a sum of values."""
    for part in network.modules():
        if isinstance(part, Attention) and isinstance(part.processor, AttnProcessor2_0):
            part.set_processor(AttnProcessor())


class OwnCLIP(FrozenCLIP):
    """A CLIP that shares nothing, and whose mask tokens attend together with the image's."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._networks = FrozenNetworks(**{
            name: copy.deepcopy(value) for name, value in vars(self._networks).items()
            if not name.startswith('_')})

    @torch.no_grad()
    def encode_masks(
        self, images: Tensor, masks: Tensor, last_blocks: int | None = None,
        tuned: TunedTower | None = None,
    ) -> Tensor:
        """As the parent's, of masks that are bool, in all blocks, with CLIP's own weights."""
        visual, number = self.frozen.model.visual, masks.shape[1]
        with self.own_precision():
            tokens = visual._embeds(self._normalize(images))  # (B, 1 + P, C)
            tokens = torch.cat([tokens[:, :1].expand(-1, number, -1), tokens], 1)
            blocks = visual.transformer.resblocks
            hidden = _hidden(masks).repeat_interleave(blocks[0].attn.num_heads, 0)
            added = torch.zeros(hidden.shape, device=hidden.device).masked_fill(hidden, -torch.inf)
            for block in blocks:
                tokens = block(tokens, attn_mask=added)
            return visual.ln_post(tokens[:, :number]) @ visual.proj


def _hidden(masks: Tensor) -> Tensor:
    """What Q mask tokens, the class token and P patches do not see, bool, (B, Q + 1 + P, ...).

    Nothing sees a mask token; a mask token sees the class token and the patches of its mask.
    """
    shown = F.pad(masks.flatten(2), (1, 0), value=True)  # (B, Q, 1 + P)
    number, others = shown.shape[1:]
    everything = shown.new_ones(len(masks), others, others)
    return ~F.pad(torch.cat([shown, everything], 1), (number, 0), value=False)


class WholePixelDecoder(MSDeformAttnPixelDecoder):
    """mmdet's, with mmcv's deformable attention for all queries at once."""

    def forward(self, feats: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """As the parent's."""
        module = importlib.import_module('mmcv.ops.multi_scale_deform_attn')
        with wrapped(module, {'multi_scale_deformable_attn_pytorch':
                              lambda in_parts: getattr(in_parts, '__wrapped__', in_parts)}):
            return super().forward(feats)


class WholeMasksFusionHead(OpenVocabularyFusionHead):
    """Makes results from masks of all queries at full size, by mmdet's own code."""

    def predict(
        self, mask_cls_results: list[Tensor], mask_pred_results: Sequence[Tensor],
        batch_data_samples: SampleList, vocabularies: list[Vocabulary], rescale: bool = True,
    ) -> list[dict]:
        """As the parent's."""
        return [self._whole(*image, rescale) for image in zip(
            mask_cls_results, mask_pred_results,
            [sample.metainfo for sample in batch_data_samples], vocabularies, strict=True)]

    def _whole(
        self, classes: Tensor, masks: Tensor, meta: dict, vocabulary: Vocabulary, rescale: bool
    ) -> dict:
        height, width = meta['img_shape'][:2]
        masks = resize(masks, meta['batch_input_shape'])[:, :height, :width]
        if rescale:
            masks = resize(masks, meta['ori_shape'][:2])
        self.num_things_classes, self.num_classes = vocabulary.num_things, len(vocabulary)
        results = {}
        if self.test_cfg.get('semantic_on', False):
            scores = semantic_scores(F.softmax(classes, dim=-1)[:, :-1], masks.sigmoid())
            results['sem_results'] = PixelData(sem_seg=scores.argmax(0)[None])
        if self.test_cfg.get('panoptic_on', True):
            results['pan_results'] = self.panoptic_postprocess(classes, masks)
        if self.test_cfg.get('instance_on', False):
            pairs = len(classes) * len(vocabulary)
            with wrapped(self, {'test_cfg': partial(_at_most, pairs)}):
                results['ins_results'] = self.instance_postprocess(classes, masks)
        return results


def _at_most(pairs: int, test_cfg: ConfigDict) -> ConfigDict:
    """Ask for no more instances than there are pairs of queries and classes."""
    return ConfigDict(
        {**test_cfg, 'max_per_image': min(test_cfg.get('max_per_image', 100), pairs)})


class WholeNormOptimWrapper(OptimWrapper):
    """Clips by the norm of all gradients, those of frozen weights too, which nothing sets to 0."""

    #: Weights with gradients that are not trained.
    frozen: Sequence[Tensor] = ()

    def _clip_grad(self) -> None:
        trained = [weight for group in self.optimizer.param_groups for weight in group['params']]
        self.clip_func(
            [weight for weight in (*trained, *self.frozen) if weight.grad is not None],
            **self.clip_grad_kwargs)
