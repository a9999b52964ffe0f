//! A file system per host, in memory.
