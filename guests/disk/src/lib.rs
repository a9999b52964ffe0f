//! Databases, unmodified, on simulated hosts whose power fails: see `tests/`.
