"""Joint: whether features still go together as they did (`detector: pca`)."""
