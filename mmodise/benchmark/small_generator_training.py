"""Training the small diffusion transformer and the small token generator.

They learn over the CLIP and the VAE that come with mmodise.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F
from diffusers import AmusedScheduler, AutoencoderKL, StableDiffusion3Pipeline, VQModel
from diffusers.models.normalization import AdaLayerNormContinuous, AdaLayerNormZero
from mmengine.model import BaseModel
from torch import Tensor, nn
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

from ..datasets.shapes_world import SIZE
from ..weights import locate
from .captioned_pictures import CaptionedPictures, leave_out
from .small_diffusion_transformer import build_transformer, save_stable_diffusion_3
from .small_token_generator import build_token_transformer, build_vqvae, save_amused

AESTHETIC_SCORE = 6  # what diffusers' pipeline asks for


class FlowTraining(BaseModel):
    """Rectified flow of Stable Diffusion 3 (arXiv 2403.03206), timesteps from a logit-normal.

    Args:
        folder (Path): A Stable Diffusion 3 without its transformer.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        vae = AutoencoderKL.from_pretrained(folder, subfolder='vae').float()
        self.transformer = build_transformer(vae.config.latent_channels)
        _start_as_identity(self.transformer)
        parts = {
            name: CLIPTextModelWithProjection.from_pretrained(folder, subfolder=name).float()
            for name in ('text_encoder', 'text_encoder_2')}
        self.frozen = [StableDiffusion3Pipeline.from_pretrained(  # in a list: not in checkpoints
            folder, transformer=self.transformer, vae=vae, text_encoder_3=None, tokenizer_3=None,
            **parts)]

    def forward(self, images: Tensor, captions: list[str], mode: str = 'loss') -> dict[str, Tensor]:
        """Losses of (N, 3, SIZE, SIZE) uint8 with a caption each."""
        pipeline, = self.frozen
        vae = pipeline.to(images.device).vae
        with torch.no_grad():
            latents = vae.encode(images / 127.5 - 1).latent_dist.mean
            latents = (latents - vae.config.shift_factor) * vae.config.scaling_factor
            text, _, pooled, _ = pipeline.encode_prompt(  # no zeros in place of T5's tokens
                leave_out(captions), None, None, device=images.device,
                do_classifier_free_guidance=False, max_sequence_length=0)
        noise = torch.randn_like(latents)
        time = torch.randn(len(latents), device=images.device).sigmoid()
        share = time.view(-1, 1, 1, 1)
        velocity, = self.transformer(
            (1 - share) * latents + share * noise, text, pooled, 1000 * time, return_dict=False)
        return dict(loss=F.mse_loss(velocity, noise - latents))


def _start_as_identity(transformer: nn.Module) -> None:
    """Let each residual branch add nothing at first (adaLN-Zero, arXiv 2212.09748)."""
    for layer in transformer.modules():
        if isinstance(layer, (AdaLayerNormContinuous, AdaLayerNormZero)):
            nn.init.zeros_(layer.linear.weight)
    nn.init.zeros_(transformer.proj_out.weight)


class QuantizedAutoencoderTraining(BaseModel):
    """Absolute error of the reconstruction from codes, and the distance of latents to their codes.

    It starts as the small VAE, with the codes among its latents. A code that was nearest to nothing
    for a while moves to a latent drawn at random (arXiv 2005.00341).

    Args:
        stable_diffusion (Path): Has the VAE.
        crop_size (int): Side of the pictures' parts. Defaults to 64.
    """

    code_weight = 0.25
    patience = 50  # iterations

    def __init__(self, stable_diffusion: Path, crop_size: int = 64) -> None:
        super().__init__()
        self.vqvae = build_vqvae()
        self.crop_size = crop_size
        _take_over(AutoencoderKL.from_pretrained(stable_diffusion, subfolder='vae'), self.vqvae)
        idle = torch.full((self.vqvae.config.num_vq_embeddings, ), self.patience)
        self.register_buffer('idle', idle)  # all move to latents at first

    def forward(self, images: Tensor, captions: list[str], mode: str = 'loss') -> dict[str, Tensor]:
        """Losses of (N, 3, SIZE, SIZE) uint8; the captions are not read."""
        top, left = (random.randint(0, SIZE - self.crop_size) for _ in range(2))
        images = images[..., top:top + self.crop_size, left:left + self.crop_size] / 255
        latents = self.vqvae.encode(images).latents
        self.move_idle_codes(latents.detach())
        decoded = self.vqvae.decode(latents)
        error = F.l1_loss(decoded.sample, images)
        used = (self.idle == 0).float().mean()  # in this iteration
        loss = error + self.code_weight * decoded.commit_loss
        return dict(loss=loss, error=error.detach(), used=used)

    @torch.no_grad()
    def move_idle_codes(self, latents: Tensor) -> None:
        """Count for how long codes were not used, and move those that were not for too long."""
        codes = self.vqvae.quantize.embedding.weight
        latents = latents.movedim(1, -1).flatten(0, 2)
        moved = self.idle >= self.patience
        codes[moved] = latents[torch.randint(len(latents), (int(moved.sum()), ))]
        used = torch.cdist(latents, codes).argmin(1).bincount(minlength=len(codes)) > 0
        self.idle = torch.where(used | moved, 0, self.idle + 1)


