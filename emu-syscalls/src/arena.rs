//! Ordered arenas: objects of the kernel by id, cheap to clone with the machine.
//!
//! **Invariant**: an id is never used twice in one arena, so a stale id finds nothing rather than a stranger. Clones share
//! everything until it is written.

use std::fmt;
use std::marker::PhantomData;

use emu_core::persist::Shared;

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

/// Bits of an id that one node looks at.
const BITS: u32 = 5;
/// Slots of a node.
const WIDTH: usize = 1 << BITS;

/// A node of the tree: shared with snapshots until it is changed.
enum Node<T> {
    Inner(Slots<Node<T>>),
    Leaf(Slots<T>),
}

/// What hangs at a node.
struct Slots<C> {
    used: usize,
    slots: [Option<Shared<C>>; WIDTH],
}

impl<C> Default for Slots<C> {
    fn default() -> Self {
        Slots { used: 0, slots: [const { None }; WIDTH] }
    }
}

impl<C> Clone for Slots<C> {
    fn clone(&self) -> Self {
        Slots { used: self.used, slots: self.slots.clone() }
    }
}

impl<T> Clone for Node<T> {
    fn clone(&self) -> Self {
        match self {
            Node::Inner(slots) => Node::Inner(slots.clone()),
            Node::Leaf(slots) => Node::Leaf(slots.clone()),
        }
    }
}

/// Slot of an id in a node that stands `level` levels above the leaves.
fn slot(raw: u32, level: u32) -> usize {
    (raw >> (level * BITS)) as usize & (WIDTH - 1)
}

impl<T> Node<T> {
    fn new(level: u32) -> Self {
        if level == 0 { Node::Leaf(Slots::default()) } else { Node::Inner(Slots::default()) }
    }

    fn insert(&mut self, raw: u32, level: u32, value: T) -> Option<Shared<T>> {
        match self {
            Node::Inner(inner) => {
                let child = &mut inner.slots[slot(raw, level)];
                inner.used += usize::from(child.is_none());
                let child = child.get_or_insert_with(|| Shared::new(Node::new(level - 1)));
                child.own().insert(raw, level - 1, value)
            }
            Node::Leaf(leaf) => {
                let old = leaf.slots[slot(raw, 0)].replace(Shared::new(value));
                leaf.used += usize::from(old.is_none());
                old
            }
        }
    }

    fn remove(&mut self, raw: u32, level: u32) -> Option<Shared<T>> {
        match self {
            Node::Inner(inner) => {
                let place = &mut inner.slots[slot(raw, level)];
                let child = place.as_mut()?.own();
                let old = child.remove(raw, level - 1)?;
                let empty = match child {
                    Node::Inner(inner) => inner.used == 0,
                    Node::Leaf(leaf) => leaf.used == 0,
                };
                if empty {
                    *place = None;
                    inner.used -= 1;
                }
                Some(old)
            }
            Node::Leaf(leaf) => {
                let old = leaf.slots[slot(raw, 0)].take()?;
                leaf.used -= 1;
                Some(old)
            }
        }
    }

    /// The first object from id `from` on, with its id; `base` is the id of the node's first slot.
    fn first_from(&self, from: u64, base: u64, level: u32) -> Option<(u32, &T)> {
        let step = 1u64 << (level * BITS);
        let start = usize::try_from(from.saturating_sub(base) / step).unwrap_or(usize::MAX);
        for i in start..WIDTH {
            let at = base + i as u64 * step;
            let found = match self {
                Node::Inner(inner) => {
                    inner.slots[i].as_deref().and_then(|child| child.first_from(from, at, level - 1))
                }
                Node::Leaf(leaf) => {
                    leaf.slots[i].as_deref().and_then(|item| Some((u32::try_from(at).ok()?, item)))
                }
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

/// Objects of type `T` by ids of type `K`: a tree of nodes with 32 slots, as high as the largest id needs.
pub struct Arena<K, T> {
    root: Option<Shared<Node<T>>>,
    /// Levels of the tree.
    height: u32,
    len: usize,
    next: u32,
    key: PhantomData<fn() -> K>,
}

impl<K, T> Clone for Arena<K, T> {
    fn clone(&self) -> Self {
        let Arena { root, height, len, next, key } = self;
        Arena { root: root.clone(), height: *height, len: *len, next: *next, key: *key }
    }
}

impl<K, T> Default for Arena<K, T> {
    fn default() -> Self {
        Arena { root: None, height: 1, len: 0, next: 1, key: PhantomData }
    }
}

impl<K: Id, T: Clone + fmt::Debug> fmt::Debug for Arena<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(id, item)| (id.raw(), item))).finish()
    }
}

