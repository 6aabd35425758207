"""Where candidates are evaluated: here, in processes, on a cluster."""
