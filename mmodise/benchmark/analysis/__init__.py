"""What is made of the predictions and figures of tests, once they are there."""