def _take_over(vae: AutoencoderKL, vqvae: VQModel) -> None:
    """Give a VQ model the weights of a VAE: its latents the means, with a deviation of 1.

    A VAE's pictures are in [-1, 1], a VQ model's in [0, 1].
    """
    weights, scale = vae.float().state_dict(), vae.config.scaling_factor
    size = vae.config.latent_channels
    to_means = scale * weights['quant_conv.weight'][:size, :, 0, 0]  # (size, 2 x size)
    last = weights['encoder.conv_out.weight'], weights['encoder.conv_out.bias']
    weights['encoder.conv_out.weight'] = torch.einsum('oc, cikl -> oikl', to_means, last[0])
    weights['encoder.conv_out.bias'] = (
        to_means @ last[1] + scale * weights['quant_conv.bias'][:size])
    weights['quant_conv.weight'] = torch.eye(size)[..., None, None]
    weights['quant_conv.bias'] = torch.zeros(size)
    weights['post_quant_conv.weight'] /= scale
    weights['encoder.conv_in.bias'] -= weights['encoder.conv_in.weight'].sum((1, 2, 3))
    weights['encoder.conv_in.weight'] *= 2
    weights['decoder.conv_out.weight'] /= 2
    weights['decoder.conv_out.bias'] = weights['decoder.conv_out.bias'] / 2 + 0.5
    vqvae.load_state_dict(weights, strict=False)  # the codes are its own


class MaskedTokenTraining(BaseModel):
    """Cross entropy of masked tokens (MaskGIT, arXiv 2202.04200), their share cos(pi u / 2).

    Args:
        folder (Path): An aMUSEd without its transformer.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.transformer = build_token_transformer()
        self.frozen = [  # in a list: neither trained nor in checkpoints
            VQModel.from_pretrained(folder, subfolder='vqvae').float(),
            CLIPTextModelWithProjection.from_pretrained(folder, subfolder='text_encoder').float()]
        self.tokenizer = CLIPTokenizer.from_pretrained(folder, subfolder='tokenizer')
        scheduler = AmusedScheduler.from_pretrained(folder, subfolder='scheduler')
        self.mask_token = scheduler.config.mask_token_id

    def forward(self, images: Tensor, captions: list[str], mode: str = 'loss') -> dict[str, Tensor]:
        """Losses of (N, 3, SIZE, SIZE) uint8 with a caption each."""
        vqvae, text_encoder = (part.to(images.device) for part in self.frozen)
        with torch.no_grad():
            latents = vqvae.encode(images / 255).latents
            tokens = vqvae.quantize(latents)[2][2].view(-1, *latents.shape[-2:])
            words = self.tokenizer(leave_out(captions), padding='max_length', return_tensors='pt')
            text = text_encoder(words.input_ids.to(images.device), output_hidden_states=True)
        share = torch.cos(math.pi / 2 * torch.rand(len(tokens), 1, 1, device=images.device))
        masked = torch.rand(tokens.shape, device=images.device) < share
        sizes = text.text_embeds.new_tensor([SIZE, SIZE, 0, 0, AESTHETIC_SCORE])
        logits = self.transformer(
            tokens.masked_fill(masked, self.mask_token), text.hidden_states[-2], text.text_embeds,
            sizes.expand(len(tokens), -1))
        hits = (logits.argmax(1) == tokens)[masked]
        loss = F.cross_entropy(logits, tokens.masked_fill(~masked, -100))
        return dict(loss=loss, accuracy=hits.float().mean())


def train_transformer(
    train: Callable[[BaseModel], None], out_dir: Path, dataset: CaptionedPictures
) -> None:
    """Train the transformer of a Stable Diffusion 3, and write all of it.

    Args:
        train (Callable): Trains a model.
        out_dir (Path): Gets ``stable_diffusion_3/``.
        dataset (CaptionedPictures): What ``train`` learns from.
    """
    folder = out_dir / 'stable_diffusion_3'
    vae = AutoencoderKL.from_pretrained(_shipped('stable_diffusion'), subfolder='vae')
    vae.register_to_config(shift_factor=0.0)
    save_stable_diffusion_3(folder, vae=vae.half(), clip=_shipped_clip())
    model = FlowTraining(folder)
    train(model)
    save_stable_diffusion_3(folder, transformer=model.transformer.half())


def train_vq(
    train: Callable[[BaseModel], None], out_dir: Path, dataset: CaptionedPictures
) -> None:
    """Train an aMUSEd's VQ model, and write it into ``amused/``; as :func:`train_transformer`."""
    model = QuantizedAutoencoderTraining(_shipped('stable_diffusion'))
    train(model)
    save_amused(out_dir / 'amused', model.vqvae.half(), clip=_shipped_clip())


def train_tokens(
    train: Callable[[BaseModel], None], out_dir: Path, dataset: CaptionedPictures
) -> None:
    """Train an aMUSEd's transformer, beside its VQ model; as :func:`train_transformer`."""
    model = MaskedTokenTraining(out_dir / 'amused')
    train(model)
    save_amused(out_dir / 'amused', transformer=model.transformer.half())


def _shipped(name: str) -> Path:
    return Path(locate(f'mmodise://shapes/{name}'))


def _shipped_clip() -> open_clip.CLIP:
    return open_clip.create_model(f'local-dir:{_shipped("clip")}').half()
