"""Rows of text → batches of phonemes: read, prepared, augmented, put together."""
