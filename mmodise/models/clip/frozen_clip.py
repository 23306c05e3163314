"""CLIP, frozen: embeddings of images, of texts, and of masks of an image."""

from collections.abc import Mapping, Sequence

import open_clip
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor

from ...checkpoints.clip_loading import load_clip
from ..frozen import FrozenModule

# texts whose embeddings are kept: 10,000 names with synonyms, bare and in a prompt, 0.2 GB of a
# large CLIP's; training on captions brings new ones without end
_MAX_TEXTS = 65536
# of all images that a CPU embeds at once: what its cache holds; a GPU takes all
_CPU_PIXELS = 2**16


@MODELS.register_module()
class FrozenCLIP(FrozenModule):
    """CLIP, never trained: embeddings of images, of texts, and of masks of an image.

    All instances made from the same arguments share one network in memory and one cache of text
    embeddings.

    Args:
        model (str): A name of open_clip's, with ``pretrained``; or what brings its own weights: a
            hub id ``'hf-hub:ORGANIZATION/NAME'``, a local folder in open_clip's format
            (``open_clip_config.json``, ``open_clip_model.safetensors``), a local file of weights,
            or ``mmodise://`` weights (see :func:`mmodise.weights.locate`).
        pretrained (str, optional): For a name: a tag of open_clip's, or a local file of weights.
            Files are state dicts of torch or safetensors, or OpenAI's own.
        precision (str): As open_clip's: 'fp32', 'bf16', 'fp16'.
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
        super().__init__(load_clip(model, pretrained, precision, architecture))
        visual = self.frozen.model.visual
        for name, default in (('mean', open_clip.OPENAI_DATASET_MEAN),
                              ('std', open_clip.OPENAI_DATASET_STD)):
            value = torch.tensor(getattr(visual, f'image_{name}', None) or default)
            self.register_buffer(name, value.view(3, 1, 1), persistent=False)
        self.image_size: tuple[int, int] = tuple(visual.image_size)
        self.patch_size: tuple[int, int] = tuple(visual.patch_size)

    @property
    def embed_dim(self) -> int:
        """Channels of all embeddings."""
        return self.frozen.model.visual.output_dim

    @property
    def logit_scale(self) -> Tensor:
        """CLIP's own inverse temperature, at most 100; a scalar."""
        return self.frozen.model.logit_scale.exp().clamp(max=100)

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
        return torch.cat([
            self.frozen.model.encode_image(self._normalize(part)).float()
            for part in images.split(at_once)])

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed texts; each distinct text is embedded once and kept on the device.

        With more than 65,536 texts, those kept are forgotten and the call's own are kept.

        Args:
            texts (Sequence[str]): N texts.

        Returns:
            Tensor: (N, D), not normalised.
        """
        shared, device = self.frozen, self.mean.device
        new = [text for text in dict.fromkeys(texts) if text not in shared.rows]
        if len(shared.rows) + len(new) > _MAX_TEXTS:
            shared.rows, shared.table, new = {}, None, list(dict.fromkeys(texts))
        for start in range(0, len(new), 256):  # bounds the memory of large vocabularies
            batch = new[start : start + 256]
            embedded = shared.model.encode_text(shared.tokenizer(batch).to(device)).float()
            known = embedded[:0] if shared.table is None else shared.table.to(device)
            shared.rows.update({text: len(known) + i for i, text in enumerate(batch)})
            shared.table = torch.cat([known, embedded])
        shared.table = shared.table.to(device)
        rows = torch.tensor([shared.rows[text] for text in texts])
        return shared.table[rows.to(device, non_blocking=True)]

    @torch.no_grad()
    def encode_masks(self, images: Tensor, visible: Tensor) -> Tensor:
        """Embed each mask of an image with a class token that sees only the mask (official).

        The image's own tokens never see a mask token, so they are computed once without them;
        the mask tokens are a masked attention over them, and do not see each other.

        Args:
            images (Tensor): RGB in [0, 1], of CLIP's own size, (B, 3, H, W).
            visible (Tensor): Which patches a mask sees, bool, (B, Q, H / patch, W / patch). The
                class token is always seen.

        Returns:
            Tensor: (B, Q, D), not normalised.
        """
        visual = self.frozen.model.visual
        tokens = visual._embeds(self._normalize(images))  # (B, 1 + P, C)
        num_heads = visual.transformer.resblocks[0].attn.num_heads
        visible = F.pad(visible.flatten(2), (1, 0), value=True)  # (B, Q, 1 + P)
        hidden = (~visible).repeat_interleave(num_heads, dim=0)
        masks = tokens[:, :1].expand(-1, visible.shape[1], -1)  # (B, Q, C)
        for block in visual.transformer.resblocks:
            keys = block.ln_1(tokens)
            seen, _ = block.attn(
                block.ln_1(masks), keys, keys, attn_mask=hidden, need_weights=False
            )
            masks = masks + block.ls_1(seen)
            masks = masks + block.ls_2(block.mlp(block.ln_2(masks)))
            tokens = block(tokens)
        return (visual.ln_post(masks) @ visual.proj).float()

    def _normalize(self, images: Tensor) -> Tensor:
        dtype = self.frozen.model.visual.conv1.weight.dtype
        return ((images - self.mean) / self.std).to(dtype)
