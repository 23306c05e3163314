"""Classes, as the metainfo of a data set and an annotation file name them."""

from collections.abc import Collection, Mapping, Sequence


def thing_classes(metainfo: Mapping) -> tuple[str, ...]:
    """Displayed names of the things: the first of ``classes``; all, if nothing says otherwise.

    Args:
        metainfo (Mapping): ``classes``, and perhaps ``thing_classes``, which may hold synonyms.
    """
    classes = tuple(metainfo['classes'])
    return classes[:len(metainfo.get('thing_classes', classes))]


def check_known(names: Sequence[str], known: Collection[str], what: str, where: str) -> None:
    """Refuse names that are spelt differently in two places.

    Raises:
        ValueError: If one of ``names`` is not among ``known``; says what and where they are.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"The {what} {unknown} of the data set's metainfo are not among the {where}, "
            f'{list(known)}. Names must be equal, character for character.'
        )
