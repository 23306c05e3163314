"""Training a small captioner: pictures of the shapes world -> what is on them.

It is transformers' ``VisionEncoderDecoderModel``: the image tower of the small CLIP, and a decoder
of two layers with the same tokenizer. Like a large one, it learns from pictures with captions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import open_clip
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch import Tensor
from torch.utils.data import Dataset
from transformers import (
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModel,
    GPT2Config,
    GPT2LMHeadModel,
    VisionEncoderDecoderModel,
    ViTImageProcessor,
)

from ..models import FrozenCLIP
from ..weights import locate
from .small_models import CLIP_CONFIG, CONTEXT_LENGTH, save_tokenizer, transformer_weights

CLIP = 'mmodise://shapes/clip'


def build_captioner(clip: open_clip.CLIP) -> VisionEncoderDecoderModel:
    """A captioner that sees as a CLIP does, with a random decoder."""
    vision, size = CLIP_CONFIG['vision_cfg'], clip.vocab_size
    start, end = size - 2, size - 1
    encoder = CLIPVisionModel(CLIPVisionConfig(
        hidden_size=vision['width'], intermediate_size=4 * vision['width'],
        num_hidden_layers=vision['layers'],
        num_attention_heads=vision['width'] // vision['head_width'],
        image_size=vision['image_size'], patch_size=vision['patch_size'], hidden_act='quick_gelu'))
    # before transformers 5 all names began with `vision_model.`
    prefix = 'vision_model.' if hasattr(encoder, 'vision_model') else ''
    encoder.load_state_dict(
        {prefix + name: weight for name, weight in _vision_weights(clip.visual).items()},
        strict=prefix == '')
    decoder = GPT2LMHeadModel(GPT2Config(
        vocab_size=size, n_positions=CONTEXT_LENGTH, n_embd=128, n_layer=2, n_head=2,
        add_cross_attention=True, is_decoder=True, bos_token_id=start, eos_token_id=end,
        tie_word_embeddings=False))
    model = VisionEncoderDecoderModel(encoder=encoder, decoder=decoder)
    for config in (model.config, model.generation_config):
        config.decoder_start_token_id = config.bos_token_id = start
        config.eos_token_id = config.pad_token_id = end
    return model


def _vision_weights(visual: open_clip.transformer.VisionTransformer) -> dict[str, Tensor]:
    """The weights of open_clip's image tower by the names that transformers gives them."""
    weights = {
        'embeddings.class_embedding': visual.class_embedding,
        'embeddings.patch_embedding.weight': visual.conv1.weight,
        'embeddings.position_embedding.weight': visual.positional_embedding,
        **{f'{theirs}.{kind}': getattr(ours, kind) for kind in ('weight', 'bias')
           for theirs, ours in (
               ('pre_layrnorm', visual.ln_pre), ('post_layernorm', visual.ln_post))},
        **transformer_weights(visual.transformer)}
    return {name: weight.detach().float().contiguous() for name, weight in weights.items()}


class CaptionTraining(BaseModel):
    """Cross entropy of a caption's tokens, each given the picture and those before it."""

    def __init__(self, clip: str = CLIP) -> None:
        super().__init__()
        frozen = FrozenCLIP(clip)
        self.captioner = build_captioner(frozen.frozen.model)
        self.tokenizer = CLIPTokenizer.from_pretrained(locate(clip))
        self.register_buffer('mean', frozen.frozen.mean.clone())
        self.register_buffer('std', frozen.frozen.std.clone())

    def forward(self, images: Tensor, captions: list[str], mode: str = 'loss') -> dict[str, Tensor]:
        """Losses of (N, 3, SIZE, SIZE) uint8 with a caption each."""
        tokens = self.tokenizer(list(captions), padding=True, return_tensors='pt').to(images.device)
        logits = self.captioner(
            pixel_values=(images / 255 - self.mean) / self.std,
            decoder_input_ids=tokens.input_ids[:, :-1]).logits
        # the end of a caption counts, what fills the batch up does not
        targets = tokens.input_ids.masked_fill(tokens.attention_mask == 0, -100)[:, 1:]
        return dict(loss=F.cross_entropy(logits.transpose(1, 2), targets))


def save_captioner(model: VisionEncoderDecoderModel, folder: Path) -> None:
    """Write a captioner with its tokenizer and how it sees pictures, as transformers reads them."""
    model.save_pretrained(folder)
    save_tokenizer(folder)
    size = CLIP_CONFIG['vision_cfg']['image_size']
    ViTImageProcessor(
        size=dict(height=size, width=size), image_mean=list(open_clip.OPENAI_DATASET_MEAN),
        image_std=list(open_clip.OPENAI_DATASET_STD)).save_pretrained(folder)


def train_captioner(train: Callable[[BaseModel], None], out_dir: Path, dataset: Dataset) -> None:
    """Train a captioner, and write it.

    Args:
        train (Callable): Trains what gives losses.
        out_dir (Path): Gets ``captioner/``.
        dataset (Dataset): Not read: ``train`` knows it.
    """
    model = CaptionTraining()
    train(model)
    save_captioner(model.captioner.half(), out_dir / 'captioner')
