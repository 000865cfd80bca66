//! A map in the order of its keys: a B+ tree of shared nodes.
//!
//! **Invariant**: a leaf is never empty, except as the root; the keys of an inner node separate its children: those in
//! child `i` are below `keys[i]`, those in child `i + 1` are not.

use std::borrow::Borrow;
use std::fmt;
use std::ops::{Bound, RangeBounds};

use super::Shared;

/// Most pairs in a leaf.
const LEAF: usize = 16;
/// Most children of an inner node.
const INNER: usize = 32;

#[derive(Clone)]
enum Node<K, V> {
    Leaf(Vec<(K, V)>),
    Inner(Vec<K>, Vec<Shared<Node<K, V>>>),
}

/// The right half of a node that became too large, and the least key in it.
type Split<K, V> = Option<(K, Shared<Node<K, V>>)>;

impl<K: Ord, V> Node<K, V> {
    fn is_empty(&self) -> bool {
        match self {
            Node::Leaf(pairs) => pairs.is_empty(),
            Node::Inner(_, children) => children.is_empty(),
        }
    }
}

impl<K: Ord + Clone, V: Clone> Node<K, V> {
    fn insert(&mut self, key: K, value: V) -> (Option<(K, V)>, Split<K, V>) {
        match self {
            Node::Leaf(pairs) => match pairs.binary_search_by(|(k, _)| k.cmp(&key)) {
                Ok(i) => (Some(std::mem::replace(&mut pairs[i], (key, value))), None),
                Err(i) => {
                    // What grows at its end leaves full leaves behind.
                    let middle = if i == LEAF { LEAF } else { LEAF / 2 };
                    pairs.insert(i, (key, value));
                    if pairs.len() <= LEAF {
                        return (None, None);
                    }
                    let right = pairs.split_off(middle);
                    let least = right[0].0.clone();
                    (None, Some((least, Shared::new(Node::Leaf(right)))))
                }
            },
            Node::Inner(keys, children) => {
                let i = keys.partition_point(|k| *k <= key);
                let (old, split) = children[i].own().insert(key, value);
                if let Some((least, right)) = split {
                    keys.insert(i, least);
                    children.insert(i + 1, right);
                }
                if children.len() <= INNER {
                    return (old, None);
                }
                let middle = if i + 2 == children.len() { INNER } else { INNER / 2 };
                let right = children.split_off(middle);
                let right_keys = keys.split_off(middle);
                match keys.pop() {
                    Some(least) => (old, Some((least, Shared::new(Node::Inner(right_keys, right))))),
                    None => (old, None),
                }
            }
        }
    }

    fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        match self {
            Node::Leaf(pairs) => {
                let i = pairs.binary_search_by(|(k, _)| k.borrow().cmp(key)).ok()?;
                Some(pairs.remove(i))
            }
            Node::Inner(keys, children) => {
                let i = keys.partition_point(|k| k.borrow() <= key);
                let child = children[i].own();
                let old = child.remove(key)?;
                if child.is_empty() {
                    children.remove(i);
                    if !keys.is_empty() {
                        keys.remove(i.saturating_sub(1));
                    }
                }
                Some(old)
            }
        }
    }

    fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match self {
            Node::Leaf(pairs) => {
                let i = pairs.binary_search_by(|(k, _)| k.borrow().cmp(key)).ok()?;
                Some(&mut pairs[i].1)
            }
            Node::Inner(keys, children) => {
                let i = keys.partition_point(|k| k.borrow() <= key);
                children[i].own().get_mut(key)
            }
        }
    }

    fn take_all(self, into: &mut Vec<(K, V)>) {
        match self {
            Node::Leaf(pairs) => into.extend(pairs),
            Node::Inner(_, children) => {
                for child in children {
                    child.into_inner().take_all(into);
                }
            }
        }
    }
}

/// A place in a map: a pair of a leaf or the end of the last one.
struct Cursor<'a, K, V> {
    leaf: &'a [(K, V)],
    index: usize,
    /// What separates the leaf from its neighbours.
    below: Option<&'a K>,
    above: Option<&'a K>,
}

impl<K, V> Clone for Cursor<'_, K, V> {
    fn clone(&self) -> Self {
        Cursor { ..*self }
    }
}

