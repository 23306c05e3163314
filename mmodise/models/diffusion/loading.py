"""Old name of :mod:`mmodise.checkpoints.stable_diffusion`."""

from ...checkpoints.stable_diffusion import load_stable_diffusion, load_text_encoder

__all__ = ['load_stable_diffusion', 'load_text_encoder']
