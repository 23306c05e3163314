"""The head of label supervision."""

from collections.abc import Sequence

import torch
from mmdet.registry import MODELS
from mmdet.utils import ConfigType
from torch import Tensor, nn

from ...vocabulary import Vocabulary
from .layer_output import LayerOutput
from .open_vocabulary_head import OpenVocabularyHead


@MODELS.register_module()
class ODISEHead(OpenVocabularyHead):
    """Masks, and for each mask an embedding that is compared with the names of classes.

    Label supervision (paper, 3.3): the logits are the similarities with the K classes of the
    training vocabulary and with a learned null embedding, "no object".

    Args:
        clip (dict): Config of the :class:`FrozenCLIP` that embeds the names.
        vocabulary (dict): The training vocabulary, as a data set's metainfo: ``thing_classes`` and
            ``stuff_classes``, each class a string of names ('person, child') or a sequence of
            names. In the order of the training data set's labels.
        prompt (str | Sequence[str]): What a name is put into, as in :class:`OpenVocabularyHead`.
            Defaults to '{}', the bare name (official release, label supervision).
        **kwargs: As in :class:`OpenVocabularyHead`.

    Raises:
        ValueError: If the vocabulary is not valid, or a key of ``train_cfg`` is misspelt.
    """

    def __init__(
        self, *args, vocabulary: ConfigType, prompt: str | Sequence[str] = '{}', **kwargs
    ) -> None:
        training = Vocabulary.from_metainfo(vocabulary)
        super().__init__(
            *args, vocabulary=training, num_labels=len(training), prompt=prompt, **kwargs
        )
        self.cls_embed = nn.Identity()  # classification needs the mask as well
        self._add_null_embedding()

    def _add_null_embedding(self) -> None:
        # "no object" starts as CLIP's embedding of nothing (official release)
        self.no_object = nn.Parameter(self.clip.encode_texts(['']).clone())

    @property
    def null_embedding(self) -> Tensor:
        """What masks of "no object" are compared with, (1, C)."""
        return self.text_proj(self.no_object)

    def classify(
        self, embeddings: Tensor, vocabulary: Vocabulary, scores: Tensor | None = None
    ) -> Tensor:
        """Class logits of mask embeddings.

        Args:
            embeddings (Tensor): Mask embeddings, (..., Q, C).
            vocabulary (Vocabulary): K classes.
            scores (Tensor, optional): Not read.

        Returns:
            Tensor: (..., Q, K + 1), "no object" last.
        """
        return self.class_logits(embeddings, vocabulary, self.null_embedding)

    def label_logits(self, layers: Sequence[LayerOutput]) -> list[Tensor]:
        """Class logits for the training vocabulary, each (B, Q, K + 1)."""
        embeddings = torch.stack([layer.embeddings for layer in layers])  # (layers, B, Q, C)
        return [*self.classify(embeddings, self.vocabulary)]