/// Where to go in a tree.
enum Aim<'q, Q: ?Sized> {
    First,
    Last,
    /// The leaf in which a key is or would be.
    At(&'q Q),
    /// The leaf that ends before a separator.
    Before(&'q Q),
}

/// A map in the order of its keys.
pub struct OrdMap<K, V> {
    root: Option<Shared<Node<K, V>>>,
    len: usize,
}

impl<K, V> OrdMap<K, V> {
    /// An empty map.
    #[must_use]
    pub const fn new() -> Self {
        OrdMap { root: None, len: 0 }
    }
    /// Pairs in it.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }
    /// True if nothing is in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Empties it.
    pub fn clear(&mut self) {
        *self = OrdMap::new();
    }
}

impl<K: Ord, V> OrdMap<K, V> {
    fn descend<Q: Ord + ?Sized>(&self, aim: &Aim<'_, Q>) -> Cursor<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let mut at = Cursor { leaf: &[], index: 0, below: None, above: None };
        let Some(mut node) = self.root.as_deref() else { return at };
        loop {
            match node {
                Node::Leaf(pairs) => {
                    at.leaf = pairs;
                    return at;
                }
                Node::Inner(keys, children) => {
                    let i = match aim {
                        Aim::First => 0,
                        Aim::Last => keys.len(),
                        Aim::At(key) => keys.partition_point(|k| k.borrow() <= *key),
                        Aim::Before(key) => keys.partition_point(|k| k.borrow() < *key),
                    };
                    if i > 0 {
                        at.below = keys.get(i - 1);
                    }
                    at.above = keys.get(i).or(at.above);
                    let Some(child) = children.get(i) else { return at };
                    node = child;
                }
            }
        }
    }

    /// The first place whose key is not below the bound; `equal`: an equal key is below.
    fn lower_bound<Q: Ord + ?Sized>(&self, key: &Q, equal: Equal) -> Cursor<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let mut at = self.descend(&Aim::At(key));
        at.index = at.leaf.partition_point(|(k, _)| match equal {
            Equal::Stays => k.borrow() < key,
            Equal::Passes => k.borrow() <= key,
        });
        self.settle(&mut at);
        at
    }

    /// A place behind the last pair of a leaf becomes the first of the next.
    fn settle<'a>(&'a self, at: &mut Cursor<'a, K, V>) {
        if at.index >= at.leaf.len()
            && let Some(above) = at.above
        {
            *at = self.descend::<K>(&Aim::At(above));
        }
    }

    fn first(&self) -> Cursor<'_, K, V> {
        self.descend::<K>(&Aim::First)
    }

    fn end(&self) -> Cursor<'_, K, V> {
        let mut at = self.descend::<K>(&Aim::Last);
        at.index = at.leaf.len();
        at
    }

    /// The value of a key.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let leaf = self.descend(&Aim::At(key)).leaf;
        let i = leaf.binary_search_by(|(k, _)| k.borrow().cmp(key)).ok()?;
        Some(&leaf[i].1)
    }
    /// True if the key is there.
    #[must_use]
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }
    /// The least pair.
    #[must_use]
    pub fn get_min(&self) -> Option<(&K, &V)> {
        self.first().leaf.first().map(pair)
    }
    /// The greatest pair.
    #[must_use]
    pub fn get_max(&self) -> Option<(&K, &V)> {
        self.descend::<K>(&Aim::Last).leaf.last().map(pair)
    }
    /// The pair with the greatest key not above this one.
    #[must_use]
    pub fn get_prev<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let at = self.descend(&Aim::At(key));
        let i = at.leaf.partition_point(|(k, _)| k.borrow() <= key);
        match (i, at.below) {
            (0, Some(below)) => self.descend::<K>(&Aim::Before(below)).leaf.last(),
            _ => at.leaf.get(i.wrapping_sub(1)),
        }
        .map(pair)
    }
    /// The pair with the least key not below this one.
    #[must_use]
    pub fn get_next<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let at = self.lower_bound(key, Equal::Stays);
        at.leaf.get(at.index).map(pair)
    }
    /// All pairs in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter { map: self, front: self.first(), back: self.end() }
    }
    /// The keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }
    /// The values in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
    /// The pairs whose keys are in a range.
    pub fn range<Q: Ord + ?Sized>(&self, range: impl RangeBounds<Q>) -> Iter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let front = match range.start_bound() {
            Bound::Unbounded => self.first(),
            Bound::Included(key) => self.lower_bound(key, Equal::Stays),
            Bound::Excluded(key) => self.lower_bound(key, Equal::Passes),
        };
        let mut back = match range.end_bound() {
            Bound::Unbounded => self.end(),
            Bound::Included(key) => self.lower_bound(key, Equal::Passes),
            Bound::Excluded(key) => self.lower_bound(key, Equal::Stays),
        };
        // A range whose end comes before its start is empty.
        let before = match (front.leaf.get(front.index), back.leaf.get(back.index)) {
            (Some((first, _)), Some((end, _))) => end < first,
            (None, _) => true,
            (Some(_), None) => false,
        };
        if before {
            back = front.clone();
        }
        Iter { map: self, front, back }
    }
}

