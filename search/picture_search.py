"""Words, IPA or text → the pictures of a gallery that are nearest."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from ipaclip.checkpoint_path import local_checkpoint
from ipaclip.common.checkpoints import LEXICON_FILES

from .gallery import Gallery, Hit
from .scoring import Score

if TYPE_CHECKING:
    from ipaclip import IPAClipModel, IPAClipProcessor
    from ipaclip.lexicon import Lexicon, Reading

Way = Literal["sound", "ipa", "text"]
# Scores of the text tower and of the pronunciation tower, (queries, pictures), and the embeddings of the queries by
# either, (queries, dim) → log-probabilities (queries, pictures): `ipaclip.search.fusion.fuse` is one.
Fuse = Callable[[Any, Any, Any, Any], Any]
# Of a query: cosines of the text tower, each reading with its own, cosines of the pronunciation tower.
Witnesses = tuple[np.ndarray | None, "list[tuple[Reading, np.ndarray]]", np.ndarray | None]
_READINGS = 12
_INPUT = {"sound": "pronounce", "ipa": "ipa", "text": "text"}


class PictureSearch:
    """Asks a gallery by sound, IPA or text.

    Args:
        model: The model whose image tower made the gallery's embeddings.
        processor: The model's processor.
        gallery: The pictures.
        lexicon: Words that a query may mean, read by this model's text tower.
        score: How `find` mixes what speaks for a picture.

    Raises:
        ValueError: If the lexicon is of another text tower, or the gallery's embeddings are not as wide as the model's.
    """

    def __init__(
        self,
        model: "IPAClipModel",
        processor: "IPAClipProcessor",
        gallery: Gallery,
        lexicon: "Lexicon | None" = None,
        score: Score | None = None,
    ) -> None:
        if gallery.dim != model.config.projection_dim:
            raise ValueError(
                f"The gallery's embeddings have {gallery.dim} dimensions, the model's {model.config.projection_dim}: "
                "make the gallery with this model."
            )
        self.model = model
        self.processor = processor
        self.gallery = gallery
        self.lexicon = lexicon
        self.score = score or Score()
        if lexicon is not None:
            lexicon.check_text_tower(model, processor)

    def take_lexicon(self, directory: str | Path) -> None:
        """Takes the lexicon of a directory in the place of its own.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is damaged, or of another text tower.
        """
        from ipaclip.lexicon import Lexicon

        lexicon = Lexicon.load(directory)
        lexicon.check_text_tower(self.model, self.processor)
        self.lexicon = lexicon

    @classmethod
    def from_checkpoint(cls, name: str | Path) -> "PictureSearch":
        """Loads model, processor, gallery and, if there is one, lexicon from a directory or by a name on the Hub.

        Raises:
            OSError: If the checkpoint, or a file of it, is missing.
            ValueError: If its parts do not fit each other, or weights are missing.
        """
        directory = local_checkpoint(name)
        gallery = Gallery.load(directory)  # first, for it fails in no time

        from ipaclip import IPAClipProcessor

        processor = IPAClipProcessor.from_pretrained(directory, local_files_only=True)
        has_lexicon = all((directory / name).is_file() for name in LEXICON_FILES)
        if has_lexicon:
            from ipaclip.lexicon import Lexicon
        lexicon = Lexicon.load(directory) if has_lexicon else None
        return cls(load_model(directory), processor, gallery, lexicon, Score.of_checkpoint(directory))

    def search(
        self, queries: Sequence[str], *, by: Way = "sound", language: str | None = None, top: int = 5
    ) -> list[list[Hit]]:
        """The pictures nearest to each query, best first.

        Args:
            queries: Spelled words (`by="sound"`), IPA (`by="ipa"`), or what the text tower reads (`by="text"`).
            by: The tower that is asked, and what the queries are.
            language: How spelled words sound, such as `"eng-Latn"`; by default as the checkpoint was taught.
            top: How many pictures for each query; all of them, if the gallery has fewer.

        Raises:
            TypeError: If `queries` is one string.
            ValueError: If `by` is none of the three, `language` is given to queries that are not to be pronounced,
                a word cannot be pronounced, or `top` is below 1.
            ImportError: If the transcriber for `language` is not installed.
        """
        asked = _listed(queries, "search")
        if by not in get_args(Way):
            raise ValueError(f"by is {by!r}: it must be 'sound', 'ipa' or 'text'.")
        if language is not None and by != "sound":
            raise ValueError(f"language says how spelled words sound: leave it out with by={by!r}.")
        if not asked:
            return []
        from ipaclip.encoding import encode

        given: dict[str, Any] = {_INPUT[by]: asked}
        embeds = encode(self.model, self.processor, language=language, **given)
        return self.gallery.nearest(embeds.numpy(), top)

    def find(
        self, queries: Sequence[str], *, ipa: bool = False, language: str | None = None, top: int = 5
    ) -> list[list[Hit]]:
        """The pictures that each query most probably means, best first: by all that is known of it.

        What was typed goes to the text tower, the words of the lexicon that it may have been go there, too, and its
        sound to the pronunciation tower; `Score` makes one probability of the three. The probabilities of all pictures
        sum to less than 1: the rest is that nothing fits.

        Args:
            queries: Typed words, or IPA.
            ipa: Whether they are IPA.
            language: Of the queries, such as `"eng-Latn"`; by default the lexicon's, or the checkpoint's.
            top: How many pictures for each query; all of them, if the gallery has fewer.

        Raises:
            TypeError: If `queries` is one string.
            ValueError: If a query is empty or has no sound and nothing to read, or `top` is below 1.
        """
        if top < 1:
            raise ValueError(f"top is {top}: ask for one picture at least.")
        asked = _listed(queries, "find")
        if not asked:
            return []
        found = []
        for text, readings, sound in self.witnesses(asked, ipa=ipa, language=language):
            weighed = [(one.probability, cosines) for one, cosines in readings]
            chances = self.score.probabilities(text, weighed, sound)
            best = np.argsort(-chances, kind="stable")[:top]
            found.append([Hit(self.gallery.entries[at], float(chances[at]), _why(readings, at)) for at in best])
        return found

    def witnesses(self, queries: Sequence[str], *, ipa: bool = False, language: str | None = None) -> list[Witnesses]:
        """What `find` goes by, for each query: cosines with all pictures, `(pictures,)`.

        That is those of the text tower with what was typed (None for IPA), each reading with its own, and those of the
        pronunciation tower (None where the query cannot be pronounced).
        """
        asked = _listed(queries, "witnesses")
        found = [] if self.lexicon is None else self.lexicon.readings(asked, ipa=ipa, language=language, top=_READINGS)
        readings = found or [[] for _ in asked]
        text = [None] * len(asked) if ipa else list(self._cosines(text=asked))
        sound = self._sound_cosines(asked, ipa, language)
        meant = self._reading_cosines(readings)
        return [
            (text[number], [(one, meant[one.meaning]) for one in some], sound[number])
            for number, some in enumerate(readings)
        ]

    def _cosines(self, **given: Any) -> np.ndarray:
        """`(inputs, pictures)`, cosines of what `encode` takes."""
        from ipaclip.encoding import encode

        cosines: np.ndarray = encode(self.model, self.processor, **given).numpy() @ self.gallery.directions.T
        return cosines

    def _sound_cosines(self, queries: list[str], ipa: bool, language: str | None) -> list[np.ndarray | None]:
        """The pronunciation tower's cosines with all pictures; None for a query that cannot be pronounced."""
        said = queries if ipa else list(self.processor.transcribe_each(queries, language=language))
        heard = [number for number, one in enumerate(said) if isinstance(one, str)]
        found: list[np.ndarray | None] = [None] * len(queries)
        if heard:
            for number, row in zip(heard, self._cosines(ipa=[said[one] for one in heard]), strict=True):
                found[number] = row
        return found

    def _reading_cosines(self, readings: "list[list[Reading]]") -> "dict[str, np.ndarray]":
        """Meaning → the text tower's cosines with all pictures."""
        meanings = list(dict.fromkeys(one.meaning for some in readings for one in some))
        if self.lexicon is None or not meanings:
            return {}
        embeds = self.lexicon.text_embeds(meanings, self.model, self.processor)
        return dict(zip(meanings, embeds @ self.gallery.directions.T, strict=True))

    def search_both(self, spellings: Sequence[str], ipa: Sequence[str], fuse: Fuse, *, top: int = 5) -> list[list[Hit]]:
        """The pictures that both towers together find likeliest, best first; a hit's score is a probability, 0 to 1.

        Args:
            spellings: What the text tower reads.
            ipa: What the pronunciation tower hears, for each spelling.
            fuse: How two scores become one, such as `ipaclip.search.fusion.fuse`.
            top: How many pictures for each query; all of them, if the gallery has fewer.

        Raises:
            ValueError: If spellings and pronunciations differ in number, or `top` is below 1.
        """
        if len(spellings) != len(ipa):
            raise ValueError(f"There are {len(spellings)} spellings and {len(ipa)} pronunciations: give one of each.")
        if top < 1:
            raise ValueError(f"top is {top}: ask for one picture at least.")
        if not spellings:
            return []
        from ipaclip.encoding import encode

        written = encode(self.model, self.processor, text=list(spellings)).numpy()
        heard = encode(self.model, self.processor, ipa=list(ipa)).numpy()
        directions = self.gallery.directions
        probabilities = np.exp(fuse(written @ directions.T, heard @ directions.T, written, heard))
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        return [
            [Hit(self.gallery.entries[column], float(row[column])) for column in best]
            for row, best in zip(probabilities, order, strict=True)
        ]


def _listed(queries: Sequence[str], method: str) -> list[str]:
    if isinstance(queries, str):
        raise TypeError(f"{method} takes a list of queries, not one str: write {method}([{queries!r}]).")
    return list(queries)


def _why(readings: "list[tuple[Reading, np.ndarray]]", picture: int) -> "Reading | None":
    """The likeliest of the readings that mean this picture more than any other."""
    own = [one for one, cosines in readings if int(cosines.argmax()) == picture]
    return max(own, key=lambda one: one.probability, default=None)


def load_model(directory: Path) -> "IPAClipModel":
    """The model of a checkpoint's directory, in evaluation mode.

    Raises:
        OSError: If a file of it is missing.
        ValueError: If weights are missing.
    """
    from ipaclip import IPAClipModel

    model, report = IPAClipModel.from_pretrained(directory, local_files_only=True, output_loading_info=True)
    # transformers only warns of these, and gives them random weights.
    if missing := sorted(report["missing_keys"]):
        raise ValueError(
            f"The checkpoint {directory} lacks weights ({', '.join(missing[:3])}{', …' if missing[3:] else ''}): "
            "give a whole IPA-CLIP checkpoint."
        )
    return model.eval()
