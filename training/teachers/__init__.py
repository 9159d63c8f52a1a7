"""Frozen text encoders that a pronunciation tower is distilled from: one protocol, one adapter a family."""

from .clip_family import ClipTeacher
from .loading import load_teacher
from .protocol import Teacher, TeacherError
from .reading import resample_tokens
from .sentence_encoder import SentenceTeacher

__all__ = ["ClipTeacher", "SentenceTeacher", "Teacher", "TeacherError", "load_teacher", "resample_tokens"]
