//! The C library's allocator, as every program has it without a word.

mod allocators;
