"""NLTK's tagger, where it and its data are there."""


class NLTKTagger:
    """NLTK's own tokenizer and its averaged perceptron tagger for English; downloads nothing.

    Raises:
        ModuleNotFoundError: If NLTK is not installed.
        FileNotFoundError: If its data is not there.
    """

    name = 'nltk'

    def __init__(self) -> None:
        try:
            from nltk import word_tokenize
            from nltk.tag import PerceptronTagger
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f'NLTK cannot be imported ({error}): `pip install nltk`') from error
        try:
            word_tokenize('a dog')
            # nltk.pos_tag would load the weights for each caption anew
            self._tag = PerceptronTagger().tag
        except LookupError as error:
            raise FileNotFoundError(
                'NLTK is there, its data for English is not. With a network, `python -m '
                'nltk.downloader punkt_tab averaged_perceptron_tagger_eng` writes it to '
                '~/nltk_data; the environment variable NLTK_DATA names other folders.'
            ) from error
        self._tokenize = word_tokenize

    def __call__(self, text: str) -> list[tuple[str, str]]:
        """Words of an English text with tags of the Penn Treebank."""
        return self._tag(self._tokenize(text))