#[derive(Clone, Copy)]
enum Equal {
    Stays,
    Passes,
}

fn pair<K, V>((key, value): &(K, V)) -> (&K, &V) {
    (key, value)
}

impl<K: Ord + Clone, V: Clone> OrdMap<K, V> {
    /// A map of one pair.
    #[must_use]
    pub fn unit(key: K, value: V) -> Self {
        OrdMap { root: Some(Shared::new(Node::Leaf(vec![(key, value)]))), len: 1 }
    }
    /// Puts a pair in; returns the value that the key had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.put(key, value).map(|(_, value)| value)
    }
    pub(super) fn put(&mut self, key: K, value: V) -> Option<(K, V)> {
        let Some(root) = &mut self.root else {
            *self = OrdMap::unit(key, value);
            return None;
        };
        let (old, split) = root.own().insert(key, value);
        if let Some((least, right)) = split {
            let left = root.clone();
            *root = Shared::new(Node::Inner(vec![least], vec![left, right]));
        }
        self.len += usize::from(old.is_none());
        old
    }
    /// Takes a pair out.
    pub fn remove_with_key<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        let old = self.root.as_mut()?.own().remove(key)?;
        self.len -= 1;
        // A root with one child is no more than that child.
        while let Some(Node::Inner(_, children)) = self.root.as_deref()
            && let [child] = children.as_slice()
        {
            self.root = Some(child.clone());
        }
        if self.len == 0 {
            self.root = None;
        }
        Some(old)
    }
    /// Takes a key's value out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.remove_with_key(key).map(|(_, value)| value)
    }
    /// The value of a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.root.as_mut()?.own().get_mut(key)
    }
    /// The place of a key, there or not.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        Entry { map: self, key }
    }
    /// Keeps the pairs that pass.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        let gone: Vec<K> =
            self.iter().filter(|(key, value)| !keep(key, value)).map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.remove(&key);
        }
    }
}

/// The place of a key in a map.
pub struct Entry<'a, K, V> {
    map: &'a mut OrdMap<K, V>,
    key: K,
}

impl<'a, K: Ord + Clone, V: Clone> Entry<'a, K, V> {
    /// The value, made now if there is none.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        if !self.map.contains_key(&self.key) {
            self.map.insert(self.key.clone(), make());
        }
        match self.map.get_mut(&self.key) {
            Some(value) => value,
            None => unreachable!("the key was put in"),
        }
    }
    /// The value, or else this one.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }
    /// The value, or else the default.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }
}

/// Pairs in order, from both ends.
pub struct Iter<'a, K, V> {
    map: &'a OrdMap<K, V>,
    front: Cursor<'a, K, V>,
    /// Behind the last.
    back: Cursor<'a, K, V>,
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Iter { map: self.map, front: self.front.clone(), back: self.back.clone() }
    }
}

impl<K, V> Iter<'_, K, V> {
    fn is_done(&self) -> bool {
        self.front.index == self.back.index && std::ptr::eq(self.front.leaf, self.back.leaf)
    }
}

impl<'a, K: Ord, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done() {
            return None;
        }
        let item = self.front.leaf.get(self.front.index)?;
        self.front.index += 1;
        self.map.settle(&mut self.front);
        Some(pair(item))
    }
}

impl<K: Ord, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.is_done() {
            return None;
        }
        if self.back.index == 0 {
            self.back = self.map.descend::<K>(&Aim::Before(self.back.below?));
            self.back.index = self.back.leaf.len();
        }
        self.back.index -= 1;
        self.back.leaf.get(self.back.index).map(pair)
    }
}

