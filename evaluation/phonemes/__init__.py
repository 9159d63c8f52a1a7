"""The suite `phonemes`: phonemes lie where phonetics says."""
