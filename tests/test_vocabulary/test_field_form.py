"""Lists as the field has them, ``id:name,synonym,…``."""

import pytest

from mmodise.vocabulary import Vocabulary


@pytest.mark.parametrize(('text', 'classes'), [
    ('0:wall,interior wall\n1:door\n', (('wall', 'interior wall'), ('door',))),
    ('0:invalid_class_id\n1:wall\n2:door\n', (('wall',), ('door',))),
    ('1:invalid_class_id,other\n1:wall\n', (('wall',),)),
    ('7:wall\n3:door\n', (('wall',), ('door',))),
    ('0:wall,\n1:door, gate ,\n', (('wall',), ('door', 'gate'))),
    ('0: traffic  light \n1 : stop sign\n', (('traffic light',), ('stop sign',))),
    ('0:Star Trek: Discovery,show\n1:door\n', (('Star Trek: Discovery', 'show'), ('door',))),
    ('0:wall,wall,side\n1:door,side\n', (('wall', 'side'), ('door', 'side'))),
    ('0:"salt, pepper",spices\n1:door\n', (('salt, pepper', 'spices'), ('door',))),
    ('\ufeff0:wall\r\n\r\n1:door\r\n', (('wall',), ('door',))),
    ('0:wall  # inside\n# 1:floor\n2:door\n', (('wall',), ('door',))),
])
def test_lines_are_classes_in_their_order(text, classes, tmp_path):
    (tmp_path / 'classes.txt').write_bytes(text.encode())
    assert Vocabulary.read(str(tmp_path / 'classes.txt')).classes == classes


def test_classes_of_one_name_are_shown_by_another_of_their_names(caplog):
    """Papers' lists of ADE20K's 847 have several classes "bag"; what is scored stays the same."""
    found = Vocabulary.from_texts(
        '0:pot,flowerpot\n1:bag\n2:bag,suitcase,grip\n3:pot\n4:bag,bag,handbag\n')
    assert found.classes == (('flowerpot', 'pot'), ('bag',), ('suitcase', 'bag', 'grip'), ('pot',),
                             ('handbag', 'bag'))
    assert [record.getMessage() for record in caplog.records] == [
        "Lines 4 and 1 have classes of the name 'pot'; that of line 1 is shown as 'flowerpot'.",
        "Lines 2 and 3 have classes of the name 'bag'; that of line 3 is shown as 'suitcase'.",
        "Lines 2 and 5 have classes of the name 'bag'; that of line 5 is shown as 'handbag'."]


def test_headings_tell_stuff(tmp_path):
    file = tmp_path / 'classes.txt'
    file.write_text('# things\n0:car,automobile\n1:bus\n# stuff\n0:road\n1:sky,clouds\n')
    assert Vocabulary.from_file(file) == Vocabulary(
        (('car', 'automobile'), ('bus',)), (('road',), ('sky', 'clouds')))


@pytest.mark.parametrize(('text', 'message'), [
    ('0:wall\n1:\n', r"Line 2, '1:': there is no name\. Expected: 'id:name,synonym'"),
    ('0:wall\n\n1: ,\n', r"Line 3, '1: ,': (there is no name|a name between two commas)"),
    ('0:wall\n1:door,,gate\n', r"Line 2, '1:door,,gate': a name between two commas is missing"),
    ('# all\n0:wall\n1:door\n2:wall,door\n',
     r"The class 'wall' is in line 2 and in line 4\. Give each once"),
    ('0:wall\n1:door\n01:gate\n', r"The id '1' is in line 2 and in line 3"),
    ('0:wall\n1:<b>door</b>\n', r"Line 2, .*'<b>door</b>' is no name: it holds '<'"),
    ('0:wall\n1:2:door\n', "Line 2, .*'2:door' is no name: a number comes with it"),
])
def test_what_is_wrong_is_said_with_its_line(text, message, tmp_path):
    (tmp_path / 'classes.txt').write_text(text)
    with pytest.raises(ValueError, match=rf'classes\.txt: {message}'):
        Vocabulary.from_file(tmp_path / 'classes.txt')


def test_other_separators_are_read_as_ever():
    for text in ('0: cat; 1: dog', '0:cat .\n1:dog .\n', '0:cat\t\n1:dog\n'):
        assert Vocabulary.from_texts(text).class_names == ('cat', 'dog')
    assert Vocabulary.from_texts('0:cat\n').class_names == ('cat',)
    with pytest.raises(ValueError, match='semicolons and ends of lines'):
        Vocabulary.from_texts('0:cat,kitten\n1:dog;\n')
