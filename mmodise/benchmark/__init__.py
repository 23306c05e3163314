"""What the commands in ``tools/`` are made of: timing, charts, claims, small models, the demo."""
