"""The folder of a run as it lies on disk: settings, metrics, checkpoints that are whole."""
