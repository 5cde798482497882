"""One question about a study per file, each as frame, grid, figure and sentence."""