impl<K: Id, T: Clone> Arena<K, T> {
    /// Adds an object under a new id.
    pub fn insert(&mut self, value: T) -> K {
        let mut raw = self.next;
        while self.contains(K::from_raw(raw)) {
            raw = raw.checked_add(1).expect("fewer than 2^32 objects are ever made");
        }
        self.next = raw.checked_add(1).expect("fewer than 2^32 objects are ever made");
        self.put(raw, value);
        K::from_raw(raw)
    }
    /// Puts an object under a free id that somebody chose; ids given out later go on as before.
    pub fn insert_chosen(&mut self, id: K, value: T) {
        self.put(id.raw(), value);
    }
    /// Puts an object under an id chosen by the caller (pids), replacing what is there.
    pub fn insert_at(&mut self, id: K, value: T) {
        self.next = self.next.max(id.raw().saturating_add(1));
        self.put(id.raw(), value);
    }
    fn put(&mut self, raw: u32, value: T) {
        while u64::from(raw) >> (BITS * self.height) != 0 {
            if let Some(old) = self.root.take() {
                let mut top = Slots::default();
                top.slots[0] = Some(old);
                top.used = 1;
                self.root = Some(Shared::new(Node::Inner(top)));
            }
            self.height += 1;
        }
        let level = self.height - 1;
        let root = self.root.get_or_insert_with(|| Shared::new(Node::new(level)));
        let old = root.own().insert(raw, level, value);
        self.len += usize::from(old.is_none());
    }
    /// The object.
    #[must_use]
    pub fn get(&self, id: K) -> Option<&T> {
        let raw = id.raw();
        if u64::from(raw) >> (BITS * self.height) != 0 {
            return None;
        }
        let mut node = self.root.as_deref()?;
        let mut level = self.height - 1;
        loop {
            match node {
                Node::Inner(inner) => node = inner.slots[slot(raw, level)].as_deref()?,
                Node::Leaf(leaf) => return leaf.slots[slot(raw, 0)].as_deref(),
            }
            level = level.wrapping_sub(1);
        }
    }
    /// The object, to be changed; copied first if a snapshot shares it.
    pub fn get_mut(&mut self, id: K) -> Option<&mut T> {
        let raw = id.raw();
        if u64::from(raw) >> (BITS * self.height) != 0 {
            return None;
        }
        let mut node = self.root.as_mut()?.own();
        let mut level = self.height - 1;
        loop {
            match node {
                Node::Inner(inner) => node = inner.slots[slot(raw, level)].as_mut()?.own(),
                Node::Leaf(leaf) => return leaf.slots[slot(raw, 0)].as_mut().map(Shared::own),
            }
            level = level.wrapping_sub(1);
        }
    }
    /// Takes the object out.
    pub fn remove(&mut self, id: K) -> Option<T> {
        let raw = id.raw();
        if u64::from(raw) >> (BITS * self.height) != 0 {
            return None;
        }
        let old = self.root.as_mut()?.own().remove(raw, self.height - 1)?;
        self.len -= 1;
        if self.len == 0 {
            self.root = None;
            self.height = 1;
        }
        Some(old.into_inner())
    }
    /// Whether the id is in use.
    #[must_use]
    pub fn contains(&self, id: K) -> bool {
        self.get(id).is_some()
    }
    /// All, ascending by id.
    pub fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let (raw, item) = self.root.as_deref()?.first_from(from, 0, self.height - 1)?;
            from = u64::from(raw) + 1;
            Some((K::from_raw(raw), item))
        })
    }
    /// All ids, ascending.
    pub fn ids(&self) -> impl Iterator<Item = K> + '_ {
        self.iter().map(|(id, _)| id)
    }
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Clone, Copy)]
    struct Number(u32);
    impl Id for Number {
        fn from_raw(raw: u32) -> Self {
            Number(raw)
        }
        fn raw(self) -> u32 {
            self.0
        }
    }

    #[test]
    fn it_is_a_map_whose_clones_do_not_change() {
        let (mut arena, mut model) = (Arena::<Number, u64>::default(), BTreeMap::new());
        let mut kept = Vec::new();
        let mut x = 1u64;
        for i in 0..20_000u64 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let id = Number(((x >> 33) as u32) >> ((x >> 60) * 2));
            match x >> 30 & 3 {
                0 => assert_eq!(arena.remove(id), model.remove(&id.0)),
                1 => {
                    let found = arena.get_mut(id).map(|v| std::mem::replace(v, i));
                    assert_eq!(found, model.get_mut(&id.0).map(|v| std::mem::replace(v, i)));
                }
                _ => {
                    arena.insert_at(id, i);
                    model.insert(id.0, i);
                }
            }
            assert_eq!(arena.get(id), model.get(&id.0));
            if i % 5_000 == 0 {
                kept.push((arena.clone(), model.clone()));
            }
        }
        kept.push((arena, model));
        for (arena, model) in &kept {
            assert_eq!(arena.len(), model.len());
            assert!(arena.iter().map(|(id, v)| (id.0, *v)).eq(model.iter().map(|(k, v)| (*k, *v))));
        }
        let (mut arena, model) = kept.pop().unwrap_or_default();
        for id in model.keys() {
            assert!(arena.remove(Number(*id)).is_some());
        }
        assert!(arena.is_empty() && arena.iter().next().is_none());
    }
}
