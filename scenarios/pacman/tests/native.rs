//! The board and its players on this machine: real processes, real sockets, real files.

mod native {
    mod board;
    mod games;
    mod processes;
    mod proxy;
    mod support;
}
