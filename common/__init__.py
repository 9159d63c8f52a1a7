"""What every room needs once: files, rows, checkpoints, tables, provenance. It imports nothing of ours."""
