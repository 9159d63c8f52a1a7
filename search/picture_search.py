"""Words, IPA or text → the pictures of a gallery that are nearest."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ipaclip.checkpoint_path import local_checkpoint

from .gallery import Gallery, Hit

if TYPE_CHECKING:
    from ipaclip import IPAClipModel, IPAClipProcessor

Way = Literal["sound", "ipa", "text"]
# Scores of the text tower and of the pronunciation tower, (queries, pictures), and the embeddings of the queries by
# either, (queries, dim) → log-probabilities (queries, pictures): `ipaclip.search.fusion.fuse` is one.
Fuse = Callable[[Any, Any, Any, Any], Any]
_INPUT = {"sound": "pronounce", "ipa": "ipa", "text": "text"}


class PictureSearch:
    """Asks a gallery by sound, IPA or text.

    Args:
        model: The model whose image tower made the gallery's embeddings.
        processor: The model's processor.
        gallery: The pictures.

    Raises:
        ValueError: If the gallery's embeddings are not as wide as the model's.
    """

    def __init__(self, model: "IPAClipModel", processor: "IPAClipProcessor", gallery: Gallery) -> None:
        if gallery.dim != model.config.projection_dim:
            raise ValueError(
                f"The gallery's embeddings have {gallery.dim} dimensions, the model's {model.config.projection_dim}: "
                "make the gallery with this model."
            )
        self.model = model
        self.processor = processor
        self.gallery = gallery

    @classmethod
    def from_checkpoint(cls, name: str | Path) -> "PictureSearch":
        """Loads model, processor and gallery from one directory, or by the checkpoint's name on the Hub.

        Raises:
            OSError: If the checkpoint, or a file of it, is missing.
            ValueError: If its parts do not fit each other, or weights are missing.
        """
        directory = local_checkpoint(name)
        gallery = Gallery.load(directory)  # first, for it fails in no time

        from ipaclip import IPAClipProcessor

        processor = IPAClipProcessor.from_pretrained(directory, local_files_only=True)
        return cls(load_model(directory), processor, gallery)

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
        if isinstance(queries, str):
            raise TypeError(f"search takes a list of queries, not one str: write search([{queries!r}]).")
        if by not in get_args(Way):
            raise ValueError(f"by is {by!r}: it must be 'sound', 'ipa' or 'text'.")
        if language is not None and by != "sound":
            raise ValueError(f"language says how spelled words sound: leave it out with by={by!r}.")
        if not queries:
            return []
        from ipaclip.encoding import encode

        given: dict[str, Any] = {_INPUT[by]: list(queries)}
        embeds = encode(self.model, self.processor, language=language, **given)
        return self.gallery.nearest(embeds.numpy(), top)

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
        import numpy as np
        from ipaclip.encoding import encode

        written = encode(self.model, self.processor, text=list(spellings)).numpy()
        heard = encode(self.model, self.processor, ipa=list(ipa)).numpy()
        directions = self.gallery.image_embeds / np.linalg.norm(self.gallery.image_embeds, axis=1, keepdims=True)
        probabilities = np.exp(fuse(written @ directions.T, heard @ directions.T, written, heard))
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        return [
            [Hit(self.gallery.entries[column], float(row[column])) for column in best]
            for row, best in zip(probabilities, order, strict=True)
        ]


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
