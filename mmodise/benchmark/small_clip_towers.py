"""Image towers of other kinds for the small CLIP: a ConvNeXt, and a ResNet of OpenAI's kind.

They learn from pictures with captions, against the text tower of the small CLIP, which stays as it
is (LiT, arXiv 2111.07991): what they say of an image can be compared with what that CLIP says. Half
of the time four pictures are one image, and each is what lies in its quarter of the last map: what
a cell says must not depend on what is far from it, nor on the image's size.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.utils.data import Dataset

from ..models import FrozenCLIP
from ..models.clip.towers import dense_tower
from ..weights import locate
from .captioned_pictures import cut_out
from .small_models import build_clip, keep_scale, save_clip

CLIP = 'mmodise://shapes/clip'
#: open_clip's ``vision_cfg`` by the part's name.
TOWERS = {
    # pooling and head as those of convnext_large_d_320; kernels of 7, 5, 5 and 3 cells
    'clip-convnext': dict(
        image_size=128, timm_model_name='test_convnext3', timm_pool='', timm_proj='mlp'),
    'clip-resnet': dict(image_size=128, layers=[1, 1, 1, 1], width=16, head_width=64),
}


def build_tower(part: str) -> nn.Module:
    """An image tower with random weights that learns fast.

    Args:
        part (str): One of :data:`TOWERS`.
    """
    visual = build_clip(TOWERS[part]).visual
    if part == 'clip-convnext':
        # timm starts with branches of 1e-6 of their inputs: of a deep network, trained for long
        keep_scale(visual)
        for name, parameter in visual.named_parameters():
            if name.endswith('.gamma'):
                nn.init.ones_(parameter)
    return visual.to(memory_format=torch.channels_last)


class TowerTraining(BaseModel):
    """CLIP's contrastive loss of an image tower, against embeddings of texts that stay.

    Args:
        part (str): One of :data:`TOWERS`.
    """

    smallest_crop = 0.5  # of a side: what a small mask shows of an enlarged picture

    def __init__(self, part: str) -> None:
        super().__init__()
        self.texts = FrozenCLIP(CLIP)
        self.visual = build_tower(part)
        self.logit_scale = nn.Parameter(self.texts.frozen.model.logit_scale.detach().clone())
        self.loss = open_clip.ClipLoss()

    def forward(self, images: Tensor, captions: list[str], mode: str = 'loss') -> dict[str, Tensor]:
        """Losses of (N, 3, SIZE, SIZE) uint8 with a caption each; N is a multiple of 4."""
        frozen = self.texts.frozen
        images = cut_out(images / 255, self.smallest_crop, self.visual.image_size)
        image_features = F.normalize(self.embed((images - frozen.mean) / frozen.std), dim=-1)
        text_features = F.normalize(self.texts.encode_texts(captions), dim=-1)
        with torch.no_grad():
            self.logit_scale.clamp_(max=math.log(100))
            best = (image_features @ text_features.T).argmax(dim=1)
            hits = best == torch.arange(len(images), device=images.device)
        scale = self.logit_scale.exp()
        loss = self.loss(image_features, text_features, scale)
        return dict(loss=loss, accuracy=hits.float().mean(), scale=scale.detach())

    def embed(self, images: Tensor) -> Tensor:
        """Embed normalised images (N, 3, H, W), alone or four in one: (N, D)."""
        layout = torch.channels_last
        if random.random() < 0.5:
            return self.visual(images.contiguous(memory_format=layout))
        tower = dense_tower(self.visual)
        dense = tower.encode_maps(four_in_one(images).contiguous(memory_format=layout))[-1]
        return tower.embed_cells(dense, quarters(dense)).flatten(0, 1)


def four_in_one(images: Tensor) -> Tensor:
    """Put each four of (N, 3, H, W) side by side and below each other, (N / 4, 3, 2 H, 2 W)."""
    rows = images.unflatten(0, (-1, 2, 2))  # (N / 4, row, column, 3, H, W)
    return rows.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)


def quarters(dense: Tensor) -> Tensor:
    """The cells of each of the four in a map (B, C, 2 h, 2 w): bool, (B, 4, 2 h, 2 w)."""
    images, _, height, width = dense.shape
    numbers = torch.arange(4, device=dense.device).view(1, 2, 2)
    owners = numbers.repeat_interleave(height // 2, 1).repeat_interleave(width // 2, 2)
    return (owners == torch.arange(4, device=dense.device).view(4, 1, 1)).expand(images, -1, -1, -1)


def save_tower(part: str, visual: nn.Module, logit_scale: Tensor, out_dir: Path) -> None:
    """Write a CLIP of an image tower and of the small CLIP's text tower, half precision.

    Args:
        part (str): One of :data:`TOWERS`.
        visual (Module): The tower.
        logit_scale (Tensor): Logarithm of the inverse temperature.
        out_dir (Path): Gets ``clip_convnext/`` or ``clip_resnet/``.
    """
    clip = open_clip.create_model(f'local-dir:{locate(CLIP)}')
    clip.visual, clip.logit_scale = visual, nn.Parameter(logit_scale.detach().clone())
    save_clip(clip.half(), out_dir / part.replace('-', '_'), TOWERS[part])


def train_tower(
    part: str, train: Callable[[BaseModel], None], out_dir: Path, dataset: Dataset
) -> None:
    """Train an image tower, and write it as :func:`save_tower` does.

    Args:
        part (str): One of :data:`TOWERS`.
        train (Callable): Trains what gives losses.
        out_dir (Path): Gets its folder.
        dataset (Dataset): Not read: ``train`` knows it.
    """
    model = TowerTraining(part)
    train(model)
    save_tower(part, model.visual, model.logit_scale, out_dir)
