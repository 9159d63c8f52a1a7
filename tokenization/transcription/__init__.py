"""Text → IPA: normalised, split into words, and said by one of the backends."""
