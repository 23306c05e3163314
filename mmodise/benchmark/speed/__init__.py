"""What makes a model faster, and what that costs: time and quality side by side."""
