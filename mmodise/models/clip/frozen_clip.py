"""CLIP, frozen: embeddings of images, of texts, and of masks of an image."""

from collections.abc import Mapping, Sequence

import open_clip
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...checkpoints.clip_loading import clip_origin, load_clip
from ...vocabulary import Vocabulary
from ..frozen import FrozenModule, FrozenNetworks
from ..int8 import quantize
from .masked_tokens import check_mask_tokens, embed_masks
from .prompts import Prompt, Text, fill_prompt
from .text_embeddings import TextEmbeddings
from .text_tower import encode_tokens
from .tokens import tokenize, warn_of_equal_names
from .towers import LAST_STRIDE, DenseTower, dense_tower
from .tuned_tower import TunedTower

# texts whose embeddings are kept: 10,000 names with synonyms, bare and in a prompt, 0.2 GB of a
# large CLIP's; training on captions brings new ones without end
_MAX_TEXTS = 65536
# vocabularies of which it is known that they were looked at for names that CLIP takes for one
_MAX_CHECKED = 64
# sentences that are embedded at once
_SENTENCES = 256
# of all images that a CPU embeds at once: what its cache holds; a GPU takes all
_CPU_PIXELS = 2**16


@MODELS.register_module()
class FrozenCLIP(FrozenModule):
    """CLIP, never trained: embeddings of images, of texts, and of masks of an image.

    All instances of one origin, precision and device share one network in memory and its text
    embeddings. It computes in its own precision, also under autocast.

    Args:
        model (str): A name of open_clip's, with ``pretrained``; or what brings its own weights: a
            hub id ``'hf-hub:ORGANIZATION/NAME'``, a local folder in open_clip's format
            (``open_clip_config.json``, ``open_clip_model.safetensors``), a local file of weights,
            or ``mmodise://`` weights (see :func:`mmodise.weights.locate`).
        pretrained (str, optional): For a name: a tag of open_clip's, or a local file of weights.
            Files are state dicts of torch or safetensors, or OpenAI's own.
        precision (str): 'fp32', 'bf16', 'fp16' or 'fp64'; or 'int8' on a CPU: most layers multiply
            in int8, see :func:`quantize`, all else is in float32. Defaults to 'fp32'.
        architecture (Mapping, optional): For a local file: open_clip's model config (``embed_dim,
            quick_gelu, vision_cfg, text_cfg``) where it has no name; OpenAI's format tells it. With
            a name, the settings that differ from the name's. Defaults to None.

    Raises:
        RuntimeError: If the weights cannot be loaded, or the activation (GELU or OpenAI's
            QuickGELU) is not the one that they were trained with; says what is accepted.
    """

    def __init__(
        self,
        model: str,
        pretrained: str | None = None,
        precision: str = 'fp32',
        architecture: Mapping | None = None,
    ) -> None:
        def make() -> FrozenNetworks:
            loaded = 'fp32' if precision == 'int8' else precision
            network, tokenizer = load_clip(model, pretrained, loaded, architecture)
            if precision == 'int8':
                quantize(network)
            mean = getattr(network.visual, 'image_mean', None) or open_clip.OPENAI_DATASET_MEAN
            std = getattr(network.visual, 'image_std', None) or open_clip.OPENAI_DATASET_STD
            mean, std = (torch.tensor(value, device='cpu').view(3, 1, 1) for value in (mean, std))
            return FrozenNetworks(
                origin, model=network, tokenizer=tokenizer, mean=mean, std=std,
                texts=TextEmbeddings(_MAX_TEXTS), checked=set())

        origin = clip_origin(model, pretrained, precision, architecture)
        super().__init__(FrozenNetworks.obtain(origin, make))
        visual = self.frozen.model.visual
        self.image_size: tuple[int, int] = _pair(visual.image_size)

    @property
    def embed_dim(self) -> int:
        """Channels of all embeddings."""
        model = self.frozen.model
        for tower in (model.visual, getattr(model, 'text', None)):  # timm's towers do not tell
            if hasattr(tower, 'output_dim'):
                return tower.output_dim
        return model.text_projection.shape[1]

    @property
    def logit_scale(self) -> Tensor:
        """CLIP's own inverse temperature, at most 100; a scalar."""
        return self.frozen.model.logit_scale.exp().clamp(max=100)

    @property
    def mean_colour(self) -> Tensor:
        """The colour that is 0 once normalised, RGB in [0, 1], (3, 1, 1)."""
        return self.frozen.mean

    @property
    def patch_size(self) -> tuple[int, int]:
        """Height and width of the patches of a vision transformer, in pixels.

        Raises:
            ValueError: If the image tower is none that mask tokens can be added to.
        """
        check_mask_tokens(self.frozen.model.visual)
        return _pair(self.frozen.model.visual.patch_size)

    @property
    def tower(self) -> DenseTower:
        """The image tower as what gives maps.

        Raises:
            ValueError: If it gives none, as a vision transformer.
        """
        return dense_tower(self.frozen.model.visual)

    @property
    def stage_widths(self) -> tuple[int, int, int, int]:
        """Channels of what :meth:`encode_maps` gives.

        Raises:
            ValueError: As of :attr:`tower`.
        """
        return self.tower.stage_widths

    @torch.no_grad()
    def encode_images(self, images: Tensor) -> Tensor:
        """Embed whole images.

        The short side is resized to CLIP's size (bicubic, not antialiased, as the official release
        does) and the centre is cut out.

        Args:
            images (Tensor): RGB in [0, 1], (B, 3, H, W).

        Returns:
            Tensor: (B, D), not normalised.
        """
        (height, width), (h, w) = images.shape[-2:], self.image_size
        factor = max(h / height, w / width)
        size = (max(h, int(height * factor)), max(w, int(width * factor)))
        if size != (height, width):
            images = F.interpolate(images, size, mode='bicubic', align_corners=False)
        top, left = round((size[0] - h) / 2), round((size[1] - w) / 2)
        images = images[..., top : top + h, left : left + w]
        on_cpu = images.device.type == 'cpu'
        at_once = max(1, _CPU_PIXELS // (h * w)) if on_cpu else len(images)
        frozen = self.frozen
        with self.own_precision():
            return torch.cat([
                _widen(frozen.model.encode_image(self._normalize(part)))
                for part in images.split(at_once)])

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[Text]) -> Tensor:
        """Embed texts; each distinct text is embedded once and kept on the device.

        Of more than 65,536 texts, those that were not asked for longest are forgotten.

        Args:
            texts (Sequence[str | tuple[str, ...]]): N texts. A tuple is one text in several
                sentences: the mean of their normalised embeddings, normalised again (FC-CLIP).

        Returns:
            Tensor: (N, D), those of strings not normalised.
        """
        sentences = max((len(text) for text in texts if not isinstance(text, str)), default=1)
        with torch.inference_mode(False):  # what is kept serves later calls that need gradients
            return self.frozen.texts.look_up(
                texts, self.encode_new_texts, at_once=max(_SENTENCES // sentences, 1))

    @torch.no_grad()
    def encode_new_texts(self, texts: Sequence[Text]) -> Tensor:
        """As :meth:`encode_texts`, whatever is known already; keeps nothing."""
        if all(isinstance(text, str) for text in texts):
            return self._encode_sentences(texts)
        groups = [(text, ) if isinstance(text, str) else text for text in texts]
        sentences = self._encode_sentences([one for group in groups for one in group])
        rows = sentences.split([len(group) for group in groups])
        return torch.cat([row if isinstance(text, str) else _average(row)
                          for text, row in zip(texts, rows, strict=True)])

    def _encode_sentences(self, texts: Sequence[str]) -> Tensor:
        frozen = self.frozen
        with torch.device('cpu'):  # whatever the default is
            tokens = tokenize(frozen.tokenizer, texts, frozen.model.context_length)
        with self.own_precision():
            return _widen(encode_tokens(frozen.model, tokens, frozen.device))

    def remember_names(self, vocabulary: Vocabulary, prompt: Prompt, embeddings: Tensor) -> None:
        """Know embeddings that were computed before, and warn of no names any more.

        Args:
            vocabulary (Vocabulary): Its classes have N names.
            prompt (str | tuple[str, ...]): What a name is put into.
            embeddings (Tensor): What :meth:`encode_names` gave for them, (N, D).
        """
        texts = [fill_prompt(prompt, name) for name in vocabulary.names]
        rows = {text: row for row, text in enumerate(texts)}

        def find(new: list[Text]) -> Tensor:
            return _widen(embeddings[[rows[text] for text in new]].to(
                self.frozen.device, self.frozen.model.logit_scale.dtype))

        with torch.inference_mode(False):
            self.frozen.texts.look_up(texts, find, at_once=len(texts))
        checked = self.frozen.checked
        if len(checked) >= _MAX_CHECKED:
            checked.clear()
        checked.add((vocabulary, prompt))

    def forget(self) -> None:
        """Forget all texts that were embedded."""
        self.frozen.texts.clear()
        self.frozen.checked.clear()

    def encode_names(self, vocabulary: Vocabulary, prompt: Prompt) -> Tensor:
        """Embed the names of a vocabulary, and warn of those that become one embedding.

        Args:
            vocabulary (Vocabulary): Its classes have N names.
            prompt (str | tuple[str, ...]): What a name is put into, such as 'a photo of a {}.'; or
                several templates, whose embeddings are averaged, see :meth:`encode_texts`.

        Returns:
            Tensor: (N, D), normalised if there are several templates.
        """
        frozen = self.frozen
        if (vocabulary, prompt) not in frozen.checked:
            with torch.device('cpu'):
                warn_of_equal_names(
                    frozen.tokenizer, vocabulary, frozen.model.context_length, prompt)
        return self.encode_texts([fill_prompt(prompt, name) for name in vocabulary.names])

    def encode_masks(
        self, images: Tensor, masks: Tensor, last_blocks: int | None = None,
        tuned: TunedTower | None = None,
    ) -> Tensor:
        """Embed each mask of an image with a class token that sees only the mask.

        Args:
            images (Tensor): RGB in [0, 1], of CLIP's own size, (B, 3, H, W).
            masks (Tensor): (B, Q, H / patch, W / patch). Which patches a mask sees, bool, with the
                class token always seen; or how much of them, floats from 0 to 1, with the class
                token never seen: see :func:`visibility`.
            last_blocks (int, optional): Blocks of the image tower in which masks count, the last
                ones. Defaults to None, all.
            tuned (TunedTower, optional): Weights in place of the tower's own; gradients reach them.
                Defaults to None.

        Returns:
            Tensor: (B, Q, D), not normalised.
        """
        frozen = self.frozen
        trains = tuned is not None and torch.is_grad_enabled()
        with self.own_precision(), torch.set_grad_enabled(trains):
            return _widen(embed_masks(
                frozen.model.visual, self._normalize(images), masks, last_blocks, tuned))

    @property
    def num_blocks(self) -> int:
        """Blocks of a vision transformer, which mask tokens run through.

        Raises:
            ValueError: As :attr:`patch_size`.
        """
        check_mask_tokens(self.frozen.model.visual)
        return len(self.frozen.model.visual.transformer.resblocks)

    @torch.no_grad()
    def encode_maps(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Compute the maps of pictures of any size.

        Args:
            images (Tensor): RGB in [0, 1], (B, 3, H, W).

        Returns:
            tuple[Tensor, ...]: The outputs of the image tower's four stages, without a norm: (B, C,
            H / s, W / s) with strides s of 4, 8, 16 and 32. The last one is the dense map, which
            :meth:`embed_cells` reads.

        Raises:
            ValueError: If the image tower gives no maps, or a picture is smaller than a cell.
        """
        height, width = images.shape[-2:]
        if min(height, width) < LAST_STRIDE:
            raise ValueError(
                f"A picture of {height} x {width} pixels is smaller than a cell of CLIP's last "
                f'map, {LAST_STRIDE} x {LAST_STRIDE}. Set model.data_preprocessor.pad_size_divisor='
                f'{LAST_STRIDE}, so that it is padded, or enlarge it in the pipeline.')
        with self.own_precision():
            return tuple(map(_widen, self.tower.encode_maps(self._normalize(images))))

    def embed_cells(self, dense: Tensor, cells: Tensor) -> Tensor:
        """Embed parts of dense maps as CLIP embeds a whole picture.

        A ConvNeXt's head is applied to the mean of the cells; a ResNet's attention pool sees the
        cells only (FC-CLIP). What :meth:`encode_images` does is the same of all cells, but that
        a ResNet's attention has the mean among its keys then.

        Args:
            dense (Tensor): The last of :meth:`encode_maps`, (B, C, h, w).
            cells (Tensor): bool, or weights in [0, 1], (B, Q, h, w). A part without cells gets what
                the head makes of 0.

        Returns:
            Tensor: (B, Q, D), not normalised.

        Raises:
            ValueError: If the image tower gives no maps.
        """
        with self.own_precision():
            return _widen(self.tower.embed_cells(dense, cells))

    def _normalize(self, images: Tensor) -> Tensor:
        """By CLIP's own mean and deviation, in the precision of its image tower."""
        frozen = self.frozen
        # in lower precision open_clip leaves embeddings and norms alone
        first = next(m for m in frozen.model.visual.modules() if isinstance(m, nn.Conv2d))
        return ((images - frozen.mean) / frozen.std).to(first.weight.dtype)


def _average(embeddings: Tensor) -> Tensor:
    """The mean of normalised embeddings, normalised again, (1, D)."""
    return F.normalize(F.normalize(embeddings, dim=-1).mean(dim=0, keepdim=True), dim=-1)


def _widen(embeddings: Tensor) -> Tensor:
    """At least float32: what follows is trained in it."""
    return embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
