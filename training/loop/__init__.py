"""What a run needs while it goes: checkpoints, validation, log, optimisation, processes, stopping."""
