//! Ordered arenas: objects of the kernel by id, cheap to clone with the machine.
//!
//! **Invariant**: an id is never used twice in one arena, so a stale id finds nothing rather than a stranger. Clones share
//! everything until it is written.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// An id of an arena: a newtype of `u32`, made by [`id!`].
pub trait Id: Copy {
    /// From the number.
    fn from_raw(raw: u32) -> Self;
    /// The number.
    fn raw(self) -> u32;
}

/// Declares id types.
macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
        impl $crate::arena::Id for $name {
            fn from_raw(raw: u32) -> Self { $name(raw) }
            fn raw(self) -> u32 { self.0 }
        }
    )*};
}
pub(crate) use id;

/// Objects of type `T` by ids of type `K`.
pub struct Arena<K, T> {
    items: imbl::OrdMap<u32, Arc<T>>,
    next: u32,
    key: PhantomData<fn() -> K>,
}

impl<K, T> Clone for Arena<K, T> {
    fn clone(&self) -> Self {
        Arena { items: self.items.clone(), next: self.next, key: PhantomData }
    }
}

impl<K, T> Default for Arena<K, T> {
    fn default() -> Self {
        Arena { items: imbl::OrdMap::new(), next: 1, key: PhantomData }
    }
}

impl<K, T: fmt::Debug> fmt::Debug for Arena<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.items.iter()).finish()
    }
}

impl<K: Id, T: Clone> Arena<K, T> {
    /// Adds an object under a new id.
    pub fn insert(&mut self, value: T) -> K {
        let mut raw = self.next;
        while self.items.contains_key(&raw) {
            raw = raw.checked_add(1).expect("fewer than 2^32 objects are ever made");
        }
        self.next = raw.checked_add(1).expect("fewer than 2^32 objects are ever made");
        self.items.insert(raw, Arc::new(value));
        K::from_raw(raw)
    }
    /// Puts an object under a free id that somebody chose; ids given out later go on as before.
    pub fn insert_chosen(&mut self, id: K, value: T) {
        self.items.insert(id.raw(), Arc::new(value));
    }
    /// Puts an object under an id chosen by the caller (pids), replacing what is there.
    pub fn insert_at(&mut self, id: K, value: T) {
        self.next = self.next.max(id.raw().saturating_add(1));
        self.items.insert(id.raw(), Arc::new(value));
    }
    /// The object.
    #[must_use]
    pub fn get(&self, id: K) -> Option<&T> {
        self.items.get(&id.raw()).map(|item| &**item)
    }
    /// The object, to be changed; copied first if a snapshot shares it.
    pub fn get_mut(&mut self, id: K) -> Option<&mut T> {
        self.items.get_mut(&id.raw()).map(Arc::make_mut)
    }
    /// Takes the object out.
    pub fn remove(&mut self, id: K) -> Option<T> {
        self.items.remove(&id.raw()).map(Arc::unwrap_or_clone)
    }
    /// Whether the id is in use.
    #[must_use]
    pub fn contains(&self, id: K) -> bool {
        self.items.contains_key(&id.raw())
    }
    /// All, ascending by id.
    pub fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.items.iter().map(|(raw, item)| (K::from_raw(*raw), &**item))
    }
    /// All ids, ascending.
    pub fn ids(&self) -> impl Iterator<Item = K> + '_ {
        self.items.keys().map(|raw| K::from_raw(*raw))
    }
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}
