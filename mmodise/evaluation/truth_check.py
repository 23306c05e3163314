"""Looking for the truth of all images before any is tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class ChecksTruth:
    """A metric whose truth, ``_truth`` or ``_maps``, can be looked for beforehand."""

    def check_images(self, samples: Sequence[Mapping]) -> None:
        """Look for the truth of images.

        Args:
            samples (Sequence[Mapping]): Each with ``img_id`` and ``img_path``.

        Raises:
            FileNotFoundError: If maps are missing; counts them.
            ValueError: If the annotation file does not list an image.
        """
        for name in ('_truth', '_maps'):
            truth = getattr(self, name, None)
            if truth is not None:
                truth.check_images(samples)
