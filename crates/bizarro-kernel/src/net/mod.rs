//! The network between hosts: links, TCP, UDP, Unix sockets, names and exchanges.
