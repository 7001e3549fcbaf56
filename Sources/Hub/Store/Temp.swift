struct MonotonicInstant {}
