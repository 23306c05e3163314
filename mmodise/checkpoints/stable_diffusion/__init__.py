"""Stable Diffusion's networks from a folder, a file or the hub."""

from .loading import load_stable_diffusion, load_text_encoder
from .loading_xl import StableDiffusionXL, load_stable_diffusion_xl, load_text_encoders_xl
from .unet_weights import load_unet_weights

__all__ = [
    'StableDiffusionXL', 'load_stable_diffusion', 'load_stable_diffusion_xl', 'load_text_encoder',
    'load_text_encoders_xl', 'load_unet_weights']
