"""The implicit captioner: a picture's own embedding in place of its caption."""

import torch
from mmdet.registry import MODELS
from mmdet.utils import ConfigType
from mmengine.model import BaseModule
from torch import Tensor, nn


@MODELS.register_module()
class ImplicitCaptioner(BaseModule):
    """Turns an image into what a caption of it would do to the generator (paper, 3.2).

    The frozen CLIP image tower embeds the image; learned linear layers with learned position tables
    make offsets of it: one to the text condition, one to the time embedding, and one to the pooled
    text of a generator that takes it. All are gated by the tangens hyperbolicus of a parameter that
    starts at zero, so that at the start the model sees the empty caption (the time offset is of the
    official release).

    Args:
        clip (dict): Config of a :class:`FrozenCLIP`.
        text_length (int): Tokens of the text condition. 77 for Stable Diffusion.
        text_width (int): Channels of the text condition. 768 for Stable Diffusion 1.x.
        time_width (int, optional): Channels of the time embedding. 1280 for Stable Diffusion; None
            for a generator without one.
        num_timesteps (int): Timesteps at which features are taken.
        pooled_width (int, optional): Channels of the pooled text. 1280 for Stable Diffusion XL.
            None: the generator takes none. Defaults to None.
        init_cfg (dict, optional): As in :class:`mmengine.model.BaseModule`.
    """

    def __init__(
        self,
        clip: ConfigType,
        text_length: int = 77,
        text_width: int = 768,
        time_width: int | None = 1280,
        num_timesteps: int = 1,
        pooled_width: int | None = None,
        init_cfg: ConfigType | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.clip = MODELS.build(clip)
        width = self.clip.embed_dim
        self.text_proj = nn.Linear(width, text_width)
        self.text_position = nn.Parameter(torch.empty(1, text_length, text_width))
        self.text_gate = nn.Parameter(torch.zeros(1, text_length, text_width))
        if time_width is not None:
            self.time_proj = nn.Linear(width, time_width)
            self.time_position = nn.Parameter(torch.empty(1, num_timesteps, time_width))
            self.time_gate = nn.Parameter(torch.zeros(time_width))
        if pooled_width is not None:
            self.pooled_proj = nn.Linear(width, pooled_width)
            self.pooled_gate = nn.Parameter(torch.zeros(pooled_width))
        for name, table in self.named_parameters(recurse=False):
            if name.endswith('_position'):
                nn.init.trunc_normal_(table, std=0.02)

    def forward(self, images: Tensor) -> tuple[Tensor | None, ...]:
        """Offsets for the generator, in the order of :class:`FeatureExtractor`'s condition.

        Args:
            images (Tensor): RGB in [0, 1], (B, 3, H, W).

        Returns:
            tuple[Tensor | None, ...]: What to add to the text condition of the empty caption,
            (B, text_length, text_width); to the time embedding, (B, T, time_width), None without
            one; and, with ``pooled_width``, to the pooled text, (B, pooled_width).
        """
        embedding = self.clip.encode_images(images).to(self.text_gate.dtype)  # (B, D)
        tokens = embedding[:, None]
        text = torch.tanh(self.text_gate) * (self.text_proj(tokens) + self.text_position)
        time = None
        if hasattr(self, 'time_gate'):
            time = torch.tanh(self.time_gate) * (self.time_proj(tokens) + self.time_position)
        if not hasattr(self, 'pooled_gate'):
            return text, time
        return text, time, torch.tanh(self.pooled_gate) * self.pooled_proj(embedding)
