"""What the commands in ``tools/`` measure models with, and draw their results with."""