impl<K, V> Clone for OrdMap<K, V> {
    fn clone(&self) -> Self {
        OrdMap { root: self.root.clone(), len: self.len }
    }
}

impl<K, V> Default for OrdMap<K, V> {
    fn default() -> Self {
        OrdMap::new()
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for OrdMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord, V: PartialEq> PartialEq for OrdMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Ord, V: Eq> Eq for OrdMap<K, V> {}

impl<K: Ord + Clone, V: Clone> Extend<(K, V)> for OrdMap<K, V> {
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, pairs: T) {
        for (key, value) in pairs {
            self.insert(key, value);
        }
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for OrdMap<K, V> {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(pairs: T) -> Self {
        let mut map = OrdMap::new();
        map.extend(pairs);
        map
    }
}

impl<'a, K: Ord, V> IntoIterator for &'a OrdMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;
    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<K: Ord + Clone, V: Clone> IntoIterator for OrdMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;
    fn into_iter(self) -> Self::IntoIter {
        let mut all = Vec::with_capacity(self.len);
        if let Some(root) = self.root {
            root.into_inner().take_all(&mut all);
        }
        all.into_iter()
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for Iter<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}

impl<K: fmt::Debug, V> fmt::Debug for Entry<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::OrdMap;

    fn same(map: &OrdMap<u16, u32>, model: &BTreeMap<u16, u32>) {
        assert_eq!(map.len(), model.len());
        assert!(map.iter().eq(model.iter()));
        assert!(map.iter().rev().eq(model.iter().rev()));
    }

    proptest! {
        /// Against the standard library's map, with snapshots that must not change.
        #[test]
        fn a_map_is_an_ordered_map(
            steps in prop::collection::vec((0u8..8, 0u16..400, 0u16..400), 1..600),
            width in 1u16..400,
        ) {
            let (mut map, mut model) = (OrdMap::new(), BTreeMap::new());
            let mut kept = Vec::new();
            for (n, (what, a, b)) in (0u32..).zip(steps) {
                let (a, b) = (a % width, b % width);
                match what {
                    0..=3 => prop_assert_eq!(map.insert(a, n), model.insert(a, n)),
                    4 => prop_assert_eq!(map.remove(&a), model.remove(&a)),
                    5 => {
                        for key in a.min(b)..=a.max(b) {
                            prop_assert_eq!(map.remove(&key), model.remove(&key));
                        }
                    }
                    6 => {
                        let (low, high) = (a.min(b), a.max(b));
                        prop_assert!(map.range(low..high).eq(model.range(low..high)));
                        prop_assert!(map.range(low..=high).rev().eq(model.range(low..=high).rev()));
                        prop_assert!(map.range(..low).rev().eq(model.range(..low).rev()));
                        prop_assert!(map.range(high..).eq(model.range(high..)));
                        prop_assert_eq!(map.range(high + 1..low).count(), 0);
                        prop_assert_eq!(map.get_prev(&a), model.range(..=a).next_back());
                        prop_assert_eq!(map.get_next(&a), model.range(a..).next());
                        prop_assert_eq!(map.get_min(), model.iter().next());
                        prop_assert_eq!(map.get_max(), model.iter().next_back());
                        let mut ends = map.range(low..=high);
                        let mut met = 0;
                        while ends.next().is_some() { met += 1; met += usize::from(ends.next_back().is_some()); }
                        prop_assert_eq!(met, model.range(low..=high).count());
                    }
                    _ if kept.len() < 8 => kept.push((map.clone(), model.clone())),
                    _ => {
                        *map.entry(a).or_insert(0) += 1;
                        *model.entry(a).or_insert(0) += 1;
                    }
                }
                prop_assert_eq!(map.get(&b), model.get(&b));
            }
            same(&map, &model);
            for (map, model) in &kept {
                same(map, model);
                prop_assert!(map.clone().into_iter().eq(model.clone()));
            }
        }
    }

    #[test]
    fn growing_at_the_end_fills_leaves() {
        let mut map = OrdMap::new();
        for key in 0..100_000u32 {
            map.insert(key, key);
        }
        assert!(map.iter().map(|(key, _)| *key).eq(0..100_000));
        for key in 0..100_000 {
            assert_eq!(map.remove(&key), Some(key));
        }
        assert!(map.is_empty() && map.iter().next().is_none());
    }
}
