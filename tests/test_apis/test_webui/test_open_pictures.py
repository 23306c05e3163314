import os
import threading
import time

from mmodise.apis.webui.cleaning import keeping_clean, remove_old
from mmodise.apis.webui.limits import Limits
from mmodise.apis.webui.open_pictures import OpenPictures


def test_who_was_not_here_the_longest_goes():
    pictures = OpenPictures(max_count=2, max_age=60)
    pictures.put('a', 'a.png', 'session a')
    pictures.put('b', 'b.png', 'session b')
    assert pictures.get('a').session == 'session a'
    pictures.put('c', 'c.png', 'session c')
    assert pictures.get('b') is None and len(pictures) == 2
    assert pictures.get('a').path == 'a.png' and pictures.get('c').path == 'c.png'


def test_a_visitor_has_one_picture():
    pictures = OpenPictures(max_count=2, max_age=60)
    pictures.put('a', '1.png', 'first')
    pictures.put('b', '2.png', 'other')
    pictures.put('a', '3.png', 'second')
    assert len(pictures) == 2 and pictures.get('a').session == 'second'
    assert pictures.get('b').session == 'other'
    pictures.drop('a')
    pictures.drop('nobody')
    assert pictures.get('a') is None and len(pictures) == 1


def test_nothing_is_kept_for_long_even_if_it_is_used():
    now = 0.0
    pictures = OpenPictures(max_count=9, max_age=60, clock=lambda: now)
    pictures.put('a', 'a.png', 'session a')
    now = 30
    pictures.put('b', 'b.png', 'session b')
    assert pictures.get('a')
    now = 60
    assert pictures.get('a') is None and pictures.get('b')
    now = 90
    pictures.expire()
    assert len(pictures) == 0


def test_threads():
    pictures, mixed = OpenPictures(max_count=3, max_age=60), []

    def visit(name):
        for i in range(300):
            pictures.put(name, f'{name}{i}', name)
            found = pictures.get(name)
            if found is not None and found.session != name:
                mixed.append(name)

    threads = [threading.Thread(target=visit, args=(name, )) for name in 'abcdef']
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not mixed and len(pictures) == 3


def make(path, size):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bytes(size))


def test_files_that_are_too_old_or_too_many(tmp_path):
    for number in range(3):
        make(tmp_path / f'{number}/picture.png', 100)
        time.sleep(0.02)  # the times of their changes differ
    remove_old(tmp_path, max_age=60, max_bytes=250)
    assert sorted(os.listdir(tmp_path)) == ['1', '2'], 'the oldest, with its folder'
    remove_old(tmp_path, max_age=60, max_bytes=200)
    assert sorted(os.listdir(tmp_path)) == ['1', '2']
    remove_old(tmp_path, max_age=0, max_bytes=200)
    assert os.listdir(tmp_path) == []


def test_it_is_cleaned_when_nobody_asks(tmp_path):
    pictures = OpenPictures(max_count=9, max_age=0.3)
    pictures.put('a', 'a.png', 'session')
    make(tmp_path / 'x/picture.png', 100)
    with keeping_clean(pictures, tmp_path, Limits(max_age=0.3)):
        deadline = time.monotonic() + 30
        while (len(pictures) or os.listdir(tmp_path)) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(pictures) == 0 and not os.listdir(tmp_path)
