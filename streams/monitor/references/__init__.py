"""References: what a model is compared with beside its training file."""
