//! A list of what a run leaves, which may be very long: it grows in parts that never move.
//!
//! A list in one piece is copied each time that it grows, and where it was before nothing else finds room: it would take
//! twice what it holds.

use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

/// Bytes of a part.
const PART: usize = 64 << 10;

/// A list to whose end things are added.
#[derive(Clone, Debug)]
pub struct Parts<T>(Vec<Vec<T>>);

impl<T> Default for Parts<T> {
    fn default() -> Parts<T> {
        Parts(Vec::new())
    }
}

impl<T> Parts<T> {
    const LENGTH: usize =
        if size_of::<T>() == 0 || size_of::<T>() > PART { 1 } else { PART / size_of::<T>() };

    /// Adds one and gives its place.
    pub fn push(&mut self, item: T) -> usize {
        match self.0.last_mut() {
            Some(part) if part.len() < Self::LENGTH => part.push(item),
            _ => {
                // Most runs leave little: only the first part grows.
                let room = if self.0.is_empty() { 0 } else { Self::LENGTH };
                let mut part = Vec::with_capacity(room);
                part.push(item);
                self.0.push(part);
            }
        }
        self.len() - 1
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * Self::LENGTH + last.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    /// The same in one piece.
    pub fn into_vec(self) -> Vec<T> {
        let mut all = Vec::with_capacity(self.len());
        for part in self.0 {
            all.extend(part);
        }
        all
    }
}

impl<T> Index<usize> for Parts<T> {
    type Output = T;
    fn index(&self, place: usize) -> &T {
        &self.0[place / Self::LENGTH][place % Self::LENGTH]
    }
}

impl<T> IndexMut<usize> for Parts<T> {
    fn index_mut(&mut self, place: usize) -> &mut T {
        &mut self.0[place / Self::LENGTH][place % Self::LENGTH]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled<T>(count: usize, item: impl Fn(usize) -> T) -> Parts<T> {
        let mut parts = Parts::default();
        for place in 0..count {
            assert_eq!(parts.push(item(place)), place);
        }
        parts
    }

    #[test]
    fn a_list_in_parts_is_the_list() {
        for count in [0, 1, 7, 21_844, 21_845, 21_846, 100_000] {
            let mut parts = filled(count, |place| [place as u8, 1, 2]);
            assert_eq!((parts.len(), parts.is_empty()), (count, count == 0));
            if count > 0 {
                parts[count / 2][1] = 9;
                assert_eq!(parts[count / 2][1], 9);
                parts[count / 2][1] = 1;
            }
            let list: Vec<_> = (0..count).map(|place| [place as u8, 1, 2]).collect();
            assert!(parts.iter().eq(&list));
            assert_eq!(parts.into_vec(), list);
        }
    }

    #[test]
    fn what_is_larger_than_a_part_has_one_of_its_own() {
        let parts = filled(3, |place| alloc::boxed::Box::new([place; 4]));
        assert_eq!(parts.into_vec().len(), 3);
        let large = filled(3, |place| [place as u8; PART + 1]);
        assert_eq!([0, 1, 2].map(|place| large[place][PART]), [0, 1, 2]);
        assert_eq!(filled(5, |_| ()).len(), 5);
    }

    #[test]
    fn what_is_in_it_does_not_move() {
        let mut parts = filled(30_000, |place| place);
        let (first, late): (*const usize, *const usize) = (&parts[0], &parts[20_000]);
        for place in 0..30_000 {
            parts.push(place);
        }
        assert!(core::ptr::eq(first, &parts[0]) && core::ptr::eq(late, &parts[20_000]));
    }
}
