//! What a run is made of, as data.
#![no_std]
