//! Empty: the programs are in `tests/`.
