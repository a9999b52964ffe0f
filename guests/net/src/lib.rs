//! Empty: the programs are in `tests/`, a file for each library.
