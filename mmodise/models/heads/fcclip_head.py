"""The head of FC-CLIP."""

from mmdet.registry import MODELS
from torch import Tensor, nn

from .mask_embedding import MaskEmbedding
from .odise_head import ODISEHead


@MODELS.register_module()
class FCCLIPHead(ODISEHead):
    """Label supervision in CLIP's own space (FC-CLIP, arXiv 2308.02487).

    As in :class:`ODISEHead`, but a mask's embedding has the width D of CLIP's and no layer norm
    before the layers that make it, names are compared as CLIP embeds them, and "no object" is a
    free vector. An average over templates, such as ``prompt='vild'``, is FC-CLIP's.

    Args:
        prompt (str | Sequence[str]): What a name is put into, as in :class:`OpenVocabularyHead`.
            Defaults to 'vild', FC-CLIP's 14 templates.
        **kwargs: As in :class:`ODISEHead`.

    Raises:
        ValueError: As of :class:`ODISEHead`.
    """

    def __init__(self, *args, prompt: str = 'vild', **kwargs) -> None:
        super().__init__(*args, prompt=prompt, **kwargs)
        self.mask_embedding = MaskEmbedding(
            self.decoder_embed_dims, self.clip.embed_dim, with_norm=False)
        self.text_proj = nn.Identity()

    def _add_null_embedding(self) -> None:
        self.void_embedding = nn.Embedding(1, self.clip.embed_dim)

    @property
    def null_embedding(self) -> Tensor:
        """What masks of "no object" are compared with, (1, D)."""
        return self.void_embedding.weight
