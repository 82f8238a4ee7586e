"""Files of several kinds as sections."""
