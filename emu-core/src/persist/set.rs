//! A set in order: a map without values.

use std::borrow::Borrow;
use std::fmt;
use std::ops::RangeBounds;

use super::map::{Iter, OrdMap};

/// A set in order.
pub struct OrdSet<K>(OrdMap<K, ()>);

impl<K> OrdSet<K> {
    /// An empty set.
    #[must_use]
    pub const fn new() -> Self {
        OrdSet(OrdMap::new())
    }
    /// Members.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }
    /// True if nothing is in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Empties it.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<K: Ord> OrdSet<K> {
    /// True if it is a member.
    #[must_use]
    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }
    /// The least.
    #[must_use]
    pub fn get_min(&self) -> Option<&K> {
        self.0.get_min().map(|(key, ())| key)
    }
    /// The greatest.
    #[must_use]
    pub fn get_max(&self) -> Option<&K> {
        self.0.get_max().map(|(key, ())| key)
    }
    /// All in order.
    #[must_use]
    pub fn iter(&self) -> SetIter<'_, K> {
        SetIter(self.0.iter())
    }
    /// Those in a range.
    pub fn range<Q: Ord + ?Sized>(&self, range: impl RangeBounds<Q>) -> SetIter<'_, K>
    where
        K: Borrow<Q>,
    {
        SetIter(self.0.range(range))
    }
}

impl<K: Ord + Clone> OrdSet<K> {
    /// Puts one in; returns the equal one that was there.
    pub fn insert(&mut self, key: K) -> Option<K> {
        self.0.put(key, ()).map(|(key, ())| key)
    }
    /// Takes one out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<K>
    where
        K: Borrow<Q>,
    {
        self.0.remove_with_key(key).map(|(key, ())| key)
    }
    /// Keeps those that pass.
    pub fn retain(&mut self, mut keep: impl FnMut(&K) -> bool) {
        self.0.retain(|key, ()| keep(key));
    }
}

/// Members in order, from both ends.
pub struct SetIter<'a, K>(Iter<'a, K, ()>);

impl<K> Clone for SetIter<'_, K> {
    fn clone(&self) -> Self {
        SetIter(self.0.clone())
    }
}

impl<'a, K: Ord> Iterator for SetIter<'a, K> {
    type Item = &'a K;
    fn next(&mut self) -> Option<&'a K> {
        self.0.next().map(|(key, ())| key)
    }
}

impl<K: Ord> DoubleEndedIterator for SetIter<'_, K> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(key, ())| key)
    }
}

impl<K> Clone for OrdSet<K> {
    fn clone(&self) -> Self {
        OrdSet(self.0.clone())
    }
}

impl<K> Default for OrdSet<K> {
    fn default() -> Self {
        OrdSet::new()
    }
}

impl<K: Ord + fmt::Debug> fmt::Debug for OrdSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<K: Ord> PartialEq for OrdSet<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K: Ord> Eq for OrdSet<K> {}

impl<K: Ord + Clone> Extend<K> for OrdSet<K> {
    fn extend<T: IntoIterator<Item = K>>(&mut self, keys: T) {
        self.0.extend(keys.into_iter().map(|key| (key, ())));
    }
}

impl<K: Ord + Clone> FromIterator<K> for OrdSet<K> {
    fn from_iter<T: IntoIterator<Item = K>>(keys: T) -> Self {
        let mut set = OrdSet::new();
        set.extend(keys);
        set
    }
}

impl<'a, K: Ord> IntoIterator for &'a OrdSet<K> {
    type Item = &'a K;
    type IntoIter = SetIter<'a, K>;
    fn into_iter(self) -> SetIter<'a, K> {
        self.iter()
    }
}

impl<K: Ord + Clone> IntoIterator for OrdSet<K> {
    type Item = K;
    type IntoIter = std::vec::IntoIter<K>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(key, ())| key).collect::<Vec<K>>().into_iter()
    }
}

impl<K: Ord + fmt::Debug> fmt::Debug for SetIter<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.clone()).finish()
    }
}
