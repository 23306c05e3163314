"""Classes out of captions."""

import pytest

from mmodise.vocabulary import Vocabulary


@pytest.mark.parametrize(('caption', 'things', 'stuff'), [
    ('A dog on green grass.', ['dog'], ['green grass']),
    ('two dogs and a red umbrella under the sky', ['dogs', 'red umbrella'], ['sky']),
    ('a traffic light', ['traffic light'], []),
    ('a dog and a dog', ['dog'], []),
    ('sea', [], ['sea'])])
def test_nouns_are_classes(caption, things, stuff):
    """Known stuff is stuff; what a preposition connects is not a class more."""
    found = Vocabulary.from_caption(caption)
    assert [names for names, in found.things] == things
    assert [names for names, in found.stuff] == stuff


@pytest.mark.parametrize('caption', ['', 'running quickly', '42'])
def test_a_caption_without_nouns_is_named(caption):
    with pytest.raises(ValueError, match='names nothing: no noun was found'):
        Vocabulary.from_caption(caption)


def test_a_caption_is_a_string():
    with pytest.raises(ValueError, match='A caption is a string, not a list'):
        Vocabulary.from_caption(['a dog'])


def test_everything_is_all_named_vocabularies():
    everything = Vocabulary.named('everything')
    assert Vocabulary.read('Everything') == everything
    assert everything.class_names[:2] == Vocabulary.named('coco').class_names[:2]
    displayed = {name.casefold() for name in everything.class_names}
    assert len(displayed) == len(everything)
    for name in ('ade20k', 'cityscapes', 'lvis', 'mapillary', 'pascal_context', 'voc'):
        names = Vocabulary.named(name).class_names
        assert {name.casefold() for name in names} <= displayed
    with pytest.raises(ValueError, match=r"There are: ade20k.* and 'everything', all of them but"):
        Vocabulary.named('nothing')
