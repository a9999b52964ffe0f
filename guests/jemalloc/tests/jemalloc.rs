//! jemalloc as the global allocator; with the feature `unprefixed` it is `malloc` itself, for the C library too.

#[path = "../../tests/allocators/mod.rs"]
mod allocators;

use std::ffi::c_void;

use bizarro::prelude::*;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Where the object that holds an address is loaded.
fn object(address: *const c_void) -> usize {
    let mut found = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: dladdr(3) looks an address up and fills the structure in.
    assert_ne!(unsafe { libc::dladdr(address, &raw mut found) }, 0);
    found.dli_fbase as usize
}

/// Has the C library allocate, and says whose `malloc` it uses.
fn copies_a_word() {
    let program = object(copies_a_word as *const c_void);
    println!("malloc is the program's: {}", object(libc::malloc as *const c_void) == program);
    // SAFETY: strdup(3) gives a block of malloc(3), which is freed once.
    unsafe {
        let copy = libc::strdup(c"a word".as_ptr());
        println!("{}", std::ffi::CStr::from_ptr(copy).to_string_lossy());
        libc::free(copy.cast());
    }
}

#[bizarro::test]
fn whose_malloc_it_is(world: &mut World) {
    world.host("one").workload(copies_a_word);
    let lines = if cfg!(feature = "unprefixed") {
        &["malloc is the program's: true", "a word"]
    } else {
        &["malloc is the program's: false", "a word"]
    };
    guests::prints(world, "one", lines);
}
