//! Persistent collections: `clone()` shares everything, and a change copies what it touches.
//!
//! Key types: [`OrdMap`] and [`OrdSet`] (a B+ tree of shared nodes), [`Vector`] (a queue that is shared as a whole), and
//! [`Shared`], of which they are made.
//! Neighbours: all state of the machine that is found by a key.
//!
//! They are small on purpose: each is compiled anew for each type that it holds, and there are more than a hundred.
//!
//! **Invariant**: a [`Shared`] never has a `Weak`.

mod map;
mod queue;
mod set;

pub use map::{Entry, Iter, OrdMap};
pub use queue::Vector;
pub use set::{OrdSet, SetIter};

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// A value that clones share until one of them changes it: an [`Arc`] that never has a `Weak`. So whether it is alone needs
/// no locked instruction to know.
#[derive(Default, PartialEq, Eq)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// A value nobody shares.
    pub fn new(value: T) -> Self {
        Shared(Arc::new(value))
    }
    /// The value, to be changed; copied first if it is shared. What [`Arc::make_mut`] does.
    #[inline]
    pub fn own(&mut self) -> &mut T
    where
        T: Clone,
    {
        if Arc::strong_count(&self.0) == 1 {
            fence(Ordering::Acquire);
            // SAFETY: the only strong reference is borrowed mutably, and weak ones are never made; the fence orders this
            // after the decrement of whoever let go last.
            unsafe { &mut *Arc::as_ptr(&self.0).cast_mut() }
        } else {
            self.copied()
        }
    }
    /// A copy of its own in place of what is shared. Apart, so that the way nearly always taken stays short: a value may be
    /// as large as a page, and a copy of it passes over the stack.
    #[cold]
    #[inline(never)]
    fn copied(&mut self) -> &mut T
    where
        T: Clone,
    {
        Arc::make_mut(&mut self.0)
    }
    /// The value alone, copied if it is shared.
    #[must_use]
    pub fn into_inner(self) -> T
    where
        T: Clone,
    {
        Arc::unwrap_or_clone(self.0)
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}
