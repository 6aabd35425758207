"""Virtual teachers: one file a way to make one target of several."""
