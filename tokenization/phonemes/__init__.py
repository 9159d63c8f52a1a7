"""Phonemes: segments and their features, spelling and notations of IPA, and how far apart they are."""
