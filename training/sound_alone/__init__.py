"""The output for sound alone, fitted to how alike words sound."""
