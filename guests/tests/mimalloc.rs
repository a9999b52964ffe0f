//! mimalloc as the global allocator.

mod allocators;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
